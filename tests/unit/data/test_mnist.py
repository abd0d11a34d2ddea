"""MNIST and its relatives: the real files, and every way in which files can be wrong."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets.mnist import read_image_file, read_label_file

from rpganify.data.mnist import open_coloured_mnist, open_fashion_mnist, open_mnist, random_colours
from rpganify.errors import DataError
from tests.unit.data.files import idx_bytes, write_mnist

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def test_real_mnist_has_its_sixty_thousand_digits(shared_data: Path) -> None:
    data = open_mnist(root=shared_data)
    assert (len(data), data.image_shape, data.name) == (60_000, (1, 28, 28), "mnist")
    assert data.labels is not None
    assert data.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_real_mnist_test_part_equals_what_torchvision_reads(shared_data: Path, tmp_path: Path) -> None:
    for stem in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        with gzip.open(shared_data / "MNIST" / "raw" / f"{stem}.gz") as packed, (tmp_path / stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    data = open_mnist(root=shared_data, argument="test")
    assert data.name == "mnist:test"
    assert torch.equal(data.pixels[:, 0], read_image_file(str(tmp_path / "t10k-images-idx3-ubyte")))
    assert data.labels is not None
    assert torch.equal(data.labels, read_label_file(str(tmp_path / "t10k-labels-idx1-ubyte")))
    assert torch.equal(open_mnist(root=tmp_path, argument="test").pixels, data.pixels)


@pytest.mark.parametrize("place", ["MNIST/raw", "MNIST", "raw", "."])
@pytest.mark.parametrize("is_packed", [True, False])
def test_the_files_may_lie_where_torchvision_puts_them_or_in_the_root(
    tmp_path: Path, place: str, is_packed: bool
) -> None:
    images, labels = write_mnist(tmp_path / place, is_packed=is_packed)
    before = sorted(tmp_path.rglob("*"))
    data = open_mnist(root=tmp_path)
    assert np.array_equal(data.pixels[:, 0].numpy(), images)
    assert data.labels is not None and data.labels.tolist() == labels.tolist()
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked"


def test_garments_are_read_from_their_own_folder_and_named(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", num=10)
    images, _ = write_mnist(tmp_path / "FashionMNIST" / "raw", num=30)
    data = open_fashion_mnist(root=tmp_path)
    assert len(data) == 30 and np.array_equal(data.pixels[:, 0].numpy(), images)
    assert data.class_names[8] == "Bag"
    assert len(open_mnist(root=tmp_path)) == 10


def test_digits_are_never_taken_for_garments(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    for root in (tmp_path, tmp_path / "MNIST", tmp_path / "MNIST" / "raw"):
        with pytest.raises(DataError, match=r"fashion-mnist needs train-images.*holds FashionMNIST/raw/"):
            open_fashion_mnist(root=root)


def test_without_a_root_the_option_is_named() -> None:
    with pytest.raises(DataError, match=r"none was given\. Add `--data-root DIR`.*MNIST/raw/; nothing is downloaded"):
        open_mnist()


def test_a_root_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"folder .*nowhere does not exist"):
        open_mnist(root=tmp_path / "nowhere")


def test_a_missing_file_is_named_with_the_places_looked_at(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=rf"needs {LABELS} or {LABELS}\.gz, and neither is in .*MNIST/raw.*--data-root"):
        open_mnist(root=tmp_path)


def test_an_unknown_part_is_refused_with_the_two_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"parts train and test, not 'tset'\. Did you mean 'test'"):
        open_mnist(root=tmp_path, argument="tset")


def test_a_truncated_gzip_file_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz is truncated: the gzip stream ends early\. Fetch it again"):
        open_mnist(root=tmp_path)


@pytest.mark.parametrize("position", [5000, -6])
def test_a_gzip_file_with_a_flipped_byte_is_named(tmp_path: Path, position: int) -> None:
    write_mnist(tmp_path)
    path = tmp_path / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz is (damaged|truncated)"):
        open_mnist(root=tmp_path)


def test_a_web_page_in_place_of_a_gzip_file_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / f"{IMAGES}.gz").write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz is damaged: Not a gzipped file"):
        open_mnist(root=tmp_path)


def test_a_truncated_plain_file_beside_its_gzip_is_refused_with_the_way_out(tmp_path: Path) -> None:
    write_mnist(tmp_path, is_packed=True)
    write_mnist(tmp_path, is_packed=False)
    path = tmp_path / IMAGES
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=rf"truncated: its header promises 15,680 .*15,580 follow.*Delete it; {IMAGES}\.gz beside it"
    ):
        open_mnist(root=tmp_path)
    path.unlink()
    assert len(open_mnist(root=tmp_path)) == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing, not 00 00 08 03"),
        (b"\x00\x00\x08", "begins with 00 00 08, not"),
        (idx_bytes(np.zeros(20, np.uint8)), "with 3 axes: it begins with 00 00 08 01"),
        (b"\x00\x00\x0d\x03" + bytes(12), "begins with 00 00 0d 03"),
        (idx_bytes(np.zeros((20, 28, 28), np.uint8)) + b"x", "is too long: its header promises 15,680"),
    ],
)
def test_a_file_of_another_form_is_refused_with_what_it_begins_with(
    tmp_path: Path, content: bytes, message: str
) -> None:
    write_mnist(tmp_path, is_packed=False)
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_mnist(root=tmp_path)


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / f"{LABELS}.gz").write_bytes(gzip.compress(idx_bytes(np.zeros(19, np.uint8))))
    with pytest.raises(DataError, match=r"20 images and .*19 labels; they do not belong together"):
        open_mnist(root=tmp_path)


def test_a_label_beyond_nine_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / f"{LABELS}.gz").write_bytes(gzip.compress(idx_bytes(np.full(20, 10, np.uint8))))
    with pytest.raises(DataError, match="mnist has labels from 10 to 10, and names for 0 to 9"):
        open_mnist(root=tmp_path)


def test_a_folder_in_place_of_a_file_counts_as_missing(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / f"{IMAGES}.gz").unlink()
    (tmp_path / f"{IMAGES}.gz").mkdir()
    with pytest.raises(DataError, match=f"mnist needs {IMAGES}"):
        open_mnist(root=tmp_path)


def test_a_coloured_digit_is_its_grey_digit_times_one_bright_colour(tmp_path: Path) -> None:
    write_mnist(tmp_path, num=50)
    grey, coloured = open_mnist(root=tmp_path), open_coloured_mnist(root=tmp_path)
    assert coloured.image_shape == (3, 28, 28) and coloured.name == "coloured-mnist"
    assert torch.equal(coloured.pixels.amax(dim=1), grey.pixels[:, 0]), "the brightest channel keeps the grey level"
    colours = random_colours(50, seed=0)
    exact = grey.pixels * colours[:, :, None, None]
    assert (coloured.pixels - exact).abs().max() <= 0.5 + 1e-4  # rounded to whole levels
    assert coloured.labels is not None and grey.labels is not None and torch.equal(coloured.labels, grey.labels)


def test_colours_are_seeded_bright_and_spread_over_all_channels() -> None:
    colours = random_colours(3000, seed=0)
    assert torch.equal(colours, random_colours(3000, seed=0))
    assert not torch.equal(colours, random_colours(3000, seed=1))
    assert torch.equal(colours.amax(dim=1), torch.ones(3000))
    assert colours.min() >= 0
    # Each channel is the largest in a third of the draws: 1000, standard deviation 26.
    assert all(abs(count - 1000) < 130 for count in colours.argmax(dim=1).bincount().tolist())


def test_an_image_s_colour_does_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    assert torch.equal(random_colours(10, seed=0), random_colours(1000, seed=0)[:10])
