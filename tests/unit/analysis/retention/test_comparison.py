"""Retention of several models side by side."""

from dataclasses import replace

import pytest

from rpganify.analysis.retention.analyzer import RetentionAnalyzer
from rpganify.analysis.retention.comparison import compare_retention
from rpganify.errors import AnalysisError
from tests.unit.analysis.classes.models import grown
from tests.unit.analysis.retention.test_analyzer import context, numbers
from tests.unit.surgery.models import converted

pytest.importorskip("torch_fidelity")


@pytest.fixture(scope="module")
def reports():
    before, after = RetentionAnalyzer().analyze(converted(), context()), RetentionAnalyzer().analyze(grown(), context())
    return [("before", before), ("after", after)]


def test_a_model_before_and_after_stand_in_one_table_with_the_numbers_of_their_reports(reports):
    compared = compare_retention(reports)
    rows = {row[:2]: row[2:] for row in compared.table("models").rows}
    assert list(rows) == [
        ("before", "this model"), ("after", "old paths"), ("after", "paths with a new block"), ("after", "all paths"),
    ]  # fmt: skip
    assert rows["before", "this model"] == rows["after", "old paths"]
    found = numbers(reports[1][1], "all", "old")
    share, distance, half = rows["after", "all paths"][:3]
    assert (distance, half) == (found[1], pytest.approx((found[3] - found[2]) / 2))
    assert share == {row[0]: row[1] for row in reports[1][1].table("shares").rows}["all paths"]
    assert "best first, old classes: " in compared.summary and "all classes: " in compared.summary


def test_models_that_were_measured_differently_are_not_compared(reports):
    other = RetentionAnalyzer().analyze(grown(), context(old_classes=(0, 2)))
    with pytest.raises(AnalysisError, match=r"before and other were measured differently: groups is "):
        compare_retention([*reports, ("other", other)])
    with pytest.raises(AnalysisError, match="Two models are both called 'before'"):
        compare_retention([*reports, reports[0]])
    with pytest.raises(AnalysisError, match=r"The report 'quality' on odd is none of the analyzer `retention`"):
        compare_retention([*reports, ("odd", replace(reports[0][1], name="quality"))])
    with pytest.raises(AnalysisError, match=r"no report to compare\. `rpganify analyze MODEL retention`"):
        compare_retention([])
