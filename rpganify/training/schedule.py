"""How the learning rate changes with the steps: a function of the step, so that there is nothing to save."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def rate_factor(schedule: Schedule, step: int, steps: int | None, warmup: int) -> float:
    """What the learning rates are multiplied by in the step after `step` others.

    `warmup` steps rise linearly to 1; then it stays, or falls to 0 after the last step, linearly or along half a cosine.

    Args:
        schedule: `constant`, `linear` or `cosine`.
        step: generator steps that are done.
        steps: generator steps in total; not needed where nothing falls.
        warmup: generator steps of the rise.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant" or steps is None:
        return 1.0
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 1 - done if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
