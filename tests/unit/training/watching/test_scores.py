"""Alarms of the discriminator's scores: it wins, or tells nothing apart any more."""

from types import SimpleNamespace

import pytest
import torch

from rpganify.training.losses import Hinge, NonSaturating
from rpganify.training.watching.watch import Watch
from tests.unit.training.fakes import Critic, TinyPaths, seeded
from tests.unit.training.watching.watched import metrics_of, trained


def test_a_discriminator_that_wins_over_a_whole_window_is_told_of_once_and_again_after_it_lost():
    watch = Watch(every=10**6, window=10)
    state = SimpleNamespace(generator=seeded(TinyPaths))
    rows = [*[(0.001, 3.0, -2.5)] * 20, *[(1.0, 0.5, -0.2)] * 20, *[(0.0, 4.0, -4.0)] * 10]
    found = {}
    for step, (loss, real, fake) in enumerate(rows, 1):
        for alarm in watch.inspect(state, metrics_of(step, loss, real, fake)):
            found[step] = alarm
    assert list(found) == [10, 50]
    assert found[10].kind == "saturation" and found[10].step == 10
    assert found[10].message == (
        "The discriminator has won: over the last 10 steps its loss was 0.001 on average, with mean scores of 3 for real "
        "and -2.5 for fake images. A generator learns little from that. Lower --discriminator-lr, take fewer --d-steps, "
        "or augment the images."
    )


@pytest.mark.parametrize(
    ("loss", "real", "fake", "penalty", "is_won"),
    [
        (0.01, 2.0, -2.0, None, True),
        (0.51, 2.0, -2.0, 0.5, True),  # the penalty is no part of it
        (-4.0, 2.0, -2.0, 0.0, False),  # Wasserstein's loss has no end at 0
        (0.01, 0.005, -0.005, None, False),  # Wasserstein, where the scores say nothing
        (0.05, 2.0, -2.0, None, False),
    ],
)
def test_saturation_is_a_loss_near_0_with_scores_that_are_apart(loss, real, fake, penalty, is_won):
    watch = Watch(every=10**6, window=5)
    state = SimpleNamespace(generator=seeded(TinyPaths))
    found = [watch.inspect(state, metrics_of(step, loss, real, fake, penalty)) for step in range(1, 6)]
    assert found[:4] == [[]] * 4
    assert bool(found[4]) == is_won


def test_a_few_steps_that_the_discriminator_wins_are_no_alarm():
    watch = Watch(every=10**6, window=10)
    state = SimpleNamespace(generator=seeded(TinyPaths))
    won = [(0.0, 3.0, -3.0) if step % 10 else (2.0, 0.0, 0.0) for step in range(1, 41)]
    assert not any(watch.inspect(state, metrics_of(step, *row)) for step, row in enumerate(won, 1))


def test_a_training_whose_generator_stands_still_saturates(tmp_path):
    alarms = trained(
        tmp_path / "run",
        seeded(TinyPaths),
        NonSaturating(),
        discriminator=seeded(Critic, 1, is_normalised=False),
        steps=300,
        batch_size=16,
        generator_lr=0.0,
        discriminator_lr=5e-3,
    )
    assert [alarm["kind"] for alarm in alarms] == ["saturation"]


def test_a_discriminator_whose_scores_no_longer_differ_is_told_of_once_and_again_after_it_recovered():
    watch = Watch(every=10**6, window=10)
    state = SimpleNamespace(generator=seeded(TinyPaths))
    gaps = [*[4.0] * 10, *[0.08] * 10, *[0.01] * 20, *[-0.1] * 10, *[0.002, -0.002] * 5]
    found = {}
    for step, gap in enumerate(gaps, 1):
        for alarm in watch.inspect(state, metrics_of(step, 2.0, 0.3 + gap, 0.3)):
            found[step] = alarm
    assert list(found) == [30, 60]
    assert found[30].kind == "defeat" and found[30].message == (
        "The discriminator no longer tells real from fake images: over the last 10 steps their mean scores were 0.01 apart, "
        "and once 4. Unless the images are as good as real ones, it is too weak: give it more channels "
        "(--discriminator-arg channels=…), a higher --discriminator-lr, or more --d-steps."
    )


def test_scores_that_never_were_apart_are_no_defeat():
    watch = Watch(every=10**6, window=10)
    state = SimpleNamespace(generator=seeded(TinyPaths))
    assert not any(watch.inspect(state, metrics_of(step, 2.0, 0.3, 0.3)) for step in range(1, 31))


def test_a_training_whose_discriminator_forgets_is_told_of_it(tmp_path):
    alarms = trained(
        tmp_path / "run",
        seeded(TinyPaths),
        Hinge(),
        discriminator=_Forgetting(),
        steps=300,
        batch_size=16,
        discriminator_lr=0.0,
    )
    assert [alarm["kind"] for alarm in alarms] == ["defeat"]


class _Forgetting(torch.nn.Module):
    """Its scores come nearer one another with each pass, as those of a network whose units die."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return self.weight * images.flatten(1).mean(dim=1) * 0.97 ** min(self.calls, 600)
