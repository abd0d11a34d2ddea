import threading

import pytest
import torch

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.mechanics import Mechanics
from rpganify.training.networks import network_tensors
from rpganify.training.processes import Processes
from rpganify.training.randomness import seeded_globals
from rpganify.training.saving.snapshot import SnapshotMemory, restore, view
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded

CONFIG = TrainConfig(batch_size=8, ema=0.9)
STEP = TrainingStep(Hinge(), digits(50), CONFIG)
MOVING = (
    ("generator", "norm.running_mean"),
    ("generator", "Z"),
    ("ema", "Z"),
    ("optimizers", "generator.0.exp_avg"),
)


@pytest.fixture(autouse=True)
def _own_randomness():
    with seeded_globals(0):
        yield


@pytest.fixture
def state():
    made = TrainingState.initial(seeded(TinyPaths), seeded(Critic, 1), CONFIG)
    STEP(made)
    return made


def values_of(snapshot):
    return {name: tensor.clone() for name, tensor in tensors_of(snapshot).items()}


def tensors_of(snapshot):
    groups = {**snapshot.networks, "optimizers": snapshot.optimizers}
    return {f"{group}.{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}


def addresses_of(snapshot):
    return {name: tensor.data_ptr() for name, tensor in tensors_of(snapshot).items()}


def assert_equal_values(first, second):
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize("keeps_models", [False, True])
def test_a_snapshot_is_the_whole_state_and_stays_so_while_the_training_goes_on(state, keeps_models):
    expected, numbers = values_of(view(state)), state.to_json()
    snapshot = SnapshotMemory(keeps_models=keeps_models).take(state)
    STEP(state)
    assert_equal_values(values_of(snapshot), expected)
    assert (snapshot.step, snapshot.numbers) == (1, numbers)
    moved = values_of(view(state))
    assert not any(torch.equal(expected[f"{group}.{name}"], moved[f"{group}.{name}"]) for group, name in MOVING)
    assert state.to_json() != numbers


@pytest.mark.parametrize("keeps_models", [False, True])
def test_every_snapshot_is_taken_into_the_memory_of_the_first(state, keeps_models):
    memory = SnapshotMemory(keeps_models=keeps_models)
    addresses = addresses_of(memory.take(state))
    STEP(state)
    second = memory.take(state)
    assert addresses_of(second) == addresses
    assert_equal_values(values_of(second), values_of(view(state)))
    own = set(addresses_of(view(state)).values())
    assert len(set(addresses.values())) == len(addresses)
    assert own.isdisjoint(addresses.values())


def test_the_model_of_a_snapshot_is_made_of_the_snapshot_s_tensors_and_draws_the_same_images(state):
    snapshot = SnapshotMemory(keeps_models=True).take(state)
    assert snapshot.models.keys() == {"generator", "ema"}
    codes = state.generator.draw(5)
    live = {"generator": state.generator, "ema": state.average.generator}
    expected = {name: model.train(False).images(codes) for name, model in live.items()}
    STEP(state)
    for name, model in snapshot.models.items():
        tensors = network_tensors(model)
        assert tensors.keys() == snapshot.networks[name].keys()
        assert all(tensors[key] is snapshot.networks[name][key] for key in tensors)
        assert torch.equal(model.train(False).images(codes), expected[name])
        assert not torch.equal(live[name].images(codes), expected[name])


@pytest.mark.parametrize("keeps_models", [False, True])
def test_tensors_that_come_or_change_their_shape_later_are_in_the_next_snapshot(state, keeps_models):
    memory = SnapshotMemory(keeps_models=keeps_models)
    memory.take(state)
    for generator in (state.generator, state.average.generator):
        generator.register_buffer("mean", torch.ones(3), persistent=False)
    state.discriminator.register_buffer("seen", torch.ones(2, 2, dtype=torch.int64))
    assert_equal_values(values_of(memory.take(state)), values_of(view(state)))
    state.generator.mean = torch.zeros(4)
    state.discriminator.seen = torch.zeros(3, dtype=torch.int32)
    assert_equal_values(values_of(memory.take(state)), values_of(view(state)))


def test_tensors_that_lie_in_memory_in_another_order_are_copied_right(state):
    state.discriminator.register_buffer("turned", torch.arange(6.0).reshape(2, 3).t())
    snapshot = SnapshotMemory(keeps_models=False).take(state)
    assert torch.equal(snapshot.networks["discriminator"]["turned"], torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))
    assert snapshot.networks["discriminator"]["turned"].is_contiguous()


def test_a_generator_that_cannot_be_copied_is_refused_with_the_way_to_go_on(state):
    state.generator.lock = threading.Lock()
    with pytest.raises(
        TrainingError, match=r"TinyPaths cannot be copied \(TypeError: .*lock.*\).*background_checkpoints=False"
    ):
        SnapshotMemory(keeps_models=True).take(state)
    assert SnapshotMemory(keeps_models=False).take(state).models == {}


def test_a_state_goes_back_to_its_snapshot_and_on_as_it_did_before(state):
    snapshot = SnapshotMemory(keeps_models=False).take(state)
    expected = values_of(view(state))
    STEP(state)
    second = values_of(view(state))
    restore(snapshot, state)
    assert_equal_values(values_of(view(state)), expected)
    STEP(state)
    assert_equal_values(values_of(view(state)), second)
    assert_equal_values(values_of(snapshot), expected)


def test_a_snapshot_of_other_networks_is_refused(state):
    other = TrainingState.initial(seeded(TinyPaths, num_blocks=(3, 5)), seeded(Critic, 1), CONFIG)
    with pytest.raises(ValueError, match=r"'second_weight' is .* there, .* here"):
        restore(view(other), state)


def test_an_average_that_was_not_kept_begins_as_the_generator_and_one_that_is_not_wanted_is_left_out(state):
    without = TrainingState.initial(seeded(TinyPaths, 5), seeded(Critic, 6), TrainConfig(batch_size=8))
    restore(view(without), state)
    assert torch.equal(state.average.generator.Z, without.generator.Z)
    restore(view(state), without)
    assert without.average is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_snapshot_of_networks_on_a_gpu_is_on_the_cpu():
    device = torch.device("cuda")
    state = TrainingState.initial(seeded(TinyPaths).to(device), seeded(Critic, 1).to(device), CONFIG)
    TrainingStep(Hinge(), digits(50), CONFIG, Mechanics(processes=Processes(device)))(state)
    snapshot = SnapshotMemory(keeps_models=True).take(state)
    found = values_of(snapshot)
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}
    assert_equal_values(found, {name: tensor.cpu() for name, tensor in values_of(view(state)).items()})
