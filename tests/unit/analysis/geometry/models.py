"""Small standard and converted generators whose metric is known."""

import torch
from torch import Tensor, nn

import rpganify
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator

DIM = 6


class Straight(nn.Module):
    """A linear generator of 4 × 4 pixels: the same metric everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(DIM, 16)

    def forward(self, z: Tensor) -> Tensor:
        return self.layer(z).view(-1, 1, 4, 4)


class Bent(nn.Module):
    """Two layers with a tanh between; without biases, which make torch load its compiler in a product."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(DIM, 12, bias=False), nn.Linear(12, 16, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(z))).view(-1, 1, 4, 4)


def build(kind: type[nn.Module] = Bent, seed: int = 0) -> nn.Module:
    """A new one, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return kind()


def standard(kind: type[nn.Module] = Bent) -> StandardGenerator:
    """As it is, in eval mode."""
    model = rpganify.standard(build(kind), latent=f"z:{DIM}")
    assert isinstance(model, StandardGenerator)
    return model.eval()


def converted(blocks: tuple[int, int] = (3, 4)) -> RandomPathGenerator:
    """The bent one with a bucket for each layer, in eval mode."""
    made = rpganify.wrap(
        build(),
        buckets=["first", "second"],
        blocks=list(blocks),
        factory=lambda seed: build(seed=seed),
        latent=f"z:{DIM}",
    )
    assert isinstance(made, RandomPathGenerator)
    return made.eval()
