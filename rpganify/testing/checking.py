"""Any registered entry, checked by the laws of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rpganify.entries import (
    AnalyzerEntry,
    Architecture,
    CallbackEntry,
    DataSetEntry,
    DiscriminatorEntry,
    DistanceEntry,
    Entry,
    ExportEntry,
    ExtractorEntry,
    LossEntry,
    ReplicationEntry,
    RoutedLayerEntry,
)
from rpganify.errors import RpganifyError
from rpganify.registry import Registry, default_registry, resolve
from rpganify.testing.analyzer import check_analyzer
from rpganify.testing.architecture import check_architecture
from rpganify.testing.callback import check_callback
from rpganify.testing.dataset import check_dataset
from rpganify.testing.discriminator import IMAGE_SHAPES, check_discriminator, takes
from rpganify.testing.distance import check_distance
from rpganify.testing.export import check_export
from rpganify.testing.extractor import check_extractor
from rpganify.testing.laws import BrokenLaw, Unavailable, working
from rpganify.testing.loss import check_loss
from rpganify.testing.replication import check_replication
from rpganify.testing.routed_layer import check_routed_layer
from rpganify.testing.subject import inspected
from rpganify.training.randomness import seeded_globals

CHECKS: Mapping[type, Callable[..., None]] = {
    Architecture: check_architecture,
    LossEntry: check_loss,
    DiscriminatorEntry: check_discriminator,
    DataSetEntry: check_dataset,
    RoutedLayerEntry: check_routed_layer,
    ReplicationEntry: check_replication,
    DistanceEntry: check_distance,
    ExtractorEntry: check_extractor,
    AnalyzerEntry: check_analyzer,
    CallbackEntry: check_callback,
    ExportEntry: check_export,
}
_EXAMPLES = 3  # modules of one class that a routed layer is tried on


def check(entry: Entry, *, registry: Registry | None = None, data_root: Path | None = None) -> None:
    """Checks an entry by the laws of its kind, made as the command line makes it when nothing but its name is typed.

    Args:
        entry: anything that a hook lists.
        registry: where other names are looked up, such as an architecture's discriminator; None takes the built-ins and
            all plugins that are found.
        data_root: the folder of data sets' files.
    Raises:
        BrokenLaw: a law of its kind does not hold.
        Unavailable: it cannot be checked here; the message says what is missing.

    Example:
        for entry in default_registry().all(LossEntry).values():
            check(entry)
    """
    with working(
        f"{type(entry).__name__} {entry.name!r}",
        expected="its factory to be there",
        repair='A factory is a callable, or its place as a text: "package.module:attribute".',
    ):
        resolve(entry.factory)
    _BY_NAME[type(entry)](entry, registry or default_registry(), data_root)


def _architecture(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_architecture(entry, registry=registry)


def _loss(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_loss(_made(entry))


def _discriminator(entry: Any, registry: Registry, data_root: Path | None) -> None:
    shapes = IMAGE_SHAPES
    if not any(takes(entry.factory, shape) for shape in shapes):
        shapes = _shapes_judged_by(entry.name, registry)
    # Its name alone does not say whether comparing the images of a batch is its mistake or its idea.
    check_discriminator(entry.factory, image_shapes=shapes, mixes_samples=True)


def _dataset(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_dataset(entry.factory, root=data_root)


def _routed_layer(entry: Any, registry: Registry, data_root: Path | None) -> None:
    kind, plain_class = _made(entry), _imported_class(entry)
    examples = _modules_in_use(entry, plain_class, registry)
    if not examples:
        raise Unavailable(
            f"{entry.name} has no example here: no architecture names it in `leaves`. Check it in a test of its own: "
            f"check_routed_layer({type(kind).__name__}(), {plain_class.__name__}(…), torch.randn(…))."
        )
    for module, inputs in examples:
        check_routed_layer(kind, module, *inputs)


def _replication(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_replication(_made(entry))


def _distance(entry: Any, registry: Registry, data_root: Path | None) -> None:
    for num_channels in (1, 3):
        made = _made(entry, num_channels=num_channels, argument=None, device=torch.device("cpu"))
        check_distance(made, num_channels=num_channels)


def _extractor(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_extractor(_made(entry, argument=None, device=torch.device("cpu")))


def _analyzer(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_analyzer(_made(entry))


def _callback(entry: Any, registry: Registry, data_root: Path | None) -> None:
    _made(entry)
    check_callback(entry.factory)


def _export(entry: Any, registry: Registry, data_root: Path | None) -> None:
    check_export(_made(entry))


_BY_NAME: Mapping[type, Callable[[Any, Registry, Path | None], None]] = {
    Architecture: _architecture,
    LossEntry: _loss,
    DiscriminatorEntry: _discriminator,
    DataSetEntry: _dataset,
    RoutedLayerEntry: _routed_layer,
    ReplicationEntry: _replication,
    DistanceEntry: _distance,
    ExtractorEntry: _extractor,
    AnalyzerEntry: _analyzer,
    CallbackEntry: _callback,
    ExportEntry: _export,
}


def _made(entry: Entry, **arguments: Any) -> Any:
    """What the entry's factory makes of these arguments.

    Raises:
        Unavailable: the factory refuses by an error of rpganify's, such as a weight file that has to be named.
        BrokenLaw: it raises anything else.
    """
    called = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    with working(
        f"{type(entry).__name__} {entry.name!r}",
        expected=f"its factory to be called as factory({called})",
        repair="That is what commands do when only the name is typed: give every other argument a default.",
    ):
        try:
            return resolve(entry.factory)(**arguments)
        except RpganifyError as error:
            raise Unavailable(f"{entry.name} cannot be checked by its name alone: {error}") from error


def _shapes_judged_by(discriminator: str, registry: Registry) -> tuple[tuple[int, ...], ...]:
    """Shapes of what the architectures make whose discriminator that is.

    Raises:
        Unavailable: no architecture names it.
    """
    entries = [entry for entry in registry.all(Architecture).values() if entry.discriminator == discriminator]
    if not entries:
        raise Unavailable(
            f"{discriminator} takes no pictures of the sizes that are tried, and no architecture names it. Check it in a "
            "test of its own: check_discriminator(factory, image_shapes=[…])."
        )
    return tuple(tuple(inspected(entry, {}).inspection.blueprint.image_shape) for entry in entries)


def _imported_class(entry: RoutedLayerEntry) -> type[nn.Module]:
    with working(
        f"RoutedLayerEntry {entry.name!r}",
        expected=f"`module` to name the plain layer's class, {entry.module!r}",
        repair='Write "package.module:Class".',
    ):
        found = resolve(entry.module)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise BrokenLaw(
            f"RoutedLayerEntry {entry.name!r}: expected a class of nn.Module; got {found!r}. Name the class."
        )
    return found


def _modules_in_use(
    entry: RoutedLayerEntry, plain_class: type[nn.Module], registry: Registry
) -> list[tuple[nn.Module, tuple[Any, ...]]]:
    """Layers of that class with the inputs that they meet in architectures which name the entry among their leaves."""
    seen: list[tuple[nn.Module, tuple[Any, ...]]] = []

    def remember(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if type(module) is plain_class and len(seen) < _EXAMPLES and all(module is not one for one, _ in seen):
            seen.append((module, inputs))

    for architecture in registry.all(Architecture).values():
        if entry.name in architecture.leaves:
            with torch.no_grad(), seeded_globals(0):
                generator = resolve(architecture.factory)().eval()
                for module in generator.modules():
                    module.register_forward_pre_hook(remember)
                generator(torch.randn(3, *architecture.latent))
    return seen
