"""Predictors on disk."""

import pytest
import torch
from safetensors.torch import save_file

from rpganify.analysis.inversion.predictor import BlockPredictor, PredictorConfig, block_log_probabilities
from rpganify.analysis.inversion.predictor_file import load_predictor, save_predictor
from rpganify.errors import AnalysisError
from tests.unit.analysis.synthetic import SyntheticGenerator

CONFIG = PredictorConfig(channels=4, hidden=8)
CPU = torch.device("cpu")


@pytest.fixture
def model():
    return SyntheticGenerator((3, 4, 5))


@pytest.fixture
def file(model, tmp_path):
    predictor = BlockPredictor(model.image_shape, model.paths.num_blocks, CONFIG)
    save_predictor(predictor, CONFIG, model, tmp_path / "runs" / "p.safetensors")
    return tmp_path / "runs" / "p.safetensors"


def test_what_is_read_predicts_as_what_was_written(model, tmp_path):
    predictor = BlockPredictor(model.image_shape, model.paths.num_blocks, CONFIG).eval()
    predictor.measure(torch.rand(9, *model.image_shape))
    save_predictor(predictor, CONFIG, model, tmp_path / "p.safetensors")
    again = load_predictor(model, tmp_path / "p.safetensors", CPU)
    images = torch.randint(256, (4, *model.image_shape), dtype=torch.uint8)
    for one, other in zip(*(block_log_probabilities(p, images) for p in (predictor, again)), strict=True):
        assert torch.equal(one, other)
    assert not again.training and not any(parameter.requires_grad for parameter in again.parameters())


def test_a_predictor_of_another_model_is_refused(model, file):
    with torch.no_grad():
        model.blocks["colour"] += 0.1
    with pytest.raises(AnalysisError, match=r"p\.safetensors was trained on another model.*delete this one"):
        load_predictor(model, file, CPU)


def test_a_damaged_file_is_refused(model, file):
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(AnalysisError, match=r"cannot be read: .*Name another file"):
        load_predictor(model, file, CPU)


def test_other_tensors_are_refused(model, file):
    save_file({"weight": torch.zeros(3)}, file)
    with pytest.raises(AnalysisError, match="is no block predictor, but something else"):
        load_predictor(model, file, CPU)


def test_a_file_that_is_missing_is_refused(model, tmp_path):
    with pytest.raises(AnalysisError, match="cannot be read"):
        load_predictor(model, tmp_path / "none.safetensors", CPU)


def test_a_place_that_cannot_be_written_is_refused(model, tmp_path):
    (tmp_path / "taken").write_text("a file")
    predictor = BlockPredictor(model.image_shape, model.paths.num_blocks, CONFIG)
    with pytest.raises(AnalysisError, match=r"could not be written: .*Choose another place"):
        save_predictor(predictor, CONFIG, model, tmp_path / "taken" / "p.safetensors")
