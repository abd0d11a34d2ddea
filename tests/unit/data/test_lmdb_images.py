"""Images in any LMDB folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from rpganify.data.images import MemoryImages
from rpganify.data.lmdb_images import open_lmdb
from rpganify.data.streamed import StreamedImages
from rpganify.errors import DataError
from tests.unit.data.files import png


def write_lmdb(folder: Path, entries: dict[bytes, bytes]) -> Path:
    lmdb = pytest.importorskip("lmdb", reason="the optional package lmdb is not installed")
    folder.mkdir(parents=True)
    environment = lmdb.open(str(folder), map_size=2**24)
    with environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key, value)
    environment.close()
    return folder


def test_entries_are_images_in_the_order_of_their_keys_and_of_the_size_they_have(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "faces", {b"b": png(2, 6, 5, "L"), b"a": png(1, 6, 5, "L"), b"c": png(3, 6, 5, "L")})
    data = open_lmdb(root=tmp_path, argument="faces")
    assert isinstance(data, MemoryImages)
    assert (data.name, data.image_shape, data.labels) == (f"lmdb:{tmp_path / 'faces'}", (1, 6, 5), None)
    assert data.pixels[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_many_threads_read_one_folder_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    write_lmdb(tmp_path / "many", {f"{i:03}".encode(): png(i, 16, 16) for i in range(200)})
    data = open_lmdb(root=tmp_path, argument="many")
    assert isinstance(data, StreamedImages)
    orders = [torch.randperm(200, generator=torch.Generator().manual_seed(seed)) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for order, images in zip(orders, pool.map(data.images, orders), strict=True):
            assert torch.equal(images[:, 0, 0, 0].long(), order)


def test_an_entry_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "mixed", {b"a": png(1), b"length": b"12"})
    with pytest.raises(DataError, match=r"mixed, entry length is no image that can be read"):
        open_lmdb(root=tmp_path, argument="mixed")


def test_a_folder_has_to_be_named_and_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write `lmdb:DIR`"):
        open_lmdb(root=tmp_path)
    with pytest.raises(DataError, match=r"There is no .*nowhere/data\.mdb"):
        open_lmdb(root=tmp_path, argument="nowhere")
