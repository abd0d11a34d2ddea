"""The options of `rpganify sample` that say which paths it shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.entries import DistanceEntry


class Age(StrEnum):
    """Of a model that has grown, through which blocks random paths go."""

    OLD = "old"
    NEW = "new"


PathOption = Annotated[
    str | None, typer.Option("--path", "--base", metavar="PATH", help="The image of this path, such as 3-17-0-22-5.")
]
VaryOption = Annotated[
    str | None,
    typer.Option(
        "--vary", metavar="BUCKET", help="Every block of this bucket (number from 1, or name), all others frozen."
    ),
]
SwapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--swap", metavar="BUCKET=BLOCK", help="The path's image, and beside it with this block instead; repeat."
    ),
]
WalkOption = Annotated[
    str | None,
    typer.Option("--walk", metavar="PATH", help="From the path to this one, a bucket at a time."),
]
MixOption = Annotated[
    str | None,
    typer.Option(
        "--mix", metavar="PATH", help="All mixtures of the path and this one, or -n random ones, or the one of --take."
    ),
]
TakeOption = Annotated[
    str | None,
    typer.Option("--take", metavar="BUCKETS", help="With --mix: the buckets whose blocks come from there: 3-5 or 1,4."),
]
NearestOption = Annotated[
    int | None,
    typer.Option(
        "--nearest", min=1, metavar="NUMBER", help="The images most like the path's, among so many random paths."
    ),
]
DistanceOption = Annotated[
    str | None,
    typer.Option(
        "--distance",
        metavar="NAME[:ARGUMENT]",
        help="With --nearest: by which distance: pixels if left out, ssim, lpips:FILE, semantic:classifier:FILE, …",
        autocompletion=names_of(DistanceEntry),
    ),
]
AmongOption = Annotated[
    Age | None,
    typer.Option("--among", help="Of a model that has grown: random paths through old blocks only, or with a new one."),
]


@dataclass(frozen=True, slots=True)
class PathOptions:
    """What was typed about the paths to show; None and () for what was not.

    Args:
        num_images: `-n`.
        path, vary, swap, walk, mix, take, nearest, distance, among: as their options.
    """

    num_images: int | None = None
    path: str | None = None
    vary: str | None = None
    swap: tuple[str, ...] = ()
    walk: str | None = None
    mix: str | None = None
    take: str | None = None
    nearest: int | None = None
    distance: str | None = None
    among: Age | None = None

    @property
    def is_given(self) -> bool:
        """Whether something was typed that only a model with paths can show."""
        return bool(self.path or self.kinds or self.take or self.distance or self.among)

    @property
    def kinds(self) -> list[str]:
        """The options that say what is made of a path; at most one makes sense."""
        given = {
            "--vary": self.vary,
            "--swap": self.swap,
            "--walk": self.walk,
            "--mix": self.mix,
            "--nearest": self.nearest,
        }
        return [name for name, value in given.items() if value]

    def check(self) -> None:
        """Refuses what cannot be meant together, before any work is done.

        Raises:
            typer.BadParameter: options that exclude each other, or one without the one that it belongs to.
        """
        kinds = self.kinds
        if len(kinds) > 1:
            raise typer.BadParameter(
                f"{' and '.join(kinds)} make different pictures of a path; give one at a time.", param_hint=kinds[1]
            )
        if self.take is not None and self.mix is None:
            raise typer.BadParameter("It says what --mix PATH takes from there; give that too.", param_hint="--take")
        if self.distance is not None and self.nearest is None:
            raise typer.BadParameter("It finds --nearest NUMBER; give that too.", param_hint="--distance")
        is_counted = (self.mix is not None and self.take is None) or self.nearest is not None
        if self.num_images is not None and (self.path or kinds) and not is_counted:
            raise typer.BadParameter(
                "-n counts random paths, mixtures and neighbours; leave it out with --path, --vary, --swap, --walk and "
                "--take.",
                param_hint="-n",
            )
        if self.among is not None and (self.path or kinds):
            raise typer.BadParameter(
                "It chooses random paths; leave it out with --path, --vary, --swap, --walk, --mix and --nearest.",
                param_hint="--among",
            )
