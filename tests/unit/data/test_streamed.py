"""What all data sets of encoded images have in common."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from rpganify.data.images import ImageData
from rpganify.data.streamed import StreamedImages, classes_by_folder, is_image_name, open_streamed
from rpganify.errors import DataError
from tests.unit.data.files import png


@dataclass(frozen=True)
class Contents:
    """Image files in memory, which remember what was looked at."""

    contents: tuple[bytes, ...]
    seen: list[int]

    def __len__(self) -> int:
        return len(self.contents)

    def content(self, index: int) -> Path | bytes:
        self.seen.append(index)
        return self.contents[index]

    def where(self, index: int) -> str:
        return f"file {index}"


@pytest.fixture(autouse=True)
def nothing_fits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)


def test_of_a_large_set_evenly_spread_headers_are_looked_at_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpganify.data.streamed.MAX_HEADERS", 5)
    sizes = [8] * 8 + [9] * 4
    files = Contents(tuple(png(index, size) for index, size in enumerate(sizes)), [])
    data = open_streamed("many", files, note="Made up.")
    assert sorted(files.seen) == [0, 2, 4, 7, 9]
    assert data.image_shape == (3, 8, 8)
    assert data.note == (
        "Made up. Sizes and colours are judged by 5 of 12 images. 1 of 5 evenly spread images have another size than the "
        "most common, 8x8 (height x width): resized and cropped to it around their centre."
    )


def test_images_are_brought_to_another_shape_straight_from_the_file_s_own_size() -> None:
    files = Contents((png(10, 8), png(20, 8, 40)), [])
    data = StreamedImages("two", files, (3, 8, 8), torch.tensor([0, 1]), ("a", "b"), "Noted.")
    small = data.resized((1, 4, 6))
    assert isinstance(small, ImageData)
    assert small.images(torch.tensor([1, 0])).unique(dim=0).shape == (2, 1, 4, 6)
    assert (small.labels is data.labels, small.class_names, small.note) == (True, ("a", "b"), "Noted.")


def test_an_error_in_one_image_names_it_and_the_others_can_still_be_drawn() -> None:
    data = StreamedImages("three", Contents((png(1), b"no image", png(3)), []), (3, 8, 8))
    with pytest.raises(DataError, match=r"^file 1 is no image that can be read"):
        data.images(torch.arange(3))
    assert data.images(torch.tensor([2, 0]))[:, 0, 0, 0].tolist() == [3, 1]


def test_a_forked_process_decodes_with_threads_of_its_own() -> None:
    data = StreamedImages("one", Contents((png(1),), []), (3, 8, 8))
    data.images(torch.tensor([0]))  # this process's threads are there now
    assert any(thread.name.startswith("decoder") for thread in threading.enumerate())
    child = os.fork()
    if child == 0:
        os._exit(int(data.images(torch.tensor([0]))[0, 0, 0, 0]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.png", True), ("b/c.JPEG", True), ("a.txt", False), (".a.png", False), (".cache/a.png", False), ("png", False)],
)
def test_images_are_known_by_their_ending_and_hidden_files_are_none(name: str, is_one: bool) -> None:
    assert is_image_name(name) is is_one


def test_the_first_folders_of_the_paths_are_the_classes_if_all_have_one() -> None:
    labels, names = classes_by_folder(["dog/1.png", "cat/x/2.png", "dog/3.png"])
    assert labels is not None and labels.tolist() == [1, 0, 1]
    assert names == ("cat", "dog")
    assert classes_by_folder(["dog/1.png", "2.png"]) == (None, ())
