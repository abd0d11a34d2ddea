"""A whole training step, discriminator steps included, of a converted generator and of the plain one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.bench.subjects import Subjects
from rpganify.bench.timing import OnRound, Timing, run_in_turn
from rpganify.data.display import is_picture
from rpganify.data.images import ImageData, MemoryImages
from rpganify.data.signals import MemorySignals
from rpganify.routing.generator import RandomPathGenerator
from rpganify.training.config import TrainConfig
from rpganify.training.diversity import diversity_loss
from rpganify.training.losses import Loss
from rpganify.training.mechanics import Mechanics
from rpganify.training.processes import Processes
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep

# Real images: their content costs nothing, so noise does as well as any.
_NUM_IMAGES = 1024
_DIVERSITY = "diversity loss"


@dataclass(frozen=True, slots=True)
class StepResult:
    """Durations of a step of the random path GAN, of the standard GAN, and of the diversity loss by itself.

    Args:
        d_steps: discriminator steps in it.
        timings: `standard`, `random path`, and `diversity loss` if any bucket has more than one block.
    """

    d_steps: int
    timings: Mapping[str, Timing]

    @property
    def ratio(self) -> float:
        """Random path against standard."""
        return self.timings["random path"].ratio(self.timings["standard"])

    @property
    def diversity_share(self) -> float:
        """The share of a step that the diversity loss and its gradients take."""
        if _DIVERSITY not in self.timings:
            return 0.0
        return self.timings[_DIVERSITY].ratio(self.timings["random path"])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "d_steps": self.d_steps,
            "seconds": {name: timing.to_json() for name, timing in self.timings.items()},
            "ratio": self.ratio,
            "diversity_share": self.diversity_share,
        }


def measure_step(
    subjects: Subjects,
    discriminators: tuple[nn.Module, nn.Module],
    loss: Loss,
    *,
    d_steps: int,
    num_rounds: int,
    on_round: OnRound | None = None,
) -> StepResult:
    """Times whole training steps in turn; both generators and discriminators are trained by it.

    Args:
        subjects: the generators; must need nothing but paths or latents.
        discriminators: one for each of them, equal.
        loss: the adversarial loss.
        d_steps: discriminator steps in a step.
        num_rounds: rounds that count.
        on_round: told after each round.
    """
    config = TrainConfig(batch_size=subjects.batch_size, d_steps=d_steps, diversity="paper")
    data = _noise(subjects.routed.image_shape)
    things: dict[str, Callable[[], object]] = {}
    mechanics = Mechanics(config.precision, Processes(subjects.device))
    for name, generator, discriminator in (
        ("standard", subjects.plain, discriminators[0]),
        ("random path", subjects.routed, discriminators[1]),
    ):
        generator.train()
        discriminator.to(subjects.device).train()
        state = TrainingState.initial(generator, discriminator, config)
        things[name] = _Step(TrainingStep(loss, data, config, mechanics), state)
    diversity = _DiversityLoss(subjects.routed, config.diversity_weight or 0.0)
    if diversity.totals:
        things[_DIVERSITY] = diversity
    return StepResult(d_steps, run_in_turn(things, num_rounds=num_rounds, device=subjects.device, on_round=on_round))


@dataclass(frozen=True, slots=True)
class _Step:
    step: TrainingStep
    state: TrainingState

    def __call__(self) -> None:
        self.step(self.state)
        for network in (self.state.generator, self.state.discriminator):
            for _, parameter in network.named_parameters():
                parameter.grad = None


class _DiversityLoss:
    """The diversity loss, its gradients, and their sum with gradients that are there, as in a generator's step."""

    def __init__(self, routed: RandomPathGenerator, weight: float) -> None:
        self._routed, self._weight = routed, weight
        self._parameters = [
            parameter
            for bucket in range(routed.plan.num_buckets)
            for parameter in routed.bucket_parameters(bucket).values()
            if parameter.shape[0] > 1 and parameter.requires_grad
        ]
        self.totals: list[Tensor] = [torch.zeros_like(parameter) for parameter in self._parameters]

    def __call__(self) -> None:
        gradients = torch.autograd.grad(self._weight * diversity_loss(self._routed), self._parameters)
        for total, gradient in zip(self.totals, gradients, strict=True):
            total.add_(gradient)


def _noise(shape: tuple[int, ...]) -> ImageData:
    chance = torch.Generator().manual_seed(0)
    if is_picture(shape):
        return MemoryImages("noise", torch.randint(256, (_NUM_IMAGES, *shape), dtype=torch.uint8, generator=chance))
    return MemorySignals("noise", torch.rand(_NUM_IMAGES, *shape, generator=chance) * 2 - 1)
