"""Idioms of public generators that were once refused: small ones of our own, one per idiom."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.utils.checkpoint
from torch import Tensor, nn

import rpganify
from rpganify.conversion.converting import convert


class SqueezesItsLatent(nn.Module):
    """`squeeze()` without a dimension, to take `(N, d)` and `(N, d, 1, 1)` alike."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.out = nn.Linear(16, 12)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(self.hidden(z.squeeze()))).view(-1, 3, 2, 2)


@pytest.mark.parametrize("shape", [(8,), (8, 1, 1)])
def test_squeezing_every_axis_of_size_one_leaves_a_batch_of_one_a_batch(shape: tuple[int, ...]) -> None:
    original = SqueezesItsLatent()
    model = rpganify.wrap(original, blocks=3, init="jitter", example_inputs={"z": torch.randn(2, *shape)}).eval()
    paths = model.draw(4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cat([model(path[None]) for path in paths]), model(paths))
    z = torch.randn(5, *shape)
    torch.testing.assert_close(rpganify.extract(model, [0] * model.paths.num_buckets)(z), original.eval()(z))


class ReturnsALearnedVariance(nn.Module):
    """A decoder with a parameter of its own beside the images, which no sample meets."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(6, 16), nn.Linear(16, 12)
        self.sigma = nn.Parameter(torch.full((4,), 0.1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(self.out(torch.relu(self.hidden(z)))).view(-1, 3, 2, 2), self.sigma


@pytest.mark.parametrize("buckets", [None, 1, 2])
def test_a_parameter_that_no_sample_meets_is_left_out_of_automatic_buckets(buckets: int | None) -> None:
    model = convert(ReturnsALearnedVariance(), buckets=buckets, blocks=2, init="jitter").model
    assert model.plan.shared == ("",)
    images, sigma = model(model.draw(3))
    assert images.shape == (3, 3, 2, 2) and sigma.shape == (4,)


class SpectralNormByData(nn.Module):
    """A hand-made spectral norm around a layer: its vector is a frozen parameter whose `.data` each call replaces."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        weight = layer.weight
        del layer._parameters["weight"]
        layer.weight_bar = nn.Parameter(weight.data)
        layer.weight_u = nn.Parameter(torch.randn(weight.shape[0]), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        bar, u = self.layer.weight_bar, self.layer.weight_u
        v = nn.functional.normalize(bar.data.t().mv(u.data), dim=0)
        u.data = nn.functional.normalize(bar.data.mv(v), dim=0)
        self.layer.weight = bar / u.dot(bar.mv(v))
        return self.layer.forward(x)


class MovesInEvalMode:
    """A hook whose power iteration goes on in eval mode, and replaces the buffer by a new tensor."""

    def __call__(self, layer: nn.Module, inputs: object) -> None:
        with torch.no_grad():
            v = nn.functional.normalize(layer.weight_bar.t() @ layer.weight_u, dim=0)
            u = nn.functional.normalize(layer.weight_bar @ v, dim=0)
        layer.weight = layer.weight_bar / (u @ layer.weight_bar @ v)
        layer.weight_u = u


def with_hook(layer: nn.Linear) -> nn.Linear:
    weight = layer.weight
    del layer._parameters["weight"]
    layer.weight_bar = nn.Parameter(weight.data)
    layer.register_buffer("weight_u", torch.randn(weight.shape[0]))
    layer.register_forward_pre_hook(MovesInEvalMode())
    return layer


class NormedByHand(nn.Module):
    def __init__(self, norm: object) -> None:
        super().__init__()
        assert callable(norm)
        self.layers = nn.Sequential(
            norm(nn.Linear(6, 16)), nn.ReLU(), norm(nn.Linear(16, 16)), nn.ReLU(), nn.Linear(16, 12)
        )

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layers(z)).view(-1, 3, 2, 2)


@pytest.mark.parametrize("norm", [SpectralNormByData, with_hook])
@pytest.mark.parametrize("is_training", [True, False])
def test_a_spectral_norm_by_hand_keeps_its_power_iterations_call_after_call(norm: object, is_training: bool) -> None:
    torch.manual_seed(0)
    original = NormedByHand(norm)
    model = rpganify.wrap(original, blocks=1, init="copy").train(is_training)
    z = model.Z.detach()
    path = torch.zeros(1, model.paths.num_buckets, dtype=torch.int64)
    for _ in range(3):  # each call moves the vectors on
        torch.testing.assert_close(model(path), original.train(is_training)(z))
    # Two passes before one backward, as a training with two discriminator steps may have them.
    (model(path).sum() + model(path).sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("norm", [SpectralNormByData, with_hook])
def test_power_iterations_run_for_the_blocks_that_are_present_only(norm: object) -> None:
    model = rpganify.wrap(NormedByHand(norm), buckets=["layers.0", "layers.2"], blocks=3, init="jitter").train()
    state = {name: t.detach().clone() for name, t in model.state_dict().items() if name.endswith("weight_u")}
    model(torch.tensor([[1, 2], [1, 0]]))
    moved = {
        name: [not torch.equal(a, b) for a, b in zip(model.state_dict()[name], t, strict=True)]
        for name, t in state.items()
    }
    assert list(moved.values()) == [[False, True, False], [True, False, True]]


def plain_swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


with warnings.catch_warnings():
    # Scripting is deprecated; old repositories do it all the same.
    warnings.simplefilter("ignore")
    swish = torch.jit.script(plain_swish)


class CallsAScriptedFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(6, 16), nn.Linear(16, 12)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(swish(self.hidden(z)))).view(-1, 3, 2, 2)


class Checkpointed(nn.Module):
    """Reentrant checkpoints, whose first part gets no gradient of the original's, since its latent needs none."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(6, 16), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Linear(16, 12), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        x = torch.utils.checkpoint.checkpoint(self.first, z, use_reentrant=True)
        return torch.utils.checkpoint.checkpoint(self.second, x, use_reentrant=True).view(-1, 3, 2, 2)


@pytest.mark.parametrize("kind", [CallsAScriptedFunction, Checkpointed])
# torch says so of the original, which is run with a latent that needs no gradient.
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_what_torch_hides_from_python_is_recorded_as_the_python_it_was_made_of(kind: type[nn.Module]) -> None:
    original = kind()
    model = rpganify.wrap(original, blocks=3, init="jitter")
    images = model(model.draw(5, torch.Generator().manual_seed(0)))
    images.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    z = torch.randn(5, 6)
    torch.testing.assert_close(rpganify.extract(model, [0] * model.paths.num_buckets)(z), original(z))
