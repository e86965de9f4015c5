"""C3D: the sheet's shapes and counts, both pipelines, the published layout."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vidgen.errors import UserError
from vidgen.metrics.extractors import c3d
from vidgen.metrics.extractors.c3d import C3D, C3DExtractor, channel_mean, mean_volume, preprocessed
from vidgen.metrics.extractors.weights import load_weights_, save_published

LAYERS = [f"conv{name}" for name in ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b")]
LAYERS += ["fc6", "fc7", "fc8"]


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_published_network_has_the_published_shapes_and_counts():
    with torch.device("meta"):
        network = C3D()
        clip = torch.empty(2, 3, 16, 112, 112)
    shapes = {}
    for name, part in network.named_children():
        part.register_forward_hook(
            lambda module, inputs, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    logits, features = network(clip)
    assert {name: shape for name, shape in shapes.items() if name != "dropout"} == {
        "conv1a": (64, 16, 112, 112),
        "conv2a": (128, 16, 56, 56),
        "conv3a": (256, 8, 28, 28),
        "conv3b": (256, 8, 28, 28),
        "conv4a": (512, 4, 14, 14),
        "conv4b": (512, 4, 14, 14),
        "conv5a": (512, 2, 7, 7),
        "conv5b": (512, 2, 7, 7),
        "fc6": (4096,),
        "fc7": (4096,),
        "fc8": (101,),
    }
    counts = [sum(p.numel() for p in part.parameters()) for part in network.children()]
    assert counts[:8] == [5248, 221312, 884992, 1769728, 3539456, *[7078400] * 3]
    assert counts[8:11] == [33558528, 16781312, 413797]
    assert sum(counts) == 78409573
    assert network.maps(clip).shape == (2, 512, 1, 4, 4)
    assert logits.shape == (2, 101) and features.shape == (2, 4096)


def test_the_windows_of_the_last_pooling_begin_at_0_2_4_and_6():
    # Of width 1 and without convolutions, a bright spot in row r of 7 must reach window r // 2.
    network = C3D(num_classes=2, width=1, clip_size=(16, 112, 112))
    for name in ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b"):
        convolution = getattr(network, f"conv{name}")
        torch.nn.init.zeros_(convolution.weight)
        torch.nn.init.zeros_(convolution.bias)
        convolution.weight.data[:, :, 1, 1, 1] = 1
    for row in range(7):
        clip = torch.zeros(1, 3, 16, 112, 112)
        clip[:, :, :, 16 * row, 0] = 1
        reached = network.maps(clip)[0, 0, 0, :, 0].nonzero().flatten().tolist()
        assert reached == [row // 2]


def test_the_features_are_those_after_the_relu_and_without_dropout():
    torch.manual_seed(0)
    network = C3D(num_classes=3, width=2, clip_size=(4, 16, 16)).eval()
    clips = noise(2, 3, 4, 16, 16)
    logits, features = network(clips)
    assert (features >= 0).all() and (features == 0).any()
    torch.testing.assert_close(logits, features @ network.fc8.weight.T + network.fc8.bias)
    torch.testing.assert_close(network(clips).features, features)
    by_hand = (network.fc6(network.maps(clips).reshape(2, -1)).relu() @ network.fc7.weight.T) + (
        network.fc7.bias
    )
    torch.testing.assert_close(features, by_hand.relu())


def random_mean():
    return torch.rand(3, 16, 128, 171, generator=torch.Generator().manual_seed(3)) * 60 + 60


def test_pipeline_a_is_opencvs_resize_less_the_mean_and_cropped():
    clip, mean = noise(1, 3, 16, 40, 50), random_mean()
    seen = preprocessed(clip, mean, "tgan")
    assert seen.shape == (1, 3, 16, 112, 112)
    for time in (0, 15):
        frame = clip[0, :, time].permute(1, 2, 0).numpy() * 128 + 128
        large = cv2.resize(frame, (128, 128), interpolation=cv2.INTER_CUBIC)[..., ::-1]
        expected = large - mean[:, time, :, 21:149].permute(1, 2, 0).numpy()
        found = seen[0, :, time].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(found, expected[8:120, 8:120], atol=2e-2)


def test_pipeline_a_of_a_grey_video_is_128_less_the_mean():
    mean = random_mean()
    seen = preprocessed(torch.zeros(1, 3, 16, 64, 64), mean, "tgan")
    torch.testing.assert_close(seen[0], 128 - mean[..., 8:120, 29:141])


def test_pipeline_b_clips_and_takes_another_part_of_the_mean():
    mean = random_mean()
    clip = noise(1, 3, 16, 56, 56) * 1.5
    seen = preprocessed(clip, mean, "tganv2")
    levels = (seen[0] + mean[..., 8:120, 8:120]).flip(0)
    corners = levels[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    expected = clip[0].clamp(-1, 1)[:, :, [0, 0, -1, -1], [0, -1, 0, -1]] * 128 + 128
    torch.testing.assert_close(corners, expected, atol=1e-3, rtol=0)
    # The corners stay, so place x of 112 is place x · 55/111 of 56.
    place = 37 * 55 / 111
    low, part = int(place), place - int(place)
    row = clip[0, 0, 0, 0].clamp(-1, 1) * 128 + 128
    assert levels[0, 0, 0, 37].item() == pytest.approx(
        float(row[low] * (1 - part) + row[low + 1] * part), abs=1e-3
    )


def test_red_ends_up_last():
    red = torch.full((1, 3, 16, 32, 32), -1.0)
    red[:, 0] = 1
    for pipeline in ("tgan", "tganv2"):
        blue, green, last = preprocessed(red, channel_mean(), pipeline)[0, :, 0, 50, 50].tolist()
        assert (blue, green) == pytest.approx((-95.14, -102.86), abs=1e-3)
        assert last == pytest.approx(256 - 107.76, abs=1e-3)


@pytest.fixture
def small_c3d(monkeypatch):
    """A network of width 1 in the place of the published one."""

    def small():
        return C3D(num_classes=5, width=1)

    monkeypatch.setattr(c3d, "C3D", small)
    torch.manual_seed(0)
    return C3D(num_classes=5, width=1).eval()


def test_the_published_layout_is_written_and_read(tmp_path, small_c3d):
    path = tmp_path / "c3d.npz"
    save_published(small_c3d, path)
    with np.load(path) as arrays:
        assert set(arrays.files) == {f"{layer}/{kind}" for layer in LAYERS for kind in "Wb"}
        assert arrays["conv2a/W"].shape == (2, 1, 3, 3, 3)
    torch.save(small_c3d.state_dict(), tmp_path / "c3d.pt")
    clips = noise(2, 1, 20, 30, 30)
    of_npz, of_state = (C3DExtractor(tmp_path / f"c3d.{kind}") for kind in ("npz", "pt"))
    expected = small_c3d(preprocessed(clips[:, :, :16].expand(-1, 3, -1, -1, -1), channel_mean()))
    torch.testing.assert_close(of_npz(clips).logits, expected.logits)
    torch.testing.assert_close(of_state(clips).features, expected.features)
    assert of_npz.name == "c3d" and of_npz.literature and len(of_npz.sha256) == 64
    assert not any(weight.requires_grad for weight in of_npz.parameters())


def test_every_second_frame_of_a_long_clip(tmp_path, small_c3d):
    save_published(small_c3d, tmp_path / "c3d.npz")
    clips = noise(1, 3, 32, 30, 30)
    every = C3DExtractor(tmp_path / "c3d.npz", every=2)
    first = C3DExtractor(tmp_path / "c3d.npz")
    torch.testing.assert_close(every(clips).logits, first(clips[:, :, ::2]).logits)
    assert every.protocol != first.protocol
    with pytest.raises(UserError, match=r"looks at 16 frames.*have 8.*--frames 16"):
        first(clips[:, :, :8])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda w: w.pop("fc8/b"), r"1 are missing, 0 unknown.*'fc8.bias'"),
        (lambda w: w.update({"fc9/W": np.zeros(1)}), r"0 are missing, 1 unknown.*'fc9.weight'"),
        (lambda w: w.update({"fc8/b": np.zeros(7)}), r"1 of another shape; 'fc8.bias'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, small_c3d, change, complaint):
    save_published(small_c3d, tmp_path / "c3d.npz")
    weights = dict(np.load(tmp_path / "c3d.npz"))
    change(weights)
    np.savez(tmp_path / "c3d.npz", **weights)
    with pytest.raises(UserError, match=complaint):
        C3DExtractor(tmp_path / "c3d.npz")


def test_a_missing_file_is_told_with_its_origin_and_option(tmp_path):
    with pytest.raises(UserError, match=r"--weights FILE; it is the npz of C3D"):
        C3DExtractor(None)
    with pytest.raises(UserError, match=r"--weights .*none.npz is not a file.*conv1a/W"):
        C3DExtractor(tmp_path / "none.npz")
    with pytest.raises(UserError, match=r"--mean .* is not a file.*leave --mean out"):
        mean_volume(tmp_path / "none.npz")


def test_the_mean_volume_is_read_and_checked(tmp_path):
    mean = random_mean().double().numpy()
    np.savez(tmp_path / "mean.npz", mean=mean)
    torch.testing.assert_close(mean_volume(tmp_path / "mean.npz"), torch.from_numpy(mean).float())
    np.savez(tmp_path / "mean.npz", mean=mean[:, :8])
    with pytest.raises(UserError, match=r"shape \(3, 8, 128, 171\)"):
        mean_volume(tmp_path / "mean.npz")
    np.savez(tmp_path / "mean.npz", other=mean)
    with pytest.raises(UserError, match="holds no array `mean`"):
        mean_volume(tmp_path / "mean.npz")


def test_a_pickle_is_not_executed(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harmed"), "w"))

    torch.save({"x": Harm()}, tmp_path / "bad.pt")
    with pytest.raises(UserError, match="cannot be read as weights"):
        load_weights_(torch.nn.Linear(1, 1), tmp_path / "bad.pt")
    assert not (tmp_path / "harmed").exists()
