"""Retention and classes on the command line: a model before and after it grew."""

from __future__ import annotations

import json

import pytest
import torch

from rpganify.analysis.classifier import Classifier, save_classifier

pytest.importorskip("torch_fidelity")

ANALYSE = ["--data", "digits", "--num-images", "100", "--extractor", "pixels", "--device", "cpu"]


@pytest.fixture
def runs(shell):
    """`base`, trained on the digits 0 to 6, and `after`, which grew from it and saw all ten."""
    train = ["--batch-size", "8", "--steps", "2", "--discriminator", "mlp"]
    shell.succeeds("convert", "mlp28", "--arg", "channels=8", "--blocks", "2", "-o", "m.rpgan")
    shell.succeeds("train", "m.rpgan", "--data", "digits[0-6]", *train, "-o", "base")
    shell.succeeds("grow", "base", "--add", "1,1,0,0,0", "-o", "g.rpgan")
    shell.succeeds("train", "g.rpgan", "--data", "digits", "--only-new", *train, "-o", "after")
    torch.manual_seed(0)
    save_classifier(Classifier((1, 28, 28), 10), shell.directory / "c.safetensors")
    return shell


@pytest.mark.slow
def test_a_model_knows_its_old_classes_and_is_held_against_the_one_before(runs):
    told = runs.succeeds(
        "report", "base", "after", "--analyzer", "retention", "--analyzer", "classes", *ANALYSE,
        "--classifier", "c.safetensors", "--old-classes", "0-6", "-o", "page",
    )  # fmt: skip
    assert told.stdout == "page/index.html\n"
    folder = runs.directory / "page"
    table = json.loads((folder / "retention-comparison.json").read_text())
    rows = {(row[0], row[1]): row for row in rows_of(table, "models")}
    assert rows["base", "this model"][3:] == rows["after", "old paths"][3:]
    assert (folder / "after" / "retention-panels.png").is_file()
    assert (folder / "classes-comparison-shares.png").is_file()
    # The run that it grew from said so: nobody has to.
    alone = runs.succeeds("analyze", "after", "retention", *ANALYSE, "-o", "alone", "--json")
    assert [row[:2] for row in rows_of(json.loads(alone.stdout)[0], "groups")] == [
        ["old classes", "0, 1, 2, 3, 4, 5, 6"], ["new classes", "7, 8, 9"], ["all classes", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"],
    ]  # fmt: skip


def rows_of(report, name):
    return report["tables"][name]["rows"]


def test_old_classes_that_nobody_knows_or_that_are_not_there_are_asked_for(runs):
    message = runs.refuses("analyze", "base", "retention", *ANALYSE)
    assert "retention needs which classes of the data there were before a model grew: --old-classes 0-6" in message
    message = runs.refuses("analyze", "after", "retention", *ANALYSE, "--old-classes", "0-12")
    assert "digits has no class '12'" in message
    result = runs("analyze", "after", "classes", "--classifier", "c.safetensors", "--old-classes", "0-6")
    assert result.exit_code == 2 and "It names classes of the real images: --data NAME" in " ".join(
        result.stderr.split()
    )
