"""The drawn sets follow their papers' recipes, pixel by pixel."""

import numpy as np
import pytest

from data.sources import NO_LABEL, DataError
from data.synthetic import MovingDigits, ShapeMotion, bounce

UNUSED = np.random.default_rng(0)


def boxes(clip: np.ndarray) -> np.ndarray:
    """First and last row, first and last column of what is not black, in every frame."""
    edges = []
    for frame in clip.max(0) > 0:
        rows, columns = np.flatnonzero(frame.any(1)), np.flatnonzero(frame.any(0))
        edges.append((rows[0], rows[-1], columns[0], columns[-1]))
    return np.array(edges)


def test_class_0_moves_up_and_class_1_moves_left_as_in_the_released_files():
    source = ShapeMotion(num_frames=32, size=64)
    assert source.classes == ["bottom_to_top", "right_to_left"]
    labels = []
    for item in range(60):
        clip, label, _ = source.draw(item, UNUSED)
        edges = boxes(clip)
        along, across = (edges[:, :2], edges[:, 2:]) if label == 0 else (edges[:, 2:], edges[:, :2])
        side = source.content(item).shape_size
        assert along[0].tolist() == [62 - side, 61] and along[-1].tolist() == [1, side]
        assert across[0].tolist() == across[-1].tolist()
        assert edges.min() >= 1 and edges.max() <= 61
        labels.append(label)
    assert 15 < sum(labels) < 45


def test_the_papers_directions_are_the_other_way_round():
    source = ShapeMotion(num_frames=16, size=64, direction="paper")
    assert source.classes == ["left_to_right", "top_to_bottom"]
    for item in range(20):
        clip, label, _ = source.draw(item, UNUSED)
        first, last = boxes(clip)[[0, -1]][:, [2, 0] if label == 0 else [0, 2]]
        assert first[0] == 1 and last[0] == 62 - source.content(item).shape_size
        assert first[1] == last[1]


def test_a_clip_shows_the_content_that_it_names():
    source = ShapeMotion(num_frames=8, size=64)
    seen = set()
    for item in range(100):
        clip = source.draw(item, UNUSED).clip
        shape, color, side = source.content(item)
        assert clip.shape == (3, 8, 64, 64) and clip.dtype == np.uint8
        shown = clip.max(0) > 0
        assert (clip[:, shown] == color[:, None]).all()
        edges = boxes(clip)
        assert (edges[:, 1] - edges[:, 0] + 1 == side).all()
        assert (edges[:, 3] - edges[:, 2] + 1 == side).all()
        pixels = {"square": side**2, "disc": {8: 47, 10: 79, 12: 111, 14: 151}[side]}[shape]
        assert (shown.sum((1, 2)) == pixels).all()
        seen.add((shape, side))
    assert len(seen) == 8


def test_a_disc_is_drawn_as_in_the_released_files():
    source = ShapeMotion(num_frames=1, size=64, shape_sizes=(8,))
    item = next(item for item in range(99) if source.content(item).shape == "disc")
    frame = source.draw(item, UNUSED).clip.max(0)[0] > 0
    top, bottom, left, right = boxes(frame[None, None])[0]
    box = frame[top : bottom + 1, left : right + 1].astype(int)
    rows = ["".join(".#"[pixel] for pixel in row) for row in box]
    assert rows == [
        ".#####..",
        "#######.",
        "#######.",
        "########",
        "#######.",
        "#######.",
        ".#####..",
        "...#....",
    ]


def test_a_curve_of_order_one_is_a_straight_line_and_higher_orders_bend():
    def deviations(order: int) -> list[float]:
        source = ShapeMotion(num_frames=32, size=64, curve_order=order)
        samples = [source.draw(item, UNUSED) for item in range(20)]
        return [np.ptp(boxes(clip)[:, 2 - 2 * label]) for clip, label, _ in samples]

    assert max(deviations(1)) == 0
    assert np.mean(deviations(4)) > 5


def test_a_straight_path_is_walked_evenly_from_end_to_end():
    source = ShapeMotion(num_frames=5, size=64, curve_order=1, shape_sizes=(9,))
    clip, label, _ = source.draw(0, UNUSED)
    assert boxes(clip)[:, 2 * label].tolist() == [53, 40, 27, 14, 1]


def test_an_item_depends_on_seed_and_number_only():
    one, same = ShapeMotion(16, 64, seed=3), ShapeMotion(16, 64, seed=3)
    for item in (5, 0, 5):
        expected = one.draw(item, np.random.default_rng(1))
        actual = same.draw(item, np.random.default_rng(2))
        assert np.array_equal(expected.clip, actual.clip) and expected.label == actual.label
    other = ShapeMotion(16, 64, seed=4)
    assert not np.array_equal(one.draw(5, UNUSED).clip, other.draw(5, UNUSED).clip)
    assert not np.array_equal(one.draw(5, UNUSED).clip, one.draw(6, UNUSED).clip)


@pytest.mark.parametrize(("size", "low", "high"), [(16, 0, 16), (32, 0, 31), (128, 2, 124)])
def test_lengths_scale_with_the_canvas(size, low, high):
    whole, scaled = ShapeMotion(16, 64), ShapeMotion(16, size)
    for item in range(20):
        clip, label, _ = scaled.draw(item, UNUSED)
        edges = boxes(clip)[:, 2 * label : 2 * label + 2]
        shape, color, side = scaled.content(item)
        assert side == round(whole.content(item).shape_size * size / 64)
        assert shape == whole.content(item).shape and (color == whole.content(item).color).all()
        assert edges[0].tolist() == [high - side, high - 1]
        assert edges[-1].tolist() == [low, low + side - 1]


def test_bouncing_equals_reflection_step_by_step():
    generator = np.random.default_rng(0)
    start = generator.uniform(0, 36, size=(30, 2))
    velocity = generator.uniform(-5, 5, size=(30, 2))
    place, speed = start.copy(), velocity.copy()
    expected = []
    for _ in range(60):
        expected.append(place.copy())
        place += speed
        beyond = (place < 0) | (place > 36)
        place = np.where(place < 0, -place, np.where(place > 36, 72 - place, place))
        speed[beyond] *= -1
    actual = bounce(start, velocity, num_frames=60, room=36)
    assert np.abs(actual - np.stack(expected, axis=1)).max() < 1e-9


def test_one_digit_keeps_its_pixels_and_flies_straight(tmp_path):
    images = np.full((3, 28, 28), 200, np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=images, y_train=[7, 8, 9])
    source = MovingDigits(20, 64, num_digits=1, mnist=tmp_path / "digits.npz")
    for seed in range(10):
        clip, label, _ = source.draw(1, np.random.default_rng(seed))
        edges = boxes(clip)
        assert label == 8 and source.classes[label] == "8"
        assert (clip[clip > 0] == 200).all() and ((clip > 0).sum((0, 2, 3)) == 28 * 28).all()
        speeds = np.linalg.norm(np.diff(edges[:, [0, 2]], axis=0), axis=1)
        assert speeds.max() < 5 + 1.5 and edges[:, [0, 2]].max() <= 36
        assert np.ptp(edges, axis=0).max() > 5


def test_digits_add_up_where_they_cross(tmp_path):
    np.savez(tmp_path / "digits.npz", x_train=np.full((1, 28, 28), 200, np.uint8), y_train=[4])
    clip, label, _ = MovingDigits(9, 28, mnist=tmp_path / "digits.npz").draw(0, UNUSED)
    assert (clip == 255).all() and label == 10 + 9 + 8 + 7  # after 0-0 ... 3-9
    clip, *_ = MovingDigits(9, 28, num_digits=1, mnist=tmp_path / "digits.npz").draw(0, UNUSED)
    assert (clip == 200).all()


def test_the_label_is_the_unordered_pair_of_digits():
    source = MovingDigits(1, 64)
    assert len(source.classes) == 55 and len(source) == 1797
    drawn = set()
    for seed in range(50):
        label = source.draw(3, np.random.default_rng(seed)).label  # the fourth digit is a 3
        assert "3" in source.classes[label].split("-")
        drawn.add(source.classes[label])
    assert {"0-3", "3-3", "3-9"} <= drawn


def test_equal_generators_give_equal_clips_and_others_do_not():
    source = MovingDigits(20, 64, channels=3)
    one, same, other = (source.draw(9, np.random.default_rng(seed)).clip for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert one.shape == (3, 20, 64, 64) and one.dtype == np.uint8
    assert np.array_equal(one[0], one[1]) and np.array_equal(one[0], one[2])
    assert MovingDigits(20, 64).draw(9, np.random.default_rng(1)).clip.shape == (1, 20, 64, 64)


def test_digits_without_labels_have_no_classes(tmp_path):
    np.save(tmp_path / "digits.npy", np.ones((3, 28, 28), np.uint8))
    source = MovingDigits(4, 64, mnist=tmp_path / "digits.npy")
    assert source.classes == [] and source.draw(0, UNUSED).label == NO_LABEL


def test_fingerprints_tell_every_setting():
    base = {"num_frames": 16, "size": 64}
    changes = [
        {},
        {"num_frames": 8},
        {"size": 32},
        {"direction": "paper"},
        {"shape_sizes": (8, 10)},
        {"curve_order": 3},
        {"num_clips": 10},
        {"seed": 1},
    ]
    prints = [ShapeMotion(**{**base, **change}).fingerprint() for change in changes]
    changes = [{}, {"num_frames": 8}, {"size": 32}, {"num_digits": 1}, {"channels": 3}]
    prints += [MovingDigits(**{**base, **change}).fingerprint() for change in changes]
    assert len(set(prints)) == len(prints) and {len(text) for text in prints} == {64}
    assert ShapeMotion(**base).fingerprint() == prints[0]


def test_the_fingerprint_of_digits_tells_other_pixels_but_not_other_places(tmp_path):
    for name, value in (("one", 1), ("copy", 1), ("two", 2)):
        np.save(tmp_path / f"{name}.npy", np.full((3, 28, 28), value, np.uint8))
    one, copy, two = (
        MovingDigits(4, 64, mnist=tmp_path / f"{name}.npy").fingerprint()
        for name in ("one", "copy", "two")
    )
    assert one == copy != two


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShapeMotion(size=64), "num_frames is not set"),
        (lambda: ShapeMotion(num_frames=16), "size is not set"),
        (lambda: ShapeMotion(0, 64), "num_frames is 0"),
        (lambda: ShapeMotion(16, 64, shape_sizes=()), "shape_sizes"),
        (lambda: ShapeMotion(16, 64, shape_sizes=(62,)), "from 1 to 61"),
        (lambda: ShapeMotion(16, 64, curve_order=0), "curve_order"),
        (lambda: ShapeMotion(16, 64, direction="up"), "direction is 'up'"),
        (lambda: MovingDigits(16, 27), "a digit has 28 pixels"),
        (lambda: MovingDigits(16, 64, num_digits=0), "num_digits is 0"),
        (lambda: MovingDigits(16, 64, channels=2), "channels is 2"),
        (lambda: MovingDigits(size=64), "num_frames is not set"),
    ],
)
def test_wrong_settings_are_one_clear_line(unchecked, make, message):
    with pytest.raises(DataError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
