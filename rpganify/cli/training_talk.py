"""What a person sees of a training while it runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import fmean

from rpganify.cli.console import say
from rpganify.cli.formatting import format_duration
from rpganify.cli.progress import ProgressTalk
from rpganify.training.callbacks import Callback, Quality, StepMetrics, TrainResult, TrainStart

# Steps that the numbers are means over: single ones jump.
_WINDOW = 100


class TrainingTalk(Callback):
    """Tells losses, speed, where the time goes, the last quality and the time left.

    Alarms are warnings, which the command line writes as lines that stay.

    Args:
        progress: where it is told.
        clock: seconds, monotonic.
    """

    def __init__(self, progress: ProgressTalk, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._clock = clock
        self._started_s = 0.0
        self._start: TrainStart | None = None
        self._recent: deque[StepMetrics] = deque(maxlen=_WINDOW)
        self._quality: Quality | None = None
        self._best: Quality | None = None

    def on_start(self, start: TrainStart) -> None:
        """Say where it begins."""
        self._start, self._started_s = start, self._clock()
        begin = f"from step {start.step:,} on" if start.step else "from the start"
        end = f"to step {start.steps:,}" if start.steps is not None else f"for {start.minutes:g} minutes in all"
        say(f"training {start.run} {begin}, {end}")

    def on_step(self, metrics: StepMetrics) -> None:
        """Tell the numbers of the last steps, if it is time to."""
        self._recent.append(metrics)
        self._progress.update("step", metrics.step, self._start.steps if self._start else None, self._details)

    def on_quality(self, quality: Quality) -> None:
        """Keep the value, to be told with the other numbers."""
        self._quality = quality
        if quality.is_best:
            self._best = quality

    def on_rollback(self, start: TrainStart) -> None:
        """Forget the numbers of steps that are taken back."""
        self._recent.clear()
        self._quality = None
        if self._best is not None and self._best.step > start.step:
            self._best = None

    def on_end(self, result: TrainResult) -> None:
        """Tell the last numbers again if the quality was measured after them."""
        if self._quality is not None and self._quality.step == result.step and self._recent:
            self._progress.update("step", result.step, result.steps, self._details, is_urgent=True)

    def _details(self) -> str:
        lines = [f"{self._losses()}  {self._speed()}", self._shares()]
        if self._quality is not None:
            lines.append(self._quality_text(self._quality))
        return "\n".join(lines)

    def _losses(self) -> str:
        discriminator = fmean(one.discriminator_loss for one in self._recent)
        generator = fmean(one.generator_loss for one in self._recent)
        return f"loss D {_number(discriminator)}  G {_number(generator)}"

    def _speed(self) -> str:
        """Images per second of the clock, what passes between steps included, and what is left of a training by time."""
        num_images = sum(one.images_per_s * _step_s(one) for one in self._recent)
        spent_s = sum(_step_s(one) + one.other_s for one in self._recent)
        speed = f"{num_images / spent_s:,.0f} images/s" if spent_s else ""
        start = self._start
        if start is None or start.minutes is None or start.step:
            return speed  # how long a resumed training ran before is not told
        left_s = 60 * start.minutes - (self._clock() - self._started_s)
        return f"{speed}  {format_duration(left_s)} left"

    def _shares(self) -> str:
        parts = {
            "data": sum(one.data_s for one in self._recent),
            "D": sum(one.discriminator_s for one in self._recent),
            "G": sum(one.generator_s for one in self._recent),
            "other": sum(one.other_s for one in self._recent),
        }
        whole = sum(parts.values()) or 1.0
        return "time: " + "  ".join(f"{name} {_percent(part / whole)}" for name, part in parts.items())

    def _quality_text(self, quality: Quality) -> str:
        best = self._best
        text = f"{quality.name}: {quality.value:.4g} at step {quality.step:,}"
        if best is None:
            return text
        if best.step == quality.step:
            return f"{text}, the best so far"
        return f"{text}, best {best.value:.4g} at {best.step:,}"


def _step_s(metrics: StepMetrics) -> float:
    return metrics.data_s + metrics.discriminator_s + metrics.generator_s


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1e5 else f"{value:.3g}"


def _percent(share: float) -> str:
    """Shares under ten percent with a digit behind the point: `0.4 %`, `62 %`."""
    return f"{share:.1%}".replace("%", " %") if 0.0005 <= share < 0.0995 else f"{share:.0%}".replace("%", " %")
