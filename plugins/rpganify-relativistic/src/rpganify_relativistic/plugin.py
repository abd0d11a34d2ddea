"""What this package offers to rpganify; imports no torch."""

from __future__ import annotations

from rpganify import hookimpl
from rpganify.hookspecs import LossEntry


@hookimpl
def rpganify_losses() -> list[LossEntry]:
    """The hinge and the cross entropy of scores relative to the other side's mean."""
    losses = "rpganify_relativistic.losses"
    return [
        LossEntry(
            "ra-hinge", "relativistic average hinge: margins on scores less the other side's mean", f"{losses}:RaHinge"
        ),
        LossEntry("ra-standard", "relativistic average cross entropy of the original GAN", f"{losses}:RaStandard"),
    ]
