"""That trainings learn: real digits, small networks, and what can be measured without a classifier."""

import pytest
import torch

from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, NonSaturating, WassersteinGP
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyLatent, TinyPaths, digits, seeded


def moments(images):
    """Mean and standard deviation of every pixel."""
    flat = images.flatten(1)
    return torch.stack([flat.mean(0), flat.std(0)])


def distance_to_data(generator, data):
    """Root mean square difference of the moments of 1000 samples and of the data; 0 is perfect."""
    real = data.pixels.float() / 127.5 - 1
    generator.eval()
    with torch.no_grad():
        made = generator.images(generator.draw(1000, torch.Generator().manual_seed(0)))
    return (moments(made) - moments(real)).square().mean().sqrt().item()


@pytest.mark.parametrize(
    ("build", "arguments"), [(TinyPaths, {"num_blocks": (10, 20), "width": 48}), (TinyLatent, {"dropout": 0.0})]
)
@pytest.mark.parametrize("loss", [Hinge(), NonSaturating(), WassersteinGP()])
def test_samples_come_close_to_real_digits_in_mean_and_spread(tmp_path, build, arguments, loss):
    data = digits()
    generator = seeded(build, **arguments)
    discriminator = seeded(Critic, 1, width=128, is_normalised=loss.wants_spectral_norm)
    before = distance_to_data(generator, data)
    config = TrainConfig(steps=250, generator_lr=2e-3, discriminator_lr=2e-3, d_steps=2, sample_every=250)
    Trainer(generator, discriminator, loss, data, config, run=tmp_path).run()
    after = distance_to_data(generator, data)
    assert after < before / 3
