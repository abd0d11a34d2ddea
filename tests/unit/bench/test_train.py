"""What a training spends outside its networks. Times are only compared with sleeps, which last at least as long as they say."""

import time
from dataclasses import replace

import pytest
import torch

from rpganify.bench.train import MIN_STEPS, measure_training, noise_like
from rpganify.data.images import MemoryImages
from rpganify.data.signals import MemorySignals
from rpganify.training.callbacks import Callback, StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded

CONFIG = TrainConfig(steps=MIN_STEPS, batch_size=4, num_samples=4, d_steps=2)


def measure(tmp_path, config=CONFIG, data=None, **more):
    return measure_training(
        seeded(TinyPaths), seeded(Critic), Hinge(), data or digits(50), config, run=tmp_path / "run",
        device=torch.device("cpu"), **more,
    )  # fmt: skip


def seconds(cost):
    return {part.name: part.step_s for part in cost.parts}


def test_a_step_is_the_sum_of_its_parts_and_two_of_them_are_networks(tmp_path):
    cost = measure(tmp_path)
    assert [part.name for part in cost.parts if not part.is_network] == [
        "real images", "paths", "block diversity loss", "log", "sample grids", "checks", "checkpoints",
    ]  # fmt: skip
    assert [part.name for part in cost.parts if part.is_network] == ["discriminator", "generator"]
    assert cost.step_s == pytest.approx(sum(seconds(cost).values()))
    assert cost.outside_share == pytest.approx(cost.outside_s / cost.step_s)
    assert 0 < cost.outside_share < 1
    assert seconds(cost)["block diversity loss"] > 0
    told = cost.to_json()
    assert (told["num_steps"], told["d_steps"]) == (MIN_STEPS, 2)
    assert sum(part["share"] for part in told["parts"].values()) == pytest.approx(1)
    assert told["outside"] == sum(p["step"] for p in told["parts"].values() if not p["is_network"])


class SlowImages(MemoryImages):
    """Real digits that take 5 ms a batch."""

    def images(self, indices):
        time.sleep(0.005)
        return MemoryImages.images(self, indices)


class SlowLog(Callback):
    """Takes 4 ms a step, and 20 ms more after every seventh, as the grids do here, and 10 ms more after every fifth."""

    def on_step(self, metrics):
        time.sleep(0.004)
        time.sleep(0.02 * (metrics.step % 7 == 0) + 0.01 * (metrics.step % 5 == 0))


def test_time_is_found_where_it_is_spent_and_spread_over_the_intervals_of_the_training(tmp_path):
    data = digits(50)
    slow = SlowImages(data.name, data.pixels)
    config = replace(CONFIG, sample_every=50, watch_every=10, diversity="none")
    cost = measure(tmp_path, config, slow, callbacks=[SlowLog()])
    found = seconds(cost)
    assert found["real images"] > 0.008  # two batches a step, less what paths take
    assert found["log"] > 0.004
    each = {part.name: (part.each_s, part.every) for part in cost.parts if part.every is not None}
    assert each["sample grids"][0] > 0.018 and each["checks"][0] > 0.008
    assert [every for _, every in each.values()] == [50, 10, 500]
    for name, (each_s, every) in each.items():
        assert found[name] == pytest.approx(each_s / every)
    assert found["block diversity loss"] == 0


def test_a_checkpoint_costs_the_wait_for_it_and_what_steps_take_longer_while_it_is_written():
    from rpganify.bench import train

    usual = StepMetrics(1, 0.0, 0.0, 0.0, 0.0, None, None, 0.1, 0.2, 0.3, 1.0)
    rows = [replace(usual, step=step) for step in range(1, 21)]
    rows[10] = replace(rows[10], generator_s=0.8)  # step 11, during the writing
    rows[15] = replace(rows[15], generator_s=0.8)  # step 16, after it
    assert train._slowdown(rows, saved=10, written=13) == pytest.approx(0.5)
    assert train._slowdown(rows, saved=10, written=10) == 0
    events = {"sample grids": 7, "checks": 5, "checkpoints": 11}
    waits = [0.01 + 0.1 * (step % 7 == 1) + 0.2 * (step % 5 == 1) + 0.4 * (step == 12) for step in range(1, 21)]
    rows = [replace(row, other_s=wait) for row, wait in zip(rows, waits, strict=True)][1:]
    plain, each = train._between(rows, events)
    assert plain == pytest.approx(0.01)
    assert each == pytest.approx({"sample grids": 0.1, "checks": 0.2, "checkpoints": 0.4})


def test_too_few_steps_hold_not_one_of_everything(tmp_path):
    with pytest.raises(ValueError, match="24 steps or more, not in 23"):
        measure(tmp_path, replace(CONFIG, steps=MIN_STEPS - 1))


@pytest.mark.parametrize("steps", range(MIN_STEPS, MIN_STEPS + 40))
def test_in_any_number_of_steps_each_event_is_followed_by_a_step_and_alone_at_least_once(steps):
    from rpganify.bench.train import events_in

    events = events_in(steps)
    due = [tuple(name for name, every in events.items() if step % every == 0) for step in range(4, steps)]
    for name in ((), *((name,) for name in events)):
        assert name in due


def test_noise_has_the_generator_s_shape_whatever_it_makes():
    pictures, signals = noise_like((3, 8, 8)), noise_like((1, 16))
    assert isinstance(pictures, MemoryImages) and pictures.pixels.shape == (1024, 3, 8, 8)
    assert isinstance(signals, MemorySignals) and signals.values.shape == (1024, 1, 16)
    assert torch.equal(noise_like((3, 8, 8)).pixels, pictures.pixels)
