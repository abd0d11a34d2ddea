"""What a plugin lists: one kind of entry per extension point. Each has a name, a line of help, and a factory.

The factory is a callable, or `"package.module:attribute"` as a string, which is imported only when somebody asks for
that name; so listing what there is stays cheap. What it is called with, and what it returns, is said at each entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Factory = Callable[..., Any] | str


class Entry(Protocol):
    """What all entries have; `registry.kinds` lists the classes."""

    @property
    def name(self) -> str:
        """What a user types; unique within its kind."""
        ...

    @property
    def help(self) -> str:
        """One line for `rpganify plugins`."""
        ...

    @property
    def factory(self) -> Factory:
        """Makes what the entry stands for."""
        ...


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
        leaves: names of routed-layer entries; modules of their classes stay whole when its forward is recorded.
    """

    name: str
    help: str
    factory: Factory
    latent: tuple[int, ...]
    buckets: tuple[str, ...]
    discriminator: str
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LossEntry:
    """An adversarial loss: `factory(**options)` -> `training.losses.Loss`.

    Args:
        name: what follows `--loss`.
        help: one line for `rpganify plugins`.
        factory: called with the user's `--loss-arg` values as keywords.
        needs: what the discriminator must have for it; a training warns of what is missing. "spectral-norm": its
            weights are spectrally normalised. "no-batch-norm": it judges each image alone.
    """

    name: str
    help: str
    factory: Factory
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiscriminatorEntry:
    """A discriminator: `factory(image_shape=(C, H, W), spectral_norm=bool, **options)` -> `nn.Module`.

    The module maps images `(N, C, H, W)` in [-1, 1] to scores `(N,)`; the options are `--discriminator-arg` values. One that
    judges labels as well has an attribute `num_classes` above 0 (by custom from an option of that name) and is called with
    images and int64 labels `(N,)`; it gives scores, or `scores, logits` with class logits `(N, num_classes)`.
    """

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class DataSetEntry:
    """A data set: `factory(root=Path | None, argument=str | None)` -> `data.images.ImageData`.

    Args:
        name: what follows `--data`.
        help: one line for `rpganify plugins`.
        factory: its `argument` is what follows the colon in `folder:DIR`.
        held_out: the argument of a part that is kept for tests, beside the one that is opened without an argument; None if
            there is no such part.
    """

    name: str
    help: str
    factory: Factory
    held_out: str | None = None


@dataclass(frozen=True, slots=True)
class RoutedLayerEntry:
    """How a layer type of the author's runs with a block axis: `factory()` -> `routing.kinds.RoutedLayerKind`.

    Args:
        name: how a model on disk and `Architecture.leaves` call it.
        help: one line for `rpganify plugins`.
        module: the plain layer's class, `"package.module:Class"`.
        factory: its product describes a layer as data, builds it from that, and calls it for one block's samples.
    """

    name: str
    help: str
    module: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class ReplicationEntry:
    """How blocks differ at birth: `factory()` -> a callable that makes one tensor of one new block.

    It is called as `make(values, fresh, generator)`: the tensor of the generator as given; the same tensor of a
    generator that was built anew, or None where there is no building it; and a seeded CPU `torch.Generator`, the only
    source of chance to use. It returns a tensor of the shape and type of `values`, which it leaves as they are. It is
    asked for every parameter, and where there is a fresh tensor for buffers too; other buffers, and counters, are copied.

    Args:
        name: what follows `--init`.
        help: one line for `rpganify plugins`.
        factory: takes nothing.
        builds_anew: whether it wants `fresh`: the generator is built anew for each block where it can be, which takes
            time. Without it `fresh` is None.
    """

    name: str
    help: str
    factory: Factory
    builds_anew: bool = False


@dataclass(frozen=True, slots=True)
class DistanceEntry:
    """An image distance: `factory(num_channels=int, argument=str | None, device=torch.device)` ->
    `analysis.distances.PairDistance`.

    `argument` is what follows the colon in `--distance semantic:pixels`; `num_channels` is 1 (grey) or 3.
    """

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class ExtractorEntry:
    """A feature extractor: `factory(argument=str | None, device=torch.device)` -> `analysis.features.FeatureExtractor`.

    `argument` is what follows the colon in `--extractor classifier:FILE`.
    """

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class AnalyzerEntry:
    """An analyzer: `factory()` -> `analysis.analyzer.Analyzer`.

    Args:
        name: what follows `rpganify analyze MODEL`.
        help: one line for `rpganify plugins`.
        factory: takes nothing.
        needs: what it cannot do without, of "buckets" (a converted model), "pictures" (images of 1 or 3 channels), "data",
            "twin", "classifier", "extractor" and "old classes" (of the data, before a model grew); `rpganify analyze` leaves
            it out where one is missing, and says what would bring it in.
        is_default: whether it runs where no analyzer is named.
    """

    name: str
    help: str
    factory: Factory
    needs: tuple[str, ...] = ()
    is_default: bool = True


@dataclass(frozen=True, slots=True)
class CallbackEntry:
    """Something that a training tells what it does: `factory(**options)` -> `training.callbacks.Callback`.

    `rpganify train --callback NAME` passes no option, `--callback NAME:ARGUMENT` passes `argument=` as text.
    """

    name: str
    help: str
    factory: Factory


@dataclass(frozen=True, slots=True)
class ExportEntry:
    """A format for plain generators: `factory()` -> a callable that writes one file.

    It is called as `write(module, latent, target)`: the plain `nn.Module` in eval mode, one latent `(1, *shape)` that it
    takes, and the `pathlib.Path` of the file, which does not exist yet.
    """

    name: str
    help: str
    factory: Factory
