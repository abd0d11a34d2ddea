"""Where convolutions read and write along one axis, and whether two of them are one also at the border."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """Result place q takes input place p by the tap with offset o wherever `up · p = down · q + o`.

    A convolution has `up = 1` and its stride as `down`; a transposed one has `down = 1` and its stride as `up`; nearest
    upsampling is transposed, with as many taps as it repeats a value.

    Args:
        up, down: at least 1.
        start: the smallest offset.
        step: from one offset to the next, at least 1.
        num_taps: how many offsets.
        num_in, num_out: places of the input and of the result.
    """

    up: int
    down: int
    start: int
    step: int
    num_taps: int
    num_in: int
    num_out: int

    @property
    def offsets(self) -> range:
        """Of the taps, rising."""
        return range(self.start, self.start + self.step * self.num_taps, self.step)

    @property
    def is_pointwise(self) -> bool:
        """Whether every result comes from the input at its own place, and every input has one."""
        return self.up == self.down == self.num_taps == 1 and self.start == 0 and self.num_in == self.num_out

    def reads(self) -> set[int]:
        """The input places that results are made of, those beyond the border too, where zeros stand."""
        sums = (self.down * q + o for q in range(self.num_out) for o in self.offsets)
        return {total // self.up for total in sums if total % self.up == 0}

    def reaches(self) -> set[int]:
        """The result places that the input would be part of if the result had no border."""
        differences = (self.up * p - o for p in range(self.num_in) for o in self.offsets)
        return {total // self.down for total in differences if total % self.down == 0}


@dataclass(frozen=True, slots=True)
class AxisProduct:
    """Two axes as one.

    Args:
        axis: the product.
        first_step, second_step: how many of its taps lie between two of the first's, and of the second's.
    """

    axis: Axis
    first_step: int
    second_step: int


def product_of(first: Axis, second: Axis) -> AxisProduct | None:
    """What `second` makes of the results of `first`, away from the border; None if no one axis does that.

    From `up₁ p = down₁ q + o₁` and `up₂ q = down₂ r + o₂`, q goes out where `up₂` or `down₁` is 1.
    """
    if second.up == 1:
        steps = (first.step, first.down * second.step)
        up, down = first.up, first.down * second.down
        start = first.start + first.down * second.start
    elif first.down == 1:
        steps = (second.up * first.step, second.step)
        up, down = first.up * second.up, second.down
        start = second.up * first.start + second.start
    else:
        return None
    counts = (first.num_taps, second.num_taps)
    step = math.gcd(*(one for one, count in zip(steps, counts, strict=True) if count > 1)) or 1
    # Of a single tap there is no next one; what stands for its step is not used.
    one, two = (own // step if count > 1 else 1 for own, count in zip(steps, counts, strict=True))
    num_taps = 1 + one * (counts[0] - 1) + two * (counts[1] - 1)
    return AxisProduct(Axis(up, down, start, step, num_taps, first.num_in, second.num_out), one, two)


def is_cut(first: Axis, second: Axis) -> bool:
    """Whether `second` reads zeros beyond the border of what `first` gives, where their product would not give zeros."""
    return any(not 0 <= place < first.num_out for place in second.reads() & first.reaches())


def stays_inside(first: Axis, second: Axis) -> bool:
    """Whether `second` reads nothing beyond the border of what `first` gives."""
    return all(0 <= place < first.num_out for place in second.reads())


@dataclass(frozen=True, slots=True)
class Layout:
    """An axis as torch's layers have it.

    Args:
        num_before, num_after: taps of weight 0 to add, so that both sides of the border are padded alike.
        kernel_size, stride, padding, dilation, output_padding: as of the layer.
    """

    num_before: int
    num_after: int
    kernel_size: int
    stride: int
    padding: int
    dilation: int
    output_padding: int = 0


def layout_of(axis: Axis, *, is_transposed: bool) -> Layout | None:
    """The layer along that axis, a convolution or a transposed one; None if none is so."""
    if (axis.down if is_transposed else axis.up) > 1:
        return None
    for total in range(axis.num_in + axis.num_out + 2):
        for before in range(total + 1):
            found = _with_taps(axis, before, total - before, is_transposed)
            if found is not None:
                return found
    return None


def _with_taps(axis: Axis, before: int, after: int, is_transposed: bool) -> Layout | None:
    """The layout with so many more taps, if the layer then gives as many results as the axis."""
    num_taps, start = axis.num_taps + before + after, axis.start - axis.step * before
    reach = axis.step * (num_taps - 1)
    if not is_transposed:
        padding = -start
        room = axis.num_in + 2 * padding - reach - 1
        if padding < 0 or room < 0 or room // axis.down + 1 != axis.num_out:
            return None
        return Layout(before, after, num_taps, axis.down, padding, axis.step)
    padding = start + reach
    extra = axis.num_out - ((axis.num_in - 1) * axis.up - 2 * padding + reach + 1)
    if padding < 0 or not 0 <= extra < max(axis.up, axis.step):
        return None
    return Layout(before, after, num_taps, axis.up, padding, axis.step, extra)
