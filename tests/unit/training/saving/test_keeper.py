"""What stays on the disk, and what a training goes back to."""

import dataclasses

import pytest
import torch

from rpganify.manifest import find_damage
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.processes import Processes
from rpganify.training.randomness import seeded_globals
from rpganify.training.run import RunDirectory
from rpganify.training.saving.checkpoint import list_checkpoints, newest_intact, write_checkpoint
from rpganify.training.saving.keeper import StateKeeper
from rpganify.training.state import Best, TrainingState
from rpganify.training.steps import NotFinite
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyLatent, digits, seeded

IN_PLACE, IN_BACKGROUND = (TrainConfig(batch_size=8, background_checkpoints=is_aside) for is_aside in (False, True))


@pytest.fixture(autouse=True)
def _own_randomness():
    with seeded_globals(0):
        yield


@pytest.fixture(params=[IN_PLACE, IN_BACKGROUND], ids=["in place", "background"])
def config(request):
    return request.param


def state_of(config):
    return TrainingState.initial(seeded(TinyLatent), seeded(Critic, 1), config)


def keeper_of(run, config, written=None):
    def on_written(step, directory):
        if written is not None:
            written.append((step, directory.name))

    return StateKeeper(RunDirectory(run), config, Processes(), None, on_written)


def save(keeper, state, step):
    state.step = step
    keeper.save(state)
    keeper.finish()


def names_in(run):
    return [path.name for path in list_checkpoints(run / "checkpoints")]


def link(run, name):
    return (run / "checkpoints" / name).resolve().name


def values_of(state):
    networks = {f"{owner}.{name}": value for owner, ts in state.networks().items() for name, value in ts.items()}
    return {name: value.clone() for name, value in (networks | state.optimizer_tensors()).items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_as_many_of_the_newest_stay_as_are_asked_for_and_latest_is_the_last(tmp_path, config, keep):
    written, state = [], state_of(config)
    with keeper_of(tmp_path, dataclasses.replace(config, keep=keep), written) as keeper:
        for step in (2, 4, 6, 8):
            save(keeper, state, step)
    assert names_in(tmp_path) == ["step-000002", "step-000004", "step-000006", "step-000008"][-keep:]
    assert link(tmp_path, "latest") == "step-000008" and not (tmp_path / "checkpoints/best").exists()
    assert written == [(step, f"step-{step:06d}") for step in (2, 4, 6, 8)]


def test_the_best_outlives_newer_ones_until_a_better_one_comes(tmp_path, config):
    state = state_of(config)
    with keeper_of(tmp_path, dataclasses.replace(config, keep=1)) as keeper:
        for step, best in ((2, 2), (4, 2), (6, 2), (8, 8), (10, 8)):
            state.best = Best(1.0, best)
            save(keeper, state, step)
            assert names_in(tmp_path) == [f"step-{kept:06d}" for kept in sorted({best, step})]
            assert (link(tmp_path, "best"), link(tmp_path, "latest")) == (f"step-{best:06d}", f"step-{step:06d}")


def test_a_training_that_goes_on_spares_the_best_of_before(tmp_path, config):
    state = state_of(config)
    state.step, state.best = 2, Best(1.0, 2)
    write_checkpoint(tmp_path / "checkpoints", state)
    with keeper_of(tmp_path, dataclasses.replace(config, keep=1)) as keeper:
        keeper.remember(state)
        save(keeper, state, 5)
    assert names_in(tmp_path) == ["step-000002", "step-000005"]


def test_damaged_checkpoints_of_later_steps_do_not_take_the_place_of_the_one_that_is_written(tmp_path, config):
    state = state_of(config)
    for step in (4, 10, 12):
        state.step = step
        write_checkpoint(tmp_path / "checkpoints", state)
    for step in (10, 12):
        (tmp_path / f"checkpoints/step-{step:06d}/state.json").unlink()
    with keeper_of(tmp_path, dataclasses.replace(config, keep=1)) as keeper:
        keeper.remember(state)
        save(keeper, state, 7)
    assert names_in(tmp_path) == ["step-000007"]
    assert find_damage(newest_intact(tmp_path / "checkpoints")) is None


@pytest.mark.parametrize(
    ("network", "name", "value"),
    [
        ("generator", "net.0.weight", float("nan")),
        ("generator", "net.3.bias", float("-inf")),
        ("discriminator", "last.bias", float("inf")),
        ("discriminator", "first.parametrizations.weight.0._u", float("nan")),
    ],
)
def test_weights_that_are_not_finite_are_never_written(tmp_path, config, network, name, value):
    state = state_of(config)
    with keeper_of(tmp_path, config) as keeper:
        save(keeper, state, 2)
        state.networks()[network][name].data.flatten()[-1] = value
        state.step = 3
        with pytest.raises(NotFinite, match=r"^Step 3: a weight became NaN or infinite\.$"):
            keeper.save(state)
    assert names_in(tmp_path) == ["step-000002"]


def test_a_buffer_may_mask_by_infinity(tmp_path, config):
    state = state_of(config)
    state.generator.register_buffer("mask", torch.full((3,), float("-inf")))
    with keeper_of(tmp_path, config) as keeper:
        save(keeper, state, 1)
    assert names_in(tmp_path) == ["step-000001"]


def test_going_back_restores_everything_but_position_and_time_draws_anew_and_halves_the_rate(tmp_path, config):
    state, step = state_of(config), TrainingStep(Hinge(), digits(50), config)
    with keeper_of(tmp_path, config) as keeper:
        step(state)
        keeper.save(state)
        kept = values_of(state)
        codes = state.streams.codes.get_state()
        step(state), step(state)
        elapsed_s = state.elapsed_s
        assert not equal(values_of(state), kept)
        told = keeper.roll_back(state, NotFinite("Step 4: The generator loss became nan."))
    assert equal(values_of(state), kept)
    assert (state.step, state.position, state.num_rollbacks, state.rate) == (1, 3 * 8, 1, 0.5)
    assert state.elapsed_s == elapsed_s
    assert not torch.equal(state.streams.codes.get_state(), codes)
    assert told == (
        "Step 4: The generator loss became nan. Back to step 1 (from 3), with other draws and learning rates at 0.5 of "
        "the settings; rollback 1 of 5."
    )


def test_every_time_draws_are_others_and_the_rate_is_halved_again_until_it_is_enough(tmp_path, config):
    state = state_of(config)
    draws = [state.streams.codes.initial_seed()]
    reason = NotFinite("Step 2: The discriminator loss became inf.")
    with keeper_of(tmp_path, dataclasses.replace(config, max_rollbacks=3)) as keeper:
        save(keeper, state, 1)
        for count in (1, 2, 3):
            keeper.roll_back(state, reason)
            assert (state.num_rollbacks, state.rate) == (count, 0.5**count)
            draws.append(state.streams.codes.initial_seed())
        with pytest.raises(NotFinite, match=r"^Step 2: .* became inf\. The training has gone back 3 times already\.$"):
            keeper.roll_back(state, reason)
    assert len(set(draws)) == 4


def test_with_no_rollback_allowed_the_first_reason_ends_it(tmp_path, config):
    with keeper_of(tmp_path, dataclasses.replace(config, max_rollbacks=0)) as keeper:
        state = state_of(config)
        keeper.remember(state)
        with pytest.raises(NotFinite, match=r"^Step 1: gone\.$"):
            keeper.roll_back(state, NotFinite("Step 1: gone."))


def test_before_the_first_checkpoint_a_training_goes_back_to_its_start_if_that_is_in_memory(tmp_path):
    state = state_of(IN_BACKGROUND)
    start = values_of(state)
    with keeper_of(tmp_path, IN_BACKGROUND) as keeper:
        keeper.remember(state)
        TrainingStep(Hinge(), digits(50), IN_BACKGROUND)(state)
        keeper.roll_back(state, NotFinite("Step 2: gone."))
    assert equal({name: values_of(state)[name] for name in start}, start) and state.step == 0
    state = state_of(IN_PLACE)
    with keeper_of(tmp_path, IN_PLACE) as keeper:
        keeper.remember(state)
        with pytest.raises(NotFinite, match=r"^Step 2: gone\. There is no checkpoint to go back to yet\.$"):
            keeper.roll_back(state, NotFinite("Step 2: gone."))


def test_what_is_safe_is_said(tmp_path):
    with keeper_of(tmp_path, IN_PLACE) as keeper:
        assert keeper.words == "No checkpoint has been written yet."
        save(keeper, state_of(IN_PLACE), 3)
        assert keeper.words == (
            f"The newest checkpoint is {tmp_path / 'checkpoints/step-000003'}; --resume goes on from there."
        )


def test_what_a_kill_behind_a_checkpoint_left_undone_is_done_when_the_training_goes_on(tmp_path, config):
    state = state_of(config)
    state.best = Best(1.0, 6)
    for step in (2, 4, 6):
        state.step = step
        write_checkpoint(tmp_path / "checkpoints", state)
    with keeper_of(tmp_path, dataclasses.replace(config, keep=2)) as keeper:
        keeper.remember(state)
    assert names_in(tmp_path) == ["step-000004", "step-000006"]
    assert (link(tmp_path, "best"), link(tmp_path, "latest")) == ("step-000006", "step-000006")


def test_going_on_from_an_older_checkpoint_removes_nothing_until_there_is_a_newer_one(tmp_path, config):
    state = state_of(config)
    for step in (2, 4, 6):
        state.step = step
        write_checkpoint(tmp_path / "checkpoints", state)
    (tmp_path / "checkpoints/step-000006/state.json").unlink()
    state.step = 4
    with keeper_of(tmp_path, dataclasses.replace(config, keep=1)) as keeper:
        keeper.remember(state)
        assert names_in(tmp_path) == ["step-000002", "step-000004", "step-000006"]
