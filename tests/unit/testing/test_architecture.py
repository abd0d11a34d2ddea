"""The check of architectures passes the right ones, and says what is wrong with the others."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from rpganify.entries import Architecture, DiscriminatorEntry
from rpganify.hookspecs import hookimpl
from rpganify.registry import Registry
from rpganify.routing.generator import RandomPathGenerator
from rpganify.testing import BrokenLaw, architecture, check_architecture, subject

SMALL = {"channels": 16}


class Tiny(nn.Module):
    """A stranger's generator, right unless told otherwise: 1×8×8 pixels of `z` `(N, 6)`."""

    def __init__(self, width=8):
        super().__init__()
        self.first = nn.Linear(6, width)
        self.second = nn.Linear(width, 64)

    def forward(self, z):
        return torch.tanh(self.second(self.between(torch.relu(self.first(z))))).view(-1, 1, 8, 8)

    def between(self, h):
        return h


TINY = Architecture("tiny", "two layers", Tiny, (6,), ("first", "second"), "mlp")


def check(entry, **given):
    check_architecture(entry, discriminator_options=SMALL, registry=Registry(), **given)


@pytest.mark.parametrize("entry", Registry().all(Architecture).values(), ids=lambda entry: entry.name)
def test_every_built_in_architecture_passes(entry):
    check(entry, options=SMALL)


class Labelled(Tiny):
    """Takes a class beside its latent."""

    def __init__(self):
        super().__init__()
        self.names = nn.Embedding(3, 8)

    def forward(self, z, label):
        return torch.tanh(self.second(torch.relu(self.first(z)) + self.names(label))).view(-1, 1, 8, 8)


class Noisy(Tiny):
    """Draws noise in every forward pass."""

    def between(self, h):
        return h + 0.1 * torch.randn_like(h)


@pytest.mark.parametrize("factory", [Tiny, Labelled, Noisy])
def test_a_strangers_correct_architecture_passes(factory):
    check(replace(TINY, factory=factory))


def test_a_factory_is_given_the_options():
    check(TINY, options={"width": 4})
    with pytest.raises(BrokenLaw, match=r"make a generator when called with \{'depth': 4\}; got TypeError"):
        check(TINY, options={"depth": 4})


class Judge(nn.Module):
    def __init__(self, image_shape, spectral_norm):
        super().__init__()
        self.score = nn.Linear(math.prod(image_shape), 1)

    def forward(self, images):
        return self.score(images.flatten(1))


class Plugin:
    """Offers an architecture together with its discriminator."""

    @hookimpl
    def rpganify_architectures(self):
        return [replace(TINY, discriminator="judge")]

    @hookimpl
    def rpganify_discriminators(self):
        return [DiscriminatorEntry("judge", "one linear layer", Judge)]


def test_a_discriminator_of_a_plugin_that_is_not_installed_is_found_in_the_registry_that_is_passed():
    registry = Registry()
    registry.register(Plugin())
    check_architecture(registry.get(Architecture, "tiny"), registry=registry)


class MixesTheBatch(Tiny):
    def between(self, h):
        return h - h.mean(dim=0)


class Branching(Tiny):
    def between(self, h):
        return h if h.sum() > 0 else -h


class SecondForgotten(Tiny):
    def forward(self, z):
        return torch.tanh(self.first(z).repeat(1, 8) + 0 * self.second(self.first(z))).view(-1, 1, 8, 8)


class Detached(Tiny):
    def between(self, h):
        return h.detach()


class RootAtZero(Tiny):
    def between(self, h):
        return (h - h).sqrt() + h


class Exploding(Tiny):
    def between(self, h):
        return h / 0.0


class TwoScores(Judge):
    def forward(self, images):
        return super().forward(images).repeat(1, 2)


class Reversal(torch.autograd.Function):
    """A gradient that is not the derivative, which a graph keeps as a call of the author's code."""

    @staticmethod
    def forward(ctx, h):
        return h * 1.0

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


class Reversed(Tiny):
    def between(self, h):
        return Reversal.apply(h)


def of_own_chance():
    made = Tiny()
    chance = torch.Generator()
    chance.seed()
    with torch.no_grad():
        made.first.weight.normal_(generator=chance)
    return made


def of_one_seed():
    torch.manual_seed(3)
    return Tiny()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"factory": lambda: "tiny"}, r"expected its factory to return an nn\.Module; got a str"),
        (
            {"factory": "tests.nowhere:Tiny"},
            r"expected its factory to make a generator .*; got RegistryError: .*nowhere",
        ),
        ({"factory": lambda width: Tiny(width)}, r"got TypeError: .*'width'\. Every argument has a default"),
        ({"factory": of_own_chance}, r"expected the same weights under the same seed; got others\. Draw initial"),
        ({"factory": of_one_seed}, r"expected other weights under another seed, .*; got the same\. Seed nothing"),
        ({"latent": (7,)}, r"expected a forward pass that takes the entry's latent, \(N, 7\).*; got ConversionError"),
        (
            {"factory": Branching},
            r"expected a forward pass .*can be recorded; got ConversionError: .*test_architecture\.py",
        ),
        ({"factory": MixesTheBatch}, r"expected in eval mode the image of a latent to be the same in a batch as alone"),
        ({"factory": Exploding}, r"expected finite images \(4, 1, 8, 8\) of 4 latents; got NaN or infinity"),
        (
            {"buckets": ("first", "third")},
            r"converted: expected the natural buckets first, third .*; got PlanError.*inspect",
        ),
        (
            {"factory": SecondForgotten},
            r"expected another block of its bucket 'second' to make another image; got the same",
        ),
        ({"factory": Detached}, r"expected gradients that reach the bucket 'first'; got none there, or zeros.*detach"),
        ({"factory": RootAtZero}, r"expected finite gradients in train mode, '.*' among them; got NaN"),
        ({"factory": Reversed}, r"on disk: expected to be written, and opened without its source; got ModelFileError"),
        ({"discriminator": "mpl"}, r"expected a discriminator 'mpl' .*; got RegistryError: .*Did you mean 'mlp'"),
        (
            {"discriminator": "judge"},
            r"with judge: expected one score per image, \(2,\) or \(2, 1\); got float32 \(2, 2\)",
        ),
    ],
)
def test_a_wrong_architecture_is_named_with_what_came_and_how_to_repair_it(changes, sentence):
    class Judging:
        @hookimpl
        def rpganify_discriminators(self):
            return [DiscriminatorEntry("judge", "two scores", TwoScores)]

    registry = Registry()
    registry.register(Judging())
    options = SMALL if changes.get("discriminator") != "judge" else {}
    with pytest.raises(BrokenLaw, match=f"^tiny.*{sentence}"):
        check_architecture(replace(TINY, **changes), discriminator_options=options, registry=registry)


def test_a_conversion_that_is_not_the_generator_itself_is_noticed(monkeypatch):
    right = subject.convert_inspected

    def wrong(*args, **kwargs):
        made = right(*args, **kwargs)
        with torch.no_grad():
            made.model.get_parameter("first.weight").add_(0.1)
        return made

    monkeypatch.setattr(subject, "convert_inspected", wrong)
    with pytest.raises(
        BrokenLaw, match="one block per bucket to make the plain one's image of the same latent; got a diff"
    ):
        check(TINY)


def test_an_extracted_generator_of_another_path_is_noticed(monkeypatch):
    right = architecture.extract
    monkeypatch.setattr(architecture, "extract", lambda model, path: right(model, 1 - path))
    with pytest.raises(
        BrokenLaw, match="tiny extracted: expected the generator of a path, given Z, to make the path's"
    ):
        check(TINY)


def test_a_batch_that_is_not_its_samples_is_noticed(monkeypatch):
    right = RandomPathGenerator.images

    def wrong(self, codes, *rest, **conditions):
        # The conversion has its own proof, on three samples.
        return right(self, codes, *rest, **conditions) + 0.1 * (len(codes) > 3)

    monkeypatch.setattr(RandomPathGenerator, "images", wrong)
    with pytest.raises(BrokenLaw, match=r"tiny converted: expected a batch of paths to give the images .* one by one"):
        check(TINY)


def test_a_file_that_loses_something_is_noticed(monkeypatch):
    right = architecture.load_model

    def wrong(directory):
        model = right(directory)
        with torch.no_grad():
            model.Z.mul_(0.99)
        return model

    monkeypatch.setattr(architecture, "load_model", wrong)
    with pytest.raises(BrokenLaw, match="tiny on disk: expected the same images after saving and opening; got others"):
        check(TINY)
