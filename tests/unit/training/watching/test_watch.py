"""Alarms: each one provoked, and none in a healthy training."""

import json
import logging
import math
from types import SimpleNamespace

import pytest
import torch

from rpganify.training.callbacks import StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.diversity import block_diversity
from rpganify.training.losses import Hinge, NonSaturating, WassersteinGP
from rpganify.training.trainer import Trainer
from rpganify.training.watching.block_samples import block_distances, gradient_by_block, sample_bucket
from rpganify.training.watching.gradients import gradient_norms
from rpganify.training.watching.watch import Watch
from tests.unit.training.fakes import Critic, TinyLatent, TinyPaths, digits, seeded


def metrics_of(step, loss=1.5, real=0.5, fake=-0.5, penalty=None, **others):
    return StepMetrics(step, loss, -0.5, real, fake, penalty, None, 0.01, 0.02, 0.03, 1000.0, **others)


def with_gradients(model, scale=1.0):
    """The model with a random gradient for each parameter."""
    chance = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=chance)
    return model


def checked(model, count, *, change=lambda step: None, watch=None, **options):
    """Alarms by step of a watch that checks each step; `change` is called before each."""
    watch = watch or Watch(every=1, **options)
    alarms = {}
    for step in range(1, count + 1):
        change(step)
        if found := watch.inspect(SimpleNamespace(generator=model), metrics_of(step)):
            alarms[step] = found
    return alarms


def trained(run, generator, loss, *, discriminator=None, data=None, **config):
    """The alarms that a real training wrote down."""
    discriminator = discriminator or seeded(Critic, 1, is_normalised=loss.wants_spectral_norm)
    settings = TrainConfig(num_samples=4, sample_every=1000, checkpoint_every=1000, **config)
    Trainer(generator, discriminator, loss, data or digits(), settings, run=run).run()
    events = run / "events.jsonl"
    return [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []


def test_a_parameter_of_one_number_per_block_is_sampled_as_one_value():
    gain = torch.nn.Parameter(torch.tensor([0.0, 0.5, 2.0]))
    gain.grad = torch.tensor([1.0, 2.0, 3.0])
    (sample,) = sample_bucket([gain])
    assert (sample.size, sample.is_matrix) == (1, False)
    assert sample.weights.tolist() == [[0.0], [0.5], [2.0]] and sample.gradient.tolist() == [[1.0], [2.0], [3.0]]


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


# Saturation


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


# Defeat


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


# Gradients


def test_gradient_norms_are_those_of_all_parameters_of_a_bucket_together():
    model = with_gradients(seeded(TinyPaths))
    expected = {
        name: torch.cat([p.grad.flatten() for p in model.bucket_parameters(index).values()]).norm().item()
        for index, name in enumerate(("one", "two"))
    }
    assert gradient_norms(model) == pytest.approx(expected, rel=1e-6)
    model.first_weight.grad = model.first_bias.grad = None
    assert gradient_norms(model) == pytest.approx({"two": expected["two"]}, rel=1e-6)
    assert gradient_norms(seeded(TinyPaths)) == {}


def test_a_standard_generators_gradient_is_one():
    model = with_gradients(seeded(TinyLatent))
    expected = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm().item()
    assert gradient_norms(model) == pytest.approx({"generator": expected}, rel=1e-6)
    assert gradient_norms(seeded(TinyLatent)) == {}


@pytest.mark.parametrize("build", [TinyPaths, TinyLatent])
def test_a_gradient_below_adams_epsilon_has_vanished(build):
    model = with_gradients(seeded(build), 1e-9)
    alarms = checked(model, 8)
    assert list(alarms) == [3]
    first = alarms[3][0]
    where = "bucket one" if build is TinyPaths else "the generator"
    assert first.kind == "gradients"
    assert first.message.startswith(f"The gradient of {where} has vanished: its norm was at most ")
    assert "per value, which is less than Adam's epsilon" in first.message
    assert checked(with_gradients(seeded(build), 1e-7), 8) == {}


def test_gradients_that_come_back_and_vanish_again_are_told_of_again():
    model = seeded(TinyLatent)
    alarms = checked(model, 12, change=lambda step: with_gradients(model, 1e-3 if step in (5, 6) else 1e-9))
    assert list(alarms) == [3, 9]


def test_a_gradient_that_is_a_thousand_times_its_usual_size_has_exploded():
    model = seeded(TinyPaths)
    alarms = checked(model, 12, change=lambda step: with_gradients(model, 2e3 if step > 6 else 1.0))
    assert list(alarms) == [9]
    assert [alarm.message.split(":")[0] for alarm in alarms[9]] == [
        "The gradient of bucket one has exploded",
        "The gradient of bucket two has exploded",
    ]
    assert checked(model, 12, change=lambda step: with_gradients(model, 500 if step > 6 else 1.0)) == {}
    once = checked(model, 12, change=lambda step: with_gradients(model, 2e3 if step == 8 else 1.0))
    assert once == {}


def test_a_gradient_that_stays_infinite_is_told_of_and_one_odd_step_is_not():
    model = seeded(TinyLatent)
    alarms = checked(model, 6, change=lambda step: with_gradients(model, math.inf))
    assert list(alarms) == [3]
    assert "was infinite or NaN at the last 3 checks" in alarms[3][0].message
    # fp16 leaves out steps whose gradients overflow, and goes on.
    assert checked(model, 6, change=lambda step: with_gradients(model, math.nan if step == 3 else 1.0)) == {}


def test_buckets_whose_gradients_differ_a_thousandfold_are_told_of():
    def changed(model, factor):
        with_gradients(model)
        for parameter in model.bucket_parameters(0).values():
            parameter.grad *= factor
        return model

    (alarm,) = checked(changed(seeded(TinyPaths), 1e-5), 6)[3]
    assert alarm.kind == "gradients"
    assert "differ by more than 1,000 times" in alarm.message
    assert " in one, " in alarm.message and " in two." in alarm.message
    assert checked(changed(seeded(TinyPaths), 0.05), 6) == {}


def test_a_bucket_that_gets_nothing_beside_one_that_does_is_told_of():
    model = with_gradients(seeded(TinyPaths))
    for parameter in model.bucket_parameters(0).values():
        parameter.grad.zero_()
    (alarms,) = checked(model, 6).values()
    assert {alarm.message.split(":")[0] for alarm in alarms} == {
        "The gradient of bucket one has vanished",
        "The gradients of the buckets differ by more than 1,000 times at the last 3 checks",
    }


# Duplicates


def test_independent_blocks_are_at_a_distance_of_2_and_copies_at_0():
    chance = torch.Generator().manual_seed(0)
    weights = torch.randn(6, 300, 100, generator=chance) * 0.02 + 5  # a mean far from 0 takes nothing away
    weights[3] = weights[1]
    bias = torch.zeros(6, 50)
    samples = sample_bucket([torch.nn.Parameter(weights), torch.nn.Parameter(bias)])
    distances = block_distances(samples)
    others = distances[0, 1:]
    assert torch.allclose(others, torch.full((5,), 2.0), rtol=0.15)
    assert distances[1, 3] < 1e-6 and distances.diagonal().abs().max() < 1e-6


def test_a_distance_is_the_mean_over_all_values_each_parameter_by_its_own_variance():
    chance = torch.Generator().manual_seed(0)
    parameters = [
        torch.nn.Parameter(scale * torch.randn(4, *shape, generator=chance))
        for scale, shape in ((1, (5, 7)), (9, (3,)))
    ]
    flat = torch.cat([(p / p.std(correction=0)).flatten(1) for p in parameters], dim=1)
    expected = (flat[:, None] - flat[None]).square().mean(dim=2)
    assert torch.allclose(block_distances(sample_bucket(parameters)), expected, atol=1e-5)


def test_a_large_parameter_is_read_at_places_spread_over_rows_columns_and_kernel():
    size = (64, 64, 3, 3)
    places = torch.arange(math.prod(size)).reshape(1, *size).float()
    (sample,) = sample_bucket([torch.nn.Parameter(places)])
    assert 2048 < sample.weights.shape[1] <= 4096
    assert sample.size == math.prod(size)
    indices = torch.unravel_index(sample.weights[0].long(), size)
    for axis, index in enumerate(indices):
        assert len(index.unique()) == size[axis]


def test_blocks_that_become_alike_are_told_of_once_by_name():
    model = seeded(TinyPaths)

    def collapse(step):
        if step in (4, 7):
            for parameter in model.bucket_parameters(1).values():
                parameter.data[2 if step == 4 else 0] = parameter.data[3]

    alarms = checked(model, 10, change=collapse)
    assert list(alarms) == [4, 7]
    (first,), (second,) = alarms.values()
    assert first.kind == "duplicates"
    assert first.message.startswith(
        "Bucket 2 (two): blocks 2 = 3 have become alike: they differ by at most 0.0% of what"
    )
    assert second.message.startswith("Bucket 2 (two): blocks 0 = 2 = 3 have become alike")


def test_blocks_that_part_and_become_alike_again_are_told_of_again():
    model = seeded(TinyPaths)
    own = {name: p.data[0].clone() for name, p in model.bucket_parameters(0).items()}

    def change(step):
        for name, parameter in model.bucket_parameters(0).items():
            parameter.data[0] = own[name] if step in (1, 4) else parameter.data[1]

    assert list(checked(model, 6, change=change)) == [2, 5]


def test_copies_at_birth_that_grow_apart_are_no_duplicates():
    model = seeded(TinyPaths)
    for index in (0, 1):
        for parameter in model.bucket_parameters(index).values():
            parameter.data[:] = parameter.data[:1]
    chance = torch.Generator().manual_seed(0)

    def grow_apart(step):
        for parameter in model.parameters():
            parameter.data += 1e-3 * torch.randn(parameter.shape, generator=chance)

    assert checked(model, 10, change=grow_apart) == {}


def test_nearly_alike_counts_and_similar_does_not():
    for share, is_alike in ((0.05, True), (0.5, False)):
        model = seeded(TinyPaths)

        def approach(step, model=model, share=share):
            if step == 3:
                for parameter in model.bucket_parameters(0).values():
                    parameter.data[0] = torch.lerp(parameter.data[1], parameter.data[0], share)

        assert bool(checked(model, 4, change=approach)) == is_alike


# Dead blocks


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_blocks_that_hold_no_numbers_are_dead(value):
    model = seeded(TinyPaths)

    def break_it(step):
        if step == 3:
            model.second_bias.data[1, 7] = value
            model.second_weight.data[2] = value

    alarms = checked(model, 6, change=break_it)
    assert [(step, alarm.kind) for step, found in alarms.items() for alarm in found] == [(3, "dead block")]
    assert alarms[3][0].message == (
        "Bucket 2 (two): the weights of blocks 1 and 2 hold NaN or infinity. Lower --generator-lr; `rpganify prune` drops "
        "such blocks."
    )


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_block_whose_weights_are_constant_is_dead_and_biases_that_are_born_so_are_not(value):
    model = seeded(TinyPaths)
    assert model.first_bias.eq(0).all()
    alarms = checked(model, 4, change=lambda step: step == 2 and model.first_weight.data[1].fill_(value))
    assert list(alarms) == [2]
    assert alarms[2][0].message.startswith(
        "Bucket 1 (one): the weights of block 1 are all but constant, while the other blocks' are not."
    )


def test_weights_that_are_constant_in_all_blocks_were_meant_to_be():
    model = seeded(TinyPaths)
    model.second_weight.data.zero_()
    assert checked(model, 4) == {}


class Deaf(TinyPaths):
    """A generator in which block 1 of the second bucket does nothing."""

    def images(self, codes):
        return super().images(codes) * (codes[:, 1] != 1)[:, None, None, None]


@pytest.mark.parametrize("diversity", ["none", "paper"])
def test_a_block_that_is_drawn_and_gets_no_gradient_is_told_of_whatever_the_diversity_loss_adds(tmp_path, diversity):
    alarms = trained(
        tmp_path / "run", seeded(Deaf), Hinge(), steps=100, batch_size=16, watch_every=5, diversity=diversity
    )
    assert len(alarms) == 1
    assert alarms[0]["kind"] == "dead block"
    assert alarms[0]["message"] == (
        "Bucket 2 (two): block 1 got no gradient in 4 checks, in which a block is drawn 16 times on average: nothing that "
        "it does reaches the images. `rpganify prune` drops it."
    )
    # At first biases, all 0 at birth, change by their own size in a step, and so does the diversity loss's gradient.
    assert alarms[0]["step"] == 20 if diversity == "none" else alarms[0]["step"] <= 60


def test_a_block_that_chance_leaves_undrawn_for_a_while_is_not_silent(tmp_path):
    generator = seeded(TinyPaths, num_blocks=(3, 40))
    alarms = trained(
        tmp_path / "run", generator, Hinge(), steps=150, batch_size=4, watch_every=1, diversity="none", d_steps=1
    )
    assert alarms == []


def test_where_some_blocks_are_drawn_less_often_on_purpose_no_gradient_says_nothing():
    model = seeded(TinyPaths)

    def change(step):
        with_gradients(model)
        for parameter in model.bucket_parameters(1).values():
            parameter.grad[1] = 0

    assert checked(model, 12, change=change, draws_all=False) == {}
    assert list(checked(model, 12, change=change)) == [1]  # 64 codes a step leave none of 4 blocks undrawn


def test_what_the_diversity_loss_adds_to_a_gradient_is_taken_off_it():
    model = seeded(TinyPaths)
    told = torch.randn(4, 64, 16, generator=torch.Generator().manual_seed(0))
    told[1] = 0
    pushed = torch.autograd.grad(-1e-2 * block_diversity(model.second_weight), model.second_weight)[0]
    model.second_weight.grad = told + pushed
    expected = told.flatten(1).norm(dim=1)
    samples = sample_bucket([model.second_weight])
    norms = gradient_by_block(samples, 1e-2)
    assert torch.allclose(norms, expected, atol=1e-4)
    assert gradient_by_block(samples, 0.0)[1] > 1e-3
    assert norms[1] < 1e-6


def test_values_of_a_large_parameter_stand_for_all_of_its_gradient():
    chance = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(5, 300, 200, generator=chance))
    told = torch.randn(5, 300, 200, generator=chance) * torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0])[:, None, None]
    parameter.grad = told + torch.autograd.grad(-0.1 * block_diversity(parameter), parameter)[0]
    expected = told.flatten(1).norm(dim=1)
    norms = gradient_by_block(sample_bucket([parameter]), 0.1)
    assert torch.allclose(norms, expected, rtol=0.05, atol=0.01 * expected.mean().item())
    whole = gradient_by_block(sample_bucket([parameter], None), 0.1)
    assert torch.allclose(whole, expected, rtol=1e-3, atol=1e-3)


# The watch as a whole


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


def test_many_blocks_are_named_by_the_first_of_them():
    model = seeded(TinyPaths, num_blocks=(3, 30))
    alarms = checked(model, 3, change=lambda step: step == 2 and model.second_weight.data[3:17].fill_(0))
    assert "blocks 3, 4, 5, 6, 7, 8 and 8 more are all but constant" in alarms[2][0].message
