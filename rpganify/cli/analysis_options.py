"""Options of the commands that analyze models, with one help text each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.classifiers import ClassifierOptions
from rpganify.cli.completion import names_of
from rpganify.entries import DataSetEntry, DistanceEntry, ExtractorEntry

if TYPE_CHECKING:
    from rpganify.cli.sources import SourceOptions

ExtractorOption = Annotated[
    str,
    typer.Option(
        "--extractor",
        metavar="NAME",
        help="Features for semantic distances: inception[:FILE] (the paper's), classifier:FILE, pixels, …",
        autocompletion=names_of(ExtractorEntry),
    ),
]
DistanceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--distance",
        metavar="NAME[:ARGUMENT]",
        help="What tells images apart: colour, semantic:EXTRACTOR, pixels, …; repeat. Colour and the extractor's "
        "semantics if left out.",
        autocompletion=names_of(DistanceEntry),
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Real samples, for analyzers that compare with them: digits, folder:DIR, …",
        autocompletion=names_of(DataSetEntry),
    ),
]
DataRootOption = Annotated[
    Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set's files are.")
]
OldClassesOption = Annotated[
    str | None,
    typer.Option(
        "--old-classes",
        metavar="CLASSES",
        help="The classes of --data that a model was trained on before it grew: 0-6, or cat,dog; found in the model where "
        "its run said so.",
    ),
]
TwinOption = Annotated[
    str | None,
    typer.Option(
        "--twin",
        metavar="MODEL|SOURCE",
        help="A standard generator to compare with: a --standard run, or my_gan.py:Generator --weights g.pt.",
    ),
]
NumPathsOption = Annotated[
    int | None,
    typer.Option(
        "--paths",
        min=1,
        metavar="NUMBER",
        help="Random paths that numbers are averaged over; 100, or as many as the time allows.",
        show_default=False,
    ),
]
NumImagesOption = Annotated[
    int | None,
    typer.Option(
        "--num-images",
        min=1,
        metavar="NUMBER",
        help="Images for numbers about distributions, such as FID; 1000, or as many as the time allows.",
        show_default=False,
    ),
]
PathOption = Annotated[
    list[str] | None,
    typer.Option("--path", metavar="PATH", help="A path for pictures, e.g. 3-17-0-22-5; repeat."),
]
WithinOption = Annotated[
    float,
    typer.Option(
        "--within",
        min=0,
        metavar="MINUTES",
        help="About how long it may take: fewer paths and images are taken where all would take longer, unless --paths "
        "and --num-images say how many.",
    ),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Compute everything again, also what is kept from an earlier analysis.")
]


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """What was typed for an analysis, but the models.

    Args:
        plain: the options of a SOURCE; its `source` is empty.
        extractor, distances, data, data_root, old_classes, twin, classifier: as typed.
        num_paths, num_images: None lets the time decide.
        paths: for pictures.
        conditions: values of further inputs.
        within_min: minutes that it may take.
        is_fresh: whether what was kept is computed again.
        seed: of everything random.
        trusts_source: whether a model on disk may import functions of its own source.
        device: as typed.
        is_raw: whether a run's weights are taken as they are, and not their moving average.
    """

    plain: SourceOptions
    extractor: str = "pixels"
    distances: Sequence[str] = ()
    data: str | None = None
    data_root: Path | None = None
    old_classes: str | None = None
    twin: str | None = None
    classifier: ClassifierOptions = field(default_factory=ClassifierOptions)
    num_paths: int | None = None
    num_images: int | None = None
    paths: Sequence[str] = ()
    conditions: Sequence[str] = ()
    within_min: float = 10.0
    is_fresh: bool = False
    seed: int = 0
    trusts_source: bool = False
    device: str = "auto"
    is_raw: bool = False

    def sources(self, models: Sequence[str]) -> dict[str, SourceOptions]:
        """Each model's and the twin's name with the options that belong to it: those of a SOURCE go to the one there is.

        Raises:
            typer.BadParameter: options of a SOURCE, and no SOURCE or several that they might be meant for.
        """
        from rpganify.cli.models import is_on_disk
        from rpganify.cli.sources import SourceOptions

        names = list(dict.fromkeys([*models, *([self.twin] if self.twin else [])]))
        named = [name for name in names if not is_on_disk(name)]
        is_given = self.plain != SourceOptions("", seed=self.seed)
        if is_given and len(named) != 1:
            what = (
                f"{', '.join(named)} are several"
                if named
                else f"{', '.join(names)}: built already, no SOURCE among them"
            )
            raise typer.BadParameter(
                f"Options such as --arg, --weights and --latent belong to one SOURCE; {what}. Leave the options out, or "
                "convert or train the others first and name what came of it."
            )
        given = {name: replace(self.plain, source=name) for name in named}
        return {name: given.get(name, SourceOptions(name, seed=self.seed)) for name in names}
