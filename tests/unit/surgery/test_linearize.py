"""Activations replaced by the identity."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import rpganify
from rpganify.errors import ConversionError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import history


class Bent(nn.Module):
    """Activations of several kinds, as modules, functions, methods, and in place."""

    def __init__(self, is_bent: bool = True) -> None:
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(6, 16), nn.Linear(16, 18), nn.Conv2d(2, 2, 3, padding=1)
        self.norm, self.prelu = nn.BatchNorm2d(2), nn.PReLU()
        self.is_bent = is_bent

    def forward(self, z: Tensor) -> Tensor:
        if not self.is_bent:
            return self.l3(self.norm(self.l2(self.l1(z)).view(-1, 2, 3, 3)))
        h = functional.leaky_relu(self.l1(z), 0.2, inplace=True)
        h = self.l2(functional.gelu(h)).relu_().view(-1, 2, 3, 3)
        return torch.tanh(self.l3(self.prelu(self.norm(h))))


@pytest.fixture
def generator() -> Bent:
    made = Bent()
    made(torch.randn(30, 6))
    return made


def test_it_draws_what_the_class_without_activations_draws(generator: Bent) -> None:
    plain = Bent(is_bent=False)
    plain.load_state_dict(generator.state_dict())
    done = rpganify.linearize(rpganify.standard(generator).eval(), is_output_too=True)
    z = torch.randn(5, 6)
    with torch.no_grad():
        torch.testing.assert_close(done.model.images(z), plain.eval()(z), rtol=1e-6, atol=1e-6)
    assert [text.split(" ")[0] for text in done.replaced] == ["leaky_relu", "gelu", "relu", "prelu", "tanh"]
    assert "test_linearize.py" in done.replaced[0]


def test_it_is_linear_in_the_latent(generator: Bent) -> None:
    model = rpganify.linearize(rpganify.standard(generator).eval(), is_output_too=True).model
    one, two = torch.randn(2, 4, 6)
    with torch.no_grad():
        together = model.images(one + two) + model.images(torch.zeros(4, 6))
        torch.testing.assert_close(together, model.images(one) + model.images(two), rtol=1e-5, atol=1e-5)


def test_what_brings_images_into_their_range_stays_unless_asked(generator: Bent) -> None:
    model = rpganify.wrap(generator, buckets=["l1", "l2", "l3"], blocks=3, init="jitter").eval()
    paths = model.draw(6)
    done, all_of_them = rpganify.linearize(model), rpganify.linearize(model, is_output_too=True)
    assert [text.split(" ")[0] for text in done.kept] == ["tanh"] and all_of_them.kept == ()
    with torch.no_grad():
        torch.testing.assert_close(done.model.images(paths), torch.tanh(all_of_them.model.images(paths)))
        assert not torch.allclose(done.model.images(paths), model(paths))


def test_the_model_stays_and_the_new_one_survives_the_disk(generator: Bent, tmp_path: Path) -> None:
    model = rpganify.wrap(generator, buckets=["l1", "l2", "l3"], blocks=3, init="jitter").eval()
    paths = model.draw(6)
    before = model(paths)
    done = rpganify.linearize(model).model
    assert torch.equal(model(paths), before)
    rpganify.save(done, tmp_path / "l.rpgan")
    again = rpganify.load(tmp_path / "l.rpgan")
    assert isinstance(again, RandomPathGenerator)
    assert torch.equal(again(paths), done.images(paths))
    assert "prelu.weight" not in again.state_dict()
    assert history(again)[-1]["operation"] == "linearize"
    assert rpganify.merge(again, (0, 1), 4).plan.num_blocks == (4, 3)


def test_what_is_not_linear_in_another_way_is_told() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.l1, self.norm, self.l2 = nn.Linear(6, 9), nn.LayerNorm(9), nn.Linear(9, 9)

        def forward(self, z: Tensor) -> Tensor:
            return self.l2(torch.softmax(torch.relu(self.norm(self.l1(z))), dim=1)).view(-1, 1, 3, 3)

    found = rpganify.linearize(rpganify.standard(Attends()))
    assert [text.split(" ")[0] for text in found.remaining] == ["norm", "softmax"]
    assert len(found.replaced) == 1


def test_a_generator_without_activations_has_nothing_to_replace() -> None:
    plain = rpganify.standard(Bent(is_bent=False))
    with pytest.raises(ConversionError, match=r"no activation that the identity could replace\..*`rpganify merge`"):
        rpganify.linearize(plain)


def test_a_bucket_of_nothing_but_activations_is_refused(generator: Bent) -> None:
    model = rpganify.wrap(generator, buckets=["l1", "prelu"], blocks=2)
    with pytest.raises(
        ConversionError, match=r"Bucket 'prelu' holds nothing but activations with parameters \(prelu\)"
    ):
        rpganify.linearize(model)
