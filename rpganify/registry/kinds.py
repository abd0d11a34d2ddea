"""The table of extension points. A further kind is its entry, its hook, and one line here."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Kind:
    """One extension point.

    Args:
        word: what follows `rpganify plugins new`.
        hook: the function that a plugin implements.
        entry: what the hook lists.
        one, many: how messages and tables call them.
    """

    word: str
    hook: str
    entry: type[Entry]
    one: str
    many: str


KINDS = (
    Kind("architecture", "rpganify_architectures", Architecture, "architecture", "architectures"),
    Kind("loss", "rpganify_losses", LossEntry, "loss", "losses"),
    Kind("discriminator", "rpganify_discriminators", DiscriminatorEntry, "discriminator", "discriminators"),
    Kind("dataset", "rpganify_datasets", DataSetEntry, "data set", "data sets"),
    Kind("routed-layer", "rpganify_routed_layers", RoutedLayerEntry, "routed layer", "routed layers"),
    Kind("replication", "rpganify_replications", ReplicationEntry, "replication", "replications"),
    Kind("distance", "rpganify_distances", DistanceEntry, "image distance", "image distances"),
    Kind("extractor", "rpganify_extractors", ExtractorEntry, "feature extractor", "feature extractors"),
    Kind("analyzer", "rpganify_analyzers", AnalyzerEntry, "analyzer", "analyzers"),
    Kind("callback", "rpganify_callbacks", CallbackEntry, "callback", "callbacks"),
    Kind("export", "rpganify_exports", ExportEntry, "export format", "export formats"),
)
HOOKS = tuple(kind.hook for kind in KINDS)


def kind_of(entry: type[Entry]) -> Kind:
    """The extension point that an entry class belongs to."""
    return next(kind for kind in KINDS if kind.entry is entry)
