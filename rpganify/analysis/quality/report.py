"""The report on quality: numbers with what was compared beside them, the precision–recall curve, and its words."""

from __future__ import annotations

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.features import FeatureExtractor, is_paper_statement
from rpganify.analysis.provenance import extractor_provenance
from rpganify.analysis.quality.figure import Curve, draw_curves
from rpganify.analysis.quality.measure import MODEL, REAL, TITLES, QualityMeasurement, Subject
from rpganify.analysis.quality.metrics import METRICS, NUM_NEIGHBOURS, NUM_SPLITS, NUM_SUBSETS, Metric, metric_title
from rpganify.analysis.quality.precision_recall import NUM_CLUSTERS, NUM_RUNS
from rpganify.data.images import ImageData
from rpganify.report.page import format_cell, format_error
from rpganify.report.report import Cell, Column, Figure, JsonValue, Table

DEFINITION = f"""
Fréchet distance: both sets of features are taken as Gaussians, `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½)` (Heusel et al. 2017,
who take InceptionV3 features and call it FID; with other features it has no such name here). It falls as more images are
compared, so only numbers of equal counts, extractor weights, resizing and split can be compared.

Kernel distance: squared maximum mean discrepancy under the kernel `(xᵀy / D + 1)³`, {NUM_SUBSETS} random subsets (Bińkowski et
al. 2018, who call it KID). It has no bias from the number of images, and may be a little below 0 where both sets are alike.

Class score: `exp(mean KL(p(y|x) ‖ p(y)))` over {NUM_SPLITS} splits: high where each image shows one class clearly and all
classes occur (Salimans et al. 2016, who call it Inception score). It sees no real image.

Precision and recall by nearest neighbours: the share of generated images inside the manifold of the real ones, and of real
ones inside that of the generated; a manifold is made of balls that reach from each image to its {NUM_NEIGHBOURS} nearest
neighbours (Kynkäänniemi et al. 2019). These three are torch-fidelity's.

Precision–recall curve: histograms of both sets over {NUM_CLUSTERS} clusters of their union (seeded k-means), the curve
averaged over {NUM_RUNS} clusterings; F8 weighs recall 8 times as much as precision, F1/8 precision (Sajjadi et al. 2018;
figure 11 of RPGAN).

Other real images: as many other images of the data set, measured in the same way. What they get is what a perfect
generator would get.
"""


def main_table(measured: QualityMeasurement, extractor: FeatureExtractor) -> Table:
    """A row per measure, a column per subject; what a ± is over stands in the title if it is the same for all."""
    is_over_sets = measured.num_draws > 1
    columns = [Column("measure"), Column("better")]
    for subject in measured.subjects:
        title = TITLES[subject.key]
        columns.append(Column(title))
        if subject.key != REAL:
            columns.append(Column(f"{title} std", is_error=True))
    if not is_over_sets:
        columns.append(Column("± over"))
    rows = []
    for metric in METRICS:
        row: list[Cell] = [_title(metric, measured, extractor), "↓" if metric.is_lower_better else "↑"]
        for subject in measured.subjects:
            estimate = subject.numbers.get(metric.key)
            row.append(estimate.value if estimate else None)
            if subject.key != REAL:
                row.append(estimate.std if estimate else None)
        ours = measured.subjects[0].numbers.get(metric.key)
        if not is_over_sets:
            row.append(ours.std_over if ours and ours.std_over else "–")
        rows.append(tuple(row))
    title = "Quality of the images"
    if is_over_sets:
        title += f", mean ± standard deviation over {measured.num_draws} sets of {format_cell(measured.num_generated)}"
    return Table("measures", title, tuple(columns), tuple(rows))


def compared_table(
    measured: QualityMeasurement, data: ImageData, extractor: FeatureExtractor, context: AnalysisContext
) -> Table:
    """What was compared: everything without which the numbers mean nothing."""
    shape, sha = tuple(data.image_shape), extractor.provenance.get("weight file sha256")
    rows: list[tuple[Cell, ...]] = [
        ("real images", f"{format_cell(measured.num_real)} of {format_cell(measured.num_data)}"),
        ("data set and split", split_of(data)),
        ("generated images", f"{format_cell(measured.num_generated)}, {measured.num_draws} sets of them"),
        ("image shape", " × ".join(map(str, shape))),
        ("features", f"{extractor.name}: {format_cell(measured.num_features)} per image"),
        ("weight file SHA-256", f"{str(sha)[:16]}…" if sha else "no weight file"),
        ("images first", extractor.adaptation(shape) or "taken as they are, rounded to 8 bits"),
        ("class scores", measured.scores_name or "none"),
        ("seed", str(context.seed)),
    ]
    return Table("compared", "What was compared", (Column("what"), Column("value")), tuple(rows))


def raw_tables(measured: QualityMeasurement, extractor: FeatureExtractor) -> tuple[Table, ...]:
    """All numbers in full, and the points of all curves; `quality_comparison` reads both."""
    columns = ("subject", "key", "measure", "value", "std", "std over")
    numbers: list[tuple[Cell, ...]] = []
    points: list[tuple[Cell, ...]] = []
    for subject in measured.subjects:
        for metric in METRICS:
            if metric.key in subject.numbers:
                found = subject.numbers[metric.key]
                title = _title(metric, measured, extractor)
                numbers.append((subject.key, metric.key, title, found.value, found.std, found.std_over))
        curve = zip(subject.precision.tolist(), subject.recall.tolist(), strict=True)
        points += [(subject.key, index, *point) for index, point in enumerate(curve)]
    curve_columns = tuple(map(Column, ("subject", "point", "precision", "recall")))
    return (
        Table("numbers", "all numbers", tuple(map(Column, columns)), tuple(numbers), is_raw=True),
        Table("curve", "precision and recall at each angle", curve_columns, tuple(points), is_raw=True),
    )


def curve_figure(measured: QualityMeasurement) -> Figure:
    """The precision–recall curves of all subjects."""
    curves = [
        Curve(_curve_label(subject), subject.precision, subject.recall, subject.key == REAL)
        for subject in measured.subjects
    ]
    told = (
        "Precision and recall of the images (Sajjadi et al. 2018). The closer to the upper right corner, the better. "
    )
    told += f"Each curve is the mean over {NUM_RUNS} clusterings"
    told += f" and {measured.num_draws} sets of images." if measured.num_draws > 1 else "."
    if any(subject.key == REAL for subject in measured.subjects):
        told += " Dotted: other real images, what a perfect generator would get."
    return Figure("curve", told, draw_curves(curves))


def settings(
    measured: QualityMeasurement, data: ImageData, extractor: FeatureExtractor, context: AnalysisContext, fidelity: str
) -> dict[str, JsonValue]:
    """What a comparison of several reports has to find equal, and what it groups them by."""
    return {
        "data": split_of(data),
        "real images": measured.num_real,
        "real images of": measured.num_data,
        "generated images": measured.num_generated,
        "sets of generated images": measured.num_draws,
        "extractor": extractor_provenance(extractor, tuple(data.image_shape)),
        "class scores": measured.scores_name,
        "nearest neighbours": NUM_NEIGHBOURS,
        "clusters": NUM_CLUSTERS,
        "torch-fidelity": fidelity,
    }


def split_of(data: ImageData) -> str:
    """The data set as the user names it; a name without a split means the training images where there is a choice."""
    name = data.name
    return name if ":" in name else f"{name} (train, if it has splits)"


def notes(measured: QualityMeasurement, extractor: FeatureExtractor) -> list[str]:
    """What a reader must know before believing the numbers."""
    told = [] if extractor.is_papers else [is_paper_statement(extractor)]
    fewest = min(measured.num_real, measured.num_generated)
    if "frechet" not in measured.subjects[0].numbers:
        needed = measured.num_features + 1
        told.append(
            f"The Fréchet distance was left out: {extractor.name} gives {format_cell(measured.num_features)} features, and "
            f"their covariance needs more than {format_cell(fewest)} images of each kind. "
            + (
                f"`--num-images {needed}` would do, or an extractor of fewer features, such as `classifier:FILE` (64)."
                if measured.num_data >= needed
                else f"The data set has {format_cell(measured.num_data)}, so name an extractor of fewer features, such as "
                "`classifier:FILE` (64)."
            )
        )
    elif fewest < 10 * measured.num_features:
        told.append(
            f"{format_cell(fewest)} images for {format_cell(measured.num_features)} features leave the Fréchet distance above "
            "what more images would give; other real images show by how much, or `--num-images` takes more."
        )
    if not measured.scores_name:
        told.append(
            f"No class score: {extractor.name} does not tell classes apart. Name what does: `--classifier FILE`, or "
            "`--extractor classifier:FILE`."
        )
    if all(subject.key != REAL for subject in measured.subjects):
        told.append(
            f"Other real images were not measured: of {format_cell(measured.num_data)} all "
            f"{format_cell(measured.num_real)} that are compared with, there are not as many left."
        )
    if measured.num_generated > measured.num_real:
        told.append(
            f"{format_cell(measured.num_generated)} generated images are compared with {format_cell(measured.num_real)} real "
            "ones, all that the data set has; the curve takes as many of each."
        )
    return told


def summary(measured: QualityMeasurement, extractor: FeatureExtractor) -> str:
    """The finding in a sentence or two."""
    by_key = {metric.key: metric for metric in METRICS}
    model = measured.subjects[0]
    first = by_key["frechet" if "frechet" in model.numbers else "kernel"]
    said = f"{_title(first, measured, extractor)} {_said(model, first.key)}"
    others = [
        f"{TITLES[subject.key]}: {_said(subject, first.key)}" for subject in measured.subjects if subject.key != MODEL
    ]
    said += f" ({', '.join(others)})" if others else ""
    return (
        f"{said} of {format_cell(measured.num_generated)} images. Precision {_said(model, 'precision')}, recall "
        f"{_said(model, 'recall')} by nearest neighbours."
    )


def _said(subject: Subject, key: str) -> str:
    estimate = subject.numbers[key]
    error = "" if estimate.std is None else f" ± {format_error(estimate.std, estimate.value)}"
    return f"{format_cell(estimate.value)}{error}"


def _title(metric: Metric, measured: QualityMeasurement, extractor: FeatureExtractor) -> str:
    return metric_title(metric, extractor, measured.scores_name or "no classes")


def _curve_label(subject: Subject) -> str:
    recall, precision = subject.numbers["f-recall"].value, subject.numbers["f-precision"].value
    return f"{TITLES[subject.key]}: F8 {recall:.3f}, F1/8 {precision:.3f}"
