"""Names that a user types become objects."""

import math
import types

import pytest
import torch
import typer
from safetensors.torch import load_file

from rpganify.cli.choosing import (
    choose_callback,
    choose_device,
    choose_discriminator,
    choose_export,
    choose_loss,
    classes_to_judge,
    default_discriminator,
)
from rpganify.entries import CallbackEntry, DiscriminatorEntry
from rpganify.errors import RegistryError, TrainingError
from rpganify.hookspecs import hookimpl
from rpganify.models.label_heads import AuxiliaryClassifier
from rpganify.registry import Registry, default_registry
from rpganify.training.callbacks import Callback
from rpganify.training.losses import WassersteinGP
from tests.unit.training.fakes import TinyLabelled, TinyPaths, labelled_digits, seeded


def discriminator(name, image_shape=(1, 8, 8), *, spectral_norm=True, seed=0, **options):
    return choose_discriminator(
        name, options, image_shape, spectral_norm=spectral_norm, seed=seed, registry=default_registry()
    )


def test_a_loss_takes_its_options():
    assert choose_loss("wgan-gp", {"penalty_weight": 3.0}, default_registry()) == WassersteinGP(penalty_weight=3.0)


def test_an_option_that_a_loss_does_not_have_is_refused():
    with pytest.raises(TrainingError, match="The loss hinge does not take --loss-arg margin=2"):
        choose_loss("hinge", {"margin": 2}, default_registry())


@pytest.mark.parametrize(
    ("architecture", "image_shape", "name"),
    [
        ("sngan32", (3, 32, 32), "sngan"),
        ("mlp28", (1, 28, 28), "mlp"),
        (None, (1, 8, 8), "dcgan"),
        (None, (3, 64, 64), "dcgan"),
        (None, (1, 4, 64), "mlp"),
        ("no longer registered", (3, 32, 32), "dcgan"),
        (None, (1, 4096), "mlp"),
        (None, (2,), "mlp"),
    ],
)
def test_the_default_discriminator_is_the_architectures_own_or_one_that_fits(architecture, image_shape, name):
    assert default_discriminator(architecture, image_shape, default_registry()) == name


def built_for(classes, /, **options):
    return choose_discriminator(
        "mlp", options, (1, 8, 8), spectral_norm=True, seed=0, registry=default_registry(), num_classes=classes
    )


def test_a_discriminator_is_built_for_the_data_s_classes_unless_the_user_says_otherwise():
    assert built_for(10).num_classes == 10
    assert built_for(0).num_classes == 0
    assert built_for(10, num_classes="12").num_classes == 12
    assert isinstance(built_for(10, conditioning="auxiliary").label_head, AuxiliaryClassifier)


def test_a_discriminator_that_has_no_such_option_is_built_without_classes():
    def plain(*, image_shape, spectral_norm):
        return torch.nn.Linear(math.prod(image_shape), 1)

    @hookimpl
    def rpganify_discriminators():
        return [DiscriminatorEntry("plain", "one layer", plain)]

    stranger = types.ModuleType("stranger")
    stranger.rpganify_discriminators = rpganify_discriminators
    registry = Registry()
    registry.register(stranger)
    made = choose_discriminator("plain", {}, (1, 8, 8), spectral_norm=False, seed=0, registry=registry, num_classes=10)
    assert isinstance(made, torch.nn.Linear)


def test_the_classes_to_judge_are_those_of_the_data_where_the_generator_takes_labels():
    assert classes_to_judge(seeded(TinyLabelled), labelled_digits(20)) == 10
    assert classes_to_judge(seeded(TinyPaths), labelled_digits(20)) == 0


@pytest.mark.parametrize("name", ["dcgan", "mlp", "sngan"])
def test_a_registered_discriminator_judges_images_of_the_shape_and_follows_the_seed(name):
    one, two, other = (discriminator(name, channels="8", seed=seed) for seed in (0, 0, 1))
    images = torch.zeros(2, 1, 8, 8) + 0.5
    for model in (one, two, other):
        model.eval()
    torch.testing.assert_close(one(images), two(images), rtol=0, atol=0)
    assert not torch.equal(one(images), other(images))


@pytest.mark.parametrize("is_normed", [True, False])
def test_spectral_norm_is_as_the_loss_wants(is_normed):
    names = dict(discriminator("mlp", spectral_norm=is_normed, channels="8").named_parameters())
    assert any("parametrizations" in name for name in names) is is_normed


def test_building_a_discriminator_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    discriminator("mlp", channels="8")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "image_shape", "options", "message"),
    [
        ("dcgan", (1, 4, 4), {}, "The discriminator dcgan cannot be built: .*4x4 is too small"),
        ("mlp", (1, 8, 8), {"depth": "3"}, "The discriminator mlp cannot be built: .*depth"),
    ],
)
def test_a_discriminator_that_cannot_be_built_is_refused(name, image_shape, options, message):
    with pytest.raises(TrainingError, match=message):
        discriminator(name, image_shape, **options)


def test_the_automatic_device_is_there():
    assert torch.zeros(1, device=choose_device("auto")).sum() == 0
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_wrong_usage(name):
    with pytest.raises(typer.BadParameter, match=f"'{name}' cannot be used here"):
        choose_device(name)


@pytest.fixture
def registry():
    """The built-ins, and a stranger's callbacks: one that takes an argument, one that is none, one that fails."""

    class Told(Callback):
        def __init__(self, argument="nothing"):
            self.argument = argument

    entries = [
        CallbackEntry("told", "keeps its argument", Told),
        CallbackEntry("none", "is no callback", lambda: object()),
        CallbackEntry("plain", "takes no argument", lambda: Told()),
    ]
    made, module = Registry(), types.ModuleType("stranger")
    module.rpganify_callbacks = hookimpl(lambda: entries)
    made.register(module)
    return made


def test_a_callback_is_given_what_follows_the_colon(registry):
    assert choose_callback("told", registry).argument == "nothing"
    assert choose_callback("told:a:b", registry).argument == "a:b"


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("tld", RegistryError, r"no callback 'tld'\. Did you mean 'told'"),
        (
            "none",
            TrainingError,
            r"callback none of the plugin stranger is a object without on_start, .*inheriting from",
        ),
        ("plain:x", RegistryError, r"'plain' of the plugin stranger failed .*factory\(argument='x'\): TypeError"),
        ("csv:../x", TrainingError, r"takes a file's name, not '\.\./x'"),
    ],
)
def test_a_callback_that_cannot_be_made_is_refused(registry, spec, error, message):
    with pytest.raises(error, match=message):
        choose_callback(spec, registry)


def test_an_export_format_is_chosen_by_name(registry, tmp_path):
    choose_export("safetensors", registry)(torch.nn.Linear(2, 1), torch.zeros(1, 2), tmp_path / "g")
    assert set(load_file(tmp_path / "g")) == {"weight", "bias"}
    with pytest.raises(RegistryError, match=r"no export format 'onxx'.*are: onnx, pt2, safetensors"):
        choose_export("onxx", registry)
