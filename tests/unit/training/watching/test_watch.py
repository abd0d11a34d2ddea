"""The watch as a whole: no alarm in a healthy training, and all that it has to say is told."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch

from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, NonSaturating, WassersteinGP
from rpganify.training.trainer import Trainer
from rpganify.training.watching.watch import Watch
from tests.unit.training.fakes import Critic, TinyLatent, TinyPaths, digits, seeded
from tests.unit.training.watching.watched import Deaf, checked, metrics_of, trained, with_gradients


@pytest.mark.parametrize("loss", [Hinge(), NonSaturating(), WassersteinGP()])
@pytest.mark.parametrize("build", [TinyPaths, TinyLatent])
def test_a_healthy_training_raises_no_alarm(tmp_path, build, loss):
    generator = seeded(build, width=48)
    discriminator = seeded(Critic, 1, width=64, is_normalised=loss.wants_spectral_norm)
    rates = {"generator_lr": 2e-3, "discriminator_lr": 2e-3}
    alarms = trained(
        tmp_path / "run", generator, loss, discriminator=discriminator, steps=150, watch_every=3, d_steps=2, **rates
    )
    assert alarms == []


def test_a_watch_changes_nothing():
    model = with_gradients(seeded(TinyPaths))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    state = torch.get_rng_state()
    checked(model, 3, diversity_weight=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(parameter.grad, gradients[name]) for name, parameter in model.named_parameters())
    assert all(parameter.requires_grad and parameter.grad_fn is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_after_a_step_back_the_windows_begin_anew():
    watch = Watch(every=1, window=4)
    model = with_gradients(seeded(TinyPaths), 1e-9)
    state = SimpleNamespace(generator=model)
    steps = [1, 2, 1, 2, 3]
    found = [bool(watch.inspect(state, metrics_of(step, 0.0, 3.0, -3.0))) for step in steps]
    assert found == [False, False, False, False, True]  # three checks in a row, none from before


def test_gradients_are_measured_where_they_are_due_and_written_with_the_metrics(tmp_path):
    trained(tmp_path / "run", seeded(TinyPaths), Hinge(), steps=6, batch_size=4, watch_every=3)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["gradient_norms"] is not None for line in lines] == [False, False, True] * 2
    assert all(norm > 0 for norm in lines[2]["gradient_norms"].values())
    assert list(lines[2]["gradient_norms"]) == ["one", "two"]


def test_alarms_are_warnings_and_callbacks_are_told_of_them(tmp_path, caplog):
    class Listening:
        def __init__(self):
            self.kinds = []

        def on_alarm(self, alarm):
            self.kinds.append(alarm.kind)

    listening = Listening()
    settings = TrainConfig(steps=30, batch_size=16, num_samples=4, watch_every=5, diversity="none")
    with caplog.at_level(logging.WARNING):
        Trainer(
            seeded(Deaf), seeded(Critic, 1), Hinge(), digits(), settings, run=tmp_path / "run", callbacks=[listening]
        ).run()
    assert listening.kinds == ["dead block"]
    (record,) = caplog.records
    assert record.getMessage().startswith("Step 20: Bucket 2 (two): block 1 got no gradient in 4 checks")
