"""The converted generator as a module: its interface, its conditions, and names that could clash with them."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

import rpganify
from rpganify.errors import ConversionError, PathError
from rpganify.routing.generator import Condition, RandomPathGenerator

LATENT, CLASSES = 6, 5


class Labelled(nn.Module):
    """Latent, class and a list of two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.fc, self.embed, self.out = nn.Linear(LATENT, 8), nn.Embedding(CLASSES, 8), nn.Linear(8, 12)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, z: Tensor, y: Tensor, maps: list[Tensor]) -> dict[str, Tensor]:
        h = self.norm(self.fc(z) + self.embed(y) + maps[0].mean(1, keepdim=True) - maps[1].mean(1, keepdim=True))
        return {"fake": torch.tanh(self.out(h)).view(-1, 3, 2, 2), "features": h}


class Plain(nn.Module):
    """Nothing but a latent."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.norm, self.l2 = nn.Linear(LATENT, 8), nn.BatchNorm1d(8), nn.Linear(8, 12)
        self.register_buffer("aside", torch.ones(12), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.l2(torch.relu(self.norm(self.l1(z)))) * self.aside).view(-1, 3, 2, 2)


def inputs(batch: int) -> dict[str, object]:
    return {
        "y": torch.arange(batch) % CLASSES,
        "maps": [torch.full((batch, 3), 0.5), torch.linspace(0, 1, batch * 2).view(batch, 2)],
    }


@pytest.fixture(scope="module")
def shared_labelled() -> RandomPathGenerator:
    torch.manual_seed(0)
    examples = {"z": torch.randn(2, LATENT), **inputs(2)}
    return rpganify.wrap(Labelled(), blocks=3, init="jitter", latent="z", example_inputs=examples).eval()


@pytest.fixture(scope="module")
def shared_plain() -> RandomPathGenerator:
    torch.manual_seed(0)
    return rpganify.wrap(Plain(), blocks=[3, 2], init="jitter").eval()


@pytest.fixture
def labelled(shared_labelled: RandomPathGenerator) -> RandomPathGenerator:
    return copy.deepcopy(shared_labelled)


@pytest.fixture
def plain(shared_plain: RandomPathGenerator) -> RandomPathGenerator:
    return copy.deepcopy(shared_plain)


def test_it_tells_its_shape_conditions_plan_and_path_space(labelled: RandomPathGenerator) -> None:
    assert labelled.codes == "paths"
    assert labelled.image_shape == (3, 2, 2)
    assert labelled.conditions == (
        Condition("y", (), torch.int64),
        Condition("maps[0]", (3,), torch.float32),
        Condition("maps[1]", (2,), torch.float32),
    )
    assert labelled.paths.num_blocks == labelled.plan.num_blocks == (3, 3, 3)
    assert labelled.Z.shape == (1, LATENT) and isinstance(labelled.Z, nn.Parameter)


def test_images_are_the_images_among_what_forward_returns(labelled: RandomPathGenerator) -> None:
    paths = labelled.draw(4, torch.Generator().manual_seed(0))
    outputs = labelled(paths, **inputs(4))
    assert set(outputs) == {"fake", "features"}
    assert torch.equal(labelled.images(paths, **inputs(4)), outputs["fake"])


def test_sampling_draws_paths_and_makes_their_images(labelled: RandomPathGenerator) -> None:
    paths = labelled.draw(4, torch.Generator().manual_seed(3))
    images = labelled.sample(4, torch.Generator().manual_seed(3), **inputs(4))
    assert torch.equal(images, labelled.images(paths, **inputs(4)))


def test_parts_of_a_list_may_be_given_by_their_own_names(labelled: RandomPathGenerator) -> None:
    paths, given = labelled.draw(4), inputs(4)
    one, two = given["maps"]  # type: ignore[misc]
    apart = {"y": given["y"], "maps[0]": one, "maps[1]": two}
    assert torch.equal(labelled.images(paths, **apart), labelled.images(paths, **given))


def test_a_missing_condition_is_named_with_its_type_and_shape(labelled: RandomPathGenerator) -> None:
    with pytest.raises(
        ConversionError, match=r"also needs 'y', torch\.int64 of shape \('N',\): pass y=… after the paths"
    ):
        labelled(labelled.draw(2), maps=inputs(2)["maps"])


def test_an_unknown_condition_is_refused_with_the_known_ones(labelled: RandomPathGenerator) -> None:
    with pytest.raises(ConversionError, match=r"no input 'label'; besides its path it takes y, maps\[0\], maps\[1\]\."):
        labelled(labelled.draw(2), label=1, **inputs(2))


def test_a_generator_without_conditions_takes_nothing(plain: RandomPathGenerator) -> None:
    assert plain.conditions == ()
    with pytest.raises(ConversionError, match=r"no input 'y'; besides its path it takes nothing\."):
        plain(plain.draw(2), y=torch.zeros(2))


def test_conditions_of_another_batch_size_are_refused(labelled: RandomPathGenerator) -> None:
    with pytest.raises(ConversionError, match=r"'y' holds 3 samples, but there are 2 paths\."):
        labelled(labelled.draw(2), **{**inputs(2), "y": torch.zeros(3, dtype=torch.int64)})


def test_a_condition_that_is_no_tensor_or_lacks_its_parts_is_refused(labelled: RandomPathGenerator) -> None:
    for wrong in ({"y": 3}, {"maps": [torch.zeros(2, 3)]}, {"maps": torch.tensor(1.0)}, {"y": torch.tensor(3)}):
        with pytest.raises(ConversionError, match=next(iter(wrong))):
            labelled(labelled.draw(2), **{**inputs(2), **wrong})


def test_paths_outside_the_space_are_refused(plain: RandomPathGenerator) -> None:
    with pytest.raises(PathError, match=r"Bucket 2 \(l2\) has blocks 0 to 1; there is no block 2\."):
        plain(torch.tensor([[0, 2]]))
    with pytest.raises(PathError, match=r"Paths are integers of shape \(N, 2\)"):
        plain(torch.zeros(4, LATENT))


def test_a_buckets_parameters_have_the_block_axis_first_and_together_they_are_all_that_is_not_shared(
    plain: RandomPathGenerator,
) -> None:
    assert {n: tuple(p.shape) for n, p in plain.bucket_parameters(0).items()} == {
        "l1.weight": (3, 8, LATENT),
        "l1.bias": (3, 8),
    }
    assert set(plain.bucket_parameters(1)) == {"l2.weight", "l2.bias"}
    names = {name for name, _ in plain.named_parameters()}
    assert names - set(plain.bucket_parameters(0)) - set(plain.bucket_parameters(1)) == {
        "Z",
        "norm.weight",
        "norm.bias",
    }
    assert all(parameter is plain.get_parameter(name) for name, parameter in plain.bucket_parameters(0).items())


def test_the_state_dict_has_the_originals_names_and_the_fixed_input(plain: RandomPathGenerator) -> None:
    assert set(plain.state_dict()) == {"Z", *Plain().state_dict()}


def test_a_copy_is_independent(plain: RandomPathGenerator) -> None:
    paths = plain.draw(4)
    before = plain(paths)
    other = copy.deepcopy(plain)
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            tensor.zero_()
    other.train()(paths)
    assert torch.equal(plain(paths), before) and not plain.training
    assert not other(paths).any()


def test_a_model_survives_pickle_and_torch_save(plain: RandomPathGenerator) -> None:
    paths = plain.draw(4)
    again = pickle.loads(pickle.dumps(plain))
    assert torch.equal(again(paths), plain(paths))
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(paths), plain(paths))


def test_a_state_dict_can_be_loaded_into_a_copy(plain: RandomPathGenerator) -> None:
    paths, other = plain.draw(4), copy.deepcopy(plain)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    other.load_state_dict(plain.state_dict())
    assert torch.equal(other(paths), plain(paths))


def test_it_follows_a_change_of_type(plain: RandomPathGenerator) -> None:
    paths = plain.draw(4)
    single = plain(paths)
    double = plain.double()(paths)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=0, atol=1e-5)


def test_torch_func_reaches_its_parameters(plain: RandomPathGenerator) -> None:
    paths = plain.draw(4)
    zero = {name: torch.zeros_like(parameter) for name, parameter in plain.named_parameters()}
    assert not functional_call(plain, zero, (paths,)).any()
    assert plain(paths).any()


def test_train_and_eval_mode_reach_the_norms(plain: RandomPathGenerator) -> None:
    paths = plain.draw(6, torch.Generator().manual_seed(0))
    before = plain.get_buffer("norm.running_mean").clone()
    plain(paths)
    assert torch.equal(plain.get_buffer("norm.running_mean"), before)
    plain.train()(paths)
    assert not torch.equal(plain.get_buffer("norm.running_mean"), before)
    assert int(plain.get_buffer("norm.num_batches_tracked")) == 1


def test_an_optimiser_moves_every_block_that_was_present_and_z(plain: RandomPathGenerator) -> None:
    before = {name: parameter.detach().clone() for name, parameter in plain.named_parameters()}
    optimiser = torch.optim.SGD(plain.parameters(), lr=0.1)
    plain.train()(torch.tensor([[0, 1], [2, 1], [0, 1]])).square().sum().backward()
    optimiser.step()
    moved = {n: (p != before[n]).flatten(1).any(1).tolist() for n, p in plain.named_parameters() if p.dim() > 1}
    assert moved == {"Z": [True], "l1.weight": [True, False, True], "l1.bias": [True, False, True]} | {
        "l2.weight": [False, True],
        "l2.bias": [False, True],
    }


def test_the_summary_says_buckets_blocks_and_the_number_of_paths(plain: RandomPathGenerator) -> None:
    assert "Plain: l1 × 3, l2 × 2; 6 paths" in repr(plain)


class NamedLikeTheInterface(nn.Module):
    """Children with names that the converted model uses itself."""

    def __init__(self) -> None:
        super().__init__()
        self.paths, self.images, self.draw = nn.Linear(LATENT, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.plan, self.sample, self.conditions = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 12)
        self.codes = nn.Parameter(torch.rand(12))
        self.register_buffer("blueprint", torch.full((12,), 0.5))

    def forward(self, z: Tensor) -> Tensor:
        h = self.sample(self.plan(self.draw(self.images(torch.sin(self.paths(z))))))
        return (self.conditions(h) * self.codes + self.blueprint).view(-1, 3, 2, 2)


def test_parts_of_the_generator_may_be_called_like_the_models_own_interface() -> None:
    torch.manual_seed(0)
    model = rpganify.wrap(NamedLikeTheInterface(), blocks=2, init="jitter").eval()
    paths = model.draw(3)
    assert set(model.state_dict()) == {"Z", *NamedLikeTheInterface().state_dict()}
    original = NamedLikeTheInterface()
    original.load_state_dict(rpganify.extract(model, paths[1]).state_dict())
    torch.testing.assert_close(original(model.Z), model(paths)[1:2])
    assert torch.equal(copy.deepcopy(model).images(paths), model.images(paths))
    assert len(model.bucket_parameters(0)) > 0


class OwnsZ(nn.Module):
    """A part called as the fixed input is."""

    def __init__(self) -> None:
        super().__init__()
        self.Z = nn.Linear(LATENT, 12)

    def forward(self, z: Tensor) -> Tensor:
        return self.Z(z).view(-1, 3, 2, 2)


def test_a_part_called_z_is_refused_because_that_is_the_fixed_inputs_name() -> None:
    with pytest.raises(ConversionError, match="a part called 'Z', the name of the converted model's fixed input"):
        rpganify.wrap(OwnsZ(), blocks=2)


def test_the_standard_generator_has_the_same_interface_over_z() -> None:
    torch.manual_seed(0)
    original = Plain().eval()
    model = rpganify.standard(original).eval()
    assert model.codes == "z" and model.image_shape == (3, 2, 2) and model.conditions == ()
    z = model.draw(5, torch.Generator().manual_seed(0))
    assert z.shape == (5, LATENT) and torch.equal(z, model.draw(5, torch.Generator().manual_seed(0)))
    assert torch.equal(model.images(z), original(z))
    assert torch.equal(model.sample(5, torch.Generator().manual_seed(0)), original(z))
    assert set(model.state_dict()) == set(original.state_dict())
    with pytest.raises(ConversionError, match="no input 'y'"):
        model(z, y=z)
