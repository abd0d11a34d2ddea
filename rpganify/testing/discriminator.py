"""The laws of a discriminator."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.entries import Factory
from rpganify.errors import RpganifyError
from rpganify.registry import resolve
from rpganify.testing.laws import BrokenLaw, is_finite, name_of, require, require_close, shown, working
from rpganify.training.randomness import seeded_globals

# Grey and colour, even sizes and an odd one, and one that is not square.
IMAGE_SHAPES: tuple[tuple[int, ...], ...] = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 32))
_TOLERANCE = 1e-4  # of float32 sums in another order, through some twenty layers


def check_discriminator(
    factory: Factory,
    *,
    options: Mapping[str, Any] | None = None,
    image_shapes: Sequence[tuple[int, ...]] = IMAGE_SHAPES,
    mixes_samples: bool = False,
) -> None:
    """A discriminator gives each image one unbounded score, which gradients come back from.

    Its laws, for each image shape and both with and without spectral norm:

    - it is built, or its factory refuses the shape with a ValueError that names the size; it takes at least one shape;
    - the same seed gives the same weights, and `spectral_norm=True` others than `spectral_norm=False`;
    - scores are finite floats, `(N,)` or `(N, 1)`, for one image and for several, and not confined to [-1, 1];
    - gradients, finite ones, reach every image and every parameter;
    - in eval mode a batch's scores are those of its images one by one;
    - one with classes, which an attribute `num_classes` above 0 says, is called as `discriminator(images, labels)`, and
      another label changes the score, or one logit per class, `(N, num_classes)`, comes beside it.

    Args:
        factory: as in `DiscriminatorEntry`: a callable or `"package.module:attribute"`.
        options: further keywords for it, such as a small width, or a number of classes.
        image_shapes: `(C, H, W)` of the images to try.
        mixes_samples: it is meant to compare the images of a batch, as a minibatch standard deviation does; the last
            law is left out.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_discriminator(sngan_discriminator, options={"channels": 8})
    """
    name, chosen = name_of(factory), dict(options or {})
    accepted = [shape for shape in image_shapes if _check_shape(name, factory, chosen, shape, mixes_samples)]
    require(
        bool(accepted),
        name,
        expected=f"at least one image shape of {', '.join(map(str, image_shapes))} to be taken",
        found="a refusal of each",
        repair="Widen what the factory accepts, or name a shape that it is made for: image_shapes=[(3, 64, 64)].",
    )


def takes(factory: Factory, image_shape: tuple[int, ...]) -> bool:
    """Whether a discriminator can be built for images of that shape; one that fails otherwise than it may counts as well."""
    try:
        resolve(factory)(image_shape=image_shape, spectral_norm=False)
    except (ValueError, RpganifyError):
        return False
    except Exception:  # for the check to report
        return True
    return True


def _check_shape(
    name: str, factory: Factory, options: Mapping[str, Any], shape: tuple[int, ...], mixes_samples: bool
) -> bool:
    """Whether the factory takes the shape; all laws are checked then."""
    subject = f"{name} for images of {'×'.join(map(str, shape))}"
    plain = _build(subject, factory, options, shape, False)
    if plain is None:
        return False
    normalised = _build(f"{subject}, spectral_norm=True", factory, options, shape, True)
    require(
        normalised is not None,
        subject,
        expected="spectral_norm=True to be taken where spectral_norm=False is",
        found="a refusal",
        repair="Losses choose whether the discriminator is normalised; build both.",
    )
    assert normalised is not None
    images = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)).tanh()
    again = _build(subject, factory, options, shape, False)
    assert again is not None
    scores = _scores(subject, plain.eval(), images)
    require(
        torch.equal(scores, _scores(subject, again.eval(), images)),
        subject,
        expected="the same scores from a discriminator that is built again under the same seed",
        found="others",
        repair="Draw initial weights from torch's global generator only; a run could not be repeated.",
    )
    # Twice the weights, as orthogonal ones have singular values of 1 to begin with.
    doubled = [_scores(subject, _doubled(module), images) for module in (plain, normalised)]
    require(
        not torch.equal(*doubled),
        subject,
        expected="spectral_norm=True to divide the weights by their largest singular values",
        found="the same scores with and without it",
        repair="Wrap the layers: `torch.nn.utils.parametrizations.spectral_norm(layer)` where spectral_norm is true.",
    )
    for variant, module in ((f"{subject}, spectral_norm=False", plain), (f"{subject}, spectral_norm=True", normalised)):
        _check_gradients(variant, module, images)
        _check_samples(variant, module.eval(), images, mixes_samples)
        _check_unbounded(variant, module, images)
        _check_labels(variant, module, images)
    return True


def _build(
    subject: str, factory: Factory, options: Mapping[str, Any], shape: tuple[int, ...], spectral_norm: bool
) -> nn.Module | None:
    """A discriminator of seed 0; None if the factory refuses the shape as it should."""
    call = resolve(factory)
    size = str(shape[-1])
    with seeded_globals(0):
        try:
            module = call(image_shape=shape, spectral_norm=spectral_norm, **options)
        except (ValueError, RpganifyError) as error:
            message = " ".join(str(error).split())
            require(
                size in message,
                subject,
                expected=f"to be built, or refused by a ValueError that names the size {size}",
                found=f"{type(error).__name__}: {message or '(no message)'}",
                repair='Say what is too small or odd, and what would do: raise ValueError(f"… {height}x{width} …").',
            )
            return None
        except Exception as error:
            raise BrokenLaw(
                f"{subject}: expected to be built, or refused by a ValueError that names the size; got "
                f"{type(error).__name__}: {' '.join(str(error).split())} The factory is called as "
                "factory(image_shape=(C, H, W), spectral_norm=True or False)."
            ) from error
    require(
        isinstance(module, nn.Module),
        subject,
        expected="the factory to return an nn.Module",
        found=shown(module),
        repair="Return the discriminator itself.",
    )
    assert isinstance(module, nn.Module)
    return module


def _doubled(module: nn.Module) -> nn.Module:
    """A copy in eval mode with twice the weights; biases and the like stay."""
    copied = copy.deepcopy(module).eval()
    with torch.no_grad():
        for parameter in copied.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2)
    return copied


def _num_classes(module: nn.Module) -> int:
    return int(getattr(module, "num_classes", 0) or 0)


def _judgement(module: nn.Module, images: Tensor, label: int | None = None) -> Any:
    """What it gives for images, all of one label if it has classes: the last one, unless another is named."""
    num_classes = _num_classes(module)
    if not num_classes:
        return module(images)
    return module(images, torch.full((len(images),), num_classes - 1 if label is None else label))


def _scores_and_logits(
    subject: str, module: nn.Module, images: Tensor, label: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Scores `(N,)`, and class logits where there are any, checked for shape, type and finiteness."""
    refused = "Refuse a size that the layers do not fit where the factory is called, by a ValueError."
    num_classes, num_images = _num_classes(module), len(images)
    labelled = f" and labels of {num_classes} classes" if num_classes else ""
    with working(subject, expected=f"scores of images {tuple(images.shape)}{labelled}", repair=refused):
        outcome = _judgement(module, images, label)
    scores, logits = outcome if num_classes and isinstance(outcome, tuple) and len(outcome) == 2 else (outcome, None)
    require(
        isinstance(scores, Tensor) and scores.shape in ((num_images,), (num_images, 1)) and scores.is_floating_point(),
        subject,
        expected=f"one score per image, ({num_images},) or ({num_images}, 1)",
        found=shown(scores),
        repair="Average or flatten what the last layer gives, down to one number per image.",
    )
    require(
        is_finite(scores),
        subject,
        expected="finite scores of images in [-1, 1]",
        found=scores.flatten().tolist(),
        repair="Scale the initial weights to the layers' widths.",
    )
    require(
        logits is None or (isinstance(logits, Tensor) and logits.shape == (num_images, num_classes)),
        subject,
        expected=f"one logit per class beside the scores, ({num_images}, {num_classes})",
        found=shown(logits),
        repair="Give `scores, logits`; a discriminator that adds the label to its scores gives these alone.",
    )
    flat: Tensor = scores.flatten()
    return flat, logits


def _scores(subject: str, module: nn.Module, images: Tensor) -> Tensor:
    """The scores alone, `(N,)`."""
    return _scores_and_logits(subject, module, images)[0]


def _check_gradients(subject: str, module: nn.Module, images: Tensor) -> None:
    images = images.clone().requires_grad_()
    scores, logits = _scores_and_logits(subject, module.train(), images)
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    require(
        scores.requires_grad and bool(trained),
        subject,
        expected="scores that depend on images and parameters",
        found="scores without a gradient" if trained else "no trainable parameter",
        repair="Leave out `.detach()`, `torch.no_grad()` and rounding in forward, and give it something to train.",
    )
    total = scores.sum() if logits is None else scores.sum() + logits.square().sum()
    found = torch.autograd.grad(total, [images, *trained.values()], allow_unused=True)
    for image, gradient in enumerate(torch.zeros_like(images) if found[0] is None else found[0]):
        require(
            is_finite(gradient) and bool(gradient.any()),
            subject,
            expected=f"a finite gradient in image {image}, for the generator to follow",
            found="NaN or infinity" if not is_finite(gradient) else "none",
            repair="Every image's score depends on its pixels, by differentiable operations.",
        )
    for name, gradient in zip(trained, found[1:], strict=True):
        require(
            gradient is not None and is_finite(gradient),
            subject,
            expected=f"a finite gradient in the parameter {name!r}",
            found="none" if gradient is None else "NaN or infinity",
            repair="Use the parameter in forward, without `.detach()`; or do not register what is not used.",
        )


def _check_samples(subject: str, module: nn.Module, images: Tensor, mixes_samples: bool) -> None:
    with torch.no_grad():
        batch = _scores(subject, module, images)
        alone = torch.cat([_scores(subject, module, image[None]) for image in images])
    if mixes_samples:
        return
    require_close(
        subject,
        batch,
        alone,
        expected="in eval mode the scores of a batch to be those of its images one by one",
        tolerance=_TOLERANCE,
        repair="It mixes samples, so a gradient penalty is not per sample: replace batch norm without running "
        "statistics and the like, or say `mixes_samples=True` where that is the idea.",
    )


def _check_unbounded(subject: str, module: nn.Module, images: Tensor) -> None:
    """With huge images and huge biases some score leaves [-1, 1], unless a sigmoid or tanh holds it back."""
    moved = copy.deepcopy(module)
    draws = torch.Generator().manual_seed(1)
    largest = 0.0
    with torch.no_grad():
        for size in (1.0, 1e2, 1e4):
            for parameter in moved.parameters():
                if parameter.dim() <= 1:
                    parameter.add_(torch.randn(parameter.shape, generator=draws), alpha=size)
            outcome = _judgement(moved, size * images)
            scores = outcome[0] if isinstance(outcome, tuple) else outcome
            largest = max(largest, float(scores.abs().max()))
    require(
        largest > 1 + 1e-3,
        subject,
        expected="scores that are unbounded",
        found=f"at most {largest:.4g} for images and biases of any size",
        repair="Leave out the sigmoid or tanh at the end; the losses here take raw scores.",
    )


def _check_labels(subject: str, module: nn.Module, images: Tensor) -> None:
    """A discriminator with classes lets the label count."""
    if _num_classes(module) < 2:
        return
    with torch.no_grad():
        (scores, logits), (others, _) = (_scores_and_logits(subject, module, images, label) for label in (0, 1))
    require(
        logits is not None or not torch.equal(scores, others),
        subject,
        expected="another label to give other scores, or class logits beside the scores",
        found="the same scores for the labels 0 and 1",
        repair="Add the inner product of the features and the label's embedding to the scores; or return "
        "`scores, logits`; or leave `num_classes` at 0.",
    )
