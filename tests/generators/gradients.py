"""Custom autograd functions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.generators.case import LATENT, Case, image


class Squares(torch.autograd.Function):
    """x² with the true derivative, its own buffers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x * x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return 2 * ctx.scale * x * grads[0], None


class ScalesByParameter(torch.autograd.Function):
    """A product that meets a parameter inside, as fused activations do with their bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x * weight

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return grads[0] * weight, (grads[0] * x).sum(0)


class Rounds(torch.autograd.Function):
    """Straight through: the backward is not the derivative of the forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x * 4) / 4

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class Reverses(torch.autograd.Function):
    """Gradient reversal, scaled by a parameter that gets a gradient as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        ctx.save_for_backward(x, gain)
        return x * gain

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, gain = ctx.saved_tensors
        return -grads[0] * gain, -(grads[0] * x).sum(0)


# Bound when the module is imported, before anybody could replace `apply`.
squares = Squares.apply


class CallsAFunction(nn.Module):
    """`Function.apply`, looked up at the call."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(Squares.apply(self.fc(z), 0.5)))


class CallsABoundFunction(nn.Module):
    """`apply` under a module-level name."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(squares(self.fc(z), 0.5)))


class CallsAFunctionOfAParameter(nn.Module):
    """The function takes a parameter, which may be in a bucket."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.gain = nn.Parameter(torch.rand(8))

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(ScalesByParameter.apply(self.fc(z), self.gain)))


class CallsAStraightThroughFunction(nn.Module):
    """Converted with the author's backward, never with another gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(Rounds.apply(self.fc(z))))


class ReversesGradients(nn.Module):
    """The kept call meets a parameter of a bucket, and a module calls it twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.gain = nn.Parameter(torch.rand(8) + 0.5)

    def forward(self, z: Tensor) -> Tensor:
        h = Reverses.apply(torch.sin(Reverses.apply(self.fc(z), self.gain)), self.gain)
        return image(self.out(h))


class HooksGradients(nn.Module):
    """Module hooks that look at or replace activations."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.fc.register_forward_hook(lambda module, inputs, output: torch.sin(output))
        self.out.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(self.fc(z)))


CASES = (
    Case(CallsAFunction),
    Case(CallsABoundFunction),
    Case(CallsAFunctionOfAParameter),
    Case(CallsAStraightThroughFunction, is_savable=False),
    Case(ReversesGradients, is_savable=False),
    Case(HooksGradients),
)
