"""How numbers and shapes are written for people."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_cardinality(num_blocks: Sequence[int]) -> str:
    """The product behind a path space's size: `40⁵ = 102,400,000`, or `20³ · 8² = 512,000`."""
    factors = []
    product = 1
    for blocks, run in itertools.groupby(num_blocks):
        times = len(list(run))
        factors.append(str(blocks) + (str(times).translate(_SUPERSCRIPTS) if times > 1 else ""))
        product *= blocks**times
    return f"{' · '.join(factors)} = {product:,}"


def format_shape(shape: Sequence[int | None]) -> str:
    """A tensor's shape without its batch axis, e.g. `3×32×32`; `N` where a size follows the batch."""
    return "×".join("N" if size is None else str(size) for size in shape)


def format_duration(seconds: float) -> str:
    """Hours, minutes and seconds, as few as needed: `8 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
