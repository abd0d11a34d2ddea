"""A fixed input of one's own."""

import pytest
import torch
from torch import nn

import rpganify
from rpganify.analysis.generation import evaluating, to_float, to_uint8
from rpganify.analysis.inversion.latent_tuning import tune_latents
from rpganify.routing.generator import RandomPathGenerator


class Small(nn.Module):
    """8x8 pixels at some strength."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 32), nn.Linear(32, 64)

    def forward(self, z, strength):
        return torch.tanh(self.last(torch.tanh(self.first(z)))).view(-1, 1, 8, 8) * strength[:, None, None, None]


STRENGTH = {"strength": torch.tensor(0.8)}


@pytest.fixture(scope="module")
def model() -> RandomPathGenerator:
    torch.manual_seed(0)
    examples = {"z": torch.randn(2, 6), "strength": torch.ones(2)}
    return rpganify.wrap(Small(), buckets=["first", "last"], blocks=3, latent="z", example_inputs=examples).eval()


@pytest.fixture
def wanted(model):
    """Paths, and images that they make of other latents."""
    paths = torch.tensor([[0, 1], [2, 2], [1, 0]])
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return paths, to_uint8(model.images(paths, z=z, strength=torch.full((3,), 0.8)))


def test_images_of_other_latents_are_reached_and_the_model_stays_as_it_is(model, wanted):
    paths, images = wanted
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with evaluating(model, 0):
        tuned = tune_latents(model, paths, images, STRENGTH, num_steps=400)
    assert (tuned.errors[:, 1] < 0.02 * tuned.errors[:, 0]).all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.Z.requires_grad


def test_the_images_and_errors_are_those_of_the_latents(model, wanted):
    paths, images = wanted
    with evaluating(model, 0):
        tuned = tune_latents(model, paths, images, STRENGTH, num_steps=20)
    with torch.no_grad():
        made = model.images(paths, z=tuned.latents, strength=torch.full((3,), 0.8))
        shared = model.images(paths, strength=torch.full((3,), 0.8))
    assert (to_uint8(made).int() - tuned.images.int()).abs().max() <= 1  # rounding of another batch
    for column, one in enumerate((shared, made)):
        errors = (one - to_float(images)).square().flatten(1).mean(dim=1).double()
        torch.testing.assert_close(tuned.errors[:, column], errors, rtol=1e-5, atol=1e-7)


def test_more_steps_never_end_worse_and_none_gives_the_models_own_image(model, wanted):
    paths, images = wanted
    seen: list[int] = []
    with evaluating(model, 0):
        runs = [tune_latents(model, paths, images, STRENGTH, steps, seen.append) for steps in (0, 5, 50)]
    assert torch.equal(runs[0].errors[:, 0], runs[0].errors[:, 1])
    torch.testing.assert_close(runs[0].latents, model.Z.detach().expand(3, -1))
    assert (runs[0].errors[:, 1] >= runs[1].errors[:, 1]).all() and (runs[1].errors[:, 1] >= runs[2].errors[:, 1]).all()
    assert seen[-1] == 50


def test_each_image_is_tuned_as_if_it_were_alone(model, wanted):
    paths, images = wanted
    with evaluating(model, 0):
        together = tune_latents(model, paths, images, STRENGTH, 15)
        alone = tune_latents(model, paths[1:2], images[1:2], STRENGTH, 15)
    torch.testing.assert_close(together.latents[1:2], alone.latents, rtol=1e-4, atol=1e-5)
