"""Whole trainings on images that lie in files."""

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.data.folder import open_folder
from rpganify.data.images import MemoryImages
from rpganify.data.streamed import StreamedImages
from rpganify.errors import DataError
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyPaths, seeded

NUM_IMAGES = 20


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for index in range(NUM_IMAGES):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{index:02}.png")
    return images


def train(data, run, num_workers, steps=6):
    generator, critic = seeded(TinyPaths), seeded(Critic)
    config = TrainConfig(
        steps=steps, batch_size=4, d_steps=2, num_workers=num_workers, num_samples=4, checkpoint_every=2
    )
    trainer = Trainer(generator, critic, Hinge(), data, config, run=run)
    (trainer.resume if (run / "checkpoints").exists() else trainer.run)()
    return {**generator.state_dict(), **critic.state_dict()}


def test_weights_are_the_same_from_memory_from_files_and_by_workers_also_after_a_stop(folder, tmp_path, monkeypatch):
    in_memory = open_folder(root=folder)
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    in_files = open_folder(root=folder)
    assert isinstance(in_memory, MemoryImages) and isinstance(in_files, StreamedImages)
    expected = train(in_memory, tmp_path / "memory", num_workers=2)
    train(in_files, tmp_path / "files", num_workers=2, steps=3)
    for name, weights in train(in_files, tmp_path / "files", num_workers=0).items():
        assert torch.equal(weights, expected[name]), name


def test_a_file_that_is_damaged_during_a_training_ends_it_by_name_and_what_was_saved_stays(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    data, run = open_folder(root=folder), tmp_path / "run"
    expected = train(data, tmp_path / "whole", num_workers=0)
    train(data, run, num_workers=1, steps=2)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    for path in whole:
        path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"\d\d\.png is no image that can be read"):
        train(data, run, num_workers=1)
    for path, content in whole.items():
        path.write_bytes(content)
    for name, weights in train(data, run, num_workers=0).items():
        assert torch.equal(weights, expected[name]), name
