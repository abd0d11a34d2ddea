"""Two axes are one exactly where `is_cut` says so: compared with the matrices that they stand for."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from torch import Tensor

from rpganify.surgery.merging.axes import Axis, is_cut, layout_of, product_of, stays_inside


def matrix(axis: Axis, taps: Tensor) -> Tensor:
    """What the axis does, as `(num_out, num_in)`, straight from `up · p = down · q + o`."""
    made = torch.zeros(axis.num_out, axis.num_in, dtype=torch.int64)
    for q, (offset, tap), p in itertools.product(
        range(axis.num_out), zip(axis.offsets, taps.tolist(), strict=True), range(axis.num_in)
    ):
        if axis.up * p == axis.down * q + offset:
            made[q, p] += tap
    return made


def random_axis(chance: random.Random, num_in: int) -> Axis:
    up, down = chance.choice([(1, 1), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1)])
    return Axis(
        up, down, chance.randint(-3, 1), chance.randint(1, 2), chance.randint(1, 4), num_in, chance.randint(1, 7)
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_product_is_exact_if_and_only_if_nothing_is_cut(seed: int) -> None:
    chance = random.Random(seed)
    seen = {True: 0, False: 0}
    for _ in range(100):
        first = random_axis(chance, chance.randint(1, 6))
        second = random_axis(chance, first.num_out)
        product = product_of(first, second)
        if product is None:
            assert first.down > 1 and second.up > 1
            continue
        # Positive taps: what is added beyond the border is not taken away again by chance.
        one, two = (torch.tensor([chance.randint(1, 9) for _ in range(a.num_taps)]) for a in (first, second))
        taps = torch.zeros(product.axis.num_taps, dtype=torch.int64)
        for (i, a), (j, b) in itertools.product(enumerate(one), enumerate(two)):
            taps[i * product.first_step + j * product.second_step] += a * b
        is_equal = torch.equal(matrix(second, two) @ matrix(first, one), matrix(product.axis, taps))
        assert is_equal is not is_cut(first, second), (first, second)
        seen[is_equal] += 1
    assert min(seen.values()) > 10


def test_what_stays_inside_is_never_cut() -> None:
    chance = random.Random(0)
    pairs = [(a := random_axis(chance, 5), random_axis(chance, a.num_out)) for _ in range(300)]
    inside = [pair for pair in pairs if stays_inside(*pair)]
    assert inside and not any(is_cut(*pair) for pair in inside)


@pytest.mark.parametrize("is_transposed", [False, True])
def test_a_layout_is_a_layer_of_the_same_effect_or_there_is_none(is_transposed: bool) -> None:
    chance = random.Random(1)
    found = 0
    for _ in range(300):
        axis = random_axis(chance, chance.randint(1, 6))
        layout = layout_of(axis, is_transposed=is_transposed)
        if layout is None:
            continue
        taps = torch.tensor([chance.randint(1, 9) for _ in range(axis.num_taps)])
        padded = torch.nn.functional.pad(taps, (layout.num_before, layout.num_after)).double()[None, None]
        unit = torch.eye(axis.num_in, dtype=torch.float64)[:, None]
        options = {"stride": layout.stride, "padding": layout.padding, "dilation": layout.dilation}
        if is_transposed:
            function = torch.nn.functional.conv_transpose1d
            result = function(unit, padded.flip(2), output_padding=layout.output_padding, **options)
        else:
            result = torch.nn.functional.conv1d(unit, padded, **options)
        assert padded.shape[2] == layout.kernel_size
        assert torch.equal(result[:, 0].T.long(), matrix(axis, taps))
        found += 1
    assert found > 50


def test_an_axis_that_enlarges_and_leaves_out_is_no_layer() -> None:
    axis = Axis(2, 3, 0, 1, 2, 6, 4)
    assert layout_of(axis, is_transposed=False) is None and layout_of(axis, is_transposed=True) is None


def test_only_an_axis_that_keeps_every_place_is_pointwise() -> None:
    assert Axis(1, 1, 0, 1, 1, 5, 5).is_pointwise
    for other in (
        Axis(1, 1, 0, 1, 1, 5, 6),
        Axis(1, 1, -1, 1, 1, 5, 5),
        Axis(1, 2, 0, 1, 1, 5, 5),
        Axis(1, 1, 0, 1, 2, 5, 5),
    ):
        assert not other.is_pointwise
