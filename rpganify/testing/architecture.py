"""The laws of a registered architecture."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rpganify.entries import Architecture, DiscriminatorEntry
from rpganify.modelfile import load_model, save_model
from rpganify.registry import Registry, default_registry, resolve
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.extract import extract
from rpganify.testing.laws import is_finite, require, require_close, shown, working
from rpganify.testing.subject import Subject, inspected
from rpganify.training.randomness import seeded_globals

_NUM_BLOCKS = 2
_BATCH = 4
# float32 sums in another order; an untrained generator amplifies rounding.
_TOLERANCE = 1e-3


def check_architecture(
    entry: Architecture,
    *,
    options: Mapping[str, Any] | None = None,
    discriminator_options: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
) -> None:
    """An architecture builds, converts into its natural buckets, trains, and survives the disk.

    Its laws:

    - the factory makes an nn.Module, the same one under the same seed and another under another;
    - its forward takes the latent that the entry names, and makes finite images, each of its own latent;
    - it converts; with one block per bucket it equals itself, and every bucket changes the image;
    - a batch of paths equals its samples one by one, unless forward draws noise;
    - `extract` gives the generator of a path; saving and opening again changes nothing;
    - gradients are finite in every parameter, and not zero in any bucket;
    - its discriminator is registered, and scores the images.

    Args:
        entry: the architecture, as the hook lists it.
        options: keywords of its factory; small widths make the check quick.
        discriminator_options: keywords of its discriminator's factory, likewise.
        registry: where the discriminator is looked up; None takes the built-ins and all plugins that are found. For a
            plugin that is not installed: `registry = Registry(); registry.register(my_plugin)`.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_architecture(Architecture("tiny", "two layers", Tiny, (16,), ("fc1", "fc2"), "mlp"))
    """
    subject = inspected(entry, dict(options or {}))
    _check_images(subject)
    _check_one_block(subject)
    model = subject.converted(_NUM_BLOCKS)
    _check_buckets(subject, model)
    _check_samples(subject, model)
    _check_extract(subject, model)
    _check_file(subject, model)
    _check_gradients(subject, model)
    _check_discriminator(subject, dict(discriminator_options or {}), registry or default_registry())


def _check_images(subject: Subject) -> None:
    name, shape = subject.entry.name, subject.inspection.blueprint.image_shape
    z = torch.randn(_BATCH, *subject.entry.latent, generator=torch.Generator().manual_seed(0))
    images = subject.images_of(subject.generator, z)
    require(
        images.shape == (_BATCH, *shape) and images.is_floating_point() and is_finite(images),
        name,
        expected=f"finite images ({_BATCH}, {', '.join(map(str, shape))}) of {_BATCH} latents",
        found=shown(images) if images.shape != (_BATCH, *shape) else "NaN or infinity",
        repair="The first axis is the batch; scale the initial weights to the layers' widths.",
    )
    alone = torch.cat([subject.images_of(subject.generator, one[None]) for one in z])
    if subject.draws_noise:
        return
    require_close(
        name,
        images,
        alone,
        expected="in eval mode the image of a latent to be the same in a batch as alone",
        tolerance=_TOLERANCE,
        repair="Let nothing mix the samples in eval mode, such as batch norm without running statistics.",
    )


def _check_one_block(subject: Subject) -> None:
    model = subject.converted(1)
    z = torch.randn(1, *subject.entry.latent, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.Z.copy_(z)
    require_close(
        subject.entry.name,
        subject.images_along(model, torch.zeros(1, model.paths.num_buckets, dtype=torch.int64)),
        subject.images_of(subject.generator, z),
        expected="the converted generator with one block per bucket to make the plain one's image of the same latent",
        tolerance=_TOLERANCE,
        repair="Please report this generator.",
    )


def _check_buckets(subject: Subject, model: RandomPathGenerator) -> None:
    first = torch.zeros(1, model.paths.num_buckets, dtype=torch.int64)
    plain = subject.images_along(model, first)
    for index, bucket in enumerate(model.plan.buckets):
        other = first.clone()
        other[0, index] = 1
        require(
            not torch.equal(subject.images_along(model, other), plain),
            subject.entry.name,
            expected=f"another block of its bucket {bucket.name!r} to make another image",
            found="the same image",
            repair=f"Its layers ({', '.join(bucket.layers)}) do not matter in forward; name others in `buckets`.",
        )


def _check_samples(subject: Subject, model: RandomPathGenerator) -> None:
    if subject.draws_noise:
        return
    paths = model.paths.sample(_BATCH, generator=torch.Generator().manual_seed(2))
    require_close(
        f"{subject.entry.name} converted",
        subject.images_along(model, paths),
        torch.cat([subject.images_along(model, path[None]) for path in paths]),
        expected="a batch of paths to give the images that its paths give one by one",
        tolerance=_TOLERANCE,
        repair="Let nothing mix the samples in eval mode.",
    )


def _check_extract(subject: Subject, model: RandomPathGenerator) -> None:
    path = model.paths.sample(1, generator=torch.Generator().manual_seed(3))
    plain = extract(model, path[0]).eval()
    require_close(
        f"{subject.entry.name} extracted",
        subject.images_of(plain, model.Z.detach()),
        subject.images_along(model, path),
        expected="the generator of a path, given Z, to make the path's image",
        tolerance=_TOLERANCE,
        repair="Please report this generator.",
    )


def _check_file(subject: Subject, model: RandomPathGenerator) -> None:
    name, paths = subject.entry.name, model.paths.sample(_BATCH, generator=torch.Generator().manual_seed(4))
    before = subject.images_along(model, paths)
    with tempfile.TemporaryDirectory() as folder:
        with working(
            f"{name} on disk",
            expected="to be written, and opened without its source",
            repair="Build its forward of torch's own operations; a routed layer keeps a module of yours whole.",
        ):
            opened = load_model(save_model(model, Path(folder) / "model.rpgan")).eval()
        assert isinstance(opened, RandomPathGenerator)
        require(
            torch.equal(subject.images_along(opened, paths), before),
            f"{name} on disk",
            expected="the same images after saving and opening",
            found="others",
            repair="Keep all that forward reads in parameters and buffers.",
        )


def _check_gradients(subject: Subject, model: RandomPathGenerator) -> None:
    name, paths = subject.entry.name, model.paths.sample(4 * _BATCH, generator=torch.Generator().manual_seed(5))
    model.train()
    with seeded_globals(0):
        images = model.images(paths, None, **subject.conditions(len(paths)))
    weights = torch.randn(images.shape, generator=torch.Generator().manual_seed(6))
    trained = {key: parameter for key, parameter in model.named_parameters() if parameter.requires_grad}
    found = torch.autograd.grad((images * weights).sum(), list(trained.values()), allow_unused=True)
    gradients = dict(zip(trained, found, strict=True))
    for key, gradient in gradients.items():
        require(
            gradient is None or is_finite(gradient),
            name,
            expected=f"finite gradients in train mode, {key!r} among them",
            found="NaN or infinity",
            repair="Look for a root, a logarithm or a division at 0: add 1e-8 under it.",
        )
    for index, bucket in enumerate(model.plan.buckets):
        moved = [gradients.get(key) for key in model.bucket_parameters(index)]
        require(
            any(gradient is not None and bool(gradient.any()) for gradient in moved),
            name,
            expected=f"gradients that reach the bucket {bucket.name!r}",
            found="none there, or zeros",
            repair="Leave out `.detach()` and `torch.no_grad()` in forward; or name other layers in `buckets`.",
        )
    model.eval()


def _check_discriminator(subject: Subject, options: Mapping[str, Any], registry: Registry) -> None:
    name, wanted = subject.entry.name, subject.entry.discriminator
    shape = tuple(subject.inspection.blueprint.image_shape)
    with working(
        name,
        expected=f"a discriminator {wanted!r} that takes images of {'×'.join(map(str, shape))}",
        repair="Name one in the entry that `rpganify plugins` lists, or offer your own by rpganify_discriminators.",
    ):
        factory = resolve(registry.get(DiscriminatorEntry, wanted).factory)
        with torch.no_grad(), seeded_globals(0):
            judge = factory(image_shape=shape, spectral_norm=True, **options)
            scores = judge(torch.zeros(2, *shape))
    require(
        scores.shape in ((2,), (2, 1)),
        f"{name} with {wanted}",
        expected="one score per image, (2,) or (2, 1)",
        found=shown(scores),
        repair="`check_discriminator` says what a discriminator has to keep.",
    )
