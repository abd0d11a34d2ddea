"""Times of several things, run in turn so that what slows the machine meanwhile slows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch

# Told how many rounds are done, and of how many.
OnRound = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of one thing, in seconds, in the order of the rounds."""

    runs_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The middle one."""
        return median(self.runs_s)

    @property
    def spread_s(self) -> tuple[float, float]:
        """The quarters: half of the runs lie between them."""
        return _quarters(self.runs_s)

    def ratio(self, other: Timing) -> float:
        """How many times as long as another thing of the same rounds: the median over the rounds."""
        return median(self._ratios(other))

    def ratio_spread(self, other: Timing) -> tuple[float, float]:
        """The quarters of that: half of the rounds lie between them."""
        return _quarters(self._ratios(other))

    def to_json(self) -> dict[str, Any]:
        """Plain data, in seconds."""
        return {"median": self.median_s, "quarters": list(self.spread_s), "runs": list(self.runs_s)}

    def _ratios(self, other: Timing) -> list[float]:
        return [mine / its for mine, its in zip(self.runs_s, other.runs_s, strict=True)]


def run_in_turn(
    things: Mapping[str, Callable[[], object]],
    *,
    num_rounds: int,
    device: torch.device,
    num_warmups: int = 2,
    on_round: OnRound | None = None,
) -> dict[str, Timing]:
    """Runs each thing once per round.

    Args:
        things: what is timed, by name.
        num_rounds: rounds that count.
        device: waited for before each look at the clock, if it is no CPU.
        num_warmups: rounds before, which do not count.
        on_round: told after every round, those before included.
    """
    runs: dict[str, list[float]] = {name: [] for name in things}
    for index in range(num_warmups + num_rounds):
        for name, thing in things.items():
            _wait(device)
            started = time.perf_counter()
            thing()
            _wait(device)
            if index >= num_warmups:
                runs[name].append(time.perf_counter() - started)
        if on_round is not None:
            on_round(index + 1, num_warmups + num_rounds)
    return {name: Timing(tuple(seconds)) for name, seconds in runs.items()}


def _quarters(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
