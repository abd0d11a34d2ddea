"""The built-in analyzers, offered through the same hook as a stranger's."""

from __future__ import annotations

from rpganify.hookspecs import AnalyzerEntry, hookimpl


@hookimpl
def rpganify_analyzers() -> list[AnalyzerEntry]:
    """Analyzers of buckets."""
    return [
        AnalyzerEntry(
            "variations",
            "a path's image, and a row per bucket of what other blocks make of it",
            "rpganify.analysis.variations:Variations",
        ),
        AnalyzerEntry(
            "diversity",
            "how much images change with each bucket, in colour and semantics (section 4.1)",
            "rpganify.analysis.diversity:Diversity",
        ),
    ]
