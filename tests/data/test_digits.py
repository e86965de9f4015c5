"""Digits come as the same images whichever form they are stored in."""

import gzip

import numpy as np
import pytest

from data.digits import mnist_digits, scikit_learn_digits
from data.sources import DataError

IMAGES = np.random.default_rng(0).integers(256, size=(5, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    lengths = np.array(array.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def test_scikit_learns_digits_fill_the_middle_as_in_mnist():
    images, labels = scikit_learn_digits()
    assert images.shape == (1797, 28, 28) and labels[:10].tolist() == list(range(10))
    assert images[:, :4].max() == images[:, 24:].max() == 0
    assert images[:, :, :4].max() == images[:, :, 24:].max() == 0
    assert images.max() == 255
    zero, one = images[0] / 255, images[1] / 255
    assert zero[13:15, 13:15].mean() < 0.2 < 0.8 < one[13:15, 14:16].mean()


@pytest.mark.parametrize("compress", [lambda content: content, gzip.compress])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_files_in_a_folder_with_their_labels(tmp_path, compress, dotted):
    ending = "" if compress(b"") == b"" else ".gz"
    mark = "." if dotted else "-"
    image_file = tmp_path / f"train-images{mark}idx3-ubyte{ending}"
    image_file.write_bytes(compress(idx(IMAGES)))
    (tmp_path / f"train-labels{mark}idx1-ubyte{ending}").write_bytes(compress(idx(LABELS)))
    for path in (tmp_path, image_file):
        images, labels = mnist_digits(path)
        assert np.array_equal(images, IMAGES)
        assert labels.dtype == np.int64 and labels.tolist() == [3, 1, 4, 1, 5]


def test_an_idx_file_without_labels(tmp_path):
    (tmp_path / "digits").write_bytes(idx(IMAGES))
    images, labels = mnist_digits(tmp_path / "digits")
    assert np.array_equal(images, IMAGES) and labels is None


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("images", "labels")])
def test_npz_files(tmp_path, names):
    np.savez(tmp_path / "mnist.npz", **{names[0]: IMAGES, names[1]: LABELS})
    images, labels = mnist_digits(tmp_path / "mnist.npz")
    assert np.array_equal(images, IMAGES) and labels.tolist() == [3, 1, 4, 1, 5]


def test_pickles_are_never_opened(tmp_path):
    np.save(tmp_path / "digits.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="no digits that can be read"):
        mnist_digits(tmp_path / "digits.npy")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone", None, "No such file"),
        ("text", b"hello, this is text", "neither idx, .npz nor .npy"),
        ("empty", b"", "neither idx, .npz nor .npy"),
        ("cut", idx(IMAGES)[:-1], "no digits that can be read"),
        ("cut.gz", gzip.compress(idx(IMAGES))[:-9], "no digits that can be read"),
        ("header", idx(IMAGES)[:9], "no digits that can be read"),
        ("zip.npz", b"PK\x03\x04nonsense", "no digits that can be read"),
        ("flat", idx(IMAGES.reshape(5, -1)), r"uint8 of shape \(5, 784\)"),
        ("none", idx(IMAGES[:0]), "holds no digits"),
    ],
)
def test_what_is_not_digits_is_told_in_one_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        mnist_digits(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_a_folder_without_digits_names_the_file_it_wants(tmp_path):
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        mnist_digits(tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"), [(LABELS[:4], "labels of shape"), (LABELS * 2, "0 to 9")]
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, message):
    np.savez(tmp_path / "mnist.npz", x_train=IMAGES, y_train=labels)
    with pytest.raises(DataError, match=message):
        mnist_digits(tmp_path / "mnist.npz")
