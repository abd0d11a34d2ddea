import dataclasses
import errno
import json
import logging
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, NonSaturating, WassersteinGP
from rpganify.training.saving import checkpoint as checkpoint_module
from rpganify.training.saving.checkpoint import list_checkpoints
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyLatent, TinyPaths, digits, seeded

CONFIG = TrainConfig(steps=12, batch_size=8, checkpoint_every=5, sample_every=4, num_samples=4, keep=3)


def trainer_at(run, config=CONFIG, *, build=TinyPaths, loss=None, data=None, callbacks=(), network_seed=0, **arguments):
    loss = loss or Hinge()
    discriminator = seeded(Critic, network_seed + 1, is_normalised=loss.wants_spectral_norm)
    generator = seeded(build, network_seed)
    data = data or digits(50)
    return Trainer(generator, discriminator, loss, data, config, run=run, callbacks=callbacks, **arguments)


def weights_of(trainer):
    networks = (("g", trainer.generator), ("d", trainer.discriminator))
    return {f"{name}.{key}": value for name, network in networks for key, value in network.state_dict().items()}


def assert_equal_weights(first, second):
    one, other = weights_of(first), weights_of(second)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def assert_equal_files(first, second):
    """The last checkpoints agree in every tensor and number."""
    names = ["generator.safetensors", "discriminator.safetensors", "optimizers.safetensors"]
    one, other = (list_checkpoints(run / "checkpoints")[-1] for run in (first, second))
    assert one.name == other.name
    for name in names:
        a, b = load_file(one / name), load_file(other / name)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)
    # How long it took is no part of what the next step depends on.
    numbers = [json.loads((path / "state.json").read_text()) | {"elapsed_s": None} for path in (one, other)]
    assert numbers[0] == numbers[1]


def checkpoints_in(run):
    return [path.name for path in list_checkpoints(run / "checkpoints")]


def timeless(run):
    """Metrics without the clock's."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.endswith("_s") and not k.startswith("images")} for row in rows]


VARIANTS = {
    "hinge, paths": (TinyPaths, Hinge(), {}),
    "hinge, random z with dropout": (TinyLatent, Hinge(), {}),
    "wgan-gp, five discriminator steps": (TinyPaths, WassersteinGP(), {"d_steps": 5}),
    "non-saturating, margin form": (TinyPaths, NonSaturating(), {"diversity": "margin"}),
    "fixed Z": (TinyPaths, Hinge(), {"Z": "fixed"}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_trainings_with_one_seed_give_identical_weights_and_numbers(tmp_path, variant):
    build, loss, settings = VARIANTS[variant]
    config = dataclasses.replace(CONFIG, **settings, diversity_weight=None)
    trainers = [trainer_at(tmp_path / name, config, build=build, loss=loss) for name in "ab"]
    for trainer in trainers:
        torch.rand(3)  # what the caller drew before must not matter
        trainer.run()
    assert_equal_weights(*trainers)
    assert_equal_files(tmp_path / "a", tmp_path / "b")
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b")
    assert len(timeless(tmp_path / "a")) == 12


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stop", [1, 5, 7])
def test_stopped_and_resumed_equals_straight_through_bit_for_bit(tmp_path, variant, stop):
    build, loss, settings = VARIANTS[variant]
    config = dataclasses.replace(CONFIG, **settings, diversity_weight=None)
    straight = trainer_at(tmp_path / "straight", config, build=build, loss=loss)
    straight.run()
    first = trainer_at(tmp_path / "stopped", dataclasses.replace(config, steps=stop), build=build, loss=loss)
    assert first.run().step == stop
    # Other initial weights: all that counts must come from the checkpoint.
    second = trainer_at(tmp_path / "stopped", config, build=build, loss=loss, network_seed=7)
    assert second.resume().step == 12
    assert_equal_weights(straight, second)
    assert_equal_files(tmp_path / "straight", tmp_path / "stopped")
    assert timeless(tmp_path / "straight") == timeless(tmp_path / "stopped")
    names = [path.name for path in sorted((tmp_path / "stopped" / "samples").iterdir())]
    for name in ("step-000008.png", "step-000012.png"):
        assert name in names
        a, b = ((tmp_path / run / "samples" / name).read_bytes() for run in ("straight", "stopped"))
        assert a == b


def test_another_seed_gives_another_training(tmp_path):
    trainers = [trainer_at(tmp_path / str(seed), dataclasses.replace(CONFIG, seed=seed)) for seed in (0, 1)]
    for trainer in trainers:
        trainer.run()
    assert not torch.equal(trainers[0].generator.Z, trainers[1].generator.Z)


def test_how_often_samples_and_checkpoints_are_written_does_not_change_the_training(tmp_path):
    often = dataclasses.replace(CONFIG, sample_every=1, num_samples=9, checkpoint_every=1, keep=1)
    trainers = [trainer_at(tmp_path / "a", build=TinyLatent), trainer_at(tmp_path / "b", often, build=TinyLatent)]
    for trainer in trainers:
        trainer.run()
    assert_equal_weights(*trainers)


def test_the_run_s_folder_holds_config_metrics_samples_and_the_newest_checkpoints(tmp_path):
    result = trainer_at(tmp_path, provenance={"model": "my_gan.rpgan"}).run()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "samples",
    ]
    steps = [path.name for path in list_checkpoints(tmp_path / "checkpoints")]
    assert steps == ["step-000005", "step-000010", "step-000012"]
    assert (result.step, result.is_interrupted, result.checkpoint.name) == (12, False, "step-000012")
    assert result.metrics.step == 12
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["settings"]["steps"] == 12
    assert record["provenance"] == {"model": "my_gan.rpgan", "torch": torch.__version__, "device": "cpu"}
    assert record["facts"]["data"] == "digits, 50 images"


def test_the_caller_s_random_generators_and_the_networks_modes_are_left_as_they_were(tmp_path):
    trainer = trainer_at(tmp_path)
    trainer.generator.eval()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    trainer.run()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tolist() == numpy_state
    assert not trainer.generator.training and trainer.discriminator.training


class Recorder(Callback):
    def __init__(self):
        self.seen = []

    def on_start(self, start):
        self.seen.append(("start", start.step, start.steps))

    def on_step(self, metrics):
        self.seen.append(("step", metrics.step))

    def on_checkpoint(self, step, directory):
        assert directory.is_dir()
        self.seen.append(("checkpoint", step))

    def on_end(self, result):
        self.seen.append(("end", result.step))


def test_callbacks_are_told_everything_in_order(tmp_path):
    first, second = Recorder(), Recorder()
    in_place = dataclasses.replace(CONFIG, background_checkpoints=False)
    trainer_at(tmp_path, dataclasses.replace(in_place, steps=6), callbacks=[first]).run()
    trainer_at(tmp_path, dataclasses.replace(in_place, steps=7), callbacks=[second]).resume()
    steps = [("step", step) for step in range(1, 7)]
    assert first.seen == [("start", 0, 6), *steps[:5], ("checkpoint", 5), steps[5], ("checkpoint", 6), ("end", 6)]
    assert second.seen == [("start", 6, 7), ("step", 7), ("checkpoint", 7), ("end", 7)]


def test_a_finished_training_that_is_resumed_does_nothing(tmp_path):
    trainer_at(tmp_path).run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*")}
    result = trainer_at(tmp_path).resume()
    assert (result.step, result.metrics, result.checkpoint.name) == (12, None, "step-000012")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*")} == before


class InterruptAt:
    """Data that sends Ctrl-C while a batch is read; `moments` counts batches from 1."""

    def __init__(self, *moments):
        self._data = digits(50)
        self._moments = moments
        self._count = -1  # the check before the first step reads once

    def __getattr__(self, name):
        return getattr(self._data, name)

    def __len__(self):
        return len(self._data)

    def images(self, indices):
        self._count += 1
        if self._count in self._moments:
            signal.raise_signal(signal.SIGINT)
        return self._data.images(indices)


def test_ctrl_c_in_the_middle_of_a_step_finishes_it_saves_it_and_can_be_resumed_exactly(tmp_path):
    straight = trainer_at(tmp_path / "straight")
    straight.run()
    result = trainer_at(tmp_path / "run", data=InterruptAt(7)).run()
    assert (result.step, result.is_interrupted, result.checkpoint.name) == (7, True, "step-000007")
    resumed = trainer_at(tmp_path / "run", network_seed=3)
    assert not resumed.resume().is_interrupted
    assert_equal_weights(straight, resumed)


def test_ctrl_c_from_a_callback_is_handled_in_the_same_way(tmp_path):
    class Interrupting(Callback):
        def on_step(self, metrics):
            if metrics.step == 5:
                signal.raise_signal(signal.SIGINT)

    result = trainer_at(tmp_path, callbacks=[Interrupting()]).run()
    assert (result.step, result.is_interrupted) == (5, True)
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["step-000005"]


def test_ctrl_c_before_the_first_step_saves_the_untrained_state(tmp_path):
    class Interrupting(Callback):
        def on_start(self, start):
            if start.step == 0:
                signal.raise_signal(signal.SIGINT)

    straight = trainer_at(tmp_path / "straight")
    straight.run()
    result = trainer_at(tmp_path / "run", callbacks=[Interrupting()]).run()
    assert (result.step, result.is_interrupted, result.metrics) == (0, True, None)
    resumed = trainer_at(tmp_path / "run", network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)


def test_a_second_ctrl_c_stops_at_once_and_the_last_checkpoint_is_there(tmp_path):
    straight = trainer_at(tmp_path / "straight", dataclasses.replace(CONFIG, d_steps=2))
    straight.run()
    config = dataclasses.replace(CONFIG, d_steps=2)
    with pytest.raises(KeyboardInterrupt):
        trainer_at(tmp_path / "run", config, data=InterruptAt(13, 14)).run()  # both within step 7
    assert [path.name for path in list_checkpoints(tmp_path / "run" / "checkpoints")] == ["step-000005"]
    resumed = trainer_at(tmp_path / "run", config, network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)


def test_other_settings_are_refused_each_by_name(tmp_path):
    trainer_at(tmp_path).run()
    config = dataclasses.replace(CONFIG, steps=20, batch_size=16, d_steps=2, checkpoint_every=3)
    with pytest.raises(TrainingError) as caught:
        trainer_at(tmp_path, config, data=digits(40), loss=Hinge(wants_spectral_norm=False)).resume()
    message = str(caught.value)
    assert (
        "was started with other settings: batch_size: 8 -> 16; d_steps: 1 -> 2; data: digits, 50 images -> " in message
    )
    assert "digits, 40 images; discriminator: Critic, " in message
    assert "loss object: Hinge(wants_spectral_norm=True) -> Hinge(wants_spectral_norm=False)." in message
    assert "Resume it with its own" in message


def test_a_folder_that_holds_a_training_is_refused_and_left_alone(tmp_path):
    trainer_at(tmp_path).run()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(TrainingError, match=r"holds a training already\. Go on with it by --resume"):
        trainer_at(tmp_path).run()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_resuming_to_fewer_steps_than_are_done_is_refused(tmp_path):
    trainer_at(tmp_path).run()
    with pytest.raises(TrainingError, match=r"step-000012 is beyond the 7 steps .*Ask for 12 or more"):
        trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=7)).resume()


def test_resuming_where_nothing_has_begun_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="There is no training in"):
        trainer_at(tmp_path / "new").resume()


@pytest.mark.parametrize("name", ["optimizers.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning_and_the_result_is_the_same(tmp_path, name, caplog):
    straight = trainer_at(tmp_path / "straight")
    straight.run()
    trainer_at(tmp_path / "run").run()
    damaged = tmp_path / "run" / "checkpoints" / "step-000012" / name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    resumed = trainer_at(tmp_path / "run", network_seed=3)
    with caplog.at_level(logging.WARNING):
        assert resumed.resume().step == 12
    assert "step-000012 is damaged" in caplog.text and name in caplog.text
    assert_equal_weights(straight, resumed)
    assert_equal_files(tmp_path / "straight", tmp_path / "run")


def test_a_training_with_no_intact_checkpoint_is_refused(tmp_path):
    trainer_at(tmp_path).run()
    for directory in list_checkpoints(tmp_path / "checkpoints"):
        (directory / "state.json").unlink()
    with pytest.raises(TrainingError, match=r"no intact checkpoint to go on from\. Start without --resume, in another"):
        trainer_at(tmp_path).resume()


def test_a_full_disk_ends_the_training_without_loss_and_it_can_go_on(tmp_path, monkeypatch):
    straight = trainer_at(tmp_path / "straight")
    straight.run()
    save_file = checkpoint_module.save_file

    def full(tensors, path):
        if (tmp_path / "run" / "checkpoints" / "step-000005").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path)

    monkeypatch.setattr(checkpoint_module, "save_file", full)
    with pytest.raises(TrainingError, match=r"step-000010 cannot be written: .*\(step-000005 is intact\)"):
        trainer_at(tmp_path / "run").run()
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["latest", "step-000005"]
    resumed = trainer_at(tmp_path / "run", network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)


def test_a_callback_that_cannot_write_ends_the_training_with_the_step_and_what_is_safe(tmp_path):
    class Full(Callback):
        def on_step(self, metrics):
            if metrics.step == 6:
                raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        TrainingError,
        match=r"Step 6: writing into .* failed: .*No space left on device\. The newest checkpoint is .*5; --r",
    ):
        trainer_at(tmp_path, callbacks=[Full()]).run()


def test_a_loss_that_is_no_longer_finite_names_the_step_and_what_to_try(tmp_path):
    class Exploding(Hinge):
        def generator(self, fake_scores):
            return fake_scores.mean() * float("nan")

    with pytest.raises(TrainingError, match=r"Step 1: The generator loss became nan\. Try a lower learning rate"):
        trainer_at(tmp_path, loss=Exploding()).run()
    # Nothing was saved that could be lost, so the same folder can be used again.
    assert trainer_at(tmp_path).run().step == 12


@pytest.mark.parametrize("count", [1, 3])
def test_a_data_set_smaller_than_a_batch_trains(tmp_path, count):
    assert trainer_at(tmp_path, dataclasses.replace(CONFIG, steps=2), data=digits(count)).run().step == 2


def test_the_diversity_loss_is_reported_for_converted_models_only(tmp_path):
    two = dataclasses.replace(CONFIG, steps=2)
    assert trainer_at(tmp_path / "a", two).run().metrics.diversity < 0
    assert trainer_at(tmp_path / "b", two, build=TinyLatent).run().metrics.diversity is None
    without = dataclasses.replace(two, diversity="none", diversity_weight=None)
    assert trainer_at(tmp_path / "c", without).run().metrics.diversity is None


def test_the_defaults_can_be_trained_with(tmp_path):
    trainer = Trainer(seeded(TinyPaths), seeded(Critic), Hinge(), digits(10), run=tmp_path)
    assert trainer.config == TrainConfig()


def test_training_writes_to_no_stream(tmp_path, capfd):
    trainer_at(tmp_path).run()
    assert capfd.readouterr() == ("", "")
