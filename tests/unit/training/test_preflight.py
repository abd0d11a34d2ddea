import logging

import pytest
import torch
from torch import nn

from rpganify.data.labels import select_labels
from rpganify.entries import LossEntry
from rpganify.errors import TrainingError
from rpganify.registry import Registry
from rpganify.training.preflight import check_objects
from tests.unit.training.fakes import Critic, TinyLabelled, TinyPaths, digits, labelled_digits, seeded


def check(generator=None, discriminator=None, needs=(), data=None):
    generator = generator or seeded(TinyPaths)
    data = data or digits(20)
    check_objects(generator, discriminator or seeded(Critic), data, torch.device("cpu"), needs)


class Labelled(nn.Module):
    """Images and labels to what `give` makes of scores and label."""

    def __init__(self, num_classes=10, give=lambda scores, labels: scores):
        super().__init__()
        self.num_classes, self.give = num_classes, give
        self.score = nn.Linear(64, 1)
        self.seen = []

    def forward(self, images, labels):
        self.seen.append(labels)
        return self.give(self.score(images.flatten(1)).squeeze(1), labels)


def test_a_conditional_pair_is_accepted_and_the_discriminator_is_given_the_data_s_labels():
    judge = Labelled()
    check(seeded(TinyLabelled), judge, data=labelled_digits(20))
    (labels,) = judge.seen
    assert labels.dtype == torch.int64 and torch.equal(labels, labelled_digits(20).labels[[0, 0]])


def test_an_auxiliary_classifier_s_scores_and_logits_are_accepted():
    check(
        seeded(TinyLabelled),
        Labelled(give=lambda scores, labels: (scores[:, None], torch.zeros(2, 10))),
        data=labelled_digits(20),
    )


@pytest.mark.parametrize(
    ("give", "found"),
    [
        (
            lambda scores, labels: (scores, torch.zeros(2, 9)),
            r"one logit per class, \(2, 10\) for two images; it gave 2×9",
        ),
        (lambda scores, labels: (scores, None, None), "one score per image.*it gave tuple"),
        (lambda scores, labels: (labels.tolist(), torch.zeros(2, 10)), "one score per image.*it gave list"),
        (lambda scores, labels: (scores, 3), r"one logit per class.*it gave int"),
    ],
)
def test_a_conditional_discriminator_that_gives_something_else_is_refused(give, found):
    with pytest.raises(TrainingError, match=found):
        check(seeded(TinyLabelled), Labelled(give=give), data=labelled_digits(20))


def test_a_generator_of_labels_needs_a_discriminator_that_looks_at_them():
    with pytest.raises(
        TrainingError, match=r"takes a label \(labels\), but the discriminator does not look at labels.*=10"
    ):
        check(seeded(TinyLabelled), data=labelled_digits(20))


def test_a_discriminator_of_labels_needs_a_generator_that_takes_them():
    with pytest.raises(TrainingError, match=r"by their label, of 10 classes, but the generator takes none"):
        check(discriminator=Labelled(), data=labelled_digits(20))


def test_a_discriminator_with_too_few_classes_is_refused():
    with pytest.raises(TrainingError, match=r"have labels up to 9, but the discriminator has 9 classes, 0 to 8\..*=10"):
        check(seeded(TinyLabelled), Labelled(9), data=labelled_digits(20))


def test_a_discriminator_needs_the_classes_that_a_filter_leaves_only():
    check(seeded(TinyLabelled, num_classes=7), Labelled(7), data=select_labels(labelled_digits(40), "0-6"))


def test_data_without_labels_is_refused_where_labels_are_wanted():
    with pytest.raises(TrainingError, match=r"images of digits have no labels, which class-conditional training needs"):
        check(seeded(TinyLabelled), Labelled())


def test_a_discriminator_that_takes_no_labels_though_it_says_so_is_refused():
    judge = seeded(Critic)
    judge.num_classes = 10
    with pytest.raises(
        TrainingError, match=r"does not take images of 1×8×8 and labels, discriminator\(images, labels\)"
    ):
        check(seeded(TinyLabelled), judge, data=labelled_digits(20))


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
