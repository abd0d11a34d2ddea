"""Which data sets are kept in memory."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from rpganify.data.folder import open_folder
from rpganify.data.images import ImageData, MemoryImages, SelectedImages, is_in_memory
from rpganify.data.keeping import keep_in_memory
from rpganify.data.opening import fit_to, open_data
from rpganify.data.signals import MemorySignals
from rpganify.data.streamed import StreamedImages
from rpganify.registry import Registry, default_registry
from tests.unit.data.files import png, write_cifar10, write_mnist, write_tar, write_zip


def photos(folder: Path, num: int = 4, size: int = 16) -> Path:
    for index in range(num):
        path = folder / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(10 * index, size, size))
    return folder


@pytest.mark.parametrize(
    "spec",
    ["digits", "mnist", "coloured-mnist", "cifar10", "cifar10[cat]", "folder:p", "zip:p.zip", "webdataset:p.tar"],
)
def test_every_built_in_set_that_fits_lies_in_memory(tmp_path: Path, spec: str) -> None:
    write_mnist(tmp_path)
    write_cifar10(tmp_path, num_per_file=20)
    photos(tmp_path / "p")
    write_zip(tmp_path / "p.zip", {"1.png": png(1)})
    write_tar(tmp_path / "p.tar", [("1.png", png(1))])
    data = open_data(spec, None if spec == "digits" else tmp_path, default_registry())
    assert is_in_memory(data)
    assert isinstance(data, MemoryImages) and data.pixels.dtype == torch.uint8


def test_a_set_beyond_the_limit_stays_on_disk_and_the_log_says_how_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 4 * 3 * 16 * 16 - 1)
    with caplog.at_level(logging.INFO, logger="rpganify.data.keeping"):
        data = open_folder(root=photos(tmp_path))
    assert isinstance(data, StreamedImages) and not is_in_memory(data)
    assert "4 images of 3×16×16, 0.0 GB decoded, are read as they are drawn" in caplog.text
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 4 * 3 * 16 * 16)
    kept = keep_in_memory(data)
    assert isinstance(kept, MemoryImages) and kept.class_names == data.class_names
    assert torch.equal(kept.images(torch.tensor([3, 1])), data.images(torch.tensor([3, 1])))


def test_what_fits_only_after_it_was_selected_or_made_smaller_is_kept_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path)
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 2 * 3 * 16 * 16)
    selected = open_data(f"folder:{tmp_path}[b]", None, Registry())
    assert isinstance(selected, SelectedImages)
    kept, _ = fit_to(selected, (3, 16, 16))
    assert isinstance(kept, MemoryImages) and kept.name == selected.name
    assert kept.pixels[:, 0, 0, 0].tolist() == [10, 30] and kept.labels is not None and kept.labels.tolist() == [1, 1]
    smaller, said = fit_to(open_folder(root=tmp_path), (3, 8, 8))
    assert isinstance(smaller, MemoryImages) and smaller.pixels[:, 0, 0, 0].tolist() == [0, 20, 10, 30]
    assert said.endswith("resized from 16x16 to 8x8 (bilinear, antialiased).")


def test_a_selection_of_files_is_resized_as_the_files_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path)
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    fitted, _ = fit_to(open_data(f"folder:{tmp_path}[b]", None, Registry()), (3, 8, 8))
    assert isinstance(fitted, SelectedImages) and isinstance(fitted.base, StreamedImages)
    assert fitted.images(torch.arange(2)).unique(dim=0).shape == (2, 3, 8, 8)
    assert fitted.images(torch.arange(2))[:, 0, 0, 0].tolist() == [10, 30]


def test_what_lies_in_memory_and_what_is_no_picture_stays_itself() -> None:
    memory: ImageData = MemoryImages("noise", torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    selected = SelectedImages(memory, torch.tensor([1]), "one")
    signals: ImageData = MemorySignals("waves", torch.zeros(2, 1, 4))
    for data in (memory, selected, signals, SelectedImages(signals, torch.tensor([0]), "one")):
        assert keep_in_memory(data) is data
        assert is_in_memory(data)
