"""The report of the analyzer `latent-inversion`: tables, pictures, and what follows from the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from rpganify.analysis.latent_inversion.bases import PLAIN
from rpganify.analysis.latent_inversion.figure import (
    Line,
    PictureRow,
    draw_curves,
    draw_pictures,
    draw_ratios,
)
from rpganify.analysis.latent_inversion.findings import (
    REAL,
    Comparison,
    Inverted,
    Measured,
    Targets,
    latent_error,
    mean_of,
)
from rpganify.analysis.latent_inversion.words import definition, notes, summary
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

NAME = "latent-inversion"
NUM_SHOWN = 8


def make_report(inverted: Inverted, provenance: Mapping[str, JsonValue], more_notes: Sequence[str]) -> Report:
    """The report.

    Args:
        inverted: the numbers and pictures.
        provenance: where they come from.
        more_notes: what was left out, and why.
    """
    return Report(
        name=NAME,
        title="From the image back to its latent",
        definition=definition(inverted),
        tables=(*_tables(inverted), _step_table(inverted), _target_table(inverted)),
        figures=tuple(_figures(inverted)),
        provenance=provenance,
        notes=(*more_notes, *notes(inverted)),
        summary=summary(inverted),
    )


def _suffixed(inverted: Inverted) -> list[tuple[Measured, str]]:
    """What was found by each image distance, and the end of its tables' and figures' names: nothing for the first."""
    return [(one, f"-{number}" if number > 1 else "") for number, one in enumerate(inverted.measured, 1)]


def _tables(inverted: Inverted) -> Iterator[Table]:
    for measured, suffix in _suffixed(inverted):
        yield _test_table(measured, suffix)
        yield _final_table(measured, inverted, suffix)


def _final_table(measured: Measured, inverted: Inverted, suffix: str) -> Table:
    columns = (
        *(Column("images"), Column("method"), Column("final"), Column("from"), Column("to"), Column("median")),
        *(Column("start"), Column("step size"), Column("length of z"), Column("distance in z")),
        *(Column("distance in z, top axes"), Column("number")),
    )
    rows: list[tuple[Cell, ...]] = []
    for kind in inverted.targets:
        for outcome in measured.outcomes:
            final, latents = kind.of(outcome.search.final), kind.of(outcome.search.latents)
            mean, start = mean_of(final, inverted.seed), float(kind.of(outcome.search.distances)[:, 0].mean())
            length = float(latents.double().square().mean().sqrt())
            errors: tuple[float | None, float | None] = (None, None)
            if kind.latents is not None:
                errors = latent_error(latents, kind.latents, kind.spread, measured.axes, measured.num_top)
            rows.append(
                (
                    *(kind.name, outcome.method.name, mean.value, mean.low, mean.high, float(final.median())),
                    *(start, outcome.tuning.chosen, length, *errors, len(final)),
                )
            )
    title = (
        "Smallest distance to the wanted image, mean over the images with its 95 % interval: root of the "
        f"{measured.features.title}"
    )
    return Table(f"final{suffix}", title, columns, tuple(rows))


def _test_table(measured: Measured, suffix: str) -> Table:
    columns = (
        *(Column("images"), Column("method"), Column("ratio"), Column("from"), Column("to"), Column("p, corrected")),
        *(Column("nearer", "%"), Column("effect"), Column("p"), Column("pairs"), Column("against")),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in measured.comparisons:
        paired = one.paired
        ratio = (
            (None, None, None) if paired.ratio is None else (paired.ratio.value, paired.ratio.low, paired.ratio.high)
        )
        nearer = 100 * paired.num_nearer / paired.num_pairs
        rows.append(
            (
                *(one.images, one.method.name, *ratio, one.corrected_p, nearer),
                *(paired.effect, paired.p, paired.num_pairs, one.method.against),
            )
        )
    title = (
        "Final distances as a ratio to those of the plain basis, to the same images, by Wilcoxon's signed-rank test: "
        f"{measured.features.title}"
    )
    return Table(f"tests{suffix}", title, columns, tuple(rows))


def _step_table(inverted: Inverted) -> Table:
    columns = (Column("image distance"), Column("method"), Column("step size"), Column("mean final distance"))
    rows: list[tuple[Cell, ...]] = [
        (measured.features.title, outcome.method.name, size, distance)
        for measured in inverted.measured
        for outcome in measured.outcomes
        for size, distance in outcome.tuning.tried
    ]
    title = f"Step sizes tried on {inverted.num_tuned_on} other images"
    return Table("step-sizes", title, columns, tuple(rows), is_raw=True)


def _target_table(inverted: Inverted) -> Table:
    columns = (
        *(Column("image distance"), Column("images"), Column("image"), Column("method")),
        *(Column("start"), Column("final"), Column("length of z")),
    )
    rows: list[tuple[Cell, ...]] = []
    for measured, kind in inverted.each():
        for outcome in measured.outcomes:
            lengths = kind.of(outcome.search.latents).double().square().mean(dim=1).sqrt().tolist()
            ways = kind.of(outcome.search.distances)
            for image, (start, final, length) in enumerate(
                zip(ways[:, 0].tolist(), ways[:, -1].tolist(), lengths, strict=True)
            ):
                rows.append((measured.features.title, kind.name, image, outcome.method.name, start, final, length))
    return Table("targets", "Every image", columns, tuple(rows), is_raw=True)


def _figures(inverted: Inverted) -> list[Figure]:
    figures = []
    for measured, suffix in _suffixed(inverted):
        what = f"root of the {measured.features.title}"
        panels = [(_titled(kind, inverted), _lines(measured, kind)) for kind in inverted.targets]
        caption = (
            f"The smallest distance so far ({what}) against generator passes: three for a gradient, one for an image. Means "
            "over the images, with 95 % bands (thin lines: none). The bands hold how much images differ, which is the same for "
            "all methods; the tests are paired, and do not."
        )
        drawing = draw_curves(panels, "image distance, mean", inverted.seed)
        figures.append(Figure(f"curves{suffix}", caption, drawing))
        caption = (
            f"Final distances ({what}) of a method divided by those of another to the same image, a point each; the diamond is "
            "the ratio of the means with its 95 % interval. Left of 1 the first method comes nearer."
        )
        drawing = draw_ratios([(_titled(kind, inverted), _ratios(measured, kind)) for kind in inverted.targets])
        figures.append(Figure(f"ratios{suffix}", caption, drawing))
        for kind in inverted.targets:
            whose = "Real images" if kind.name == REAL else "Images that the model made itself"
            caption = (
                f"{whose}, wanted, and what the latents found make, method by method; below, the distance ({what})."
            )
            drawing = draw_pictures(_picture_rows(measured, kind))
            figures.append(Figure(f"{kind.name}{suffix}", caption, drawing))
    return figures


def _titled(kind: Targets, inverted: Inverted) -> str:
    name = "real images" if kind.name == REAL else "the model's own images"
    count = kind.rows.stop - kind.rows.start
    return f"{count} {name}: {inverted.data}" if kind.name == REAL else f"{count} of {name}"


def _lines(measured: Measured, kind: Targets) -> list[Line]:
    """A method with the length held looks like that without, but thin."""
    names = [outcome.method.name for outcome in measured.outcomes if not outcome.method.basis.holds_length]
    lines = []
    for outcome in measured.outcomes:
        method, search = outcome.method, outcome.search
        style = next(index for index, name in enumerate(names) if method.name.startswith(name))
        distances = kind.of(search.distances)
        lines.append(Line(method.name, search.passes, distances, style, method.basis.holds_length))
    return lines


def _ratios(measured: Measured, kind: Targets) -> list[tuple[Comparison, Tensor]]:
    finals = {outcome.method.name: kind.of(outcome.search.final) for outcome in measured.outcomes}
    found = []
    for one in measured.comparisons:
        if one.images == kind.name and one.method.against is not None:
            ratios = finals[one.method.name] / finals[one.method.against]
            found.append((one, ratios[torch.isfinite(ratios) & (ratios > 0)]))
    return found


def _picture_rows(measured: Measured, kind: Targets) -> list[PictureRow]:
    wanted, *made = (kind.of(pictures)[:NUM_SHOWN] for pictures in measured.pictures)
    rows = [PictureRow("Wanted", "real" if kind.name == REAL else "made of a known latent", wanted)]
    for outcome, images in zip(measured.outcomes, made, strict=True):
        numbers = tuple(_short(value) for value in kind.of(outcome.search.final)[:NUM_SHOWN].tolist())
        basis = outcome.method.basis.name
        detail = f"{basis} basis" if basis == PLAIN else basis
        rows.append(PictureRow(outcome.method.optimiser, detail, images, numbers))
    return rows


def _short(value: float) -> str:
    """Three significant digits."""
    if value <= 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"
