import threading

import pytest
import torch

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.randomness import seeded_globals
from rpganify.training.snapshot import SnapshotMemory, view
from rpganify.training.state import TrainingState, network_tensors
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded

CONFIG = TrainConfig(batch_size=8)
STEP = TrainingStep(Hinge(), digits(50), CONFIG, torch.device("cpu"))
GROUPS = ("generator", "discriminator", "optimizers")
MOVING = (("generator", "norm.running_mean"), ("generator", "Z"), ("optimizers", "generator.0.exp_avg"))


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
    return {f"{group}.{name}": t.clone() for group in GROUPS for name, t in getattr(snapshot, group).items()}


def addresses_of(snapshot):
    return {f"{group}.{name}": t.data_ptr() for group in GROUPS for name, t in getattr(snapshot, group).items()}


def assert_equal_values(first, second):
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize("keeps_model", [False, True])
def test_a_snapshot_is_the_whole_state_and_stays_so_while_the_training_goes_on(state, keeps_model):
    expected, numbers = values_of(view(state)), state.to_json()
    snapshot = SnapshotMemory(state.generator, keeps_model=keeps_model).take(state)
    STEP(state)
    assert_equal_values(values_of(snapshot), expected)
    assert (snapshot.step, snapshot.numbers) == (1, numbers)
    moved = values_of(view(state))
    assert not any(torch.equal(expected[f"{group}.{name}"], moved[f"{group}.{name}"]) for group, name in MOVING)
    assert state.to_json() != numbers


@pytest.mark.parametrize("keeps_model", [False, True])
def test_every_snapshot_is_taken_into_the_memory_of_the_first(state, keeps_model):
    memory = SnapshotMemory(state.generator, keeps_model=keeps_model)
    addresses = addresses_of(memory.take(state))
    STEP(state)
    second = memory.take(state)
    assert addresses_of(second) == addresses
    assert_equal_values(values_of(second), values_of(view(state)))
    own = set(addresses_of(view(state)).values())
    assert len(set(addresses.values())) == len(addresses)
    assert own.isdisjoint(addresses.values())


def test_the_model_of_a_snapshot_is_made_of_the_snapshot_s_tensors_and_draws_the_same_images(state):
    snapshot = SnapshotMemory(state.generator, keeps_model=True).take(state)
    tensors = network_tensors(snapshot.model)
    assert tensors.keys() == snapshot.generator.keys()
    assert all(tensors[name] is snapshot.generator[name] for name in tensors)
    codes = state.generator.draw(5)
    expected = state.generator.train(False).images(codes)
    STEP(state)
    assert torch.equal(snapshot.model.train(False).images(codes), expected)
    assert not torch.equal(state.generator.images(codes), expected)


@pytest.mark.parametrize("keeps_model", [False, True])
def test_tensors_that_come_or_change_their_shape_later_are_in_the_next_snapshot(state, keeps_model):
    memory = SnapshotMemory(state.generator, keeps_model=keeps_model)
    memory.take(state)
    state.generator.register_buffer("average", torch.ones(3), persistent=False)
    state.discriminator.register_buffer("seen", torch.ones(2, 2, dtype=torch.int64))
    assert_equal_values(values_of(memory.take(state)), values_of(view(state)))
    state.generator.average = torch.zeros(4)
    state.discriminator.seen = torch.zeros(3, dtype=torch.int32)
    assert_equal_values(values_of(memory.take(state)), values_of(view(state)))


def test_tensors_that_lie_in_memory_in_another_order_are_copied_right(state):
    state.discriminator.register_buffer("turned", torch.arange(6.0).reshape(2, 3).t())
    snapshot = SnapshotMemory(state.generator, keeps_model=False).take(state)
    assert torch.equal(snapshot.discriminator["turned"], torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))
    assert snapshot.discriminator["turned"].is_contiguous()


def test_a_generator_that_cannot_be_copied_is_refused_with_the_way_to_go_on(state):
    state.generator.lock = threading.Lock()
    with pytest.raises(
        TrainingError, match=r"TinyPaths cannot be copied \(TypeError: .*lock.*\).*background_checkpoints=False"
    ):
        SnapshotMemory(state.generator, keeps_model=True)
    assert SnapshotMemory(state.generator, keeps_model=False).take(state).model is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_snapshot_of_networks_on_a_gpu_is_on_the_cpu():
    device = torch.device("cuda")
    state = TrainingState.initial(seeded(TinyPaths).to(device), seeded(Critic, 1).to(device), CONFIG)
    TrainingStep(Hinge(), digits(50), CONFIG, device)(state)
    snapshot = SnapshotMemory(state.generator, keeps_model=True).take(state)
    found = values_of(snapshot)
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}
    assert_equal_values(found, {name: tensor.cpu() for name, tensor in values_of(view(state)).items()})
