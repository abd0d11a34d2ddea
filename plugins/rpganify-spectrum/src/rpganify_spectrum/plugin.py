"""What this package offers to rpganify; imports no torch."""

from __future__ import annotations

from rpganify import hookimpl
from rpganify.hookspecs import AnalyzerEntry


@hookimpl
def rpganify_analyzers() -> list[AnalyzerEntry]:
    """One analyzer, for images and for sound."""
    return [
        AnalyzerEntry(
            "spectrum",
            "power at each frequency against real data, and which bucket makes it (checkerboards)",
            "rpganify_spectrum.analyzer:Spectrum",
        )
    ]
