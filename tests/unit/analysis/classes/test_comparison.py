"""Classes of several models' images side by side."""

import pytest

import rpganify
from rpganify.analysis.classes.analyzer import Classes
from rpganify.analysis.classes.comparison import compare_classes
from rpganify.errors import AnalysisError
from tests.unit.analysis.classes.models import grown
from tests.unit.analysis.classes.test_analyzer import context
from tests.unit.surgery.models import build


@pytest.fixture(scope="module")
def reports():
    plain = rpganify.standard(build(5), latent="z:8")
    return [
        ("grown", Classes().analyze(grown(), context(old_classes=(0, 1)))),
        ("plain", Classes().analyze(plain, context())),
    ]


def test_all_kinds_of_paths_of_all_models_stand_in_one_table(reports):
    compared = compare_classes(reports)
    rows = compared.table("models").rows
    assert [row[:2] for row in rows] == [
        ("grown", "old paths"), ("grown", "paths with a new block"), ("grown", "all paths"), ("plain", "this model"),
    ]  # fmt: skip
    assert rows[3][2:] == reports[1][1].table("distances").rows[0][1:]
    best = min((rows[2], rows[3]), key=lambda row: row[3])[0]
    assert compared.summary.startswith(
        f"Total variation distance of the classes from real images', best first: {best} "
    )
    assert compared.provenance["models"] == {name: report.provenance["model sha256"] for name, report in reports}


def test_reports_of_other_sizes_are_not_compared(reports):
    other = Classes().analyze(grown(), context(num_images=100))
    with pytest.raises(
        AnalysisError, match=r"grown and other were measured differently: generated images is 150 for the"
    ):
        compare_classes([*reports, ("other", other)])
