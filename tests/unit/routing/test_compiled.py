"""Even batches run by one graph of torch.compile, and give what the routed layers give."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend

import rpganify
from rpganify.routing.compiled import CompiledGenerator, are_even
from rpganify.routing.generator import RandomPathGenerator


class Labelled(nn.Module):
    """Class-conditional, spectral norm that moves on with every call, each kind of kernel but `grouped`."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 4 * 4 * 6))
        self.label = nn.Embedding(5, 6)
        self.norm = nn.InstanceNorm2d(6, affine=True)
        self.up = nn.ConvTranspose2d(6, 6, 4, 2, 1)
        self.slope = nn.PReLU(6)
        self.mix = nn.Conv2d(6, 6, 3, padding=1)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        x = self.norm(self.start(z).view(-1, 6, 4, 4)) + self.label(y)[:, :, None, None]
        return torch.tanh(self.last(torch.relu(self.mix(self.slope(self.up(x))))))


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 12)

    def forward(self, z: Tensor) -> Tensor:
        x = self.layer(z)
        return torch.tanh(x + 0.1 * torch.randn_like(x)).view(-1, 3, 2, 2)


@pytest.fixture(autouse=True)
def _forget_what_was_compiled() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compiled(model: RandomPathGenerator) -> tuple[CompiledGenerator, CompileCounterWithBackend]:
    """By the part of torch.compile that handles gradients, without writing C++."""
    counter = CompileCounterWithBackend("aot_eager")
    return CompiledGenerator(model, backend=counter), counter


def gradients(model: RandomPathGenerator, images: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    (images * torch.linspace(-1, 1, images[0].numel()).view(images.shape[1:]).to(images)).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["mlp28", "dcgan32", "sngan32"])
def test_one_graph_serves_all_even_batches_with_the_same_images_and_gradients(name: str) -> None:
    model = rpganify.wrap(rpganify.architecture(name, **({} if name == "mlp28" else {"channels": 4})), blocks=2)
    model.double().train()
    made, counter = compiled(model)
    seen = []
    for seed in range(3):
        paths = model.paths.sample_equally(6, generator=torch.Generator().manual_seed(seed))
        state = {key: value.clone() for key, value in model.state_dict().items()}
        wanted = model.images(paths)
        wanted_gradients = gradients(model, wanted)
        after = {key: value.clone() for key, value in model.state_dict().items()}
        model.load_state_dict(state)
        images = made.images(paths)
        torch.testing.assert_close(images, wanted)
        found = gradients(model, images)
        assert found.keys() == wanted_gradients.keys()
        for key, gradient in wanted_gradients.items():
            torch.testing.assert_close(found[key], gradient, msg=key)
        for key, value in model.state_dict().items():
            torch.testing.assert_close(value, after[key], msg=key)
        seen.append(wanted)
    assert counter.frame_count == 1
    assert not torch.equal(seen[0], seen[1])


def test_labels_per_block_norms_and_spectral_norm_are_in_the_graph() -> None:
    model = rpganify.wrap(Labelled(), buckets=3, blocks=3, norm="per-block").double().train()
    made, counter = compiled(model)
    for seed in range(2):
        paths = model.paths.sample_equally(6, generator=torch.Generator().manual_seed(seed))
        y = torch.tensor([4, 0, 1, 3, 2, 2])
        state = {key: value.clone() for key, value in model.state_dict().items()}
        wanted = gradients(model, model.images(paths, y=y))
        after = {key: value.clone() for key, value in model.state_dict().items()}
        model.load_state_dict(state)
        found = gradients(model, made.images(paths, y=y))
        for key, gradient in wanted.items():
            torch.testing.assert_close(found[key], gradient, msg=key)
        for key, value in model.state_dict().items():
            torch.testing.assert_close(value, after[key], msg=key)
        assert any(not torch.equal(value, state[key]) for key, value in after.items())
    assert counter.frame_count == 1


def test_batches_of_another_kind_and_generators_that_draw_noise_run_as_without() -> None:
    model = rpganify.wrap(rpganify.architecture("dcgan32", channels=4), blocks=4).eval()
    made, counter = compiled(model)
    uneven = torch.tensor([[0, 1, 2, 3]] * 4)
    z = torch.randn(4, *model.Z.shape[1:])
    even = model.paths.sample_equally(4)
    assert torch.equal(made.images(uneven), model.images(uneven))
    assert torch.equal(made.images(even, z=z), model.images(even, z=z))
    noisy = rpganify.wrap(Noisy(), buckets=1, blocks=2).eval()
    draws, second = compiled(noisy)
    paths = torch.tensor([[1], [0]])
    wanted = noisy.images(paths, torch.Generator().manual_seed(3))
    assert torch.equal(draws.images(paths, torch.Generator().manual_seed(3)), wanted)
    assert counter.frame_count == second.frame_count == 0
    made.images(even)
    assert counter.frame_count == 1


def test_even_is_every_block_of_every_bucket_as_often() -> None:
    assert are_even(torch.tensor([[0, 2], [1, 1], [1, 0], [0, 2], [0, 1], [1, 0]]), (2, 3))
    assert not are_even(torch.tensor([[0, 2], [1, 1], [1, 0], [0, 2], [1, 1], [1, 0]]), (2, 3))
    assert not are_even(torch.tensor([[0, 0], [1, 1]]), (2, 3))
    assert not are_even(torch.empty(0, 2, dtype=torch.int64), (2, 3))
