"""Widths of consecutive layers."""

from __future__ import annotations


def halving(channels: int, num_halvings: int) -> tuple[int, ...]:
    """`channels`, half of it, … down to `num_halvings` halvings: `num_halvings + 1` widths.

    Raises:
        ValueError: `channels` is no positive multiple of 2^num_halvings.
    """
    step = 2**num_halvings
    if channels < 1 or channels % step:
        raise ValueError(
            f"channels={channels} is halved {num_halvings} times in this network; give a multiple of {step}, "
            f"such as {step * max(1, round(channels / step))}."
        )
    return tuple(channels // 2**i for i in range(num_halvings + 1))
