"""The moving average of a generator's weights, which makes better images than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from rpganify.errors import TrainingError
from rpganify.training.networks import ImageGenerator, network_tensors


class MovingAverage:
    """A second generator, each of whose parameters is an exponential moving average of the trained one's.

    In its first steps the average is short, `(1 + step) / (10 + step)`, so that it does not remember the untrained
    weights. Buffers, such as a batch norm's running statistics, are averages already, and are taken as they are.

    Args:
        generator: on its device; it is copied.
        decay: the share of the average that each step keeps, in [0, 1).
    Raises:
        TrainingError: the generator cannot be copied.
    Source:
        Yazıcı et al. 2019, "The unusual effectiveness of averaging in GAN training".
    """

    def __init__(self, generator: ImageGenerator, decay: float) -> None:
        self.decay = decay
        try:
            self.generator = copy.deepcopy(generator)
        except Exception as error:
            raise TrainingError(
                f"{type(generator).__name__} cannot be copied ({type(error).__name__}: {error}), which a moving average "
                "of it needs. Remove that attribute from the generator, or train without --ema."
            ) from error
        for _, parameter in self.generator.named_parameters():
            parameter.requires_grad_(False)
            parameter.grad = None
        self.generator.train(False)

    @torch.no_grad()
    def update(self, generator: ImageGenerator, step: int) -> None:
        """Take in the weights after `step` steps."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        averages: list[Tensor] = [parameter for _, parameter in self.generator.named_parameters()]
        values: list[Tensor] = [parameter for _, parameter in generator.named_parameters()]
        torch._foreach_lerp_(averages, values, weight)
        for (_, kept), (_, value) in zip(self.generator.named_buffers(), generator.named_buffers(), strict=True):
            kept.copy_(value)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers of the average, by name."""
        return network_tensors(self.generator)
