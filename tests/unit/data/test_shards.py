"""The tar files of a webdataset."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch

from rpganify.data.images import ImageData, MemoryImages
from rpganify.data.shards import open_webdataset
from rpganify.data.streamed import StreamedImages
from rpganify.errors import DataError
from tests.unit.data.files import png, write_tar

webdataset = pytest.importorskip("webdataset", reason="the optional package webdataset is not installed")


def all_of(data: ImageData) -> torch.Tensor:
    return data.images(torch.arange(len(data)))


def as_the_library_reads(shard: Path) -> list[dict[str, Any]]:
    """Its steps one by one: as a pipeline, webdataset 1.0 leaves its files open."""
    steps = webdataset.tariterators
    with shard.open("rb") as file:
        return list(steps.group_by_keys({**one, "__url__": str(shard)} for one in steps.tar_file_iterator(file)))


def sample(key: str, level: int, label: int | str | None = None) -> list[tuple[str, bytes]]:
    files = [(f"{key}.png", png(level)), (f"{key}.json", b'{"caption": "grey"}')]
    return files if label is None else [*files, (f"{key}.cls", str(label).encode())]


def test_shards_that_the_library_wrote_hold_what_it_reads_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in range(3):
        with webdataset.TarWriter(str(tmp_path / f"train-{shard:03}.tar")) as writer:
            for place in range(4):
                index = 4 * shard + place
                writer.write({"__key__": f"image{index:05}", "png": png(10 * index), "cls": str(index % 3).encode()})
    expected = [
        (one["__key__"], one["png"], int(one["cls"]))
        for shard in range(3)
        for one in as_the_library_reads(tmp_path / f"train-{shard:03}.tar")
    ]
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    data = open_webdataset(root=tmp_path, argument="train-{000..002}.tar")
    assert isinstance(data, StreamedImages)
    assert [data.files.content(index) for index in range(12)] == [content for _, content, _ in expected]
    assert data.files.where(5) == f"{tmp_path / 'train-001.tar'}, sample {expected[5][0]}"
    assert data.labels is not None and data.labels.tolist() == [label for _, _, label in expected]
    assert data.class_names == ("0", "1", "2")
    assert data.images(torch.tensor([11, 0]))[:, 0, 0, 0].tolist() == [110, 0]


def test_a_folder_of_shards_is_read_in_the_order_of_their_names_and_kept_in_memory(tmp_path: Path) -> None:
    write_tar(tmp_path / "set" / "b.tar", sample("x", 30))
    write_tar(tmp_path / "set" / "a.tar", [*sample("y", 10), *sample("z", 20)])
    data = open_webdataset(root=tmp_path, argument="set")
    assert isinstance(data, MemoryImages) and data.labels is None
    assert all_of(data)[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_samples_of_equal_keys_in_two_shards_are_two(tmp_path: Path) -> None:
    for name, level in (("a", 10), ("b", 20)):
        write_tar(tmp_path / f"{name}.tar", sample("same", level))
    assert all_of(open_webdataset(root=tmp_path, argument="{a,b}.tar"))[:, 0, 0, 0].tolist() == [10, 20]


def test_samples_without_an_image_are_left_out_and_counted(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [*sample("one", 10), ("two.txt", b"no image"), *sample("three", 30)])
    data = open_webdataset(root=tmp_path, argument="a.tar")
    assert all_of(data)[:, 0, 0, 0].tolist() == [10, 30]
    assert data.note == "1 of 3 samples hold no image and are left out."


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a.png", png(1)), ("a.mask.png", png(2))], r"sample a holds 2 images, \.png and \.mask\.png; which one"),
        (sample("a", 1, "cat"), r"sample a has the label 'cat'; a \.cls file holds the number of a class"),
        (sample("a", 1, -1), r"sample a has the label '-1'"),
        (sample("a", 1, 10**6), r"sample a has the label '1000000'.* from 0 to 99999"),
        ([*sample("a", 1, 0), *sample("b", 2)], r"1 of 2 samples have no \.cls.*the first is b in .*a\.tar"),
        ([*sample("a", 1), *sample("a", 1)], r"a\.tar cannot be read as samples: a\.png: duplicate file name"),
        ([("a.txt", b"")], r"There is no image in webdataset:.*a\.tar: files that end in \.jpg"),
        ([("a.png", b"no image")], r"a\.tar, sample a is no image that can be read"),
    ],
)
def test_what_is_wrong_in_a_sample_is_named(tmp_path: Path, files: list[tuple[str, bytes]], message: str) -> None:
    write_tar(tmp_path / "a.tar", files)
    with pytest.raises(DataError, match=message):
        open_webdataset(root=tmp_path, argument="a.tar")


def test_compressed_and_truncated_shards_are_refused_with_the_way_out(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", sample("one", 10) + sample("two", 20)).read_bytes()
    (tmp_path / "packed.tar").write_bytes(gzip.compress(whole))
    (tmp_path / "cut.tar").write_bytes(whole[:3000])
    for name in ("packed", "cut"):
        with pytest.raises(DataError, match=rf"{name}\.tar is no tar file, damaged or compressed: .*`gunzip`"):
            open_webdataset(root=tmp_path, argument=f"{name}.tar")


def test_a_shard_that_is_gone_when_it_is_drawn_from_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    shard = write_tar(tmp_path / "a.tar", sample("one", 10))
    data = open_webdataset(root=tmp_path, argument="a.tar")
    shard.unlink()
    with pytest.raises(DataError, match=r"a\.tar, sample one cannot be read: No such file"):
        data.images(torch.tensor([0]))


def test_shards_have_to_be_named_and_to_be_there(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", sample("one", 10))
    (tmp_path / "empty").mkdir()
    for argument, message in (
        (None, "webdataset needs to know which"),
        (
            "{a,b,c}.tar",
            r"2 of 3 shards of webdataset:\{a,b,c\}\.tar are not here, the first is .*b\.tar.*nothing is down",
        ),
        ("{a,b.tar", "names no shards: "),
        ("${NOT_SET}.tar", "names no shards: missing environment variable"),
        ("empty", r"There is no \*\.tar in .*empty"),
    ):
        with pytest.raises(DataError, match=message):
            open_webdataset(root=tmp_path, argument=argument)


def test_without_the_package_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tar(tmp_path / "a.tar", sample("one", 10))
    for module in ("webdataset", "webdataset.shardlists", "webdataset.tariterators"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=r"package webdataset, which is not installed: `pip install webdataset`"):
        open_webdataset(root=tmp_path, argument="a.tar")


def test_a_tar_file_that_another_program_wrote_is_read_too(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "long.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        name = "a" * 150 + "/image.png"  # longer than a header holds, so it comes in a member of its own
        member = tarfile.TarInfo(name)
        member.size = len(png(7))
        tar.addfile(member, io.BytesIO(png(7)))
    data = open_webdataset(root=tmp_path, argument="long.tar")
    assert all_of(data)[:, 0, 0, 0].tolist() == [7]
