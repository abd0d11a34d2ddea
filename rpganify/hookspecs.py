"""The extension points. A plugin implements any of these functions with `@rpganify.hookimpl`.

Each hook lists what a plugin offers: a name, a line of help, and a factory. The factory is a callable,
or `"package.module:attribute"` as a string, which is imported only when somebody asks for that name;
so listing what there is stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pluggy

PROJECT = "rpganify"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Factory = Callable[..., Any] | str


@dataclass(frozen=True, slots=True)
class Architecture:
    """A generator that has a name.

    Args:
        name: what follows `rpganify convert`.
        help: one line for `rpganify plugins`.
        factory: called with the user's `--arg` values as keywords; returns the plain `nn.Module`.
        latent: shape of one latent, without the batch axis.
        buckets: the natural buckets, one selection each (names, globs; "a,b" makes one bucket of two).
        discriminator: name of the discriminator that belongs to it.
    """

    name: str
    help: str
    factory: Factory
    latent: tuple[int, ...]
    buckets: tuple[str, ...]
    discriminator: str


@dataclass(frozen=True, slots=True)
class LossEntry:
    """An adversarial loss; its factory takes the loss's own options and returns a `training.losses.Loss`."""

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class DiscriminatorEntry:
    """A discriminator: `factory(image_shape=(C, H, W), spectral_norm=bool, **options)` -> `nn.Module`.

    The module maps images `(N, C, H, W)` in [-1, 1] to scores `(N,)`.
    """

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class DataSetEntry:
    """A data set: `factory(root=Path | None, argument=str | None)` -> `data.images.ImageData`.

    `argument` is what follows the colon in `folder:DIR`.
    """

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class AnalyzerEntry:
    """An analyzer: its factory returns an `analysis.analyzer.Analyzer`."""

    name: str
    help: str
    factory: Factory


@hookspec
def rpganify_architectures() -> Iterable[Architecture]:  # type: ignore[empty-body]
    """Generators that can be named.

    Example:
        @rpganify.hookimpl
        def rpganify_architectures():
            return [Architecture("tiny", "two linear layers", "mypkg.nets:Tiny", (16,), ("fc1", "fc2"), "mlp")]
    """


@hookspec
def rpganify_losses() -> Iterable[LossEntry]:  # type: ignore[empty-body]
    """Adversarial losses.

    Example:
        @rpganify.hookimpl
        def rpganify_losses():
            return [LossEntry("least-squares", "squared error to 1 and 0", "mypkg.losses:LeastSquares")]
    """


@hookspec
def rpganify_discriminators() -> Iterable[DiscriminatorEntry]:  # type: ignore[empty-body]
    """Discriminators.

    Example:
        @rpganify.hookimpl
        def rpganify_discriminators():
            return [DiscriminatorEntry("patch", "a score per patch, averaged", "mypkg.nets:build_patch")]
    """


@hookspec
def rpganify_datasets() -> Iterable[DataSetEntry]:  # type: ignore[empty-body]
    """Data sets of images.

    Example:
        @rpganify.hookimpl
        def rpganify_datasets():
            return [DataSetEntry("birds", "my birds, 64x64", "mypkg.birds:open_birds")]
    """


@hookspec
def rpganify_analyzers() -> Iterable[AnalyzerEntry]:  # type: ignore[empty-body]
    """Analyzers.

    Example:
        @rpganify.hookimpl
        def rpganify_analyzers():
            return [AnalyzerEntry("brightness", "mean brightness per block", "mypkg.analysis:Brightness")]
    """
