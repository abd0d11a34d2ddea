"""Whether the discriminator has won for good, seen from the losses and scores of the last steps."""

from __future__ import annotations

from collections import deque
from statistics import fmean

from rpganify.training.callbacks import Alarm, StepMetrics
from rpganify.training.watching.latch import AlarmLatch

# A hundredth of what the hinge loss starts from. Losses that have no such end, as Wasserstein's, never come near it
# with scores that are apart.
_WON, _PASSED = 0.02, 0.1
_APART = 0.5


class ScoreWatch:
    """Discriminator saturation: its loss is all but 0, and real images score clearly higher than fake ones.

    Both are means over a window, so that a few steps that it wins, as at the start of many trainings, say nothing. The
    penalty is left out of the loss.

    Args:
        latch: what has been said.
        window: steps; before so many have passed nothing is said.
    """

    def __init__(self, latch: AlarmLatch, window: int) -> None:
        self._latch = latch
        self._window = window
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=window)

    def forget(self) -> None:
        """Begin a new window."""
        self._recent.clear()

    def inspect(self, metrics: StepMetrics) -> list[Alarm]:
        """The alarm, if there is one; asked once for each window's length of steps, at its multiples."""
        own_loss = metrics.discriminator_loss - (metrics.penalty or 0.0)
        self._recent.append((own_loss, metrics.real_score, metrics.fake_score))
        if len(self._recent) < self._window or metrics.step % self._window:
            return []
        loss, real, fake = (fmean(values) for values in zip(*self._recent, strict=True))
        has_won = abs(loss) < _WON and real - fake > _APART
        if not self._latch.rises("saturation", is_bad=has_won, is_clear=abs(loss) > _PASSED):
            return []
        message = (
            f"The discriminator has won: over the last {self._window} steps its loss was {loss:.3g} on average, with "
            f"mean scores of {real:.3g} for real and {fake:.3g} for fake images. A generator learns little from that. "
            "Lower --discriminator-lr, take fewer --d-steps, or augment the images."
        )
        return [Alarm(metrics.step, "saturation", message)]
