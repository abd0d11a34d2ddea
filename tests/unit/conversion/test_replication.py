"""How the blocks of a bucket differ at birth."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.conversion.newborn import JITTER
from rpganify.entries import ReplicationEntry
from rpganify.errors import ConversionError, RegistryError
from rpganify.hookspecs import hookimpl
from rpganify.registry import Registry
from rpganify.routing.generator import RandomPathGenerator
from tests.generators.case import LATENT, image

Offer = Callable[..., None]


class Generator(nn.Module):
    """Layers, norms with statistics of their own, spectral norm, a gain of one value."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.fc, self.norm = nn.Linear(LATENT, width), nn.BatchNorm1d(width)
        self.out = nn.utils.spectral_norm(nn.Linear(width, 48))
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, z: Tensor) -> Tensor:
        return image(self.gain * self.out(torch.relu(self.norm(self.fc(z)))))


def build(seed: int, width: int = 32) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(width)


@pytest.fixture
def trained() -> Generator:
    generator = build(7)
    with torch.no_grad():
        # As after training: variances of very different size.
        generator.norm.running_var.copy_(torch.logspace(-4, 2, 32))
        generator.norm.running_mean.copy_(torch.linspace(-3, 3, 32))
        generator.norm.num_batches_tracked.fill_(500)
    return generator


def wrap(generator: nn.Module, init: Any, **options: Any) -> RandomPathGenerator:
    return rpganify.wrap(generator, buckets=["fc,norm", "out"], blocks=[4, 3], init=init, norm="per-block", **options)


STACKED = ("fc.weight", "fc.bias", "norm.weight", "out.weight_orig", "out.bias")


@pytest.mark.parametrize("init", ["fresh", "copy", "jitter"])
def test_block_0_is_the_generator_as_given(trained: Generator, init: str) -> None:
    model = wrap(trained, init)
    for name, values in trained.state_dict().items():
        found = model.state_dict()[name]
        assert torch.equal(found[0] if found.shape != values.shape else found, values), name


def test_copied_blocks_are_all_alike(trained: Generator) -> None:
    model = wrap(trained, "copy")
    for name in (*STACKED, "norm.running_var", "out.weight_u"):
        stack = model.state_dict()[name]
        assert all(torch.equal(stack[0], row) for row in stack), name


def test_jittered_blocks_differ_by_a_tenth_of_the_tensors_own_spread(trained: Generator) -> None:
    model = wrap(trained, "jitter")
    stack = model.get_parameter("out.weight_orig").detach()
    noise = (stack[1:] - stack[0]) / (JITTER * stack[0].std())
    # 2 * 48 * 32 draws: the standard error of the mean is 0.018 and of the std 0.013; 5 of them.
    assert abs(float(noise.mean())) < 0.09 and abs(float(noise.std()) - 1) < 0.065
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("init", ["jitter", "fresh"])
def test_running_statistics_and_other_buffers_are_not_made_up(trained: Generator, init: str) -> None:
    model = wrap(trained, init)
    for name in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"):
        stack, values = model.state_dict()[name], trained.state_dict()[name]
        assert all(torch.equal(row, values) for row in stack), name
    assert model.eval()(model.draw(20)).isfinite().all()


def test_fresh_blocks_are_built_anew_each_under_its_own_seed() -> None:
    generator = build(7)
    model = wrap(generator, "fresh", factory=build, seed=100)
    for name in STACKED:
        stack = model.state_dict()[name]
        for block in range(1, len(stack)):
            assert torch.equal(stack[block], build(100 + block).state_dict()[name]), (name, block)


def test_fresh_blocks_without_a_factory_keep_the_distribution_of_the_given_values() -> None:
    generator = build(7)
    model = wrap(generator, "fresh")
    for name in ("fc.weight", "fc.bias", "out.weight_orig"):
        stack = model.state_dict()[name]
        for block in range(1, len(stack)):
            assert not torch.equal(stack[block], stack[0])
            assert torch.equal(stack[block].flatten().sort().values, stack[0].flatten().sort().values)


@pytest.mark.parametrize("init", ["jitter", "fresh"])
def test_the_same_seed_gives_the_same_blocks_and_fixed_input_another_seed_others(trained: Generator, init: str) -> None:
    one, two, three = (wrap(trained, init, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["Z"], three["Z"])
    assert not torch.equal(one["fc.weight"][1], three["fc.weight"][1])


def test_the_fixed_input_is_drawn_from_the_normal_distribution() -> None:
    wide = nn.Sequential(nn.Linear(4000, 12), nn.Unflatten(1, (3, 2, 2)))
    z = rpganify.wrap(wide, blocks=1, init="copy").Z.detach()
    # 4000 draws: standard errors 0.016 and 0.011; 5 of them.
    assert abs(float(z.mean())) < 0.08 and abs(float(z.std()) - 1) < 0.056


def test_a_factory_that_builds_another_architecture_is_refused_by_the_tensor() -> None:
    with pytest.raises(
        ConversionError,
        match=r"Built anew, the generator has no tensor 'fc\.weight' of shape \(32, 6\).*init=\"copy\" or init=\"jitter\"",
    ):
        wrap(build(7), "fresh", factory=lambda seed: build(seed, width=16))


def test_blocks_are_leaves_that_train_as_the_author_wants(trained: Generator) -> None:
    trained.fc.bias.requires_grad_(False)
    model = wrap(trained, "jitter")
    assert {name for name, p in model.named_parameters() if not p.requires_grad} == {"fc.bias"}
    assert all(parameter.is_leaf for parameter in model.parameters())


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Registers a replication under the name `mine` for this test."""

    def put(make: Callable[[Tensor, Tensor | None, torch.Generator], Any], **options: bool) -> None:
        registry, module = Registry(), types.ModuleType("stranger")
        entry = ReplicationEntry("mine", "a test's", lambda: make, **options)
        module.rpganify_replications = hookimpl(lambda: [entry])  # type: ignore[attr-defined]
        registry.register(module)
        monkeypatch.setattr("rpganify.conversion.replication.default_registry", lambda: registry)

    return put


def test_a_plugin_s_replication_makes_the_blocks_of_what_it_is_given(trained: Generator, offer: Offer) -> None:
    offer(lambda values, fresh, generator: values if fresh is None else (values + fresh) / 2, builds_anew=True)
    model = wrap(trained, "mine", factory=build, seed=10)
    assert model.plan.init == "mine"
    stack = model.get_parameter("fc.weight").detach()
    for block in range(1, len(stack)):
        assert torch.equal(stack[block], (trained.fc.weight + build(10 + block).fc.weight) / 2)


def test_a_replication_that_builds_nothing_anew_is_not_asked_about_buffers(trained: Generator, offer: Offer) -> None:
    built = []
    offer(lambda values, fresh, generator: values * 2)
    model = wrap(trained, "mine", factory=lambda seed: built.append(seed))
    assert built == []
    assert torch.equal(model.get_parameter("fc.weight")[1], trained.fc.weight * 2)
    assert torch.equal(model.get_buffer("norm.running_var")[1], trained.norm.running_var)


def test_a_replication_that_writes_in_place_does_not_reach_the_generator(trained: Generator, offer: Offer) -> None:
    before = {name: values.clone() for name, values in trained.state_dict().items()}
    offer(lambda values, fresh, generator: values.zero_())
    model = wrap(trained, "mine")
    assert all(torch.equal(values, before[name]) for name, values in trained.state_dict().items())
    assert not torch.equal(model.get_parameter("fc.weight")[0], model.get_parameter("fc.weight")[1])


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda values, fresh, generator: values.flatten()[:1], r"torch\.float32 \(1,\)"),
        (lambda values, fresh, generator: values.double(), r"torch\.float64 \(32, 6\)"),
        (lambda values, fresh, generator: None, "a NoneType"),
    ],
)
def test_a_replication_that_makes_another_shape_or_type_is_refused(
    trained: Generator, offer: Offer, make: Any, found: str
) -> None:
    offer(make)
    message = rf"replication 'mine' of the plugin stranger made {found} of the tensor 'fc\.weight'.*float32 \(32, 6\)"
    with pytest.raises(ConversionError, match=message):
        wrap(trained, "mine")


def test_an_unknown_replication_is_refused_before_the_generator_is_run() -> None:
    class NeverRun(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            raise AssertionError("it was run")

    with pytest.raises(
        RegistryError, match=r"no replication 'jiter'\. Did you mean 'jitter'\?.*are: copy, fresh, jitter"
    ):
        rpganify.wrap(NeverRun(), init="jiter")
