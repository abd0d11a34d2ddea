"""`rpganify bench`: by itself, or with a source behind it, it measures routing; `train` behind it measures a training."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from rpganify.cli.bench import bench
from rpganify.cli.bench_train import train
from rpganify.cli.boundary import bounded

_DEFAULT = "routing"


class _BenchGroup(TyperGroup):
    """A group whose first command need not be named: whatever is no command's name belongs to it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [_DEFAULT, *args])


group = typer.Typer(cls=_BenchGroup, rich_markup_mode=None)
group.command(_DEFAULT)(bounded(bench))
group.command("train")(bounded(train))


@group.callback()
def measure() -> None:
    """Measure what routing costs, against the plain generator.

    `rpganify bench train` measures what a training spends outside its networks.
    """
