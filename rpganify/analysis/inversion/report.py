"""The report of the analyzer `inversion`: tables, pictures, and what follows from the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, mean_interval
from rpganify.analysis.inversion.figure import PictureRow, draw_pictures, draw_scores
from rpganify.analysis.inversion.findings import Inverted, bucket_sentence, notes, summary
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

DEFINITION = """
Is a block's work to be seen in the image? A small convolutional network with one head per bucket is trained on the model's
own images to name the block of each bucket, and tested on images of paths that it has not seen. `named first` is the
share of images whose block it names, `among the first five` that whose block is one of the five it holds likeliest.
`bits` says what an image tells of its block: log₂ of the number of blocks, less the mean of −log₂ of the probability that
the network gave to the right one. It bounds their mutual information from below. A bucket whose blocks cannot be told apart
changes nothing that this network could see. The predictor's idea is from RPGAN's public code; tests, bits and intervals are
ours.

Which path makes an image most like a given one? The predicted path, others drawn by the network's probabilities, and random
ones are improved bucket by bucket, the last one first: all blocks of the bucket are tried, and the paths that come nearest are
kept, until none comes nearer. For images of the model's own paths, the right answer is known: recovery counts the blocks
that were found. Of blocks that make the same image, only one counts, so that recovery may be under 100 % where every image
was met exactly. For real images, the distances say how much of them the paths can show. The search is ours.

`own Z` keeps the found path and tunes the fixed input to that one image (Adam on the squared error of the pixels). Such an
image is none of the model's any more: it shows how much is lost because all paths share one `Z`.

Intervals, from … to, are 95 % bootstrap intervals over the images.
"""


def make_report(measured: Inverted, provenance: Mapping[str, JsonValue], made: Sequence[str]) -> Report:
    """The report.

    Args:
        measured: the numbers and pictures.
        provenance: where they come from.
        made: notes of what made the images.
    """
    chance = torch.Generator().manual_seed(measured.seed)
    recovered = measured.own.found == measured.own_truth  # (T, num_buckets)
    share = _estimate(recovered.double().mean(dim=1), chance)
    whole = _estimate(recovered.all(dim=1).double(), chance)
    return Report(
        name="inversion",
        title="From the image back to its path",
        definition=DEFINITION,
        tables=(
            _prediction_table(measured),
            _recovery_table(measured, chance),
            _distance_table(measured, chance),
            _path_table(measured),
        ),
        figures=tuple(_figures(measured)),
        provenance=provenance,
        notes=(*made, *notes(measured)),
        summary=summary(measured, share, whole),
        per_bucket=tuple(bucket_sentence(measured, index) for index in range(len(measured.names))),
    )


def _estimate(rows: Tensor, chance: torch.Generator) -> Estimate:
    estimate = mean_interval(rows, chance)
    assert estimate is not None  # there is at least one image
    return estimate


def _interval(what: str, unit: str = "") -> tuple[Column, ...]:
    """Columns of a number and the ends of its interval."""
    return Column(what, unit), Column(f"{what}, from", unit), Column(f"{what}, to", unit)


def _values(estimate: Estimate, factor: float = 100.0) -> tuple[float, float, float]:
    return factor * estimate.value, factor * estimate.low, factor * estimate.high


def _prediction_table(measured: Inverted) -> Table:
    columns = (
        *(Column("bucket"), Column("name"), *_interval("named first", "%"), Column("guessing", "%")),
        *(Column("among five", "%"), Column("guessing five", "%"), Column("told", "bits"), Column("of", "bits")),
    )
    rows: list[tuple[Cell, ...]] = []
    for number, (name, score) in enumerate(zip(measured.names, measured.scores, strict=True), 1):
        rows.append(
            (
                *(number, name, *_values(score.top1), 100 * score.chance1),
                *(100 * score.top5.value, 100 * score.chance5, score.bits.value, math.log2(score.num_blocks)),
            )
        )
    title = f"Which block made it, by the predictor, of {measured.num_tested} images"
    return Table("prediction", title, columns, tuple(rows))


def _recovery_table(measured: Inverted, chance: torch.Generator) -> Table:
    columns = (
        *(Column("bucket"), Column("name"), Column("guessing", "%")),
        *(Column("by prediction", "%"), *_interval("by search", "%")),
    )
    predicted, found = (
        (paths == measured.own_truth).double() for paths in (measured.own.predicted, measured.own.found)
    )
    rows: list[tuple[Cell, ...]] = []
    for index, (name, blocks) in enumerate(zip(measured.names, measured.space.num_blocks, strict=True)):
        shares = 100 * float(predicted[:, index].mean()), *_values(_estimate(found[:, index], chance))
        rows.append((str(index + 1), name, 100 / blocks, *shares))
    wholes = [one.min(dim=1).values for one in (predicted, found)]
    shares = 100 * float(wholes[0].mean()), *_values(_estimate(wholes[1], chance))
    rows.append(("all", "the whole path", 100 / measured.space.cardinality, *shares))
    title = f"Blocks found again, of {len(measured.own_truth)} images of the model's own"
    return Table("recovery", title, columns, tuple(rows))


def _distance_table(measured: Inverted, chance: torch.Generator) -> Table:
    columns = (
        *(Column("images"), Column("number"), Column("random path"), Column("predicted path")),
        *(*_interval("found path"), Column("met exactly", "%")),
    )
    rows: list[tuple[Cell, ...]] = []
    for name, inversion in (("the model's own", measured.own), ("real", measured.real)):
        if inversion is None:
            continue
        random, predicted, found = inversion.distances.unbind(dim=1)
        numbers = float(random.mean()), float(predicted.mean()), *_values(_estimate(found, chance), 1.0)
        rows.append((name, len(inversion.images), *numbers, 100 * float((found == 0).double().mean())))
    return Table("distances", f"Mean distance to the wanted image: {measured.distance.title}", columns, tuple(rows))


def _path_table(measured: Inverted) -> Table:
    columns = (
        Column("images"),
        Column("image"),
        *(Column(name) for name in ("path", "predicted", "found", "distance")),
    )
    rows: list[tuple[Cell, ...]] = []
    say = measured.space.format
    for name, inversion in (("own", measured.own), ("real", measured.real)):
        if inversion is None:
            continue
        for index, (predicted, found) in enumerate(zip(inversion.predicted, inversion.found, strict=True)):
            truth = say(measured.own_truth[index]) if name == "own" else None
            rows.append((name, index, truth, say(predicted), say(found), float(inversion.distances[index, 2])))
    return Table("paths", "the path of every image", columns, tuple(rows), is_raw=True)


def _figures(measured: Inverted) -> list[Figure]:
    caption = (
        "How often the predictor names the block that made an image, with 95 % intervals; the dashed lines are what "
        "guessing gives."
    )
    figures = [Figure("prediction", caption, draw_scores(measured.scores, measured.names))]
    for name, inversion in (("own", measured.own), ("real", measured.real)):
        if inversion is None:
            continue
        images, predicted, found = measured.shown[name]
        rows = [
            PictureRow("Image", "of a path" if name == "own" else "real", images),
            PictureRow("Prediction", "one look", predicted),
            PictureRow("Search", "nearest path found", found),
        ]
        if name == "real" and measured.tuned is not None:
            rows.append(PictureRow("With its own Z", "no path of the model", measured.tuned.images))
        paths = [measured.space.format(path) for path in inversion.found[: len(images)]]
        what = "Images of the model's own paths" if name == "own" else "Real images"
        caption = f"{what}, and below each what its predicted path and the path found by search make."
        figures.append(Figure(name, caption, draw_pictures(rows, paths)))
    return figures
