"""What a training spends outside its networks: the real trainer, with all that it writes, for a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from torch import nn

from rpganify.data.display import is_picture
from rpganify.data.images import ImageData, MemoryImages
from rpganify.data.signals import MemorySignals
from rpganify.training.callbacks import Callback, StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Loss
from rpganify.training.networks import ImageGenerator
from rpganify.training.saving.checkpoint import ModelWriter
from rpganify.training.trainer import Trainer

MIN_STEPS = 24
# Steps that do not count: memory is taken, and threads and files are opened.
_NUM_WARMUPS = 3
_GRIDS, _CHECKS, _CHECKPOINTS = "sample grids", "checks", "checkpoints"
_NUM_DRAWS = 20
# Real images that cost nothing to make, of which a batch is still a copy from memory that is in no cache.
_NUM_IMAGES = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Where some of a training's time goes.

    Args:
        name: for people.
        step_s: seconds per step; what happens at intervals is spread over them.
        is_network: whether it is a pass through a network, its gradients or its optimizer.
        each_s: seconds each time, for what happens at intervals.
        every: steps between those, in the training that is asked about.
    """

    name: str
    step_s: float
    is_network: bool = False
    each_s: float | None = None
    every: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """A step of a training by its parts.

    Args:
        parts: all of it.
        num_steps: generator steps that were measured.
        d_steps: discriminator steps in each.
    """

    parts: tuple[Part, ...]
    num_steps: int
    d_steps: int

    @property
    def step_s(self) -> float:
        """Seconds per step."""
        return sum(part.step_s for part in self.parts)

    @property
    def outside_s(self) -> float:
        """Those that no network takes."""
        return sum(part.step_s for part in self.parts if not part.is_network)

    @property
    def outside_share(self) -> float:
        """Their share of a step."""
        return self.outside_s / self.step_s

    def to_json(self) -> dict[str, Any]:
        """Plain data, in seconds."""
        return {
            "num_steps": self.num_steps,
            "d_steps": self.d_steps,
            "step": self.step_s,
            "outside": self.outside_s,
            "outside_share": self.outside_share,
            "parts": {
                part.name: {
                    "step": part.step_s,
                    "share": part.step_s / self.step_s,
                    "is_network": part.is_network,
                    "each": part.each_s,
                    "every": part.every,
                }
                for part in self.parts
            },
        }


def measure_training(
    generator: ImageGenerator,
    discriminator: nn.Module,
    loss: Loss,
    data: ImageData,
    config: TrainConfig,
    *,
    run: Path,
    device: torch.device,
    callbacks: Sequence[Callback] = (),
    save_generator: ModelWriter | None = None,
) -> TrainingCost:
    """Train, and tell where the time goes.

    Grids, checks and checkpoints come more often than `config` says, so that a few steps hold some, and their cost is then
    spread over the intervals of `config`. A checkpoint's cost is the wait for its snapshot and what the steps take longer
    while it is written. Data are counted by their mean, as waiting for workers comes in bursts, all else by the median.

    Args:
        generator, discriminator: are trained.
        loss: the adversarial loss.
        data: real images.
        config: the training that is asked about; `steps`, at least 24, is how many are run.
        run: an empty folder for what a training writes.
        device: where it trains.
        callbacks: what else is told of each step.
        save_generator: as of `Trainer`.
    Raises:
        ValueError: too few steps.
        TrainingError: these cannot be trained together.
    """
    steps = config.steps
    if steps is None or steps < MIN_STEPS:
        raise ValueError(f"A few of everything are in {MIN_STEPS} steps or more, not in {steps}.")
    recorder = _Recorder()
    events = events_in(steps)
    measured = replace(
        config,
        sample_every=events[_GRIDS],
        watch_every=events[_CHECKS],
        checkpoint_every=events[_CHECKPOINTS],
        minutes=None,
    )
    Trainer(
        generator,
        discriminator,
        loss,
        data,
        measured,
        run=run,
        callbacks=(*callbacks, recorder),
        save_generator=save_generator,
        device=device,
    ).run()
    rows = recorder.rows[_NUM_WARMUPS:]
    draws_s = (config.d_steps + 1) * _median_s(lambda: generator.draw(config.batch_size, torch.Generator()))
    data_s = fmean(row.data_s for row in rows)
    paths_s = min(draws_s, data_s)
    diversity_s = median(row.diversity_s or 0.0 for row in rows)
    log_s, each_s = _between(rows, events)
    saved = events[_CHECKPOINTS]
    each_s[_CHECKPOINTS] += _slowdown(rows, saved, recorder.written.get(saved, 0))
    intervals = {_GRIDS: config.sample_every, _CHECKS: config.watch_every, _CHECKPOINTS: config.checkpoint_every}
    at_intervals = [
        Part(name, each_s[name] / every, each_s=each_s[name], every=every) for name, every in intervals.items()
    ]
    return TrainingCost(
        (
            Part("real images", data_s - paths_s),
            Part("paths" if generator.codes == "paths" else "latents", paths_s),
            Part("block diversity loss", diversity_s),
            Part("log", log_s),
            *at_intervals,
            Part("discriminator", median(row.discriminator_s for row in rows), is_network=True),
            Part("generator", median(row.generator_s - (row.diversity_s or 0.0) for row in rows), is_network=True),
        ),
        steps,
        config.d_steps,
    )


def events_in(steps: int) -> dict[str, int]:
    """After how many steps grids, checks and checkpoints come: far more often than usual, and seldom two at a time.

    There is one checkpoint before the last, so that none waits for the one before it.
    """
    grids, checks = 7, 5
    return {
        _GRIDS: grids,
        _CHECKS: checks,
        _CHECKPOINTS: next(step for step in range(steps // 2, steps) if step % grids and step % checks),
    }


def noise_like(shape: tuple[int, ...]) -> ImageData:
    """1,024 samples of noise in memory, as real images that have a generator's shape."""
    chance = torch.Generator().manual_seed(0)
    if is_picture(shape):
        return MemoryImages("noise", torch.randint(256, (_NUM_IMAGES, *shape), dtype=torch.uint8, generator=chance))
    return MemorySignals("noise", torch.rand(_NUM_IMAGES, *shape, generator=chance) * 2 - 1)


class _Recorder(Callback):
    """Keeps every step's metrics, and after which step each checkpoint was on the disk."""

    def __init__(self) -> None:
        self.rows: list[StepMetrics] = []
        self.written: dict[int, int] = {}

    def on_step(self, metrics: StepMetrics) -> None:
        """Keep them."""
        self.rows.append(metrics)

    def on_checkpoint(self, step: int, directory: Path) -> None:
        """Keep when."""
        self.written[step] = len(self.rows)


def _between(rows: Sequence[StepMetrics], events: dict[str, int]) -> tuple[float, dict[str, float]]:
    """Seconds between two steps where nothing is due, and how much more each of the events takes."""
    waits: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        # A row's `other_s` is what happened after the step before it.
        due = tuple(name for name, every in events.items() if (row.step - 1) % every == 0)
        waits.setdefault(due, []).append(row.other_s)
    plain_s = median(waits[()])
    return plain_s, {name: max(0.0, median(waits[name,]) - plain_s) for name in events}


def _slowdown(rows: Sequence[StepMetrics], saved: int, written: int) -> float:
    """Seconds that the steps after step `saved` took longer than usual, until a checkpoint was on the disk."""
    durations = {row.step: row.data_s + row.discriminator_s + row.generator_s for row in rows}
    usual_s = median(durations.values())
    return max(0.0, sum(durations[step] - usual_s for step in durations if saved < step <= written))


def _median_s(thing: Callable[[], object]) -> float:
    durations = []
    for _ in range(_NUM_DRAWS):
        started = time.perf_counter()
        thing()
        durations.append(time.perf_counter() - started)
    return median(durations)
