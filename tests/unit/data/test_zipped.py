"""Images in zip files."""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from rpganify.data.folder import open_folder
from rpganify.data.images import ImageData, MemoryImages
from rpganify.data.streamed import StreamedImages
from rpganify.data.zipped import open_zip
from rpganify.errors import DataError
from tests.unit.data.files import png, write_zip


def all_of(data: ImageData) -> torch.Tensor:
    return data.images(torch.arange(len(data)))


@pytest.mark.parametrize("limit", [0, 2**30])
def test_a_zip_file_holds_the_same_images_and_classes_as_the_folder_it_was_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", limit)
    files = {f"{name}/{level}.png": png(level) for name, level in (("cat", 10), ("dog", 20), ("cat", 30))}
    for name, content in files.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(content)
    write_zip(tmp_path / "photos.zip", files)
    zipped, folder = open_zip(root=tmp_path, argument="photos.zip"), open_folder(root=tmp_path, argument="photos")
    assert isinstance(zipped, StreamedImages if limit == 0 else MemoryImages)
    assert zipped.name == f"zip:{tmp_path / 'photos.zip'}"
    assert (zipped.image_shape, zipped.class_names) == ((3, 8, 8), ("cat", "dog"))
    assert torch.equal(all_of(zipped), all_of(folder))
    assert all_of(zipped)[:, 0, 0, 0].tolist() == [10, 30, 20]
    assert zipped.labels is not None and zipped.labels.tolist() == [0, 0, 1]


def test_a_folder_that_holds_everything_is_no_class(tmp_path: Path) -> None:
    nested = {"all/photos/a/1.png": png(1), "all/photos/b/2.png": png(2)}
    assert open_zip(argument=str(write_zip(tmp_path / "nested.zip", nested))).class_names == ("a", "b")
    flat = {"photos/1.png": png(1), "photos/2.png": png(2)}
    assert open_zip(argument=str(write_zip(tmp_path / "flat.zip", flat))).labels is None


def test_hidden_files_and_what_macs_add_are_no_images(tmp_path: Path) -> None:
    files = {"a.png": png(1), "__MACOSX/._a.png": b"no image", ".b.png": b"no image", "c.txt": b"text"}
    assert len(open_zip(argument=str(write_zip(tmp_path / "mac.zip", files)))) == 1


def test_many_threads_read_one_zip_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    levels = list(range(200))
    data = open_zip(argument=str(write_zip(tmp_path / "many.zip", {f"{i:03}.png": png(i, 32, 32) for i in levels})))
    orders = [torch.randperm(200, generator=torch.Generator().manual_seed(seed)) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for order, images in zip(orders, pool.map(data.images, orders), strict=True):
            assert torch.equal(images[:, 0, 0, 0].long(), order)


def test_a_damaged_file_in_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("good.png", png(1))
        file.writestr("late.png", png(2))
    content = bytearray(path.read_bytes())
    content[content.index(b"late.png") + 50] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.zip, file late\.png cannot be unpacked: Bad CRC-32"):
        open_zip(argument=str(path))


def test_an_encrypted_zip_file_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "secret.zip", {"a.png": png(1)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"secret\.zip is encrypted\. Unpack it, and name the folder"):
        open_zip(argument=str(path))


def test_what_is_no_zip_file_or_holds_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"write `zip:FILE\.zip`"):
        open_zip(root=tmp_path)
    with pytest.raises(DataError, match=r"There is no file .*nowhere\.zip"):
        open_zip(root=tmp_path, argument="nowhere.zip")
    (tmp_path / "text.zip").write_text("no zip file")
    with pytest.raises(DataError, match=r"text\.zip is no zip file, or damaged: File is not a zip file"):
        open_zip(root=tmp_path, argument="text.zip")
    write_zip(tmp_path / "empty.zip", {"readme.txt": b"nothing"})
    with pytest.raises(DataError, match=r"no image in .*empty\.zip: files that end in \.jpg"):
        open_zip(root=tmp_path, argument="empty.zip")
