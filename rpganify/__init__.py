"""Convert a GAN generator into a random path GAN, and see what its layers do.

rp = rpganify.wrap(generator, buckets=5, blocks=40)
images = rp(rp.paths.sample(64))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rpganify.hookspecs import hookimpl

if TYPE_CHECKING:
    from rpganify.analysis.pruning.prune import prune
    from rpganify.conversion.converting import standard, wrap
    from rpganify.modelfile import load, save
    from rpganify.registry import architecture
    from rpganify.surgery.extract import extract
    from rpganify.surgery.grow import grow
    from rpganify.surgery.linearize import linearize
    from rpganify.surgery.merge import merge

__all__ = [
    "architecture",
    "extract",
    "grow",
    "hookimpl",
    "linearize",
    "load",
    "merge",
    "prune",
    "save",
    "standard",
    "wrap",
]

# Imported when first used: `import rpganify` stays cheap for plugins and for the command line.
_HOMES = {
    "architecture": "rpganify.registry",
    "wrap": "rpganify.conversion.converting",
    "standard": "rpganify.conversion.converting",
    "extract": "rpganify.surgery.extract",
    "grow": "rpganify.surgery.grow",
    "linearize": "rpganify.surgery.linearize",
    "merge": "rpganify.surgery.merge",
    "prune": "rpganify.analysis.pruning.prune",
    "save": "rpganify.modelfile",
    "load": "rpganify.modelfile",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rpganify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
