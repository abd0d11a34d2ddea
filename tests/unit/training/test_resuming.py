"""What a resumed training takes over, and what it may not differ in."""

import dataclasses

import pytest
import torch
from torch import nn

from tests.unit.training.test_trainer import CONFIG, assert_equal_files, assert_equal_weights, trainer_at


class Convolutions(nn.Module):
    """A discriminator whose weights' order in memory is another when channels lie last."""

    def __init__(self, is_normalised: bool = True) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 4, 3, padding=1)
        self.last = nn.Linear(4 * 64, 1)

    def forward(self, images):
        return self.last(self.second(self.first(images).relu()).relu().flatten(1)).squeeze(1)


@pytest.mark.parametrize("is_in_background", [True, False])
def test_weights_that_lie_channels_last_go_on_with_their_own_moments(tmp_path, monkeypatch, is_in_background):
    monkeypatch.setattr("tests.unit.training.test_trainer.Critic", Convolutions)
    config = dataclasses.replace(CONFIG, channels_last=True, background_checkpoints=is_in_background)
    straight, plain = trainer_at(tmp_path / "straight", config), trainer_at(tmp_path / "plain", CONFIG)
    for trainer in (straight, plain):
        trainer.run()
    trainer_at(tmp_path / "run", dataclasses.replace(config, steps=7)).run()
    resumed = trainer_at(tmp_path / "run", config, network_seed=3)
    resumed.resume()
    assert not resumed.discriminator.second.weight.is_contiguous()
    assert_equal_weights(straight, resumed)
    assert_equal_files(tmp_path / "straight", tmp_path / "run")
    # The order in memory changes the order of sums, and so no more than their rounding.
    for name, value in plain.discriminator.state_dict().items():
        torch.testing.assert_close(straight.discriminator.state_dict()[name], value, atol=1e-4, rtol=0)
