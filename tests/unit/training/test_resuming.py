"""What a resumed training takes over, and what it may not differ in."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from rpganify.errors import TrainingError
from rpganify.training import training_step
from rpganify.training.losses import Hinge, LeastSquares
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyLatent, TinyPaths, digits, seeded
from tests.unit.training.test_trainer import (
    CONFIG,
    assert_equal_files,
    assert_equal_weights,
    checkpoints_in,
    trainer_at,
    weights_of,
)


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


def edited(run, **changes):
    return trainer_at(run, dataclasses.replace(CONFIG, **changes), network_seed=3)


def test_what_is_refused_leaves_the_run_as_it_was(tmp_path):
    trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=10)).run()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(TrainingError, match="step-000010 is beyond the 7 steps"):
        edited(tmp_path, steps=7).resume()
    with pytest.raises(TrainingError, match=r"batch_size: 8 -> 4\. .* --override 'batch_size'"):
        edited(tmp_path, batch_size=4).resume()
    other = Trainer(
        seeded(TinyPaths, num_blocks=(2, 2)),
        seeded(Critic, 1),
        Hinge(),
        digits(50),
        CONFIG,
        run=tmp_path,
        overrides=["generator"],
    )
    with pytest.raises(TrainingError, match=r"(?s)step-000010 holds other networks than the ones to train"):
        other.resume()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_setting_that_may_differ_does_from_there_on_and_the_run_says_so(tmp_path):
    trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=10)).run()
    config = dataclasses.replace(CONFIG, batch_size=4, generator_lr=0.0)
    with pytest.raises(
        TrainingError, match=r"settings: generator_lr: 0\.00025 -> 0\.0\. Resume it with its own, allow"
    ):
        trainer_at(tmp_path, config, overrides=["batch_size"]).resume()
    trainer = trainer_at(tmp_path, config, overrides=["batch_size", "generator_lr"])
    trainer.resume()
    latest = tmp_path / "checkpoints/latest"
    assert json.loads((latest / "state.json").read_text())["position"] == 10 * 8 + 2 * 4
    settings = json.loads((tmp_path / "config.json").read_text())["settings"]
    assert (settings["batch_size"], settings["generator_lr"]) == (4, 0.0)
    kept = load_file(tmp_path / "checkpoints/step-000010/generator.safetensors")
    for name, value in trainer.generator.named_parameters():
        assert torch.equal(value, kept[name])  # a rate of 0 from there on
    trainer_at(tmp_path, dataclasses.replace(config, steps=13)).resume()  # which are its own settings now


def test_only_what_there_is_can_be_overridden(tmp_path):
    trainer_at(tmp_path).run()
    with pytest.raises(
        TrainingError,
        match=r"There is no setting 'batchsize' to override\. Did you mean 'batch_size' or .* There are: steps,",
    ):
        trainer_at(tmp_path, overrides=["batchsize"]).resume()


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.9), (0.9, 0.0)])
def test_an_average_can_be_begun_and_given_up(tmp_path, before, after):
    trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=10, ema=before)).run()
    trainer_at(tmp_path, dataclasses.replace(CONFIG, ema=after), overrides=["ema"]).resume()
    assert (tmp_path / "checkpoints/latest/ema.safetensors").exists() == bool(after)
    assert (tmp_path / "checkpoints/latest").resolve().name == "step-000012"


def test_images_are_counted_over_stops_and_the_step_that_reaches_them_is_the_last(tmp_path):
    config = dataclasses.replace(CONFIG, steps=None, images=100, d_steps=2)  # 16 a step
    straight = trainer_at(tmp_path / "straight", config)
    result = straight.run()
    assert (result.step, result.steps) == (7, 7)
    trainer_at(tmp_path / "run", dataclasses.replace(config, images=50)).run()
    resumed = trainer_at(tmp_path / "run", config, network_seed=3)
    assert resumed.resume().step == 7
    assert_equal_weights(straight, resumed)
    assert resumed.resume().metrics is None  # nothing is left to do


@pytest.fixture
def clock(monkeypatch):
    """A clock for the training's steps that goes on by 2 seconds whenever it is looked at."""
    ticks = iter(range(0, 10**6, 2))
    monkeypatch.setattr(training_step, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))


def elapsed(run):
    return json.loads((run / "checkpoints/latest/state.json").read_text())["elapsed_s"]


def test_minutes_are_those_in_training_over_all_stops(tmp_path, clock):
    def config(minutes):
        return dataclasses.replace(CONFIG, steps=None, minutes=minutes)

    first = trainer_at(tmp_path, config(1.0)).run()
    assert (first.steps, first.is_interrupted) == (None, False)
    each = elapsed(tmp_path) / first.step
    assert 60 <= elapsed(tmp_path) < 60 + each
    assert trainer_at(tmp_path, config(1.0)).resume().step == first.step
    second = trainer_at(tmp_path, config(2.0)).resume()
    assert 120 <= elapsed(tmp_path) < 120 + each
    assert second.step == pytest.approx(2 * first.step, abs=1)
    # Another kind of end is no other training.
    assert trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=second.step + 2)).resume().step == second.step + 2


def test_the_time_before_a_rollback_counts(tmp_path, clock):
    class Bad(Hinge):
        count = 0

        def generator(self, fake_scores):
            Bad.count += 1
            return super().generator(fake_scores) * (float("nan") if Bad.count == 4 else 1)

    config = dataclasses.replace(CONFIG, steps=None, minutes=1.0)
    result = trainer_at(tmp_path / "bad", config, loss=Bad()).run()
    plain = trainer_at(tmp_path / "plain", config).run()
    assert json.loads((tmp_path / "bad/checkpoints/latest/state.json").read_text())["num_rollbacks"] == 1
    assert result.step == plain.step - 4  # the time of three that were taken back, and of the one that failed


class Told:
    """A metric that gives what a test tells it to."""

    name, is_lower_better = "distance", True

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, generator):
        return self.values.pop(0)


def test_the_best_stays_beside_the_newest_and_is_known_after_a_stop(tmp_path):
    config = dataclasses.replace(CONFIG, keep=1, quality_every=2, checkpoint_every=3)
    trainer_at(tmp_path, dataclasses.replace(config, steps=7), quality=Told(5.0, 2.0, 3.0, 4.0)).run()
    assert checkpoints_in(tmp_path) == ["step-000004", "step-000007"]
    again = trainer_at(tmp_path, config, quality=Told(2.5, 2.1, 1.0), network_seed=3)
    again.resume()
    assert checkpoints_in(tmp_path) == ["step-000012"]  # newest and best
    values = [json.loads(line) for line in (tmp_path / "quality.jsonl").read_text().splitlines()]
    assert [(value["step"], value["value"], value["is_best"]) for value in values] == [
        (2, 5.0, True),
        (4, 2.0, True),
        (6, 3.0, False),
        (7, 4.0, False),
        (8, 2.5, False),
        (10, 2.1, False),
        (12, 1.0, True),
    ]
    assert (tmp_path / "checkpoints/best").resolve().name == "step-000012"
    best = json.loads((tmp_path / "checkpoints/latest/state.json").read_text())["best"]
    assert best == {"value": 1.0, "step": 12}


def test_the_best_of_before_outlives_a_resumed_training_that_finds_no_better(tmp_path):
    config = dataclasses.replace(CONFIG, keep=1, quality_every=2, checkpoint_every=3)
    trainer_at(tmp_path, dataclasses.replace(config, steps=7), quality=Told(5.0, 2.0, 3.0, 4.0)).run()
    trainer_at(tmp_path, config, quality=Told(2.5, 2.1, 3.0), network_seed=3).resume()
    assert checkpoints_in(tmp_path) == ["step-000004", "step-000012"]
    assert (tmp_path / "checkpoints/best").resolve().name == "step-000004"


def test_a_batch_in_parts_trains_as_the_whole_one_where_nothing_mixes_samples(tmp_path):
    def train(run, accumulate):
        config = dataclasses.replace(CONFIG, accumulate=accumulate, d_steps=2, batch_size=12)
        generator, critic = seeded(TinyLatent, dropout=0.0), seeded(Critic, 1, is_normalised=False)
        critic.dropout = nn.Identity()
        trainer = Trainer(generator, critic, LeastSquares(), digits(50), config, run=tmp_path / run)
        trainer.run()
        return weights_of(trainer)

    whole = train("whole", 1)
    for parts in (2, 3, 12):
        for name, value in train(str(parts), parts).items():
            torch.testing.assert_close(value, whole[name], atol=1e-6, rtol=1e-5)  # sums in another order
