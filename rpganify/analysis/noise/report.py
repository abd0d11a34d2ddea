"""The report on noise: tables, pictures, and the sentences that follow from them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.features import is_paper_statement
from rpganify.analysis.noise.figure import GridPanel, Series, draw_bars, draw_grid
from rpganify.analysis.noise.measure import NUM_LATENTS, NUM_NOISES, NoiseDistances
from rpganify.analysis.noise.quality import NUM_NOISES as NUM_POOLED
from rpganify.analysis.noise.quality import Distance, NoiseQuality, num_needed
from rpganify.analysis.noise.rank import rank_correlation
from rpganify.analysis.noise.weights import NoisyMaker
from rpganify.analysis.provenance import extractor_provenance, model_sha256, provenance
from rpganify.analysis.quality.frechet import frechet_name
from rpganify.report.page import format_cell, format_error
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

DEFINITION = f"""
The model is a random path generator; its twin is the same generator as it was, trained with a random latent. Instead of
another block, a bucket's layers of the twin get normal noise on their weights (section 4.2 and appendix B of RPGAN). The
standard deviation of the noise is a multiple of each weight tensor's own, so that layers of all sizes are treated alike;
that unit is ours, as the paper names none. The same draws are used for all strengths.

Distance under noise: the mean distance of all pairs of images of one latent under {NUM_NOISES} noises, over {NUM_LATENTS}
latents. Distance of blocks: the same of images that differ in one bucket's block, as in the analyzer `diversity`. ± is the
standard deviation over latents and over paths.

Matched strength (ours): the weakest noise under which images lie as far apart as those of different blocks do, found by
bisection, in one distance, which the table names. At equal change, the Fréchet distance tells which images are the better
ones. It is taken of images of many latents under {NUM_POOLED} noises, and of random paths with another block in the bucket.
A path with another block is another path of the same model, so blocks can cost nothing but sampling error: what noise costs
is what a layer's own weights know and random ones do not. ± is the standard error, from three thirds of the images.

Rank correlation: Spearman's, of the buckets' distances in the one model and in the other: do both make the same layers
responsible? p is the share of all orders of the buckets that correlate as strongly.
"""


def noise_report(
    measured: NoiseDistances,
    quality: NoiseQuality | None,
    panels: Sequence[GridPanel],
    path: str,
    noisy: NoisyMaker,
    model: nn.Module,
    rp: PathModel,
    context: AnalysisContext,
    maker_notes: tuple[str, ...],
) -> Report:
    """All of it.

    Args:
        measured: distances and matched strengths.
        quality: Fréchet distances; None where there are none.
        panels: of the grid.
        path: the grid's, printed.
        noisy: knows the twin and what noise was put on.
        model: the converted one.
        rp: the same.
        context: for the provenance.
        maker_notes: on the model's images.
    """
    names = tuple(bucket.name for bucket in rp.plan.buckets)
    tables = [_buckets_table(measured, names)]
    figures = [Figure("grid", _grid_caption(path), draw_grid(names, panels))]
    figures.append(_shares_figure(measured, names))
    if quality is not None:
        tables.append(_quality_table(quality, measured, names, context))
        figures.append(_quality_figure(quality, names, context))
    tables += [_ranks_table(measured), _raw_table(measured, names)]
    twin = noisy.twin
    settings: dict[str, JsonValue] = {
        "twin sha256": model_sha256(twin),
        "noise strengths": [level.strength for level in measured.levels],
        "noise on": {
            f"{i} {name}": list(b.tensors) for i, (name, b) in enumerate(zip(names, noisy.buckets, strict=True), 1)
        },
        "matched by": measured.distance.title,
        "num_paths": context.num_paths,
        "latents and noises": [NUM_LATENTS, NUM_NOISES],
        "distances": [distance.title for distance in measured.blocks.distances],
    }
    if context.extractor is not None:
        settings["extractor"] = extractor_provenance(context.extractor, tuple(rp.image_shape))
    if quality is not None:
        settings["images per Fréchet distance"] = quality.num_images
        settings["compared with"] = _compared_with(quality, context)
    return Report(
        name="noise",
        title="Noise on the weights of a standard generator",
        definition=DEFINITION,
        tables=tuple(tables),
        figures=tuple(figures),
        provenance=provenance(model, context, settings),
        notes=(*maker_notes, *_notes(measured, quality, noisy, names, rp, context)),
        summary=_summary(measured, quality, context),
        per_bucket=tuple(_sentence(index, measured, quality, names) for index in range(len(names))),
    )


def _buckets_table(measured: NoiseDistances, names: tuple[str, ...]) -> Table:
    key = measured.distance.key
    part = measured.blocks.main_part(measured.distance)
    columns = [Column("bucket"), Column("name"), Column(f"{key} distance of blocks"), Column("std", is_error=True)]
    for level in measured.levels:
        columns += [Column(f"under noise {level.strength:g}"), Column(f"std {level.strength:g}", is_error=True)]
    columns += [Column("matched strength"), Column("under that noise")]
    rows = []
    for index, (name, match) in enumerate(zip(names, measured.matches, strict=True)):
        row: list[Cell] = [index + 1, name, *_mean_and_std(measured.blocks.means[:, index, part])]
        for level in measured.levels:
            row += _mean_and_std(level.means[:, index, part])
        rows.append((*row, match.strength, match.found))
    title = f"How much noise and blocks change images: {measured.distance.title}"
    return Table("buckets", title, tuple(columns), tuple(rows))


def _quality_table(
    quality: NoiseQuality, measured: NoiseDistances, names: tuple[str, ...], context: AnalysisContext
) -> Table:
    columns = (
        Column("bucket"),
        Column("name"),
        Column("matched strength"),
        Column("other blocks"),
        Column("error of blocks", is_error=True),
        Column("noise"),
        Column("error of noise", is_error=True),
        Column("noise costs"),
    )

    def row(
        first: Cell, name: str, strength: float | None, blocks: Distance | None, noise: Distance | None
    ) -> tuple[Cell, ...]:
        cost = None if noise is None else noise.value - quality.own_noise.value
        return (first, name, strength, *_pair(blocks), *_pair(noise), cost)

    rows = [row("none", "unchanged images", None, quality.own_blocks, quality.own_noise)]
    for index, name in enumerate(names):
        strength = measured.matches[index].strength
        rows.append(row(index + 1, name, strength, quality.blocks[index], quality.noise[index]))
    title = f"{_frechet(context)} to {_compared_with(quality, context)}, where both change images equally"
    return Table("frechet", title, columns, tuple(rows))


def _ranks_table(measured: NoiseDistances) -> Table:
    columns = ("distance", "noise", "rank correlation", "p", "buckets")
    rows: list[tuple[Cell, ...]] = []
    for distance in measured.blocks.distances:
        part = measured.blocks.main_part(distance)
        for level in measured.levels:
            ours, theirs = _compared(measured, level.means, part)
            found = rank_correlation(ours, theirs)
            numbers = (None, None) if found is None else (found.rho, found.p)
            rows.append((distance.title, level.strength, *numbers, len(ours)))
    return Table("ranks", "Are the same buckets responsible in both models?", tuple(map(Column, columns)), tuple(rows))


def _raw_table(measured: NoiseDistances, names: tuple[str, ...]) -> Table:
    columns = ("model", "noise", "sample", "bucket", "name", *(f"{part} distance" for part in measured.blocks.parts))
    rows: list[tuple[Cell, ...]] = []
    sources = [("blocks", 0.0, measured.blocks.means)]
    sources += [("noise", level.strength, level.means) for level in measured.levels]
    for source, strength, means in sources:
        for sample, of_sample in enumerate(means.tolist()):
            for index, values in enumerate(of_sample):
                rows.append((source, strength, sample, index + 1, names[index], *values))
    return Table(
        "distances", "distances of every path and latent", tuple(map(Column, columns)), tuple(rows), is_raw=True
    )


def _shares_figure(measured: NoiseDistances, names: tuple[str, ...]) -> Figure:
    part = measured.blocks.main_part(measured.distance)
    series = [_shares("random path generator, other blocks", measured.blocks.means[:, :, part])]
    series += [
        _shares(f"standard generator, noise {level.strength:g}", level.means[:, :, part]) for level in measured.levels
    ]
    caption = (
        f"Responsibility of the buckets in both models: each bucket's distance ({measured.distance.title}) as a share of "
        "the sum over all buckets. Whiskers: ± one standard deviation over paths and over latents."
    )
    return Figure("responsibility", caption, draw_bars(names, series, "share of the change"))


def _shares(label: str, means: Tensor) -> Series:
    total = float(means.mean(dim=0).sum()) or 1.0
    values = (means.mean(dim=0) / total).tolist()
    stds: list[float | None] = [None] * len(values)
    if len(means) > 1:
        stds = (means.std(dim=0, correction=1) / total).tolist()
    return Series(label, tuple(values), tuple(stds))


def _quality_figure(quality: NoiseQuality, names: tuple[str, ...], context: AnalysisContext) -> Figure:
    series = [
        Series(label, *zip(*map(_pair, found), strict=True))
        for label, found in (
            ("random path generator, other blocks", quality.blocks),
            ("standard generator, noise of matched strength", quality.noise),
        )
    ]
    levels = [
        ("random path generator, unchanged", quality.own_blocks.value),
        ("standard generator, unchanged", quality.own_noise.value),
    ]
    caption = (
        f"{_frechet(context)} to {_compared_with(quality, context)}, of images under noise and of images with other blocks, "
        "where both change the images equally. Lower is better. Whiskers: ± one standard error, from thirds of the images."
    )
    return Figure("frechet", caption, draw_bars(names, series, _frechet(context), levels))


def _grid_caption(path: str) -> str:
    return (
        f"Left: path {path}, and what other blocks of one bucket make of it. Then one latent of the standard generator under "
        "noise on the weights of the same layers: weak, strong, and as strong as changes images by as much as blocks do."
    )


def _compared_with(quality: NoiseQuality, context: AnalysisContext) -> str:
    if quality.is_real and context.data is not None:
        return f"{format_cell(quality.num_images)} real images of {context.data.name}"
    return f"{format_cell(quality.num_images)} unchanged images of the same model"


def _frechet(context: AnalysisContext) -> str:
    assert context.extractor is not None
    return frechet_name(context.extractor)


def _compared(measured: NoiseDistances, means: Tensor, part: int) -> tuple[list[float], list[float]]:
    """Mean distances of both models, of the buckets that have several blocks."""
    kept = torch.tensor(measured.blocks.num_images) > 1
    return measured.blocks.means[:, kept, part].mean(dim=0).tolist(), means[:, kept, part].mean(dim=0).tolist()


def _sentence(index: int, measured: NoiseDistances, quality: NoiseQuality | None, names: tuple[str, ...]) -> str:
    match, name = measured.matches[index], f"Bucket {index + 1} ({names[index]})"
    if match.strength is None:
        why = (
            "other blocks change nothing" if match.wanted <= 0 else "no noise changes images as much as other blocks do"
        )
        return f"{name}: {why}, so there is no strength to compare at."
    said = f"{name}: noise of {match.strength:.2g} standard deviations changes images as much as other blocks do"
    if quality is None:
        return f"{said}."
    blocks, noise = quality.blocks[index], quality.noise[index]
    assert blocks is not None and noise is not None
    return f"{said}; the Fréchet distance is {_said(noise)} under noise and {_said(blocks)} with other blocks."


def _summary(measured: NoiseDistances, quality: NoiseQuality | None, context: AnalysisContext) -> str:
    part = measured.blocks.main_part(measured.distance)
    found = rank_correlation(*_compared(measured, measured.levels[-1].means, part))
    said = []
    if quality is not None:
        costs = [d.value for d in quality.noise if d is not None]
        blocks = [d.value for d in quality.blocks if d is not None]
        if costs:
            said.append(
                f"Where noise changes images as much as other blocks do, it takes the {_frechet(context)} from "
                f"{format_cell(quality.own_noise.value)} to {format_cell(min(costs))}–{format_cell(max(costs))}; other blocks "
                f"leave it at {format_cell(min(blocks))}–{format_cell(max(blocks))}, where unchanged images have "
                f"{format_cell(quality.own_blocks.value)}"
            )
    if found is not None:
        said.append(
            f"The buckets' responsibilities in both models have a rank correlation of {found.rho:.2f} "
            f"(noise {measured.levels[-1].strength:g}, p = {found.p:.2g}, {found.num_buckets} buckets)"
        )
    return ". ".join(said) + "." if said else ""


def _notes(
    measured: NoiseDistances,
    quality: NoiseQuality | None,
    noisy: NoisyMaker,
    names: tuple[str, ...],
    rp: PathModel,
    context: AnalysisContext,
) -> list[str]:
    notes = []
    extractor = context.extractor
    if extractor is None:
        notes.append("No Fréchet distance: no feature extractor was named (`--extractor`).")
    elif quality is None:
        needed = num_needed(extractor, tuple(rp.image_shape))
        has = context.num_images if context.data is None else min(context.num_images, len(context.data))
        notes.append(
            f"No Fréchet distance: {extractor.name} gives {format_cell(needed - 1)} features, and {format_cell(has)} images of "
            f"each kind are too few for their covariance. `--num-images {needed}` with as many real images would do, or an "
            "extractor of fewer features, such as `classifier:FILE` (64)."
        )
    elif not quality.is_real:
        notes.append(
            "No real images were named (`--data`), so Fréchet distances are to the same model's own unchanged images: they "
            "tell what a change costs, not how good the images are."
        )
    if quality is not None and any(d is not None and d.value < quality.own_noise.value for d in quality.noise):
        notes.append(
            "Somewhere noise lowers the twin's Fréchet distance: its own images vary less than those it is compared with, and "
            "noise makes them vary more. A twin that is trained well shows what noise costs."
        )
    if extractor is not None and not extractor.is_papers:
        notes.append(is_paper_statement(extractor))
    for index, match in enumerate(measured.matches):
        if match.strength is None:
            notes.append(_sentence(index, measured, quality, names))
    for name, bucket in zip(names, noisy.buckets, strict=True):
        if bucket.missing:
            notes.append(f"The twin has no layer {', '.join(bucket.missing)}; bucket {name} is noised without.")
    num_compared = sum(size > 1 for size in measured.blocks.num_images)
    if 3 <= num_compared <= 5:
        notes.append(
            f"A rank correlation of {num_compared} buckets takes few values: two random orders reach ±1 with probability "
            f"{ {3: '1/3', 4: '1/12', 5: '1/60'}[num_compared] }."
        )
    elif num_compared < 3:
        notes.append("A rank correlation needs at least three buckets of several blocks, so it was left out.")
    return notes


def _mean_and_std(values: Tensor) -> tuple[float, float | None]:
    return float(values.mean()), float(values.std(correction=1)) if len(values) > 1 else None


def _pair(distance: Distance | None) -> tuple[float | None, float | None]:
    return (None, None) if distance is None else (distance.value, distance.error)


def _said(distance: Distance) -> str:
    error = "" if distance.error is None else f" ± {format_error(distance.error, distance.value)}"
    return f"{format_cell(distance.value)}{error}"
