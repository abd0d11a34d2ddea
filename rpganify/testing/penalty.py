"""The laws of a loss's penalty on the discriminator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from rpganify.testing.laws import is_finite, require, shown, working
from rpganify.testing.watching import untouched_randomness, untouched_tensors
from rpganify.training.losses import Loss

_SIZE = 6  # pixels a side


def check_penalty(name: str, loss: Loss) -> None:
    """The part of `check_loss` that is about `penalty`; a loss without one passes.

    Args:
        name: of the loss, for messages.
    Raises:
        BrokenLaw: a law does not hold.
    """
    subject = f"{name}.penalty"
    draws = torch.Generator().manual_seed(3)
    real, fake = (torch.randn(4, 2, _SIZE, _SIZE, generator=draws, dtype=torch.float64).tanh() for _ in range(2))
    critic = _critic(loss.wants_spectral_norm)

    def penalty() -> Tensor | None:
        return loss.penalty(critic, real, fake, torch.Generator().manual_seed(5))

    with (
        working(subject, expected="a number or None", repair="It is called as (discriminator, real, fake, generator)."),
        untouched_randomness(subject, repair="Draw from the generator that it is given; a run could not be resumed."),
        untouched_tensors(
            subject, {"real": real, "fake": fake}, repair="Work on a copy: `x = real.clone().requires_grad_()`."
        ),
    ):
        value = penalty()
    again = penalty()
    if value is None:
        return
    require(
        isinstance(value, Tensor) and value.shape == () and is_finite(value),
        subject,
        expected="one finite number, or None for a loss without penalty",
        found=shown(value) if not isinstance(value, Tensor) or value.shape else float(value.detach()),
        repair="Take the mean over the samples, the weight included.",
    )
    require(
        again is not None and torch.equal(value, again),
        subject,
        expected="the same value from a generator of the same seed",
        found=f"{float(value.detach()):.6g}, then {again if again is None else float(again.detach()):.6g}",
        repair="Let `generator` be the only source of its randomness.",
    )
    _check_slope(subject, critic, value, penalty)
    _check_flat(subject, loss, real, fake)


def _check_slope(subject: str, critic: nn.Module, value: Tensor, penalty: Callable[[], Tensor | None]) -> None:
    """Along one direction of all weights the gradient equals the difference quotient."""
    weights = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    graph = "Take the inner gradient with `torch.autograd.grad(…, create_graph=True)`, and detach nothing after it."
    require(
        value.requires_grad,
        subject,
        expected="a penalty that the discriminator's weights can be moved by",
        found="one without a gradient",
        repair=graph,
    )
    gradients = torch.autograd.grad(value, weights, allow_unused=True)
    draws = torch.Generator().manual_seed(7)
    steps = [torch.randn(weight.shape, generator=draws, dtype=weight.dtype) for weight in weights]
    ascent = sum(float((g * s).sum()) for g, s in zip(gradients, steps, strict=True) if g is not None)
    ends = []
    for sign in (1, -1):
        _move(weights, steps, sign * 1e-5)
        end = penalty()
        assert end is not None
        _move(weights, steps, -sign * 1e-5)
        ends.append(float(end.detach()))
    quotient = (ends[0] - ends[1]) / 2e-5
    require(
        abs(ascent - quotient) <= 1e-3 * max(abs(quotient), abs(ascent), 1e-6),
        subject,
        expected=f"its gradient in the discriminator's weights to be what finite differences give, {quotient:.6g}",
        found=f"{ascent:.6g}",
        repair=graph,
    )


def _check_flat(subject: str, loss: Loss, real: Tensor, fake: Tensor) -> None:
    flat = _critic(False)
    with torch.no_grad():
        for parameter in flat.parameters():
            parameter.zero_()
    value = loss.penalty(flat, real, fake, torch.Generator().manual_seed(5))
    assert value is not None
    gradients = torch.autograd.grad(value, list(flat.parameters()), allow_unused=True)
    require(
        is_finite(value) and all(is_finite(gradient) for gradient in gradients if gradient is not None),
        subject,
        expected="a finite penalty and gradient at a discriminator that is flat",
        found="NaN or infinity",
        repair="The square root has no slope at 0: take `torch.linalg.vector_norm`, or add 1e-12 under the root.",
    )


def _critic(is_normalised: bool) -> nn.Module:
    """A smooth discriminator, so that difference quotients are exact to the step squared; in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Linear(2 * _SIZE**2, 8).double(), nn.Linear(8, 1).double()]
        first, last = (spectral_norm(layer) if is_normalised else layer for layer in layers)
    return nn.Sequential(nn.Flatten(), first, nn.Softplus(), last, nn.Flatten(0)).eval()


def _move(weights: list[nn.Parameter], steps: list[Tensor], size: float) -> None:
    with torch.no_grad():
        for weight, step in zip(weights, steps, strict=True):
            weight.add_(step, alpha=size)
