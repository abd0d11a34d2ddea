"""A training that meets a loss or a weight that is not finite: it goes back, says so, and goes on more slowly."""

import dataclasses
import json
import logging
import signal

import pytest
import torch

from rpganify.data.images import MemoryImages
from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback
from rpganify.training.losses import Hinge
from rpganify.training.randomness import seeded_globals
from rpganify.training.reading.order import DataOrder
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded
from tests.unit.training.test_background import At
from tests.unit.training.test_trainer import (
    CONFIG,
    assert_equal_files,
    assert_equal_weights,
    checkpoints_in,
    timeless,
    trainer_at,
)

MARK = 3
IN_PLACE = dataclasses.replace(CONFIG, background_checkpoints=False)


class Touchy(Critic):
    """Judges a marked image as NaN."""

    def forward(self, images):
        marked = (images[:, 0, 0, 0] - (MARK / 127.5 - 1)).abs() < 1e-6
        return super().forward(images).masked_fill(marked, float("nan"))


def marked_digits(*steps):
    """500 images, of which the first that each of these steps shows is marked; the order of seed 0, 8 images a step."""
    data = digits(500)
    assert not (data.pixels[:, 0, 0, 0] == MARK).any()
    pixels = data.pixels.clone()
    order = DataOrder(500, 0)
    for step in steps:
        pixels[order.indices(8 * (step - 1), 1), 0, 0, 0] = MARK
    return MemoryImages("digits", pixels)


@pytest.fixture(autouse=True)
def _touchy(monkeypatch):
    monkeypatch.setattr("tests.unit.training.test_trainer.Critic", Touchy)


def events(run):
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def numbers(run):
    return json.loads((run / "checkpoints/latest/state.json").read_text())


@pytest.mark.parametrize("config", [CONFIG, IN_PLACE], ids=["background", "in place"])
def test_a_loss_that_is_nan_takes_the_training_back_and_it_goes_on_at_half_the_rate(tmp_path, caplog, config):
    with caplog.at_level(logging.WARNING):
        result = trainer_at(tmp_path / "run", config, data=marked_digits(8)).run()
    told = (
        "Step 8: The discriminator loss became nan. Try a lower learning rate (generator_lr, discriminator_lr), another "
        "loss or another seed. Back to step 5 (from 7), with other draws and learning rates at 0.5 of the settings; "
        "rollback 1 of 5."
    )
    assert told in [record.getMessage() for record in caplog.records]
    assert events(tmp_path / "run") == [{"step": 7, "kind": "rollback", "message": told}]
    assert result.step == 12 and not result.is_interrupted
    kept = numbers(tmp_path / "run")
    assert (kept["step"], kept["rate"], kept["num_rollbacks"]) == (12, 0.5, 1)
    # 8 steps' images, the failing one's included, and those of steps 6 to 12.
    assert kept["position"] == 8 * (8 + 7)
    rows = timeless(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(1, 13))
    trainer_at(tmp_path / "plain", config, data=marked_digits()).run()
    plain = timeless(tmp_path / "plain")
    assert rows[:5] == plain[:5]
    assert not any(row == other for row, other in zip(rows[5:], plain[5:], strict=True))


def test_every_rollback_draws_otherwise_and_halves_the_rate_again(tmp_path):
    # After the first, step 6 shows what step 9 would have; so the mark of step 10 is met in step 7.
    trainer_at(tmp_path, data=marked_digits(8, 10)).run()
    assert [(event["step"], event["message"][-16:]) for event in events(tmp_path)] == [
        (7, "rollback 1 of 5."),
        (6, "rollback 2 of 5."),
    ]
    assert (numbers(tmp_path)["rate"], numbers(tmp_path)["num_rollbacks"]) == (0.25, 2)
    assert [row["step"] for row in timeless(tmp_path)] == list(range(1, 13))


class Stop(Callback):
    """Ends a training as it goes back: as a kill would, or by Ctrl-C."""

    def __init__(self, how):
        self.how = how

    def on_rollback(self, start):
        if self.how == "kill":
            raise MemoryError
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("config", [CONFIG, IN_PLACE], ids=["background", "in place"])
@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_a_training_that_ends_as_it_goes_back_is_resumed_to_the_same_weights(tmp_path, config, how):
    straight = trainer_at(tmp_path / "straight", config, data=marked_digits(8))
    straight.run()
    stopped = trainer_at(tmp_path / "run", config, data=marked_digits(8), callbacks=[Stop(how)])
    if how == "kill":
        with pytest.raises(MemoryError):
            stopped.run()
    else:
        result = stopped.run()
        assert (result.step, result.is_interrupted, result.checkpoint.name) == (5, True, "step-000005")
    assert checkpoints_in(tmp_path / "run") == ["step-000005"]
    assert numbers(tmp_path / "run")["num_rollbacks"] == 0  # what was intact was not written anew
    resumed = trainer_at(tmp_path / "run", config, data=marked_digits(8), network_seed=3)
    assert resumed.resume().step == 12
    assert_equal_weights(straight, resumed)
    assert_equal_files(tmp_path / "straight", tmp_path / "run")
    assert timeless(tmp_path / "straight") == timeless(tmp_path / "run")


def test_a_training_resumed_behind_its_rollback_keeps_rate_and_count(tmp_path):
    straight = trainer_at(tmp_path / "straight", data=marked_digits(8))
    straight.run()
    trainer_at(tmp_path / "run", dataclasses.replace(CONFIG, steps=9), data=marked_digits(8)).run()
    assert (numbers(tmp_path / "run")["rate"], numbers(tmp_path / "run")["num_rollbacks"]) == (0.5, 1)
    resumed = trainer_at(tmp_path / "run", data=marked_digits(8), network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)


def test_the_rate_of_a_state_is_a_factor_of_the_schedule():
    config = dataclasses.replace(CONFIG, steps=4, schedule="linear", generator_lr=0.8, discriminator_lr=0.4)
    with seeded_globals(0):
        state = TrainingState.initial(seeded(TinyPaths), seeded(Critic, 1), config)
        step = TrainingStep(Hinge(), digits(50), config)
        state.rate, rates = 0.5, []
        for _ in range(3):
            step(state)
            descents = state.generator_descent, state.discriminator_descent
            rates.append(tuple(descent.optimizer.param_groups[0]["lr"] for descent in descents))
    assert rates == [pytest.approx((factor * 0.4, factor * 0.2)) for factor in (1, 0.75, 0.5)]


def test_a_loss_that_stays_nan_ends_the_training_after_its_rollbacks_with_the_last_good_checkpoint(tmp_path):
    class Exploding(Hinge):
        count = 0

        def generator(self, fake_scores):
            Exploding.count += 1
            return super().generator(fake_scores) * (float("nan") if Exploding.count > 7 else 1)

    config = dataclasses.replace(CONFIG, max_rollbacks=3)
    with pytest.raises(
        TrainingError,
        match=r"^Step 6: The generator loss became nan\. Try a lower .* The training has gone back 3 times already\.$",
    ):
        trainer_at(tmp_path, config, loss=Exploding(), data=marked_digits()).run()
    assert Exploding.count == 7 + 4
    assert checkpoints_in(tmp_path) == ["step-000005"]
    assert len(events(tmp_path)) == 3
    # What is there is good: the training goes on from it once the cause is mended.
    assert trainer_at(tmp_path, config, data=marked_digits(), overrides=["loss object"]).resume().step == 12


def breaking(trainer, at, then=lambda: None):
    """Makes one weight NaN after a step, once: as an optimizer's overflow does, which no loss has seen."""
    done = []

    def act():
        if not done:
            done.append(True)
            trainer.generator.second_bias.data[0, 0] = float("nan")
            then()

    return At(at, act)


@pytest.mark.parametrize("at", [5, 10, 12])
def test_weights_that_became_nan_are_not_saved_but_taken_back(tmp_path, at):
    trainer = trainer_at(tmp_path, data=marked_digits())
    trainer.callbacks = (breaking(trainer, at),)
    assert trainer.run().step == 12
    assert [event["message"].split(" Back")[0] for event in events(tmp_path)] == [
        f"Step {at}: a weight became NaN or infinite."
    ]
    assert all(bool(value.isfinite().all()) for value in trainer.generator.state_dict().values())
    assert [row["step"] for row in timeless(tmp_path)] == list(range(1, 13))


@pytest.mark.parametrize(("at", "expected"), [(3, 0), (7, 5)])
def test_a_stop_right_after_the_weights_broke_saves_where_the_training_goes_back_to(tmp_path, at, expected):
    trainer = trainer_at(tmp_path, data=marked_digits())
    trainer.callbacks = (breaking(trainer, at, then=lambda: signal.raise_signal(signal.SIGINT)),)
    result = trainer.run()
    assert (result.step, result.is_interrupted, result.checkpoint.name) == (expected, True, f"step-{expected:06d}")
    assert checkpoints_in(tmp_path) == [f"step-{expected:06d}"]
    resumed = trainer_at(tmp_path, data=marked_digits(), network_seed=3)
    assert resumed.resume().step == 12


def test_quality_is_not_measured_of_broken_weights(tmp_path):
    class Spread:
        name, is_lower_better = "spread", True

        def __call__(self, generator):
            with torch.no_grad():
                images = generator.images(generator.draw(8, torch.Generator().manual_seed(0)))
            assert images.isfinite().all()
            return images.std().item()

    trainer = trainer_at(tmp_path, dataclasses.replace(CONFIG, quality_every=4), data=marked_digits(), quality=Spread())
    trainer.callbacks = (breaking(trainer, 8),)
    assert trainer.run().step == 12
    values = [json.loads(line) for line in (tmp_path / "quality.jsonl").read_text().splitlines()]
    assert [value["step"] for value in values] == [4, 8, 12]
    assert len(events(tmp_path)) == 1
