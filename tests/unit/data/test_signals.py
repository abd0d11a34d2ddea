"""Samples that are no pictures, in memory."""

from __future__ import annotations

import pytest
import torch

from rpganify.data.images import ImageData
from rpganify.data.signals import MemorySignals
from rpganify.errors import DataError

SOUNDS = torch.arange(-12, 12, dtype=torch.int16).view(3, 2, 4)


def test_signals_are_drawn_by_index_as_they_lie_in_memory() -> None:
    data = MemorySignals("hum", SOUNDS, torch.tensor([0, 1, 1]), ("a", "b"), "Cut.", 8000)
    assert isinstance(data, ImageData)
    assert (len(data), data.image_shape, data.num_classes, data.sample_rate) == (3, (2, 4), 2, 8000)
    assert torch.equal(data.images(torch.tensor([2, 0, 2])), SOUNDS[[2, 0, 2]])


def test_signals_may_be_points_and_need_no_labels() -> None:
    data = MemorySignals("ring", torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    assert (data.image_shape, data.num_classes, data.labels, data.sample_rate) == ((2,), None, None, None)


@pytest.mark.parametrize(
    "values", [SOUNDS.to(torch.uint8), SOUNDS.double(), SOUNDS[0, 0], SOUNDS[:0], torch.zeros(2, 0)]
)
def test_what_is_no_batch_of_signals_is_refused(values: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"samples of odd are torch\..*as int16 or float32 \(N, \*shape\)"):
        MemorySignals("odd", values)


@pytest.mark.parametrize("value", [1.5, -1.01, float("nan"), float("inf")])
def test_floats_beyond_one_or_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"samples of loud go from .*; signals as float32 are in \[-1, 1\]"):
        MemorySignals("loud", torch.tensor([[0.0, value]]))


def test_labels_have_to_match() -> None:
    with pytest.raises(DataError, match=r"hum has 3 images and labels torch.int64 \(2,\)"):
        MemorySignals("hum", SOUNDS, torch.tensor([0, 1]), ("a", "b"))
