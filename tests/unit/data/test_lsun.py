"""LSUN's LMDB folders."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.data.images import ImageData
from rpganify.data.lsun import open_lsun
from rpganify.errors import DataError


def picture(height: int, width: int, level: int) -> bytes:
    """A lossless WebP whose middle square has that grey level, black outside."""
    pixels = np.zeros((height, width, 3), np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = level
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "webp", lossless=True)
    return buffer.getvalue()


def write_lsun(folder: Path, entries: dict[bytes, bytes]) -> None:
    lmdb = pytest.importorskip("lmdb", reason="the optional package lmdb is not installed")
    folder.mkdir(parents=True)
    environment = lmdb.open(str(folder), map_size=2**24)
    with environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key, value)
    environment.close()


def test_a_category_is_cropped_around_the_centre_and_drawn_by_index(tmp_path: Path) -> None:
    entries = {b"c": picture(256, 300, 30), b"a": picture(256, 256, 10), b"b": picture(400, 256, 20)}
    write_lsun(tmp_path / "bedroom_train_lmdb", entries)
    data = open_lsun(root=tmp_path, argument="bedroom")
    assert isinstance(data, ImageData)
    assert (len(data), data.image_shape, data.labels, data.num_classes) == (3, (3, 256, 256), None, None)
    assert data.name == "lsun:bedroom" and "cropped around their centre to 256x256" in data.note
    images = data.images(torch.tensor([2, 0, 1]))
    assert [image.unique().tolist() for image in images] == [[30], [10], [20]], "sorted by key"


def test_the_validation_part_is_a_category_of_its_own(tmp_path: Path) -> None:
    write_lsun(tmp_path / "lsun" / "bedroom_val_lmdb", {b"a": picture(256, 256, 5)})
    assert len(open_lsun(root=tmp_path, argument="bedroom_val")) == 1


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    write_lsun(tmp_path / "church_train_lmdb", {b"good": picture(256, 256, 5), b"bad": picture(256, 256, 5)[:20]})
    data = open_lsun(root=tmp_path, argument="church")
    with pytest.raises(DataError, match=r"church_train_lmdb, entry bad is (truncated or damaged|no image)"):
        data.images(torch.tensor([0]))


def test_an_empty_or_damaged_folder_is_refused(tmp_path: Path) -> None:
    write_lsun(tmp_path / "empty_train_lmdb", {})
    with pytest.raises(DataError, match="empty_train_lmdb holds no image"):
        open_lsun(root=tmp_path, argument="empty")
    (tmp_path / "broken_train_lmdb").mkdir()
    (tmp_path / "broken_train_lmdb" / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(DataError, match="broken_train_lmdb is no LMDB folder, or damaged"):
        open_lsun(root=tmp_path, argument="broken")


def test_without_the_package_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)  # makes `import lmdb` fail as if it were not there
    (tmp_path / "tower_train_lmdb").mkdir()
    (tmp_path / "tower_train_lmdb" / "data.mdb").write_bytes(b"")
    with pytest.raises(DataError, match=r"package is not installed: `pip install lmdb`"):
        open_lsun(root=tmp_path, argument="tower")


def test_a_missing_folder_is_named_with_what_to_unpack(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs bedroom_train_lmdb/data\.mdb.*Unpack bedroom_train_lmdb\.zip"):
        open_lsun(root=tmp_path, argument="bedroom")


def test_a_category_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write `lsun:bedroom`"):
        open_lsun(root=tmp_path)
