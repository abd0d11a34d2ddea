"""A control: what is done to a latent, or to a path, to raise one concept or to lower it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rpganify.analysis.controls.choices import Choice, set_choices
from rpganify.errors import AnalysisError

Kind = Literal["set", "shift", "blocks"]


@dataclass(frozen=True, slots=True)
class Control:
    """A concept's controlling set, and what is done with it.

    Args:
        concept: the class's name.
        kind: `set` puts dimensions of the latent at values, `shift` adds to them, `blocks` puts blocks into buckets.
        choices: values as they were found, in standard deviations of the latent, or blocks.
        raising: of `blocks`, the best set of each size that raises the concept, from one block on; the last is `choices`.
        lowering: the same of those that lower it. A latent's are the opposite values.
    """

    concept: str
    kind: Kind
    choices: tuple[Choice, ...]
    raising: tuple[tuple[Choice, ...], ...] = ()
    lowering: tuple[tuple[Choice, ...], ...] = ()

    @property
    def scale(self) -> float:
        """The strength at which it was found: the largest value, or the number of blocks; 0 for an empty set."""
        if self.kind == "blocks":
            return float(len(self.choices))
        return max((abs(choice.value) for choice in self.choices), default=0.0)

    def at(self, strength: float | None = None) -> tuple[Choice, ...]:
        """What is done at a strength.

        Args:
            strength: for a latent, by how many standard deviations its farthest dimension is moved, or at how many it is
                put, the others in proportion; below 0 against the concept. For paths, how many blocks are put in; below 0
                those that lower it. None takes it as it was found.
        Raises:
            AnalysisError: a number of blocks for which there is no set; or nothing was found to do.
        """
        if self.kind == "blocks":
            return self.choices if strength is None else self._blocks(strength)
        if not self.choices:
            raise AnalysisError(
                f"Nothing was found that raises {self.concept!r}, so its control is empty. More random codes may find "
                "something: `rpganify concepts MODEL --classifier FILE --num-z 800 --save-controls FILE`."
            )
        factor = 1.0 if strength is None else strength / self.scale
        return tuple(Choice(choice.coordinate, factor * choice.value) for choice in self.choices)

    def apply(self, codes: Tensor, strength: float | None = None) -> Tensor:
        """The codes under the control, a copy.

        Args:
            codes: latents, flat, or paths: `(N, num_coordinates)`.
            strength: as of `at`, which also says what is raised.
        """
        choices = self.at(strength)
        return (
            codes + shift_of(choices, codes.shape[1]).to(codes) if self.kind == "shift" else set_choices(codes, choices)
        )

    def _blocks(self, strength: float) -> tuple[Choice, ...]:
        known = self.raising if strength >= 0 else self.lowering
        if strength != int(strength) or abs(strength) > len(known):
            raise AnalysisError(
                f"{self.concept}={strength:+g}: of a converted model, the number says how many blocks are put into a path, "
                f"and for {self.concept!r} there are sets of up to {len(self.raising)} that raise it and up to "
                f"{len(self.lowering)} that lower it: {-len(self.lowering)} to {len(self.raising)}."
            )
        return known[int(abs(strength)) - 1] if strength else ()


def shift_of(choices: Sequence[Choice], num_dimensions: int) -> Tensor:
    """Choices as what is added to each dimension, float64 `(num_dimensions,)`."""
    shift = torch.zeros(num_dimensions, dtype=torch.float64)
    for choice in choices:
        shift[choice.coordinate] = choice.value
    return shift
