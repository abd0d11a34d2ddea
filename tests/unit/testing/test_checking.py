"""Any entry that a hook lists is checked by the laws of its kind, as the command line makes it."""

import dataclasses

import pytest
import torch
from torch import nn

from rpganify import entries
from rpganify.entries import Architecture, DiscriminatorEntry, LossEntry, RoutedLayerEntry
from rpganify.hookspecs import hookimpl
from rpganify.registry import KINDS, Registry
from rpganify.testing import CHECKS, BrokenLaw, Unavailable, check
from tests.unit.testing.test_discriminator import has_minibatch_std, linear
from tests.unit.testing.test_routed_layer import BiasForgotten, RoutedBilinear

# The entries that a machine without further files can check; what the others miss is matched below.
CHECKED = [
    ("loss", "hinge"),
    ("loss", "wgan-gp"),
    ("dataset", "digits"),
    ("replication", "jitter"),
    ("distance", "colour"),
    ("distance", "pixels"),
    ("extractor", "pixels"),
    ("analyzer", "diversity"),
    ("callback", "csv"),
    ("export", "safetensors"),
    ("export", "pt2"),
    ("export", "onnx"),
    ("discriminator", "dcgan"),
    ("architecture", "mlp28"),
]


def entry_of(word, name):
    (kind,) = (kind for kind in KINDS if kind.word == word)
    return Registry().get(kind.entry, name)


@pytest.mark.parametrize(("word", "name"), CHECKED)
def test_built_in_entries_of_every_kind_pass_by_their_name_alone(word, name):
    check(entry_of(word, name), registry=Registry())


def test_every_kind_has_a_public_check_of_its_laws():
    assert list(CHECKS) == [kind.entry for kind in KINDS]
    for kind in KINDS:
        assert CHECKS[kind.entry].__name__ == f"check_{kind.word.replace('-', '_')}"


@pytest.mark.parametrize(
    ("word", "name", "reason"),
    [
        ("dataset", "mnist", r"mnist is read from a folder that you have.*--data-root"),
        ("dataset", "folder", r"folder"),
        ("extractor", "classifier", r"classifier cannot be checked by its name alone: .*classifier:FILE"),
        ("distance", "semantic", r"semantic cannot be checked by its name alone: "),
    ],
)
def test_what_needs_more_than_its_name_is_unavailable_with_the_reason(word, name, reason):
    with pytest.raises(Unavailable, match=reason):
        check(entry_of(word, name), registry=Registry())


def test_data_sets_are_looked_for_in_the_folder_that_is_passed(tmp_path):
    from tests.unit.data.files import write_mnist

    write_mnist(tmp_path / "MNIST" / "raw")
    check(entry_of("dataset", "mnist"), registry=Registry(), data_root=tmp_path)


def test_a_factory_that_is_not_there_or_asks_for_arguments_is_refused():
    with pytest.raises(
        BrokenLaw, match=r"LossEntry 'mine': expected its factory to be there; got RegistryError: .*nowhere"
    ):
        check(LossEntry("mine", "not there", "tests.nowhere:Loss"), registry=Registry())
    with pytest.raises(
        BrokenLaw, match=r"LossEntry 'mine': expected its factory to be called as factory\(\); got TypeError"
    ):
        check(LossEntry("mine", "needs a weight", lambda weight: None), registry=Registry())


class Signal(nn.Module):
    """Makes what is no picture."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 32)

    def forward(self, z):
        return torch.tanh(self.layer(z)).unflatten(1, (1, 32))


def judge_signals(*, image_shape, spectral_norm):
    if len(image_shape) != 2:
        raise ValueError(f"{image_shape} is no signal.")
    return linear(image_shape=image_shape, spectral_norm=spectral_norm)


class SignalPlugin:
    """A discriminator that takes no pictures.

    Args:
        discriminator: what the architecture names.
        factory: of the discriminator.
    """

    def __init__(self, discriminator, factory=judge_signals):
        self.discriminator, self.factory = discriminator, factory

    @hookimpl
    def rpganify_architectures(self):
        return [Architecture("signal", "one layer", Signal, (5,), ("layer",), self.discriminator)]

    @hookimpl
    def rpganify_discriminators(self):
        return [DiscriminatorEntry("signals", "one layer", self.factory)]


def judging(*arguments):
    registry = Registry()
    registry.register(SignalPlugin(*arguments))
    return registry.get(DiscriminatorEntry, "signals"), registry


def test_a_discriminator_of_no_pictures_is_tried_on_what_its_architectures_make():
    entry, registry = judging("signals")
    check(entry, registry=registry)
    check(registry.get(Architecture, "signal"), registry=registry)
    entry, registry = judging("mlp")
    with pytest.raises(
        Unavailable, match=r"signals takes no pictures of the sizes .*check_discriminator\(factory, image_s"
    ):
        check(entry, registry=registry)


def test_a_discriminator_that_cannot_be_built_is_refused_and_one_that_compares_images_is_not():
    entry, registry = judging("mlp", lambda image_shape: nn.Linear(8, 1))
    with pytest.raises(
        BrokenLaw, match=r"got TypeError: .*'spectral_norm'.*The factory is called as factory\(image_shape"
    ):
        check(entry, registry=registry)
    entry, registry = judging("mlp", has_minibatch_std)
    check(entry, registry=registry)


class TwoInputs(nn.Module):
    """Meets a bilinear layer with two halves of its latent."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Bilinear(3, 2, 64)

    def forward(self, z):
        return torch.tanh(self.layer(z[:, :3], z[:, 3:])).view(-1, 1, 8, 8)


class Plugin:
    """An architecture with a routed layer.

    Args:
        kind: of the layer.
        leaves: what the architecture says of its routed layers.
    """

    def __init__(self, kind, leaves):
        self.kind, self.leaves = kind, leaves

    @hookimpl
    def rpganify_architectures(self):
        return [Architecture("two", "one layer", TwoInputs, (5,), ("layer",), "mlp", self.leaves)]

    @hookimpl
    def rpganify_routed_layers(self):
        return [RoutedLayerEntry("bilinear", "two inputs", "torch.nn:Bilinear", self.kind)]


def routed(kind, leaves):
    registry = Registry()
    registry.register(Plugin(kind, leaves))
    return registry.get(RoutedLayerEntry, "bilinear"), registry


def test_a_routed_layer_is_tried_on_what_it_meets_in_the_architectures_that_use_it():
    entry, registry = routed(RoutedBilinear, ("bilinear",))
    check(entry, registry=registry)
    entry, registry = routed(BiasForgotten, ("bilinear",))
    with pytest.raises(BrokenLaw, match=r"BiasForgotten\.call in eval mode: expected what the plain layer makes"):
        check(entry, registry=registry)


def test_a_routed_layer_that_no_architecture_uses_is_unavailable_and_told_how_to_be_tested():
    entry, registry = routed(RoutedBilinear, ())
    with pytest.raises(
        Unavailable, match=r"no architecture names it.*check_routed_layer\(RoutedBilinear\(\), Bilinear\("
    ):
        check(entry, registry=registry)


def test_the_class_of_a_routed_layer_has_to_be_one():
    entry, registry = routed(RoutedBilinear, ("bilinear",))
    with pytest.raises(BrokenLaw, match=r"'bilinear': expected a class of nn\.Module; got <function relu"):
        check(dataclasses.replace(entry, module="torch.nn.functional:relu"), registry=registry)


def test_every_entry_class_of_a_hook_is_among_the_kinds():
    named = {kind.entry for kind in KINDS}
    classes = {value for value in vars(entries).values() if dataclasses.is_dataclass(value) and isinstance(value, type)}
    assert named == classes
