import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import evaluating, to_uint8
from rpganify.analysis.noise.weights import NoisyMaker, noise_on, noisy_buckets, require_twin
from rpganify.errors import AnalysisError


class TwoLayers(nn.Module):
    """A generator of two layers and a norm, in three buckets at most."""

    def __init__(self, channels: int = 3, scale: float = 1.0) -> None:
        super().__init__()
        self.first = nn.Linear(5, 32)
        self.norm = nn.BatchNorm1d(32)
        self.second = nn.Linear(32, channels * 64)
        self.channels = channels
        with torch.no_grad():
            self.second.weight.mul_(scale)

    def forward(self, z: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.first(z)))
        return torch.tanh(self.second(hidden)).view(-1, self.channels, 8, 8)


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(model: nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_noise_lies_on_the_named_tensors_only_and_in_units_of_their_own_deviation():
    twin = rpganify.standard(TwoLayers())
    with torch.no_grad():
        twin.get_parameter("second.weight").mul_(100)
    before = tensors_of(twin)
    with noise_on(twin, ("second.weight", "second.bias"), 0.5, seed=1):
        for name in ("second.weight", "second.bias"):
            change = twin.get_parameter(name).detach() - before[name]
            relative = float(change.std(correction=0) / before[name].std(correction=0))
            assert relative == pytest.approx(0.5, rel=0.1)  # 192 values: 5 % standard error
            assert abs(float(change.mean())) < 0.5 * float(before[name].std()) * 4 / before[name].numel() ** 0.5
        assert torch.equal(twin.get_parameter("first.weight"), before["first.weight"])
    assert same(twin, before)


def test_weights_come_back_bit_for_bit_after_an_error_too():
    twin = rpganify.standard(TwoLayers())
    before = tensors_of(twin)
    with pytest.raises(RuntimeError, match="stop"), noise_on(twin, ("first.weight",), 3.0, seed=0):
        assert not same(twin, before)
        raise RuntimeError("stop")
    assert same(twin, before)
    with pytest.raises(KeyError), noise_on(twin, ("first.weight", "nowhere"), 1.0, seed=0):
        raise AssertionError("not reached")
    assert same(twin, before) and all(parameter.requires_grad for parameter in twin.parameters())


def test_the_same_seed_gives_the_same_noise_times_the_strength():
    twin = rpganify.standard(TwoLayers())
    before = twin.get_parameter("first.weight").detach().clone()
    changes = []
    for strength, seed in ((1.0, 4), (2.0, 4), (1.0, 5)):
        with noise_on(twin, ("first.weight",), strength, seed):
            changes.append((twin.get_parameter("first.weight") - before).detach().clone())
    assert torch.allclose(2 * changes[0], changes[1], atol=1e-5) and not torch.allclose(
        changes[0], changes[2], atol=0.01
    )


def test_a_tensor_of_equal_values_stays_as_it_is():
    twin = rpganify.standard(TwoLayers())
    with torch.no_grad():
        twin.get_parameter("first.bias").fill_(0.25)
    with noise_on(twin, ("first.bias",), 1.0, seed=0):
        assert torch.equal(twin.get_parameter("first.bias"), torch.full((32,), 0.25))


def test_the_twins_parameters_are_grouped_as_the_models_buckets():
    rp = rpganify.wrap(TwoLayers(), buckets=["first", "second"], blocks=3)
    buckets = noisy_buckets(rp.plan, rpganify.standard(TwoLayers()))
    assert [bucket.tensors for bucket in buckets] == [("first.weight", "first.bias"), ("second.weight", "second.bias")]
    assert all(bucket.missing == () for bucket in buckets)
    norms = rpganify.wrap(TwoLayers(), buckets=["first,norm", "second"], blocks=3, norm="per-block")
    (bucket, _) = noisy_buckets(norms.plan, rpganify.standard(TwoLayers()))
    assert bucket.tensors == ("first.weight", "first.bias", "norm.weight", "norm.bias")


def test_several_z_have_no_weight_in_the_twin_to_lay_noise_on():
    rp = rpganify.wrap(TwoLayers(), buckets=["first", "second"], blocks=3, num_Z=4)
    with pytest.raises(AnalysisError, match=r"Bucket 1 \(Z\) holds 4 fixed inputs.*Take a model with one Z"):
        noisy_buckets(rp.plan, rpganify.standard(TwoLayers()))


def test_a_foreign_generator_without_a_buckets_layers_is_refused_and_a_missing_layer_told():
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(5, 192)

        def forward(self, z: Tensor) -> Tensor:
            return torch.tanh(self.first(z)).view(-1, 3, 8, 8)

    twin = rpganify.standard(Foreign())
    rp = rpganify.wrap(TwoLayers(), buckets=["first", "second"], blocks=3)
    with pytest.raises(AnalysisError, match=r"none of the layers of bucket 2 \(second\): second. Its own are first"):
        noisy_buckets(rp.plan, twin)
    one = rpganify.wrap(TwoLayers(), buckets=["first,second"], blocks=3)
    assert noisy_buckets(one.plan, twin)[0].missing == ("second",)


def test_images_under_noise_are_those_of_the_generator_with_noisy_weights():
    twin = rpganify.standard(TwoLayers())
    rp = rpganify.wrap(TwoLayers(), buckets=["first", "second"], blocks=3)
    maker = NoisyMaker(twin, noisy_buckets(rp.plan, twin), AnalysisContext())
    before = tensors_of(twin)
    with evaluating(twin, 0):
        z = maker.latents(3, seed=1)
        images = maker.noisy(1, 0.7, z, [5, 6])
        with noise_on(twin, maker.buckets[1].tensors, 0.7, seed=6):
            expected = to_uint8(twin.images(z))
    assert images.shape == (3, 2, 3, 8, 8) and torch.equal(images[:, 1], expected)
    assert not torch.equal(images[:, 0], images[:, 1]) and same(twin, before)


def test_a_twin_is_asked_for_with_the_commands_that_make_one():
    rp = rpganify.wrap(TwoLayers(), buckets=["first", "second"], blocks=3)
    with pytest.raises(AnalysisError, match=r"none was named.*rpganify train SOURCE --standard.*--twin runs/plain"):
        require_twin(AnalysisContext(), rp)
    with pytest.raises(AnalysisError, match=r"The twin is a RandomPathGenerator, where a standard generator"):
        require_twin(AnalysisContext(twin=rp), rp)
    grey = rpganify.standard(TwoLayers(channels=1))
    with pytest.raises(AnalysisError, match=r"The twin makes images \(1, 8, 8\) and the model \(3, 8, 8\)"):
        require_twin(AnalysisContext(twin=grey), rp)
