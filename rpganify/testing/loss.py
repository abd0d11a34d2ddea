"""The laws of an adversarial loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from rpganify.testing.laws import is_finite, name_of, require, require_close, shown, working
from rpganify.testing.watching import untouched_randomness, untouched_tensors
from rpganify.training.losses import Loss

_SIZE = 6  # pixels a side of the penalty's images


def check_loss(loss: Loss) -> None:
    """A loss separates what can be separated, pulls fakes up, and takes means; its penalty can be descended.

    Its laws, each in float64 on the CPU:

    - every term is one finite number, at scores of ±50 too, where a logarithm of a sigmoid overflows;
    - descending `discriminator` raises real scores and lowers fake ones while they are the wrong way round, and tells
      apart images that a linear discriminator can tell apart; descending `generator` raises low fake scores;
    - a batch twice over costs what it costs once: means, not sums;
    - the same scores cost the same, and only `penalty` draws random numbers, from its own generator;
    - the penalty, if there is one, has the gradient that finite differences give (what `create_graph=True` is for),
      also where the discriminator is flat, and changes nothing that it is given.

    Args:
        loss: any object with the members of `rpganify.training.losses.Loss`.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_loss(Hinge())
    """
    name = name_of(loss)
    _check_members(name, loss)
    _check_values(name, loss)
    _check_signs(name, loss)
    _check_separation(name, loss)
    _check_means(name, loss)
    _check_penalty(name, loss)


def _check_members(name: str, loss: Loss) -> None:
    for member in ("discriminator", "generator", "penalty"):
        require(
            callable(getattr(loss, member, None)),
            name,
            expected=f"a method `{member}`",
            found="none",
            repair="`rpganify.training.losses.Loss` lists the members of a loss with their arguments.",
        )
    require(
        isinstance(getattr(loss, "wants_spectral_norm", None), bool),
        name,
        expected="`wants_spectral_norm` to be True or False",
        found=repr(getattr(loss, "wants_spectral_norm", None)),
        repair="It decides how `--loss` builds the discriminator; write `wants_spectral_norm = True` into the class.",
    )


def _terms(name: str, loss: Loss, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Both terms, each checked to be one finite number that depends on its scores."""
    calls: dict[str, Callable[[], Tensor]] = {
        f"{name}.discriminator": lambda: loss.discriminator(real, fake),
        f"{name}.generator": lambda: loss.generator(fake),
    }
    terms: dict[str, Tensor] = {}
    for subject, call in calls.items():
        with (
            working(subject, expected="a number", repair="It is called with scores of shape (N,)."),
            untouched_randomness(subject, repair="A term of scores draws nothing; only `penalty` has a generator."),
        ):
            term, again = call(), call()
        require(
            isinstance(term, Tensor) and term.shape == () and term.is_floating_point(),
            subject,
            expected="a scalar tensor",
            found=shown(term),
            repair="Take the mean over the samples.",
        )
        require(
            torch.equal(term, again) or not is_finite(term),
            subject,
            expected="the same scores to cost the same",
            found=f"{float(term.detach()):.6g}, then {float(again.detach()):.6g}",
            repair="Let it depend on its arguments only; a run could not be repeated.",
        )
        terms[subject] = term
    return terms


def _check_values(name: str, loss: Loss) -> None:
    for size in (0.0, 0.5, 50.0):
        for sign in (1.0, -1.0):
            real, fake = (_scores(sign * size, seed=1), _scores(-sign * size, seed=2))
            for subject, term in _terms(name, loss, real, fake).items():
                where = f"scores of {sign * size:+g} for real and {-sign * size:+g} for fake images"
                finite = "Scores are unbounded: write `softplus(-x)` for `-log(sigmoid(x))`, which overflows."
                require(
                    is_finite(term),
                    subject,
                    expected=f"a finite cost at {where}",
                    found=float(term.detach()),
                    repair=finite,
                )
                inputs = [real, fake] if subject.endswith("discriminator") else [fake]
                for scores, gradient in zip(inputs, _gradients(subject, term, inputs), strict=True):
                    which = "real" if scores is real else "fake"
                    require(
                        is_finite(gradient),
                        subject,
                        expected=f"a finite gradient in the {which} scores at {where}",
                        found=gradient.tolist()[:3],
                        repair=finite,
                    )


def _check_signs(name: str, loss: Loss) -> None:
    """On scores that are the wrong way round: every usual loss has a gradient there, hinge and least squares too."""
    real, fake = _scores(-0.5, seed=1), _scores(0.5, seed=2)
    subject = f"{name}.discriminator"
    for_real, for_fake = _gradients(subject, loss.discriminator(real, fake), [real, fake])
    require(
        bool(for_real.sum() < 0),
        subject,
        expected="descending it to raise the scores of real images (a negative gradient) where they are about -0.5",
        found=f"a gradient of {float(for_real.sum()):+.3g}",
        repair='A higher score says "real", and the discriminator minimises: turn the sign of the real term.',
    )
    require(
        bool(for_fake.sum() > 0),
        subject,
        expected="descending it to lower the scores of fake images (a positive gradient) where they are about +0.5",
        found=f"a gradient of {float(for_fake.sum()):+.3g}",
        repair='A higher score says "real", and the discriminator minimises: turn the sign of the fake term.',
    )
    subject, fake = f"{name}.generator", _scores(-0.5, seed=2)
    (for_fake,) = _gradients(subject, loss.generator(fake), [fake])
    require(
        bool(for_fake.sum() < 0),
        subject,
        expected="descending it to raise the scores of fake images (a negative gradient) where they are about -0.5",
        found=f"a gradient of {float(for_fake.sum()):+.3g}",
        repair="The generator minimises too: its cost falls as the scores of its images rise. Turn the sign.",
    )


def _check_separation(name: str, loss: Loss) -> None:
    """A linear discriminator on two clouds that a line parts, forty small steps of plain descent."""
    draws = torch.Generator().manual_seed(0)
    ahead = torch.tensor([1.0, 0.5, -0.5, 0.0], dtype=torch.float64)
    clouds = [side * ahead + 0.2 * torch.randn(32, 4, generator=draws, dtype=torch.float64) for side in (1, -1)]
    weight = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    for _ in range(40):
        real_scores, fake_scores = (cloud @ weight for cloud in clouds)
        (gradient,) = torch.autograd.grad(loss.discriminator(real_scores, fake_scores), weight)
        with torch.no_grad():
            weight -= 0.05 * gradient
    margin = float(((clouds[0] @ weight).min() - (clouds[1] @ weight).max()).detach())
    require(
        margin > 0,
        f"{name}.discriminator",
        expected="forty steps on two clouds of points, which a line parts, to score every real point above every fake",
        found=f"the lowest real score {-margin:.3g} below the highest fake one",
        repair="Its minimum is elsewhere: compare it with its formula.",
    )


def _check_means(name: str, loss: Loss) -> None:
    real, fake = _scores(-0.3, seed=1), _scores(0.2, seed=2)
    once = _terms(name, loss, real, fake)
    twice = _terms(name, loss, torch.cat([real, real]), torch.cat([fake, fake]))
    for subject, term in once.items():
        require_close(
            subject,
            twice[subject],
            term,
            expected=f"a batch twice over to cost what it costs once, {float(term.detach()):.6g}",
            tolerance=1e-9,
            repair="Take the mean over the samples, not the sum: learning rates would depend on the batch size.",
        )


def _check_penalty(name: str, loss: Loss) -> None:
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


def _check_slope(subject: str, critic: nn.Module, value: Tensor, penalty: object) -> None:
    """Along one direction of all weights the gradient equals the difference quotient."""
    assert callable(penalty)
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


def _scores(mean: float, seed: int) -> Tensor:
    """Eight scores about a mean, `(8,)`, float64."""
    noise = torch.randn(8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (mean + 0.1 * noise).requires_grad_()


def _gradients(subject: str, term: Tensor, scores: list[Tensor]) -> list[Tensor]:
    require(
        term.requires_grad,
        subject,
        expected="a cost that depends on the scores",
        found="one without a gradient",
        repair="Compute it from the scores as they are, without `.detach()`, `.item()` or `torch.no_grad()`.",
    )
    found = torch.autograd.grad(term, scores, allow_unused=True)
    return [torch.zeros_like(s) if gradient is None else gradient for s, gradient in zip(scores, found, strict=True)]
