"""Axes on disk."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rpganify.analysis.geometry.axes import axes_of
from rpganify.analysis.geometry.axes_file import FORMAT, load_axes, save_axes
from rpganify.errors import AnalysisError


@pytest.fixture
def axes():
    matrix = torch.randn(5, 5, dtype=torch.float64)
    provenance = {"model sha256": "ab12", "distance": "Euclidean (pixels)", "positions": 3, "seed": 0}
    return axes_of(*torch.linalg.eigh(matrix @ matrix.T), torch.randn(3, 5), provenance)


def test_saved_axes_are_read_back_exactly(axes, tmp_path):
    save_axes(axes, tmp_path / "axes.safetensors")
    read = load_axes(tmp_path / "axes.safetensors", dimension=5)
    assert torch.equal(read.directions, axes.directions)
    assert torch.equal(read.eigenvalues, axes.eigenvalues)
    assert torch.equal(read.positions, axes.positions)
    assert read.provenance == axes.provenance
    assert [path.name for path in tmp_path.iterdir()] == ["axes.safetensors"]


def test_others_can_read_the_file_with_safetensors_alone(axes, tmp_path):
    save_axes(axes, tmp_path / "axes.safetensors")
    with safe_open(tmp_path / "axes.safetensors", framework="pt") as file:
        assert sorted(file.keys()) == ["directions", "eigenvalues", "positions"]
        assert file.metadata()["format"] == FORMAT
        assert json.loads(file.metadata()["provenance"])["distance"] == "Euclidean (pixels)"


def test_some_of_the_axes_are_saved_and_read_as_some(axes, tmp_path):
    first = axes_of(axes.eigenvalues[:2], axes.directions[:2].T, axes.positions)
    save_axes(first, tmp_path / "axes.safetensors")
    assert len(load_axes(tmp_path / "axes.safetensors")) == 2


def test_axes_of_another_space_are_refused(axes, tmp_path):
    save_axes(axes, tmp_path / "axes.safetensors")
    with pytest.raises(
        AnalysisError, match=r"of 5 dimensions, and this generator's has 128. Write its own: `rpganify geo"
    ):
        load_axes(tmp_path / "axes.safetensors", dimension=128)


def test_a_missing_a_damaged_and_a_foreign_file_are_refused(axes, tmp_path):
    path = tmp_path / "axes.safetensors"
    with pytest.raises(AnalysisError, match=r"axes.safetensors holds no axes that rpganify saved: No such file"):
        load_axes(path)
    save_axes(axes, path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(
        AnalysisError, match=r"holds no axes that rpganify saved: .*`rpganify geometry MODEL --axes FILE`"
    ):
        load_axes(path)
    save_file({"directions": axes.directions}, path)
    with pytest.raises(AnalysisError, match="its format is None, not 'rpganify-axes-1'"):
        load_axes(path)
    save_file({"directions": axes.directions}, path, {"format": FORMAT, "provenance": "{}"})
    with pytest.raises(AnalysisError, match=r"holds no axes that rpganify saved: .*eigenvalues"):
        load_axes(path)
    tensors = {"directions": 2 * axes.directions, "eigenvalues": axes.eigenvalues, "positions": axes.positions}
    save_file(tensors, path, {"format": FORMAT, "provenance": "{}"})
    with pytest.raises(AnalysisError, match="unit vectors at right angles"):
        load_axes(path)
    save_file({**tensors, "directions": axes.directions}, path, {"format": FORMAT, "provenance": "[]"})
    with pytest.raises(AnalysisError, match="its provenance is no table of names and values"):
        load_axes(path)


def test_a_disk_that_refuses_is_named(axes, tmp_path):
    with pytest.raises(AnalysisError, match=r"The axes cannot be written to .*nowhere.* Choose another file"):
        save_axes(axes, tmp_path / "nowhere" / "axes.safetensors")
