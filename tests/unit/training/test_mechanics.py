"""In which precision gradients come about, and how they become changes."""

import dataclasses
import json
import math
from statistics import fmean, variance

import pytest
import torch
from torch import nn

from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, WassersteinGP
from rpganify.training.mechanics import Mechanics, parameters_of
from rpganify.training.state import TrainingState
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded
from tests.unit.training.test_learning import distance_to_data
from tests.unit.training.test_trainer import CONFIG, assert_equal_files, assert_equal_weights, trainer_at

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("precision", TYPES)
def test_networks_compute_in_the_precision_and_penalties_in_float32(precision):
    mechanics, layer, values = Mechanics(precision), nn.Linear(4, 2), torch.randn(3, 4)
    with mechanics.casting():
        assert layer(values).dtype == TYPES[precision]
        with mechanics.exactly():
            assert layer(values).dtype == torch.float32
    assert layer(values).dtype == torch.float32


def test_only_fp16_scales_its_gradients():
    assert Mechanics("fp32").make_scaler() is Mechanics("bf16").make_scaler() is None
    assert Mechanics("fp16").make_scaler().get_scale() > 1


def test_gradients_go_to_the_parameters_that_are_named_and_are_summed():
    layer, other = nn.Linear(4, 1, bias=False), nn.Parameter(torch.ones(1))
    for _ in range(2):
        Mechanics.backward((layer(torch.ones(1, 4)) * other).sum(), [layer.weight], None)
    torch.testing.assert_close(layer.weight.grad, torch.full((1, 4), 2.0))
    assert other.grad is None


def test_a_scaled_step_is_the_plain_one_and_one_that_overflows_is_left_out_at_half_the_scale():
    def stepped(precision, factor):
        mechanics, weight = Mechanics(precision), nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer, scaler = torch.optim.SGD([weight], lr=0.5), mechanics.make_scaler()
        before = None if scaler is None else scaler.get_scale()
        mechanics.backward((weight * factor).sum(), parameters_of(optimizer), scaler)
        mechanics.descend(optimizer, scaler)
        return weight.detach(), before, None if scaler is None else scaler.get_scale()

    plain, *_ = stepped("fp32", 0.25)
    scaled, before, after = stepped("fp16", 0.25)
    assert torch.equal(plain, scaled) and after == before
    skipped, before, after = stepped("fp16", math.inf)
    assert torch.equal(skipped, torch.tensor([1.0, -2.0])) and after == before / 2


def test_parameters_and_optimizers_stay_in_float32(tmp_path):
    trainer = trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=2, precision="bf16", ema=0.5))
    trainer.run()
    for network in (trainer.generator, trainer.discriminator):
        assert {value.dtype for value in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("loss", [Hinge(), WassersteinGP()], ids=["hinge", "wgan-gp"])
def test_a_training_in_fewer_bits_is_resumed_bit_for_bit_with_the_state_of_its_scalers(tmp_path, precision, loss):
    config = dataclasses.replace(CONFIG, precision=precision)
    straight = trainer_at(tmp_path / "straight", config, loss=loss)
    straight.run()
    trainer_at(tmp_path / "run", dataclasses.replace(config, steps=7), loss=loss).run()
    resumed = trainer_at(tmp_path / "run", config, loss=loss, network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)
    assert_equal_files(tmp_path / "straight", tmp_path / "run")
    scalers = json.loads((tmp_path / "run/checkpoints/latest/state.json").read_text())["scalers"]
    if precision == "bf16":
        assert scalers == [None, None]
    else:
        # Whether the discriminator's first step overflows, and is left out, lies with how sums are rounded.
        assert [(scaler["scale"], scaler["_growth_tracker"]) for scaler in scalers] in (
            [(2.0**16, 12), (2.0**15, 11)],
            [(2.0**16, 12), (2.0**16, 12)],
        )


def test_a_scaler_that_has_lowered_its_scale_goes_on_with_the_lower_one():
    config = dataclasses.replace(CONFIG, precision="fp16")
    states = [TrainingState.initial(seeded(TinyPaths), seeded(Critic, 1), config) for _ in range(2)]
    first, second = (state.discriminator_descent.scaler for state in states)
    first.scale(torch.ones(1))  # which makes it
    first.update(new_scale=128.0)
    states[1].restore_json(json.loads(json.dumps(states[0].to_json())))
    assert second.get_scale() == first.get_scale() == 128.0
    assert float(second.scale(torch.ones(1))) == 128.0


def distances(folder, precision, num_seeds, steps):
    data, found = digits(), []
    for seed in range(num_seeds):
        generator = seeded(TinyPaths, seed, num_blocks=(10, 20), width=48)
        critic = seeded(Critic, seed + 100, width=128)
        config = TrainConfig(
            steps=steps, generator_lr=2e-3, discriminator_lr=2e-3, d_steps=2, sample_every=steps, seed=seed
        )
        config = dataclasses.replace(config, precision=precision)
        Trainer(generator, critic, Hinge(), data, config, run=folder / f"{precision}-{seed}").run()
        found.append(distance_to_data(generator, data))
    return found


@pytest.mark.parametrize(
    ("precision", "num_seeds", "steps"),
    [
        ("bf16", 3, 60),
        pytest.param("bf16", 8, 250, marks=pytest.mark.slow),
        pytest.param("fp16", 8, 250, marks=pytest.mark.slow),
    ],
)
def test_fewer_bits_come_as_close_to_real_digits_within_the_spread_between_seeds(tmp_path, precision, num_seeds, steps):
    full, few = (distances(tmp_path, one, num_seeds, steps) for one in ("fp32", precision))
    untrained = distance_to_data(seeded(TinyPaths, num_blocks=(10, 20), width=48), digits())
    assert max(full + few) < untrained / 2
    # Three standard errors of the difference of the means, from the spread between seeds.
    tolerance = 3 * math.sqrt((variance(full) + variance(few)) / num_seeds)
    assert abs(fmean(few) - fmean(full)) < tolerance, (full, few)
