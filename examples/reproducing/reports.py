"""Numbers out of what the stages left: reports of analyzers, and what commands printed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rpganify.analysis.noise.quality import NUM_PARTS

from .recipe import Merged, Recipe
from .running import read_done
from .stages import Places, Stage, last_stage
from .values import Value, exactly, mean_of_sets, share

Row = Mapping[str, Any]


def read_report(folder: Path, name: str) -> Mapping[str, Any] | None:
    """The JSON of an analyzer's report in a folder, None if it is not there."""
    file = folder / f"{name}.json"
    if not file.is_file():
        return None
    report: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return report


def rows(report: Mapping[str, Any], table: str) -> list[Row]:
    """The rows of a report's table, cells by the names of their columns."""
    content = report["tables"][table]
    names = [column["name"] for column in content["columns"]]
    return [dict(zip(names, row, strict=True)) for row in content["rows"]]


def numbers_of(recipe: Recipe, places: Places, stages: Mapping[str, Stage], seed: int) -> dict[str, Value]:
    """Everything that was measured of one seed's models, by `MODEL MEASURE`.

    Args:
        recipe: the experiment.
        places: where its stages left things.
        stages: by name.
        seed: of the trainings.
    """
    found: dict[str, Value] = {}
    for analysis in recipe.analyses:
        for model in analysis.models:
            folder = places.report(recipe, seed, analysis, model)
            for name in analysis.analyzers:
                report = read_report(folder, name)
                if report is not None and name in _READERS:
                    found |= {f"{model} {measure}": value for measure, value in _READERS[name](report)}
    for one in recipe.models:
        stage = stages.get(last_stage(recipe, seed, one))  # none of a twin that is only made into another
        done = None if stage is None else read_done(stage)
        if done is not None and isinstance(one.origin, Merged):
            found |= {f"{one.name} {measure}": value for measure, value in _merge(json.loads(done.stdout))}
        if done is not None and one.training.get("only_new"):
            # Where an old value has changed, the training ends with an error instead.
            found[f"{one.name} old-values-kept"] = exactly(float("bit for bit as they were" in done.stdout))
    return found


def _quality(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    num_sets = report["provenance"]["sets of generated images"]
    for row in rows(report, "numbers"):
        over = row["std over"] or ""
        value = (
            mean_of_sets(row["value"], row["std"], num_sets, over) if "sets of images" in over else Value(row["value"])
        )
        if row["subject"] == "model":
            yield row["key"], value
        elif row["subject"] == "real":
            yield f"real-{row['key']}", value


def _diversity(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    kinds = [name.removeprefix("D ") for name in rows(report, "buckets")[0] if _is_ratio(name)]
    for row in rows(report, "buckets"):
        bucket = row["bucket"] or ("all" if str(row["name"]).startswith("all") else None)
        for kind in kinds:
            if bucket is not None and row[f"D {kind}"] is not None:
                ends = row[f"D {kind}, from"], row[f"D {kind}, to"]
                yield f"D-{kind}-{bucket}", Value(row[f"D {kind}"], *ends, "paths")


def _is_ratio(name: str) -> bool:
    return name.startswith("D ") and not name.endswith((" std", ", from", ", to"))


def _responsibility(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for row in rows(report, "buckets"):
        statistic = str(row["statistic"]).replace(" ", "-")
        for column, word in (("alone", "alone"), ("alone or with others", "total")):
            if row[column] is not None:
                ends = row[f"{column}, from"], row[f"{column}, to"]
                yield f"{word}-{statistic}-{row['bucket']}", Value(row[column], *ends, "paths")


def _noise(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    worst: dict[str, Value] = {}
    for row in rows(report, "frechet"):
        where = "unchanged" if row["bucket"] == "none" else row["bucket"]
        for column, error, word in (
            ("other blocks", "error of blocks", "blocks"),
            ("noise", "error of noise", "noise"),
        ):
            if row[column] is not None:
                std = None if row[error] is None else row[error] * math.sqrt(NUM_PARTS)
                value = mean_of_sets(row[column], std, NUM_PARTS, "thirds of the images")
                yield f"{word}-frechet-{where}", value
                if where != "unchanged" and (word not in worst or value.value > worst[word].value):
                    worst[word] = value
    for word, value in worst.items():
        yield f"{word}-frechet-worst", value


def _classes(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    old = report["provenance"]["old classes"]
    counts = [row for row in rows(report, "counts") if row["subject"] == "all"]
    for row in counts:
        yield f"share-{row['class']}", share(row["images"], row["of"], "images")
    if old:
        new = sum(row["images"] for row in counts if row["class"] not in old)
        yield "share-new", share(new, counts[0]["of"], "images")


def _retention(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for row in rows(report, "numbers"):
        if row["subject"] != "real" and row["frechet"] is not None:
            yield f"{row['subject']}-paths-{row['classes']}", Value(row["frechet"], row["low"], row["high"], "images")


def _geometry(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Of the model itself, which stands above its controls."""
    anisotropy, homogeneity = (rows(report, table)[0] for table in ("anisotropy", "homogeneity"))
    num_positions = anisotropy["positions"]
    for name in ("dim(0.9)", "dim(0.99)", "participation ratio"):
        if anisotropy.get(name) is not None:
            value = mean_of_sets(anisotropy[name], anisotropy[f"± of {name}"], num_positions, "positions")
            yield name.replace(" ", "-"), value
    for name in ("linear", "log"):
        if homogeneity[name] is not None:
            ends = homogeneity[f"{name} from"], homogeneity[f"{name} to"]
            yield f"homogeneity-{name}", Value(homogeneity[name], *ends, "pairs of positions")


def _concepts(report: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    moved = sorted(row["probability moved"] for row in rows(report, "importance"))
    yield "importance-largest", Value(moved[-1])
    yield "importance-median", Value(statistics.median(moved))


def _merge(told: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    yield "largest-difference", Value(told["largest_difference"])
    for row in told["speed"]:
        yield f"times-as-fast-{row['batch']}", Value(row["ratio"])


_READERS = {
    "quality": _quality,
    "diversity": _diversity,
    "responsibility": _responsibility,
    "noise": _noise,
    "classes": _classes,
    "retention": _retention,
    "geometry": _geometry,
    "concepts": _concepts,
}
