"""Interventions on codes: single coordinates set to a value, or a whole latent shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

# Standard deviations of the latent, as for the table of interventions.
EXTREMES = (1.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """One coordinate set to one value.

    Args:
        coordinate: a dimension of the latent, or a bucket, from 0.
        value: in standard deviations, or a block's number.
    """

    coordinate: int
    value: float


def latent_choices(num_dimensions: int, extreme: float = max(EXTREMES)) -> tuple[Choice, ...]:
    """Every dimension at both its extremes."""
    return tuple(Choice(index, sign * extreme) for index in range(num_dimensions) for sign in (1.0, -1.0))


def path_choices(num_blocks: Sequence[int]) -> tuple[Choice, ...]:
    """Every block of every bucket that has more than one."""
    return tuple(Choice(bucket, float(block)) for bucket, m in enumerate(num_blocks) if m > 1 for block in range(m))


def weaker_latent_choices(choice: Choice) -> tuple[Choice, ...]:
    """The same dimension with the same sign, less far out; none for the least extreme."""
    sign = 1.0 if choice.value > 0 else -1.0
    return tuple(Choice(choice.coordinate, sign * value) for value in EXTREMES if value < abs(choice.value))


def no_weaker_choices(choice: Choice) -> tuple[Choice, ...]:
    """Of a block there is nothing weaker."""
    return ()


def set_choices(codes: Tensor, choices: Sequence[Choice]) -> Tensor:
    """The codes with the chosen coordinates set, a copy."""
    changed = codes.clone()
    for choice in choices:
        changed[:, choice.coordinate] = choice.value
    return changed
