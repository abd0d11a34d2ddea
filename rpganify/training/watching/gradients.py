"""The size of the generator's gradients: by bucket, by block, and what is wrong with it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import cast

import torch
from torch import nn

from rpganify.training.callbacks import Alarm
from rpganify.training.diversity import HasBuckets
from rpganify.training.networks import ImageGenerator
from rpganify.training.watching.latch import AlarmLatch

# Norms of healthy trainings (hinge, non-saturating and WGAN-GP on MNIST and CIFAR-10) differ by less than 50 between
# buckets, and within a bucket by less than 100 from step to step.
_RATIO, _RATIO_PASSED = 1e3, 3e2
# Adam divides by the gradient's size plus this much: below it, steps get shorter with the gradient.
_ADAMS_EPSILON = 1e-8
# Checks in a row, so that one odd batch, or a step that fp16 leaves out, says nothing.
_IN_A_ROW, _HISTORY = 3, 50


def gradient_norms(generator: ImageGenerator) -> dict[str, float]:
    """Euclidean norms of the gradients of the last step: by bucket, all its blocks together.

    Buckets without any gradient are left out; a standard generator's are one, `generator`.
    """
    if generator.codes != "paths":
        found = [p.grad for _, p in generator.named_parameters() if p.grad is not None]
        return {"generator": float(nn.utils.get_total_norm(found))} if found else {}
    model = cast(HasBuckets, generator)
    names, norms = [], []
    for index, bucket in enumerate(model.plan.buckets):
        found = [p.grad for p in model.bucket_parameters(index).values() if p.grad is not None]
        if found:
            names.append(bucket.name)
            norms.append(nn.utils.get_total_norm(found))
    # Read together: on a GPU every reading waits for the device.
    return dict(zip(names, torch.stack(norms).tolist(), strict=True)) if norms else {}


class GradientWatch:
    """Gradients that vanish, explode, or differ too much between buckets.

    Args:
        latch: what has been said.
    """

    def __init__(self, latch: AlarmLatch) -> None:
        self._latch = latch
        self._recent: deque[Mapping[str, float]] = deque(maxlen=_HISTORY)

    def forget(self) -> None:
        """Begin anew."""
        self._recent.clear()

    def inspect(self, step: int, norms: Mapping[str, float], sizes: Mapping[str, int]) -> list[Alarm]:
        """What is wrong with these norms and those before them.

        Args:
            step: that was done.
            norms: by bucket, as `gradient_norms` gives them.
            sizes: values that have a gradient, by bucket.
        """
        self._recent.append(norms)
        alarms = [self._of_bucket(step, name, sizes[name]) for name in norms]
        return [alarm for alarm in (*alarms, self._between(step)) if alarm is not None]

    def _of_bucket(self, step: int, name: str, size: int) -> Alarm | None:
        history = [norms[name] for norms in self._recent if name in norms]
        *earlier, _ = history
        newest = history[-_IN_A_ROW:]
        is_full = len(newest) == _IN_A_ROW
        where = "the generator" if name == "generator" else f"bucket {name}"
        if self._latch.rises(
            ("not finite", name),
            is_bad=is_full and not any(math.isfinite(norm) for norm in newest),
            is_clear=math.isfinite(newest[-1]),
        ):
            return Alarm(
                step,
                "gradients",
                f"The gradient of {where} was infinite or NaN at the last {_IN_A_ROW} checks. Lower --generator-lr.",
            )
        smallest = _ADAMS_EPSILON * math.sqrt(size)
        if self._latch.rises(
            ("vanished", name), is_bad=is_full and max(newest) < smallest, is_clear=newest[-1] > 10 * smallest
        ):
            return Alarm(
                step,
                "gradients",
                f"The gradient of {where} has vanished: its norm was at most {max(newest):.1e} at the last {_IN_A_ROW} "
                f"checks, {max(newest) / math.sqrt(size):.1e} per value, which is less than Adam's epsilon. It hardly "
                "changes any more. Another loss may go on, or a discriminator that learns more slowly "
                "(--discriminator-lr).",
            )
        before = [norm for norm in earlier[: 1 - _IN_A_ROW] if math.isfinite(norm)]
        usual = median(before) if len(before) >= _IN_A_ROW else math.inf
        if self._latch.rises(
            ("exploded", name),
            is_bad=is_full and min(newest) > _RATIO * usual > 0,
            is_clear=newest[-1] < _RATIO_PASSED * usual,
        ):
            return Alarm(
                step,
                "gradients",
                f"The gradient of {where} has exploded: its norm was {min(newest):.1e} or more at the last {_IN_A_ROW} "
                f"checks, and {usual:.1e} before. Lower --generator-lr and --discriminator-lr.",
            )
        return None

    def _between(self, step: int) -> Alarm | None:
        newest = list(self._recent)[-_IN_A_ROW:]
        spreads = [_spread(norms) for norms in newest]
        if not self._latch.rises(
            "ratio", is_bad=len(spreads) == _IN_A_ROW and min(spreads) > _RATIO, is_clear=spreads[-1] < _RATIO_PASSED
        ):
            return None
        norms = newest[-1]
        low, high = min(norms, key=norms.__getitem__), max(norms, key=norms.__getitem__)
        return Alarm(
            step,
            "gradients",
            f"The gradients of the buckets differ by more than {_RATIO:,.0f} times at the last {_IN_A_ROW} checks: "
            f"{norms[low]:.1e} in {low}, {norms[high]:.1e} in {high}. Adam evens that out as far as its epsilon allows; "
            "a layer between them may pass nothing on.",
        )


def _spread(norms: Mapping[str, float]) -> float:
    """Largest over smallest; infinite where a bucket's is 0, 1 where none is finite or there is one only."""
    values = [norm for norm in norms.values() if math.isfinite(norm)]
    if len(values) < 2 or max(values) == 0:
        return 1.0
    return max(values) / min(values) if min(values) > 0 else math.inf
