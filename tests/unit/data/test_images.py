"""A data set in memory, a selection of another, and pixels as the generator sees them."""

from __future__ import annotations

import pytest
import torch

from rpganify.data.images import ImageData, MemoryImages, SelectedImages, sample_rate_of, to_float
from rpganify.data.signals import MemorySignals
from rpganify.errors import DataError

PIXELS = torch.arange(5 * 3 * 2 * 2, dtype=torch.uint8).view(5, 3, 2, 2)
LABELS = torch.tensor([0, 1, 2, 1, 0])
NAMES = ("a", "b", "c")


def test_images_in_memory_are_drawn_by_index() -> None:
    data = MemoryImages("tiny", PIXELS, LABELS, NAMES)
    assert isinstance(data, ImageData)
    assert (len(data), data.image_shape, data.num_classes) == (5, (3, 2, 2), 3)
    assert torch.equal(data.images(torch.tensor([4, 0, 4])), PIXELS[[4, 0, 4]])


def test_images_without_labels_have_no_classes() -> None:
    data = MemoryImages("tiny", PIXELS)
    assert data.labels is None and data.num_classes is None and data.class_names == ()


def test_a_selection_shows_the_chosen_images_with_the_labels_of_the_whole() -> None:
    whole = MemoryImages("tiny", PIXELS, LABELS, NAMES, note="Cropped.")
    part = SelectedImages(whole, torch.tensor([3, 1]), "tiny[b]")
    assert isinstance(part, ImageData)
    assert torch.equal(part.images(torch.tensor([1])), PIXELS[1:2])
    assert part.labels is not None and part.labels.tolist() == [1, 1]
    assert (len(part), part.name, part.num_classes, part.note) == (2, "tiny[b]", 3, "Cropped.")


@pytest.mark.parametrize("pixels", [PIXELS.float(), PIXELS[0], PIXELS[:0], torch.zeros(2, 3, 0, 2, dtype=torch.uint8)])
def test_what_is_no_batch_of_byte_images_is_refused(pixels: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"images of odd are torch\..*at least one image, as uint8 \(N, C, H, W\)"):
        MemoryImages("odd", pixels)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (None, NAMES, "names 3 classes but has no labels"),
        (LABELS[:4], NAMES, r"5 images and labels torch.int64 \(4,\)"),
        (LABELS.float(), NAMES, r"labels torch.float32 \(5,\)"),
        (LABELS, NAMES[:2], "labels from 0 to 2, and names for 0 to 1"),
        (LABELS - 1, NAMES, "labels from -1 to 1"),
    ],
)
def test_labels_that_match_neither_images_nor_names_are_refused(
    labels: torch.Tensor | None, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        MemoryImages("odd", PIXELS, labels, names)


def test_pixels_become_floats_from_minus_one_to_one_exactly_and_in_order() -> None:
    values = to_float(torch.arange(256, dtype=torch.uint8))
    assert values.dtype == torch.float32
    assert values[0] == -1 and values[255] == 1
    assert (values.diff() > 0).all()
    assert torch.equal(((values + 1) * 127.5).round().to(torch.uint8), torch.arange(256, dtype=torch.uint8))


def test_making_floats_leaves_the_pixels_as_they_were() -> None:
    pixels = PIXELS.clone()
    to_float(pixels)
    assert torch.equal(pixels, PIXELS)


def test_16_bit_samples_become_floats_by_one_factor_and_floats_stay() -> None:
    values = torch.tensor([-32768, -1, 0, 16384, 32767], dtype=torch.int16)
    assert to_float(values).tolist() == [-1.0, -1 / 32768, 0.0, 0.5, 32767 / 32768]
    floats = torch.tensor([-1.0, 0.25])
    assert to_float(floats) is floats


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.int8])
def test_values_of_another_type_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(DataError, match=rf"uint8, int16 or float32 values, not {dtype}; convert them"):
        to_float(torch.zeros(2, dtype=dtype))


def test_a_selection_of_sound_has_its_sample_rate_and_pictures_have_none() -> None:
    sound = MemorySignals("hum", torch.zeros(3, 1, 8), sample_rate=8000)
    assert sample_rate_of(SelectedImages(sound, torch.tensor([1]), "hum[a]")) == 8000
    assert sample_rate_of(SelectedImages(MemoryImages("tiny", PIXELS), torch.tensor([1]), "tiny[a]")) is None
