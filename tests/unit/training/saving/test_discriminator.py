"""A training that begins with another run's discriminator."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from rpganify.errors import TrainingError
from rpganify.manifest import write_manifest
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.networks import network_tensors
from rpganify.training.run import describe_network
from rpganify.training.saving.discriminator import load_discriminator
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded

CONFIG = TrainConfig(steps=4, batch_size=8, checkpoint_every=2, sample_every=4, num_samples=4)


class OtherCritic(Critic):
    """The same tensors, another function."""

    def forward(self, images):
        return -super().forward(images)


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "first"
    critic = seeded(Critic, 1)
    Trainer(seeded(TinyPaths), critic, Hinge(), digits(50), CONFIG, run=path).run()
    return path, critic


def copies(network):
    return {name: tensor.clone() for name, tensor in network_tensors(network).items()}


def assert_same(network, expected):
    found = network_tensors(network)
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


@pytest.mark.parametrize("named", [".", "checkpoints/step-000004", "checkpoints/latest"])
def test_weights_and_the_vectors_of_spectral_norm_are_those_of_the_run_s_last_step(run, named):
    path, trained = run
    critic = seeded(Critic, 7)
    fresh = copies(critic)
    for name in ("first.parametrizations.weight.0._u", "first.parametrizations.weight.original", "first.bias"):
        assert not torch.equal(fresh[name], network_tensors(trained)[name])
    loaded = load_discriminator(critic, path / named)
    assert_same(critic, network_tensors(trained))
    assert (loaded.checkpoint / "discriminator.safetensors").is_file() and len(loaded.sha256) == 64
    critic.eval(), trained.eval()
    images = torch.rand(5, 1, 8, 8)
    assert torch.equal(critic(images), trained(images))


def test_an_earlier_checkpoint_can_be_named(run):
    path, trained = run
    critic = seeded(Critic, 7)
    load_discriminator(critic, path / "checkpoints/step-000002")
    assert_same(critic, load_file(path / "checkpoints/step-000002/discriminator.safetensors"))
    assert not torch.equal(critic.first.bias, trained.first.bias)


def test_what_a_run_recorded_may_be_missing_where_the_tensors_tell_enough(run, tmp_path):
    path, trained = run
    shutil.copytree(path / "checkpoints/step-000004", tmp_path / "copy")
    critic = seeded(Critic, 7)
    load_discriminator(critic, tmp_path / "copy")
    assert_same(critic, network_tensors(trained))
    with pytest.raises(
        TrainingError, match=r"'first\.bias' is torch\.float32 \(32,\) there, torch\.float32 \(16,\) here"
    ):
        load_discriminator(seeded(Critic, 7, width=16), tmp_path / "copy")


@pytest.mark.parametrize(
    "build",
    [
        lambda: seeded(Critic, 7, width=16),
        lambda: seeded(Critic, 7, is_normalised=False),
        lambda: seeded(OtherCritic, 7),
    ],
    ids=["arguments", "normalisation", "class"],
)
def test_another_discriminator_is_refused_with_both_and_the_command_and_stays_as_it_was(run, build):
    path, trained = run
    record = json.loads((path / "config.json").read_text())
    record["provenance"]["command"] = "rpganify train m --discriminator-arg width=32"
    (path / "config.json").write_text(json.dumps(record))
    critic = build()
    before = copies(critic)
    with pytest.raises(TrainingError, match=r"another discriminator than the \w*Critic to train") as caught:
        load_discriminator(critic, path)
    message = str(caught.value)
    assert f"that is {describe_network(trained)}; this is {describe_network(critic)}." in message
    assert "started by `rpganify train m --discriminator-arg width=32`: give the same --discriminator" in message
    assert "leave out --discriminator-from" in message
    assert_same(critic, before)


def test_a_folder_without_a_discriminator_is_refused(run, tmp_path):
    path, _ = run
    critic = seeded(Critic, 7)
    with pytest.raises(
        TrainingError, match=r"No discriminator can be taken from .*nowhere: it has no checkpoint\. --disc"
    ):
        load_discriminator(critic, tmp_path / "nowhere")
    for checkpoint in (path / "checkpoints").glob("step-*"):
        file = checkpoint / "discriminator.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TrainingError, match=r"step-000004 is damaged .*Name its run"):
        load_discriminator(critic, path / "checkpoints/step-000004")
    with pytest.raises(TrainingError, match="none of its checkpoints is intact"):
        load_discriminator(critic, path)


def test_a_file_that_holds_no_tensors_is_refused(tmp_path):
    (tmp_path / "discriminator.safetensors").write_bytes(b"nothing")
    write_manifest(tmp_path)
    with pytest.raises(
        TrainingError, match=r"discriminator\.safetensors cannot be read: .*leave out --discriminator-from"
    ):
        load_discriminator(nn.Linear(1, 1), tmp_path)
