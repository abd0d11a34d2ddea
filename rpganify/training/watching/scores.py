"""Whether the discriminator has won for good, or lost, seen from the losses and scores of the last steps."""

from __future__ import annotations

from collections import deque
from statistics import fmean

from rpganify.training.callbacks import Alarm, StepMetrics
from rpganify.training.watching.latch import AlarmLatch

# A hundredth of what the hinge loss starts from. Losses that have no such end, as Wasserstein's, never come near it
# with scores that are apart.
_WON, _PASSED = 0.02, 0.1
_APART = 0.5
# Parts of the largest difference of scores in any window. Where a small DCGAN's discriminator held out it stayed above
# 0.02; one with too few channels, which never recovered, fell to 0.0003.
_LOST, _RECOVERED = 0.005, 0.015


class ScoreWatch:
    """A discriminator that has won (saturation), or that no longer tells real from fake images (defeat).

    It has won when its loss is all but 0 and real images score clearly higher than fake ones; it has lost when their
    scores differ by next to nothing of what they once did. All are means over a window, so that a few steps that it wins,
    as at the start of many trainings, say nothing. The penalty is left out of the loss.

    Args:
        latch: what has been said.
        window: steps; before so many have passed nothing is said.
    """

    def __init__(self, latch: AlarmLatch, window: int) -> None:
        self._latch = latch
        self._window = window
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=window)
        self._largest_gap = 0.0

    def forget(self) -> None:
        """Begin a new window."""
        self._recent.clear()
        self._largest_gap = 0.0

    def inspect(self, metrics: StepMetrics) -> list[Alarm]:
        """The alarm, if there is one; asked once for each window's length of steps, at its multiples."""
        own_loss = metrics.discriminator_loss - (metrics.penalty or 0.0)
        self._recent.append((own_loss, metrics.real_score, metrics.fake_score))
        if len(self._recent) < self._window or metrics.step % self._window:
            return []
        loss, real, fake = (fmean(values) for values in zip(*self._recent, strict=True))
        said = self._saturation(loss, real, fake) or self._defeat(real, fake)
        return [Alarm(metrics.step, *said)] if said else []

    def _saturation(self, loss: float, real: float, fake: float) -> tuple[str, str] | None:
        has_won = abs(loss) < _WON and real - fake > _APART
        if not self._latch.rises("saturation", is_bad=has_won, is_clear=abs(loss) > _PASSED):
            return None
        return "saturation", (
            f"The discriminator has won: over the last {self._window} steps its loss was {loss:.3g} on average, with "
            f"mean scores of {real:.3g} for real and {fake:.3g} for fake images. A generator learns little from that. "
            "Lower --discriminator-lr, take fewer --d-steps, or augment the images."
        )

    def _defeat(self, real: float, fake: float) -> tuple[str, str] | None:
        gap = abs(real - fake)
        largest = self._largest_gap = max(self._largest_gap, gap)
        if not self._latch.rises("defeat", is_bad=gap < _LOST * largest, is_clear=gap > _RECOVERED * largest):
            return None
        return "defeat", (
            f"The discriminator no longer tells real from fake images: over the last {self._window} steps their mean scores "
            f"were {gap:.2g} apart, and once {largest:.3g}. Unless the images are as good as real ones, it is too weak: give "
            "it more channels (--discriminator-arg channels=…), a higher --discriminator-lr, or more --d-steps."
        )
