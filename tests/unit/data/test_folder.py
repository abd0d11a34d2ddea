"""Folders of images: what is found, how it is brought to one shape, and files that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rpganify.data.folder import open_folder
from rpganify.data.images import ImageData, MemoryImages
from rpganify.data.streamed import StreamedImages
from rpganify.errors import DataError


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def save(path: Path, pixels: NDArray[np.uint8], mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """`(H, W)` or `(H, W, 3)` as `(C, H, W)`."""
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[:, :, None]).permute(2, 0, 1)


def test_the_real_faces_are_six_thousand_of_one_class_as_pillow_reads_them(shared_data: Path) -> None:
    data = open_folder(root=shared_data, argument="anime_faces")
    assert isinstance(data, MemoryImages)
    assert (len(data), data.image_shape, data.class_names, data.note) == (6000, (3, 64, 64), ("faces",), "")
    for index in (0, 17, 5999):
        with Image.open(shared_data / "anime_faces" / "faces" / f"{index:05}.jpg") as image:
            assert torch.equal(data.pixels[index], as_tensor(np.array(image)))


def test_images_are_found_in_subfolders_in_the_order_of_their_paths_and_hidden_ones_are_not(tmp_path: Path) -> None:
    names = ("b/2.png", "a/z/3.BMP", "a/1.webp", "b/1.jpeg")
    for seed, name in enumerate(names):
        save(tmp_path / name, noise(8, 8, 3, seed=seed))
    save(tmp_path / ".cache" / "x.png", noise(8, 8, 3))
    save(tmp_path / "b" / "._2.png", noise(8, 8, 3))
    (tmp_path / "notes.txt").write_text("no image")
    data = open_folder(argument=str(tmp_path))
    assert len(data) == 4
    assert data.class_names == ("a", "b")
    assert data.labels is not None and data.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(data.images(torch.tensor([1]))[0], as_tensor(noise(8, 8, 3, seed=1))), "a/z/3.BMP is second"
    assert torch.equal(data.images(torch.tensor([3]))[0], as_tensor(noise(8, 8, 3, seed=0))), "b/2.png is last"


def test_there_are_no_labels_where_some_images_lie_in_the_folder_itself(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", noise(8, 8, 3))
    save(tmp_path / "2.png", noise(8, 8, 3))
    data = open_folder(root=tmp_path)
    assert data.labels is None and data.num_classes is None


def test_grey_images_make_a_grey_set(tmp_path: Path) -> None:
    save(tmp_path / "1.png", noise(8, 6))
    save(tmp_path / "2.png", noise(8, 6), mode="1")
    data = open_folder(root=tmp_path)
    assert data.image_shape == (1, 8, 6) and data.note == ""
    assert torch.equal(data.images(torch.tensor([0]))[0], as_tensor(noise(8, 6)))


def test_a_mixed_set_is_rgb_and_says_how_many_were_grey(tmp_path: Path) -> None:
    save(tmp_path / "1.png", noise(8, 8))
    save(tmp_path / "2.png", noise(8, 8, 3))
    save(tmp_path / "3.png", noise(8, 8, 3), mode="P")
    data = open_folder(root=tmp_path)
    assert data.image_shape == (3, 8, 8)
    assert data.note == "1 of 3 images are grey: repeated to RGB."
    assert torch.equal(data.images(torch.tensor([0]))[0], as_tensor(noise(8, 8)).repeat(3, 1, 1))


def test_transparent_parts_are_white_and_that_is_said(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255  # black and opaque above, transparent below
    save(tmp_path / "1.png", pixels)
    data = open_folder(root=tmp_path)
    expected = torch.zeros(3, 4, 4, dtype=torch.uint8)
    expected[:, 2:] = 255
    assert torch.equal(data.images(torch.tensor([0]))[0], expected)
    assert data.note == "1 of 1 images may be transparent: laid over white."


def test_images_of_another_size_are_brought_to_the_most_common_one_and_that_is_said(tmp_path: Path) -> None:
    for index in range(3):
        save(tmp_path / f"{index}.png", noise(8, 8, 3, seed=index))
    wide = noise(16, 40, 3)
    save(tmp_path / "9.png", wide)
    data = open_folder(root=tmp_path)
    assert data.image_shape == (3, 8, 8)
    assert data.note == (
        "1 of 4 images have another size than the most common, 8x8 (height x width): "
        "resized and cropped to it around their centre."
    )
    covering = Image.fromarray(wide).resize((20, 8), Image.Resampling.BILINEAR)
    middle = np.array(covering.crop((6, 0, 14, 8)))
    assert torch.equal(data.images(torch.tensor([3]))[0], as_tensor(middle))


def test_of_equally_common_sizes_the_smallest_is_taken(tmp_path: Path) -> None:
    for index, (height, width) in enumerate([(20, 20), (9, 10), (10, 10)]):
        save(tmp_path / f"{index}.png", noise(height, width, 3))
    assert open_folder(root=tmp_path).image_shape == (3, 9, 10)


def test_a_set_too_large_for_memory_is_decoded_when_drawn_and_gives_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(6):
        save(tmp_path / f"{index % 2}" / f"{index}.png", noise(8 + index % 3, 8, 3, seed=index))
    in_memory = open_folder(root=tmp_path)
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    lazy = open_folder(root=tmp_path)
    assert isinstance(in_memory, MemoryImages) and isinstance(lazy, StreamedImages) and isinstance(lazy, ImageData)
    indices = torch.tensor([5, 0, 3, 3])
    assert torch.equal(lazy.images(indices), in_memory.images(indices))
    assert lazy.labels is not None and in_memory.labels is not None
    assert torch.equal(lazy.labels, in_memory.labels)
    assert (len(lazy), lazy.class_names, lazy.num_classes) == (6, ("0", "1"), 2)
    assert (lazy.name, lazy.note, lazy.image_shape) == (in_memory.name, in_memory.note, in_memory.image_shape)


def test_a_file_damaged_after_opening_is_named_when_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "1.png", noise(8, 8, 3))
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    data = open_folder(root=tmp_path)
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png is no image that can be read: No such file"):
        data.images(torch.tensor([0]))


@pytest.mark.parametrize("name", ["bad.jpg", "bad.png", "bad.webp"])
def test_a_truncated_image_is_named_with_the_way_out(tmp_path: Path, name: str) -> None:
    save(tmp_path / "a.png", noise(32, 32, 3))
    save(tmp_path / name, noise(32, 32, 3))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match=rf"{name} is (truncated or damaged|no image).*Fetch it again, or take it away"):
        open_folder(root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path / "a.png", noise(8, 8, 3))
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.jpg is no image that can be read: its content is of no known format"):
        open_folder(root=tmp_path)


def test_sixteen_bits_a_channel_are_refused_rather_than_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(
        DataError, match=r"deep\.png has Pillow's mode 'I;16'; only 8 bits a channel are read\. Convert"
    ):
        open_folder(root=tmp_path)


def test_an_empty_folder_is_refused_with_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(DataError, match=r"no image under .*\.jpg, \.jpeg, \.png, \.webp, \.bmp are looked for"):
        open_folder(root=tmp_path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no folder .*nowhere\. Write `folder:DIR`"):
        open_folder(root=tmp_path, argument="nowhere")


def test_a_folder_without_a_name_is_refused() -> None:
    with pytest.raises(DataError, match="write `folder:DIR`"):
        open_folder()
