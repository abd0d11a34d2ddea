"""A path taken out as a plain generator."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.errors import PathError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.extract import extract_tensors
from tests.generators import CASES
from tests.unit.conversion.converted import FLOAT32, assert_same, converted, model_copy, seeded

SEVERAL = (
    "WorksInPlace",
    "ModulatedConvolutions",
    "GatedSelfAttention",
    "SpectralNormByHook",
    "TiesWeights",
    "BatchNorms",
)


@pytest.mark.parametrize("name", CASES)
def test_an_extracted_generator_is_made_of_torch_alone(name: str) -> None:
    model = converted(name, 3).model
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    for child in list(plain.modules())[1:]:
        assert type(child).__module__.split(".")[0] == "torch", type(child)
    assert not any("rpganify" in str(type(value)) for value in vars(plain).values())


@pytest.mark.parametrize("name", SEVERAL)
def test_it_shares_no_memory_with_the_model(name: str) -> None:
    model = model_copy(name, 3, "eval")
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    plain = rpganify.extract(model, [1] * model.paths.num_buckets)
    with torch.no_grad():
        for tensor in [*plain.parameters(), *plain.buffers()]:
            tensor.zero_()
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", SEVERAL)
def test_it_can_be_converted_again(name: str) -> None:
    """`wrap(extract(rp, path))` with one block per bucket is that path."""
    case, model = CASES[name], model_copy(name, 3, "eval")
    path = model.draw(1, torch.Generator().manual_seed(5))[0]
    plain = rpganify.extract(model, path)
    z = next(iter(case.arguments(4).values()))
    again = rpganify.wrap(plain, blocks=1, init="copy", latent="z", example_inputs={"z": z}).eval()
    twice = rpganify.extract(again, [0] * again.paths.num_buckets)
    assert_same(twice(z), plain(z), FLOAT32)


@pytest.mark.parametrize("name", SEVERAL)
def test_it_survives_a_copy_and_refuses_a_pickle_that_would_not_be_the_same(name: str) -> None:
    model = converted(name, 3).model
    plain = rpganify.extract(model, [2] * model.paths.num_buckets)
    z = next(iter(CASES[name].arguments(3).values()))
    expected = copy.deepcopy(plain)(z)
    assert torch.equal(copy.deepcopy(plain)(z), expected)
    # torch would trace the generated code anew, and lose what it writes in place.
    with pytest.raises(TypeError, match=r"cannot be pickled as a whole\. Save its state_dict\(\)"):
        pickle.dumps(plain)


@pytest.mark.parametrize("name", ["SeveralLatents", "ClassLabels", "NoiseMaps", "FlatImages", "OptionalArguments"])
def test_its_forward_takes_the_originals_arguments_in_their_order(name: str) -> None:
    case, model = CASES[name], converted(name, 3).model
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    arguments = case.arguments(2)
    assert list(inspect.signature(plain.forward).parameters) == list(arguments)
    assert_same(plain(*arguments.values()), plain(**arguments), 0.0)


def test_a_list_argument_is_a_list_again_and_its_parts_may_come_by_name() -> None:
    case, model = CASES["ListOfLatents"], converted("ListOfLatents", 3).model
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    first, second = case.arguments(2)["styles"]
    expected = plain([first, second])
    by_name: dict[str, Any] = {"styles[0]": first, "styles[1]": second}
    assert_same(plain(**by_name), expected, 0.0)
    assert_same(plain((first, second)), expected, 0.0)


def test_noise_of_an_extracted_generator_comes_from_torchs_random_state() -> None:
    case, model = CASES["DrawsNoise"], converted("DrawsNoise", 3).model
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    z = case.arguments(3)["z"]
    assert torch.equal(seeded(lambda: plain(z), 1), seeded(lambda: plain(z), 1))
    assert not torch.equal(seeded(lambda: plain(z), 1), seeded(lambda: plain(z), 2))


@pytest.mark.parametrize("is_training", [False, True])
def test_it_is_in_the_mode_of_the_model_and_holds_that_modes_program(is_training: bool) -> None:
    model = model_copy("DiffersInTraining", 3, "train" if is_training else "eval")
    plain = rpganify.extract(model, [1, 1])
    assert plain.training is is_training
    z = CASES["DiffersInTraining"].arguments(3)["z"]
    original = CASES["DiffersInTraining"].build()
    original.load_state_dict(plain.state_dict())
    assert_same(plain(z), original.train(is_training)(z), FLOAT32)


def test_its_parameters_train_as_the_originals_do() -> None:
    plain = rpganify.extract(converted("DecoratedWithNoGrad", 3).model, [0, 0])
    assert {n for n, p in plain.named_parameters() if not p.requires_grad} == {"out.bias"}
    plain(CASES["DecoratedWithNoGrad"].arguments(2)["z"]).sum().backward()
    assert {n for n, p in plain.named_parameters() if p.grad is not None} == {"out.weight"}


def test_it_follows_a_model_in_another_precision() -> None:
    model = model_copy("BatchNorms", 3, "eval").double()
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    assert plain(model.Z).dtype == torch.float64
    assert_same(plain(model.Z), model(torch.zeros(1, model.paths.num_buckets, dtype=torch.int64)), 1e-12)


@pytest.fixture(scope="module")
def model() -> RandomPathGenerator:
    return converted("BranchesOnShapes", 3).model


@pytest.mark.parametrize("take", [rpganify.extract, extract_tensors])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ([0, 0], r"Paths are integers of shape \(N, 3\)"),
        ([0, 0, 3], r"Bucket 3 \(to_rgb\) has blocks 0 to 2; there is no block 3\."),
        ([0, -1, 0], r"there is no block -1"),
        (torch.zeros(1, 3, dtype=torch.int64), r"Paths are integers"),
        ([0.0, 1.0, 0.0], r"Paths are integers"),
    ],
)
def test_a_path_that_does_not_exist_is_refused(model: RandomPathGenerator, take: Any, path: Any, message: str) -> None:
    with pytest.raises(PathError, match=message):
        take(model, path)


def test_the_tensors_of_two_paths_differ_where_their_blocks_do(model: RandomPathGenerator) -> None:
    one, two = extract_tensors(model, [0, 1, 2]), extract_tensors(model, torch.tensor([0, 2, 2]))
    assert {name for name in one if not torch.equal(one[name], two[name])} == {"conv.weight", "conv.bias"}


class Holder(nn.Module):
    """Only to see that an unused child's tensors are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.unused = nn.Linear(4, 12), nn.BatchNorm2d(3)

    def forward(self, z: Tensor) -> Tensor:
        return self.fc(z).view(-1, 3, 2, 2)


def test_tensors_that_the_program_does_not_use_are_in_the_state_dict_all_the_same() -> None:
    original = Holder()
    plain = rpganify.extract(rpganify.wrap(original, blocks=2), [1])
    assert set(plain.state_dict()) == set(original.state_dict())
    original.load_state_dict(plain.state_dict())
