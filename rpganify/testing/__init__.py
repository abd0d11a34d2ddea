"""For plugin authors: one check per kind of plugin, each a line in a test of theirs.

    from rpganify.testing import check_loss

    def test_the_loss_keeps_the_laws():
        check_loss(RelativisticHinge())

A check tests the laws of its kind, which its docstring lists, and fails with a `BrokenLaw`, an AssertionError that says
what was expected, what came, and how to repair it. Where it cannot run, such as without a data set's files, it raises
`Unavailable`, which skips the test. `check(entry)` takes anything that a hook lists; `rpganify plugins doctor` calls it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rpganify.testing.analyzer import check_analyzer
    from rpganify.testing.architecture import check_architecture
    from rpganify.testing.callback import check_callback
    from rpganify.testing.checking import CHECKS, check
    from rpganify.testing.dataset import check_dataset
    from rpganify.testing.discriminator import check_discriminator
    from rpganify.testing.distance import check_distance
    from rpganify.testing.export import check_export
    from rpganify.testing.extractor import check_extractor
    from rpganify.testing.laws import BrokenLaw, Unavailable
    from rpganify.testing.loss import check_loss
    from rpganify.testing.replication import check_replication
    from rpganify.testing.routed_layer import check_routed_layer

__all__ = [
    "CHECKS",
    "BrokenLaw",
    "Unavailable",
    "check",
    "check_analyzer",
    "check_architecture",
    "check_callback",
    "check_dataset",
    "check_discriminator",
    "check_distance",
    "check_export",
    "check_extractor",
    "check_loss",
    "check_replication",
    "check_routed_layer",
]

# Imported when first used: the test of a loss does not load what draws figures.
_HOMES = {"BrokenLaw": "laws", "Unavailable": "laws", "check": "checking", "CHECKS": "checking"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rpganify.testing' has no attribute {name!r}")
    home = _HOMES.get(name, name.removeprefix("check_"))
    return getattr(import_module(f"rpganify.testing.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
