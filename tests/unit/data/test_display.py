"""Samples of any shape as pictures to look at."""

from __future__ import annotations

import math

import pytest
import torch

from rpganify.data.display import CURVE_HEIGHT, CURVE_WIDTH, as_pictures, draw_curves, is_picture


def ink(picture: torch.Tensor) -> torch.Tensor:
    """Which pixels of a curve's picture `(1, H, W)` are the curve."""
    return picture[0] < 0


@pytest.mark.parametrize(
    ("shape", "is_one"), [((1, 8, 8), True), ((3, 4, 9), True), ((2, 8, 8), False), ((1, 64), False), ((3,), False)]
)
def test_pictures_have_one_or_three_channels_and_two_axes(shape: tuple[int, ...], is_one: bool) -> None:
    assert is_picture(shape) == is_one


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_stay_as_they_are(channels: int) -> None:
    images = torch.rand(2, channels, 5, 4) * 2 - 1
    assert torch.equal(as_pictures(images), images)


def test_other_numbers_of_channels_are_averaged() -> None:
    images = torch.rand(2, 5, 3, 4)
    assert torch.allclose(as_pictures(images), images.mean(1, keepdim=True))


def test_volumes_are_cut_in_the_middle_of_the_first_axis() -> None:
    volumes = torch.rand(2, 1, 5, 3, 4)
    assert torch.equal(as_pictures(volumes), volumes[:, :, 2])
    assert as_pictures(torch.rand(2, 3, 4, 5, 3, 4)).shape == (2, 3, 3, 4)


@pytest.mark.parametrize("length", [1, 7, CURVE_WIDTH, 1000, 16384])
def test_a_curve_is_drawn_at_its_values_from_left_to_right(length: int) -> None:
    line = torch.linspace(-1, 1, length).view(1, 1, length)
    is_ink = ink(draw_curves(line)[0])
    assert is_ink.shape == (CURVE_HEIGHT, CURVE_WIDTH)
    rows = torch.linspace(1, -1, CURVE_HEIGHT)
    middles = torch.stack([rows[column].mean() for column in is_ink.T])
    expected = torch.linspace(-1, 1, CURVE_WIDTH) if length > 1 else torch.full((CURVE_WIDTH,), -1.0)
    # A column of 256 spans 2/256 of the range, a row of 96 spans 2/95.
    assert (middles - expected).abs().max() < 2 / 256 + 2 / 95


def test_a_fast_wave_fills_the_picture_between_its_extremes() -> None:
    times = torch.arange(16384) / 16384
    wave = 0.5 * torch.sin(2 * math.pi * 1000 * times)
    rows = ink(draw_curves(wave.view(1, 1, -1))[0])
    heights = torch.linspace(1, -1, CURVE_HEIGHT)[:, None]
    assert rows[(heights.abs() < 0.45).expand(-1, CURVE_WIDTH)].all()
    assert not rows[(heights.abs() > 0.55).expand(-1, CURVE_WIDTH)].any()


def test_a_jump_leaves_no_gap() -> None:
    step = torch.cat([torch.full((512,), -0.9), torch.full((512,), 0.9)])
    is_ink = ink(draw_curves(step.view(1, 1, -1))[0])
    assert is_ink.any(dim=1)[5:-5].all()


def test_each_channel_has_a_curve_of_its_own_below_the_one_before() -> None:
    two = torch.stack([torch.full((64,), 0.5), torch.full((64,), -0.5)])[None]
    picture = as_pictures(two)
    assert picture.shape == (1, 1, 2 * CURVE_HEIGHT, CURVE_WIDTH)
    rows = ink(picture[0]).any(dim=1).nonzero().flatten()
    assert 20 <= int(rows[0]) <= 26 and CURVE_HEIGHT + 69 <= int(rows[-1]) <= CURVE_HEIGHT + 75


def test_values_beyond_the_range_are_drawn_at_the_edge() -> None:
    assert ink(draw_curves(torch.full((1, 1, 64), 7.0))[0])[0].all()


@pytest.mark.parametrize("values", [torch.rand(2, 40), torch.rand(2, 1, 40), torch.rand(2, 8, 40)])
def test_flat_samples_and_up_to_eight_channels_are_curves(values: torch.Tensor) -> None:
    channels = values.shape[1] if values.dim() == 3 else 1
    assert as_pictures(values).shape == (2, 1, channels * CURVE_HEIGHT, CURVE_WIDTH)


def test_many_channels_are_rows_of_a_grey_picture() -> None:
    values = torch.rand(2, 9, 40)
    assert torch.equal(as_pictures(values), values[:, None])
    wide = as_pictures(torch.ones(2, 9, 1024))
    assert wide.shape == (2, 1, 9, CURVE_WIDTH) and torch.allclose(wide, torch.ones(()))


def test_single_numbers_are_drawn_as_well() -> None:
    assert as_pictures(torch.tensor([0.5, -0.5])).shape == (2, 1, CURVE_HEIGHT, CURVE_WIDTH)
