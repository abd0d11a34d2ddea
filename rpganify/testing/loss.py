"""The laws of an adversarial loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rpganify.testing.laws import is_finite, name_of, require, require_close, shown, working
from rpganify.testing.penalty import check_penalty
from rpganify.testing.watching import untouched_randomness
from rpganify.training.losses import ComparesScores, Loss


def check_loss(loss: Loss) -> None:
    """A loss separates what can be separated, pulls fakes up, and takes means; its penalty can be descended.

    Its laws, each in float64 on the CPU:

    - every term is one finite number, at scores of ±50 too, where a logarithm of a sigmoid overflows;
    - descending `discriminator` raises real scores and lowers fake ones while they are the wrong way round, and tells
      apart images that a linear discriminator can tell apart; descending `generator`, or `generator_against` of a loss
      that compares scores, raises low fake scores;
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
    check_penalty(name, loss)


def _check_members(name: str, loss: Loss) -> None:
    for member in ("discriminator", _generator_method(loss), "penalty"):
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
        f"{name}.{_generator_method(loss)}": lambda: _generator_term(loss, real, fake),
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


def _generator_method(loss: Loss) -> str:
    """The method that trains the generator."""
    return "generator_against" if isinstance(loss, ComparesScores) else "generator"


def _generator_term(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """What it costs the generator, as a training asks for it."""
    if isinstance(loss, ComparesScores):
        return loss.generator_against(real.detach(), fake)
    return loss.generator(fake)


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
    subject, real, fake = f"{name}.{_generator_method(loss)}", _scores(0.5, seed=1), _scores(-0.5, seed=2)
    (for_fake,) = _gradients(subject, _generator_term(loss, real, fake), [fake])
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
