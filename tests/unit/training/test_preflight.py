import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rpganify.entries import LossEntry
from rpganify.errors import TrainingError
from rpganify.registry import Registry
from rpganify.training.preflight import check_objects
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded


def check(generator=None, discriminator=None, needs=()):
    generator = generator or seeded(TinyPaths)
    check_objects(generator, discriminator or seeded(Critic), digits(20), torch.device("cpu"), needs)


def test_a_generator_that_needs_labels_is_refused():
    generator = seeded(TinyPaths)
    generator.conditions = (SimpleNamespace(name="labels"),)
    with pytest.raises(TrainingError, match=r"needs more than its codes: labels\. Class-conditional training is not"):
        check(generator)


def test_images_of_another_shape_are_refused():
    with pytest.raises(TrainingError, match=r"images of digits are 1×8×8, the generator's are 3×4×4.*fit_to"):
        check(seeded(TinyPaths, image_shape=(3, 4, 4)))


def test_a_discriminator_for_another_size_is_refused():
    with pytest.raises(TrainingError, match=r"(?s)does not take images of 1×8×8: .*Choose one that is made for this"):
        check(discriminator=seeded(Critic, num_pixels=100))


@pytest.mark.parametrize(
    ("forward", "found"),
    [
        (lambda images: images.mean(), "it gave "),
        (lambda images: (images,), "it gave tuple"),
        (lambda x: x[:1], "1×1×8×8"),
    ],
)
def test_a_discriminator_that_gives_no_score_per_image_is_refused(forward, found):
    discriminator = seeded(Critic)
    discriminator.forward = forward
    with pytest.raises(TrainingError, match=f"one score per image.*{found}"):
        check(discriminator=discriminator)


def test_scores_may_have_a_second_axis():
    check(discriminator=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))


def test_a_sigmoid_at_the_end_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        check(discriminator=nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Sigmoid()))
    assert "ends in a sigmoid" in caplog.text


def test_batch_norm_under_a_loss_that_looks_at_each_image_alone_is_warned_of(caplog):
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    with caplog.at_level(logging.WARNING):
        check(discriminator=discriminator)
        assert caplog.text == ""
        check(discriminator=discriminator, needs=Registry().get(LossEntry, "wgan-gp").needs)
    assert "has batch norm (2), which mixes the images" in caplog.text


class SpectralNormByHand(nn.Linear):
    """As many repositories write it themselves."""


@pytest.mark.parametrize(
    "layer",
    [
        nn.utils.spectral_norm(nn.Linear(64, 1)),
        nn.utils.parametrizations.spectral_norm(nn.Linear(64, 1)),
        SpectralNormByHand(64, 1),
    ],
)
def test_a_loss_that_needs_spectral_norm_warns_where_there_is_none(caplog, layer):
    with caplog.at_level(logging.WARNING):
        check(discriminator=nn.Sequential(nn.Flatten(), layer), needs=("spectral-norm",))
        check(discriminator=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))
        assert caplog.text == ""
        check(discriminator=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), needs=("spectral-norm",))
    assert "No weight of the discriminator is spectrally normalised" in caplog.text


def test_checking_changes_nothing():
    discriminator = seeded(Critic)
    before = {name: value.clone() for name, value in discriminator.state_dict().items()}
    random_state = torch.get_rng_state()
    check(discriminator=discriminator)
    assert all(torch.equal(value, before[name]) for name, value in discriminator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert discriminator.training
