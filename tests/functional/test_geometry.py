"""`rpganify geometry`: from a model to a report on how its image moves."""

import csv
import json
import re

import pytest
import torch

import rpganify
from rpganify.analysis.classifier import Classifier, save_classifier

SMALL = ["--positions", "3", "--controls", "0", "--device", "cpu"]

ROUNDS = """
import torch
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 64)

    def forward(self, z):
        return torch.round(torch.tanh(self.layer(z)) * 8).view(-1, 1, 8, 8) / 8
"""


def told(result):
    return json.loads(result.stdout)


def rows_of(report, table):
    found = report["tables"][table]
    names = [column["name"] for column in found["columns"]]
    return [dict(zip(names, row, strict=True)) for row in found["rows"]]


def test_a_generator_of_ones_own_gets_a_page_and_files(tiny):
    before = tiny.files().keys()

    result = tiny.succeeds("geometry", "tiny_gan.py", "--positions", "3", "--controls", "2", "-o", "out")

    assert re.match(
        r"Geometry of the image manifold: On average \d\.\d of 6 axes carry 99 % of the image's", result.stdout
    )
    assert "with shuffled weights" in result.stdout and "with untrained weights" in result.stdout
    assert "a standard generator with random z; untrained" in result.stderr
    assert "note (geometry): Checked at every position by Hessian-vector products" in result.stderr
    written = tiny.files().keys() - before
    assert all(name == "out" or name.startswith("out/") for name in written)
    assert {
        f"out/geometry-{name}" for name in ("spectra.png", "homogeneity.png", "agreement.png", "pairs.csv")
    } <= written
    with (tiny.directory / "out" / "geometry-spectra.csv").open() as file:
        values = [float(row["model, mean"]) for row in csv.DictReader(file)]
    assert len(values) == 6 and values == sorted(values, reverse=True) and values[-1] > 0


@pytest.mark.slow
def test_a_converted_model_is_measured_at_z_under_random_paths(converted):
    report = told(converted.succeeds("geometry", "tiny_gan.rpgan", *SMALL, "--json"))

    model = rpganify.load(converted.directory / "tiny_gan.rpgan")
    assert "Z under each of 3 random paths" in report["definition"]
    for row in rows_of(report, "positions"):
        model.paths.parse(row["position"])
    assert [row["name"] for row in rows_of(report, "shared-blocks")] == ["l1", "conv1", "conv2"]
    assert len(report["per_bucket"]) == 3


@pytest.mark.slow
def test_paths_are_taken_as_named_and_one_alone_with_vectors_around_its_z(converted):
    two = told(converted.succeeds("geometry", "tiny_gan.rpgan", *SMALL, "--path", "0-1-2", "--path", "2-2-0", "--json"))
    one = told(converted.succeeds("geometry", "tiny_gan.rpgan", *SMALL, "--path", "0-1-2", "--json"))

    assert [row["position"] for row in rows_of(two, "positions")] == ["0-1-2", "2-2-0"]
    assert [row["position"] for row in rows_of(one, "positions")] == ["Z", "2", "3"]
    first = [rows_of(report, "positions")[0]["largest eigenvalue"] for report in (one, two)]
    assert first[0] == pytest.approx(first[1], rel=1e-6)


@pytest.mark.slow
def test_a_part_of_the_latent_and_a_layers_output_can_be_moved(tiny):
    part = told(tiny.succeeds("geometry", "tiny_gan.py", *SMALL, "--part", "0-1,4", "--json"))
    layer = told(tiny.succeeds("geometry", "tiny_gan.py", *SMALL, "--layer", "conv1", "--json"))

    assert len(rows_of(part, "spectra")) == 3 and "What is moved: z[0-1,4], 3 numbers" in part["definition"]
    assert len(rows_of(layer, "spectra")) == 256 and layer["provenance"]["layer"] == "conv1"


@pytest.mark.slow
def test_lanczos_finds_the_largest_eigenvalues_of_the_exact_form(tiny):
    exact = told(tiny.succeeds("geometry", "tiny_gan.py", *SMALL, "--json"))
    lanczos = told(tiny.succeeds("geometry", "tiny_gan.py", *SMALL, "--form", "lanczos", "--top", "3", "--json"))

    found, wanted = ([row["model, mean"] for row in rows_of(one, "spectra")] for one in (lanczos, exact))
    assert found == pytest.approx(wanted[:3], rel=1e-4)
    assert lanczos["provenance"]["eigenpairs"] == 3
    assert any(note.startswith("Agreement is of the 3 largest axes only") for note in lanczos["notes"])


@pytest.mark.slow
def test_a_classifiers_features_measure_images(tiny):
    torch.manual_seed(0)
    save_classifier(Classifier((1, 8, 8), 3), tiny.directory / "c.safetensors")

    report = told(tiny.succeeds("geometry", "tiny_gan.py", *SMALL, "--distance", "classifier:c.safetensors", "--json"))

    assert "the squared Euclidean distance of the features classifier:c.safetensors" in report["definition"]
    assert report["provenance"]["image distance"]["weight file"] == "c.safetensors"


@pytest.mark.slow
def test_the_forms_are_timed_and_weighed_side_by_side(tiny):
    report = told(tiny.succeeds("geometry", "tiny_gan.py", *SMALL, "--compare-forms", "--json"))

    rows = rows_of(report, "forms")
    assert [row["form"] for row in rows] == ["exact", "finite-differences", "lanczos"]
    assert all(row["time"] > 0 and row["peak memory of tensors"] > 0 for row in rows)
    assert [row["eigenpairs"] for row in rows] == [6, 6, 5]
    assert (
        rows[0]["eigenvalues differ by, share of the largest"]
        == 0
        < rows[2]["eigenvalues differ by, share of the largest"]
        < 1e-5
    )


def test_a_generator_that_rounds_is_refused_and_the_operator_named(shell):
    shell.write("rounds.py", ROUNDS)

    assert "it goes through round, whose derivative is 0" in shell.refuses("geometry", "rounds.py", *SMALL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--distance", "classifier:nowhere.safetensors"], "nowhere.safetensors"),
        (["--distance", "classifier"], "Which classifier"),
        (["--distance", "colour"], "colour gives no features to differentiate"),
        (["--distance", "pixelz"], "pixelz"),
        (["--layer", "conv9"], "This generator has no layer 'conv9'"),
        (["--part", "4-6"], "no input 6"),
        (["--form", "exakt"], "not 'exakt'"),
        (["--form", "lanczos", "--top", "6"], "Lanczos finds 1 to 5 of the 6 eigenpairs"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(tiny, arguments, message):
    assert message in tiny.refuses("geometry", "tiny_gan.py", *SMALL, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--part", "4-"], "neither a place nor a range"),
        (["--part", "5-2"], "neither a place nor a range"),
        (["--part", "a"], "neither a place nor a range"),
        (["--top", "3"], "goes with --form lanczos"),
        (["--path", "0-0-0"], "has no paths"),
    ],
)
def test_wrong_usage_is_told_from_a_refusal(tiny, arguments, message):
    result = tiny("geometry", "tiny_gan.py", *SMALL, *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.slow
def test_analyze_runs_it_by_its_name(converted):
    result = converted.succeeds("analyze", "tiny_gan.rpgan", "geometry", "--paths", "3", "--device", "cpu", "-o", "out")

    assert result.stdout.startswith("Geometry of the image manifold: ")
    assert "running geometry; about" in result.stderr
