"""Images in the tar files of a webdataset, read by index where they lie."""

from __future__ import annotations

import importlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from rpganify.data.images import ImageData
from rpganify.data.progress import tracked
from rpganify.data.streamed import SUFFIXES, open_streamed
from rpganify.errors import DataError

_LABEL = "cls"
# ImageNet's full set has 21,841 classes; beyond this a number is no class but an identifier.
_MAX_CLASSES = 100_000
_MAX_LABEL_BYTES = 64


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """Image files in tar files that are not compressed.

    Args:
        shards: the tar files.
        keys: what each image's sample is called.
        places: int64 `(N, 3)`: number of the shard, first byte, number of bytes.
    """

    shards: tuple[Path, ...]
    keys: tuple[str, ...]
    places: Tensor

    def __len__(self) -> int:
        return len(self.keys)

    def content(self, index: int) -> bytes:
        """The bytes of the image."""
        shard, start, num_bytes = self.places[index].tolist()
        try:
            # Opened each time: thousands of shards may be more than a process can hold open.
            with self.shards[shard].open("rb") as file:
                file.seek(start)
                return bytes(file.read(num_bytes))
        except OSError as error:
            raise DataError(f"{self.where(index)} cannot be read: {error.strerror or error}.") from error

    def where(self, index: int) -> str:
        """The shard and the sample's key."""
        return f"{self.shards[int(self.places[index, 0])]}, sample {self.keys[index]}"


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the index knows of a sample: its shard and key, where its image lies, and its label if it has one."""

    shard: int
    key: str
    start: int
    num_bytes: int
    label: int | None


def open_webdataset(*, root: Path | None = None, argument: str | None = None) -> ImageData:
    """Every image in the shards of a webdataset, in their order.

    Needs the package `webdataset`, which says which files of a shard make a sample. Labels are the whole numbers in
    `.cls`, if every sample has one. The shards are read by index and not as a stream, so that every epoch has an order of its
    own and a training can be resumed anywhere; so they have to be files, and not compressed. Sizes and
    colours: `streamed.open_streamed`.

    Args:
        root: what relative SHARDS are relative to; the working directory if left out.
        argument: SHARDS of `webdataset:SHARDS`: `train-{000..146}.tar`, or a folder that holds `*.tar`.
    Raises:
        DataError: `webdataset` not installed; a shard missing, damaged or compressed; no image in them, several in one
            sample, or labels that are none.
    """
    if argument is None:
        raise DataError(
            "webdataset needs to know which: write `webdataset:train-{000..146}.tar`, or a folder of shards."
        )
    name = f"webdataset:{(root or Path()) / argument}"
    shards = _shards(root or Path(), argument)
    reading = tracked(shards, f"reading the index of {name}", len(shards))
    found = [sample for number, shard in enumerate(reading) for sample in _samples(number, shard)]
    samples = [sample for sample in found if sample is not None]
    if not samples:
        raise DataError(f"There is no image in {name}: files that end in {', '.join(SUFFIXES)} are looked for.")
    num_without = len(found) - len(samples)
    note = f"{num_without:,} of {len(found):,} samples hold no image and are left out." if num_without else ""
    places = torch.tensor([(sample.shard, sample.start, sample.num_bytes) for sample in samples])
    files = ShardFiles(shards, tuple(sample.key for sample in samples), places)
    return open_streamed(name, files, *_labels(shards, samples), note=note)


def _shards(root: Path, argument: str) -> tuple[Path, ...]:
    """The tar files that the text names, each of which exists."""
    if (root / argument).is_dir():
        shards = sorted((root / argument).glob("*.tar"))
        if not shards:
            raise DataError(f"There is no *.tar in {root / argument}. Write `webdataset:train-{{000..146}}.tar`.")
        return tuple(shards)
    try:
        shards = [root / part for part in _library("shardlists").expand_urls(argument)]
    except (AssertionError, ValueError) as error:  # a variable of the environment that is not set, or an open brace
        raise DataError(
            f"webdataset:{argument} names no shards: {error}. Write `webdataset:train-{{000..146}}.tar`."
        ) from error
    missing = [shard for shard in shards if not shard.is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(shards)} shards of webdataset:{argument} are not here, the first is {missing[0]}. Write "
            "`webdataset:train-{000..146}.tar` with files that you have; nothing is downloaded."
        )
    return tuple(shards)


def _samples(number: int, shard: Path) -> Iterator[_Sample | None]:
    """The samples of a shard, None for one without an image."""
    group_by_keys = _library("tariterators").group_by_keys
    try:
        with tarfile.open(shard, "r:") as tar:
            members = (
                {"fname": member.name, "data": member, "__url__": str(shard)} for member in tar if member.isfile()
            )
            for sample in group_by_keys(members):
                yield _sample(number, shard, tar, sample)
    except DataError:
        raise
    except ValueError as error:  # the library's, for two files of one name
        raise DataError(f"{shard} cannot be read as samples: {error.args[0]}. Write it anew.") from error
    except (OSError, tarfile.TarError) as error:
        raise DataError(
            f"{shard} is no tar file, damaged or compressed: {error}. Only plain tar files can be read by index: `gunzip` "
            "one that is compressed, fetch a damaged one again."
        ) from error


def _sample(number: int, shard: Path, tar: tarfile.TarFile, sample: dict[str, Any]) -> _Sample | None:
    """What matters of a sample as the library gives it: members of the tar file by suffix."""
    key = sample["__key__"]
    images = [suffix for suffix in sample if f".{suffix.rpartition('.')[2]}" in SUFFIXES]
    if len(images) > 1:
        raise DataError(
            f"{shard}, sample {key} holds {len(images)} images, .{' and .'.join(images)}; which one is meant cannot be "
            "known. Write shards with one image in each sample."
        )
    if not images:
        return None
    image, label = sample[images[0]], None
    if _LABEL in sample and (file := tar.extractfile(sample[_LABEL])) is not None:
        text = file.read(_MAX_LABEL_BYTES).decode("ascii", "replace").strip()
        if not text.isdecimal() or int(text) >= _MAX_CLASSES:
            raise DataError(
                f"{shard}, sample {key} has the label {text!r}; a .cls file holds the number of a class, from 0 to "
                f"{_MAX_CLASSES - 1}. Write the shards with such numbers, or without .cls."
            )
        label = int(text)
    return _Sample(number, key, image.offset_data, image.size, label)


def _labels(shards: tuple[Path, ...], samples: list[_Sample]) -> tuple[Tensor | None, tuple[str, ...]]:
    """A label per sample and the class names, which are their numbers; None and no names without labels."""
    without = [sample for sample in samples if sample.label is None]
    if len(without) == len(samples):
        return None, ()
    if without:
        raise DataError(
            f"{len(without):,} of {len(samples):,} samples have no .cls beside their image, the first is "
            f"{without[0].key} in {shards[without[0].shard]}. Give all of them a label, or none."
        )
    labels = torch.tensor([sample.label for sample in samples])
    return labels, tuple(str(label) for label in range(int(labels.max()) + 1))


def _library(module: str) -> ModuleType:
    """A module of the package `webdataset`, imported where it is needed only: it takes a second with its own imports."""
    try:
        return importlib.import_module(f"webdataset.{module}")
    except ImportError as error:
        raise DataError(
            "Shards are read with the package webdataset, which is not installed: `pip install webdataset`."
        ) from error
