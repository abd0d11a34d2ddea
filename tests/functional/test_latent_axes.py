"""`rpganify geometry --axes` and `rpganify analyze MODEL latent-inversion`."""

import csv
import re
from pathlib import Path

import pytest
import torch

from rpganify.analysis.geometry.axes_file import load_axes


@pytest.mark.slow
def test_the_axes_of_a_generator_are_written_and_read_again(tiny):
    told = tiny.succeeds(
        "geometry", "tiny_gan.py:Generator", "--positions", 2, "--controls", 0, "--axes", "axes.safetensors"
    )
    assert "wrote axes.safetensors" in told.stderr
    axes = load_axes(tiny.directory / "axes.safetensors", dimension=6)
    assert (axes.eigenvalues.diff() <= 0).all()
    assert axes.provenance["metric"] == "mean of 2"
    assert axes.positions.shape == (2, 6)
    assert torch.allclose(axes.directions @ axes.directions.T, torch.eye(6, dtype=torch.float64), atol=1e-5)
    assert (tiny.directory / "geometry" / "geometry-axes-mean.png").is_file()


def test_axes_have_nowhere_to_go_where_there_is_no_folder(tiny):
    told = tiny("geometry", "tiny_gan.py:Generator", "--axes", "nowhere/axes.safetensors")
    assert told.exit_code == 2
    assert re.search(r"--axes.*nowhere is no folder", " ".join(told.stderr.split()))


@pytest.mark.slow
def test_inversion_is_run_by_name_and_tells_its_finding(tiny):
    pytest.importorskip("cma")
    told = tiny.succeeds("analyze", "tiny_gan.py:Generator", "latent-inversion", "--paths", 2, "-o", "report")
    assert told.stdout.startswith(
        "From the image back to its latent: On the model's own images, by the squared error of"
    )
    with Path(tiny.directory / "report" / "latent-inversion-tests.csv").open(encoding="utf-8") as file:
        methods = [row["method"] for row in csv.DictReader(file)]
    assert methods[:3] == ["Adam, eigenbasis", "Adam, preconditioned", "Adam, eigenbasis, length held"]
