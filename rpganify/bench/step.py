"""A whole training step, discriminator steps included, of a converted generator and of the plain one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.bench.subjects import Subjects
from rpganify.bench.timing import Timing, run_in_turn
from rpganify.data.images import MemoryImages
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Loss
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep

# Real images: their content costs nothing, so noise does as well as any.
_NUM_IMAGES = 1024


@dataclass(frozen=True, slots=True)
class StepResult:
    """Durations of a step of the random path GAN and of the standard GAN, and of the same without parts of it.

    Args:
        d_steps: discriminator steps in it.
        timings: `standard`, `random path`, and `random path, no diversity loss`.
    """

    d_steps: int
    timings: Mapping[str, Timing]

    @property
    def ratio(self) -> float:
        """Random path against standard."""
        return self.timings["random path"].ratio(self.timings["standard"])

    @property
    def diversity_share(self) -> float:
        """The share of a step that the diversity loss takes."""
        whole = self.timings["random path"].median_s
        return 1 - self.timings["random path, no diversity loss"].median_s / whole

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "d_steps": self.d_steps,
            "seconds": {
                name: {"median": timing.median_s, "quarters": list(timing.spread_s)}
                for name, timing in self.timings.items()
            },
            "ratio": self.ratio,
            "diversity_share": self.diversity_share,
        }


def measure_step(
    subjects: Subjects, discriminators: tuple[nn.Module, nn.Module], loss: Loss, *, d_steps: int, num_rounds: int
) -> StepResult:
    """Times whole training steps in turn; both generators and discriminators are trained by it.

    Args:
        subjects: the generators; must need nothing but paths or latents.
        discriminators: one for each of them, equal.
        loss: the adversarial loss.
    """
    data = _noise(subjects.routed.image_shape)
    steps = {}
    for name, generator, discriminator, diversity in (
        ("standard", subjects.plain, discriminators[0], "none"),
        ("random path", subjects.routed, discriminators[1], "paper"),
        ("random path, no diversity loss", subjects.routed, discriminators[1], "none"),
    ):
        config = TrainConfig(batch_size=subjects.batch_size, d_steps=d_steps, diversity=diversity)  # type: ignore[arg-type]
        generator.train()
        discriminator.to(subjects.device).train()
        state = TrainingState.initial(generator, discriminator, config)
        steps[name] = _Step(TrainingStep(loss, data, config, subjects.device), state)
    return StepResult(d_steps, run_in_turn(steps, num_rounds=num_rounds, device=subjects.device))


@dataclass(frozen=True, slots=True)
class _Step:
    step: TrainingStep
    state: TrainingState

    def __call__(self) -> None:
        self.step(self.state)
        for network in (self.state.generator, self.state.discriminator):
            for _, parameter in network.named_parameters():
                parameter.grad = None


def _noise(shape: tuple[int, ...]) -> MemoryImages:
    pixels: Tensor = torch.randint(
        256, (_NUM_IMAGES, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return MemoryImages("noise", pixels)
