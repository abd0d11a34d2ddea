"""CIFAR-10: the real files, and pickles that are damaged or ask for more than arrays."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rpganify.data.cifar10 import open_cifar10
from rpganify.data.restricted_pickle import load_plain
from rpganify.errors import DataError
from tests.unit.data.files import write_cifar10

FOLDER = "cifar-10-batches-py"


def test_real_cifar10_has_five_thousand_images_of_each_class(shared_data: Path) -> None:
    data = open_cifar10(root=shared_data)
    assert (len(data), data.image_shape, data.name) == (50_000, (3, 32, 32), "cifar10")
    assert data.labels is not None and data.labels.bincount().tolist() == [5000] * 10


def test_the_real_test_part_equals_what_an_unrestricted_pickle_holds(shared_data: Path) -> None:
    data = open_cifar10(root=shared_data / FOLDER, argument="test")
    content = pickle.loads((shared_data / FOLDER / "test_batch").read_bytes(), encoding="latin1")
    assert data.name == "cifar10:test"
    assert np.array_equal(data.pixels.numpy(), content["data"].reshape(-1, 3, 32, 32))
    assert data.labels is not None and data.labels.tolist() == content["labels"]
    meta = pickle.loads((shared_data / FOLDER / "batches.meta").read_bytes(), encoding="latin1")
    assert list(data.class_names) == meta["label_names"]


@pytest.mark.parametrize("place", [FOLDER, "."])
def test_the_files_may_lie_in_their_folder_or_in_the_root(tmp_path: Path, place: str) -> None:
    images, labels = write_cifar10(tmp_path / place)
    data = open_cifar10(root=tmp_path)
    assert np.array_equal(data.pixels.flatten(1).numpy(), images)
    assert data.labels is not None and data.labels.tolist() == labels


def test_the_pixels_may_be_written_to(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    pixels = open_cifar10(root=tmp_path).pixels
    pixels.zero_()
    assert not pixels.any()


def test_missing_files_are_named_all_at_once(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_2").unlink()
    (tmp_path / "data_batch_5").unlink()
    with pytest.raises(DataError, match=r"needs data_batch_2, data_batch_5, not found.*cifar-10-python\.tar\.gz"):
        open_cifar10(root=tmp_path)
    assert len(open_cifar10(root=tmp_path, argument="test")) == 4


@pytest.mark.parametrize("num_bytes", [0, 1, 100, -1, -50])
def test_a_truncated_file_is_named(tmp_path: Path, num_bytes: int) -> None:
    write_cifar10(tmp_path)
    path = tmp_path / "data_batch_3"
    path.write_bytes(path.read_bytes()[:num_bytes])
    with pytest.raises(DataError, match=r"data_batch_3 is truncated or damaged, or no pickle.*Fetch it again"):
        open_cifar10(root=tmp_path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_asks_for_anything_else_is_refused_and_not_run(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    target = tmp_path / "sprung"
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": Trap(target), b"labels": []}))
    with pytest.raises(
        DataError, match=r"data_batch_1 is a pickle that asks for (posix|nt)\.mkdir, which no image file needs.*refused"
    ):
        open_cifar10(root=tmp_path)
    assert not target.exists()


@pytest.mark.parametrize(
    "name", [b"cbuiltins\neval\n", b"cnumpy\nload\n", b"cnumpy\nndarray.tofile\n", b"cbuiltins\ngetattr\n"]
)
def test_only_arrays_can_be_asked_for(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x02" + name + b".")
    with pytest.raises(DataError, match="which no image file needs"):
        load_plain(path)


def test_an_array_cannot_ask_for_memory_before_it_has_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85C\x01b\x87R."
    )
    with pytest.raises(DataError, match=r"truncated or damaged.*an array begins with"):
        load_plain(path)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_of_every_kind_of_number_survive(tmp_path: Path, protocol: int) -> None:
    value = {
        "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "floats": np.linspace(0, 1, 4, dtype=">f8"),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    found, expected = load_plain(path), pickle.loads(path.read_bytes(), encoding="bytes")
    for key, array in value.items():
        assert np.array_equal(found[key], array) and found[key].dtype == expected[key].dtype


@pytest.mark.parametrize("array", [np.array(["a", None], dtype=object), np.array(["text"]), np.array([1j])])
def test_arrays_of_anything_but_plain_numbers_are_refused(tmp_path: Path, array: NDArray[Any]) -> None:
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps(array, protocol=2))
    with pytest.raises(DataError, match=r"an array of type '.*', which is no plain number"):
        load_plain(path)


GOOD = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "'data' should be uint8 \\(N, 3072\\) and is NoneType"),
        ({b"data": GOOD[:, :100], b"labels": [0, 1]}, r"and is uint8 \(2, 100\)"),
        ({b"data": GOOD.astype(float), b"labels": [0, 1]}, r"and is float64 \(2, 3072\)"),
        ({b"data": GOOD, b"fine_labels": [0, 1]}, "'labels' should be a list of whole numbers. CIFAR-100"),
        ({b"data": GOOD, b"labels": ["0", "1"]}, "'labels' should be a list of whole numbers"),
        ({b"data": GOOD, b"labels": [0]}, "is damaged: 2 images and 1 labels"),
        ({b"data": GOOD, b"labels": [0, 10]}, "is damaged: 2 images and 2 labels, .* from 0 to 9"),
    ],
)
def test_a_pickle_with_other_content_is_refused(tmp_path: Path, content: object, message: str) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_4").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=f"data_batch_4 .*{message}"):
        open_cifar10(root=tmp_path)


def test_without_a_root_the_option_is_named() -> None:
    with pytest.raises(DataError, match=r"--data-root DIR`, the folder that holds cifar-10-batches-py/"):
        open_cifar10()


def test_the_images_are_the_same_each_time(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    assert torch.equal(open_cifar10(root=tmp_path).pixels, open_cifar10(root=tmp_path).pixels)
