import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import rpganify
from rpganify.analysis.quality.analyzer import Quality
from rpganify.analysis.quality.comparison import compare_quality
from rpganify.analysis.quality.figure import in_two_lines
from rpganify.errors import AnalysisError
from rpganify.report.reading import report_from_json
from rpganify.report.report import Report
from rpganify.report.writing import pictures_of, report_to_json, write_reports
from tests.unit.analysis.quality.test_analyzer import context, generator, number

pytest.importorskip("torch_fidelity")


def measured(num_blocks: int | None, training: int, **settings: object) -> Report:
    plain = generator(1 + training / 10)
    model = rpganify.standard(plain) if num_blocks is None else rpganify.wrap(plain, buckets=["0"], blocks=num_blocks)
    return Quality(num_draws=1).analyze(model, context(**settings))


@pytest.fixture(scope="module")
def reports() -> list[tuple[str, Report]]:
    torch.manual_seed(0)
    return [
        ("a", measured(30, 0)),
        ("b", measured(30, 5)),
        ("c", measured(6, 1)),
        ("plain", measured(None, 2)),
    ]


def settings_rows(report: Report) -> dict[tuple[object, object], tuple[object, ...]]:
    return {(row[0], row[2]): row for row in report.table("settings").rows}


def test_trainings_of_one_setting_are_taken_together_as_minimum_mean_and_std(reports: list[tuple[str, Report]]):
    compared = compare_quality(reports)
    values = [number(report, "model", "frechet")[0] for _, report in reports]
    rows = settings_rows(compared)
    row = rows["1 × 30 blocks", "Fréchet distance (pooled)"]
    assert row[1] == 2
    assert row[3:] == pytest.approx((min(values[:2]), np.mean(values[:2]), np.std(values[:2], ddof=1), max(values[:2])))
    assert rows["1 × 6 blocks", "Fréchet distance (pooled)"][1:] == (1, row[2], values[2], values[2], None, values[2])
    assert rows["standard", "Fréchet distance (pooled)"][4] == values[3]
    trainings = [row[:3] for row in compared.table("trainings").rows]
    assert ("b", "1 × 30 blocks", values[1]) in trainings and len(trainings) == 4
    assert any(
        note.startswith("One training each, so there is no spread over trainings: 1 × 6") for note in compared.notes
    )


def test_the_chart_and_the_curves_are_drawn(reports: list[tuple[str, Report]], tmp_path: Path):
    compared = compare_quality(reports)
    write_reports([compared], tmp_path, title="all")
    assert [figure.name for figure in compared.figures] == ["blocks", "curves"]
    assert "Dashed: the standard generator" in compared.figures[0].caption
    for name in ("blocks", "curves"):
        assert (tmp_path / f"quality-comparison-{name}.png").stat().st_size > 10_000
    axes = compared.figures[0].picture.axes[0]  # type: ignore[union-attr]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["6", "30"]
    (line,) = [line for line in axes.lines if list(line.get_xdata()) == [6.0, 30.0] and line.get_linestyle() == "-"]
    means = [settings_rows(compared)[f"1 × {m} blocks", "Fréchet distance (pooled)"][4] for m in (6, 30)]
    assert list(line.get_ydata()) == pytest.approx(means)


def test_standard_generators_alone_need_no_chart_against_blocks(reports: list[tuple[str, Report]]):
    assert [figure.name for figure in compare_quality(reports[3:]).figures] == ["curves"]


def test_a_twin_counts_as_one_training_however_often_it_was_measured():
    twin = rpganify.standard(generator(3.0))
    one, other = (measured(blocks, 0, twin=twin) for blocks in (30, 6))
    alone = Quality(num_draws=1).analyze(twin, context())
    labels = [row[0] for row in compare_quality([("one", one), ("other", other)]).table("trainings").rows]
    assert sorted(labels) == ["one", "one (standard twin)", "other"]  # type: ignore[type-var]
    labels = [row[0] for row in compare_quality([("one", one), ("plain", alone)]).table("trainings").rows]
    assert sorted(labels) == ["one", "plain"]  # type: ignore[type-var]


def test_generators_of_other_architectures_are_kept_apart(reports: list[tuple[str, Report]]):
    report = reports[0][1]
    models = {"model": {**report.provenance["models"]["model"], "generator": "Other", "sha256": "x"}}  # type: ignore[index, call-overload, dict-item]
    other = replace(report, provenance={**report.provenance, "models": models})
    compared = compare_quality([reports[0], ("other", other)])
    settings = {row[0] for row in compared.table("settings").rows}
    assert len(settings) == 2 and "Other, 1 × 30 blocks" in settings


def test_buckets_of_different_size_stand_at_their_geometric_mean(reports: list[tuple[str, Report]]):
    report = reports[0][1]
    models = {"model": {**report.provenance["models"]["model"], "num_blocks": [20, 5]}}  # type: ignore[index, call-overload, dict-item]
    compared = compare_quality([("a", replace(report, provenance={**report.provenance, "models": models}))])
    axes = compared.figures[0].picture.axes[0]  # type: ignore[union-attr]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10"]
    assert "the geometric mean" in compared.figures[0].caption
    assert compared.table("trainings").rows[0][1] == "20-5 blocks"


def test_numbers_that_mean_different_things_are_not_compared(reports: list[tuple[str, Report]]):
    with pytest.raises(
        AnalysisError, match=r"a and fewer were measured differently: real images is 120 for the one and 110"
    ):
        compare_quality([reports[0], ("fewer", measured(30, 0, num_images=110))])
    extractor = {**reports[0][1].provenance["extractor"], "weight file sha256": "0123456789"}  # type: ignore[dict-item]
    other = replace(reports[0][1], provenance={**reports[0][1].provenance, "extractor": extractor})
    with pytest.raises(AnalysisError, match=r"extractor is pooled, .* and pooled \(SHA-256 01234567…\)"):
        compare_quality([reports[0], ("other", other)])


def test_other_seeds_are_compared_with_a_note(reports: list[tuple[str, Report]]):
    compared = compare_quality([reports[0], ("again", measured(30, 0, seed=1))])
    assert any("Measured with different seeds (0, 1)" in note for note in compared.notes)


def test_no_report_a_foreign_one_and_a_name_used_twice_are_refused(reports: list[tuple[str, Report]]):
    with pytest.raises(AnalysisError, match="There is no report to compare"):
        compare_quality([])
    with pytest.raises(AnalysisError, match=r"'diversity' on m is none of the analyzer `quality`"):
        compare_quality([("m", Report("diversity", "t", "d"))])
    with pytest.raises(AnalysisError, match="both called 'a'"):
        compare_quality([reports[0], reports[0]])


def test_reports_that_were_kept_as_files_are_compared_as_fresh_ones(reports: list[tuple[str, Report]]):
    kept = [
        (label, report_from_json(json.loads(json.dumps(report_to_json(report))), pictures_of(report)))
        for label, report in reports
    ]
    mixed = [*kept[:2], *reports[2:]]
    assert compare_quality(mixed).tables == compare_quality(reports).tables


def test_a_long_title_puts_its_extractor_on_a_line_below():
    title = "Fréchet distance (classifier:resnet56-4bfd9763.th)"
    assert in_two_lines(title) == "Fréchet distance\n(classifier:resnet56-4bfd9763.th)"
    assert in_two_lines("FID") == "FID"
