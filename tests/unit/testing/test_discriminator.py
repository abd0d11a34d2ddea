"""The check of discriminators passes the right ones, and says what is wrong with the others."""

import math

import pytest
import torch
from torch import nn

from rpganify.entries import DiscriminatorEntry
from rpganify.registry import Registry
from rpganify.testing import BrokenLaw, check_discriminator

SHAPE = (1, 8, 8)


def layers(image_shape, spectral_norm, *after):
    score = nn.Linear(math.prod(image_shape), 4), nn.Linear(4, 1)
    first, last = (nn.utils.parametrizations.spectral_norm(one) if spectral_norm else one for one in score)
    return [nn.Flatten(), first, nn.LeakyReLU(0.2), last, *after]


def linear(*, image_shape, spectral_norm):
    return nn.Sequential(*layers(image_shape, spectral_norm))


@pytest.mark.parametrize("entry", Registry().all(DiscriminatorEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_discriminator_passes(entry):
    check_discriminator(entry.factory, options={"channels": 16})


@pytest.mark.parametrize("conditioning", ["projection", "auxiliary"])
@pytest.mark.parametrize("entry", Registry().all(DiscriminatorEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_discriminator_passes_with_classes_too(entry, conditioning):
    options = {"channels": 16, "num_classes": 3, "conditioning": conditioning}
    check_discriminator(entry.factory, options=options, image_shapes=[SHAPE])


def test_a_strangers_correct_discriminator_passes_on_pictures_and_on_sound():
    check_discriminator(linear)
    check_discriminator(linear, image_shapes=[(1, 32)])


def only_squares(*, image_shape, spectral_norm):
    if image_shape[-1] != image_shape[-2]:
        raise ValueError(f"{image_shape[-2]}x{image_shape[-1]} is not square.")
    return linear(image_shape=image_shape, spectral_norm=spectral_norm)


def test_a_size_may_be_refused_by_name():
    check_discriminator(only_squares)


def refuses_silently(*, image_shape, spectral_norm):
    raise ValueError("no")


def fails_to_build(*, image_shape, spectral_norm):
    return nn.Linear(image_shape[7], 1)


def takes_no_shape(size=8):
    return nn.Linear(size, 1)


def breaks_in_forward(*, image_shape, spectral_norm):
    return nn.Sequential(nn.Flatten(), nn.Linear(10, 1))


def not_a_module(*, image_shape, spectral_norm):
    return "a discriminator"


def ends_in_a_sigmoid(*, image_shape, spectral_norm):
    return nn.Sequential(*layers(image_shape, spectral_norm, nn.Sigmoid()))


def ignores_spectral_norm(*, image_shape, spectral_norm):
    return linear(image_shape=image_shape, spectral_norm=False)


def scores_patches(*, image_shape, spectral_norm):
    return nn.Conv2d(image_shape[0], 1, 3 if spectral_norm else 1)


class MinibatchStd(nn.Module):
    def forward(self, x):
        return x * (1 + x.std(dim=0, correction=0).mean())


def has_minibatch_std(*, image_shape, spectral_norm):
    return nn.Sequential(MinibatchStd(), *layers(image_shape, spectral_norm))


class Detached(nn.Module):
    def forward(self, x):
        return x.detach()


def blocks_the_images(*, image_shape, spectral_norm):
    return nn.Sequential(Detached(), *layers(image_shape, spectral_norm))


class Forgetful(nn.Sequential):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.spare = nn.Parameter(torch.zeros(3))


def has_an_unused_parameter(*, image_shape, spectral_norm):
    return Forgetful(*layers(image_shape, spectral_norm))


def made_of_other_chance(*, image_shape, spectral_norm):
    module = linear(image_shape=image_shape, spectral_norm=spectral_norm)
    chance = torch.Generator()
    chance.seed()
    with torch.no_grad():
        module[-1].bias.copy_(torch.randn(1, generator=chance))
    return module


class WithClasses(nn.Module):
    """Says that it has three classes, and gives what `give` makes of scores and labels."""

    num_classes = 3

    def __init__(self, scored, give):
        super().__init__()
        self.scored, self.give = scored, give

    def forward(self, images, labels):
        return self.give(self.scored(images), labels)


def with_classes(give):
    return lambda image_shape, spectral_norm: WithClasses(
        linear(image_shape=image_shape, spectral_norm=spectral_norm), give
    )


def ignores_its_labels(*, image_shape, spectral_norm):
    return with_classes(lambda scores, labels: scores)(image_shape, spectral_norm)


def gives_too_few_logits(*, image_shape, spectral_norm):
    return with_classes(lambda scores, labels: (scores, scores.expand(-1, 2)))(image_shape, spectral_norm)


def gives_three_things(*, image_shape, spectral_norm):
    return with_classes(lambda scores, labels: (scores, labels, labels))(image_shape, spectral_norm)


def takes_no_labels(*, image_shape, spectral_norm):
    module = linear(image_shape=image_shape, spectral_norm=spectral_norm)
    module.num_classes = 3
    return module


def forgets_its_classifier(*, image_shape, spectral_norm):
    module = with_classes(lambda scores, labels: (scores, scores.detach().expand(-1, 3)))(image_shape, spectral_norm)
    module.classifier = nn.Linear(4, 3)
    return module


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (
            refuses_silently,
            r"expected to be built, or refused by a ValueError that names the size 8; got ValueError: no",
        ),
        (fails_to_build, r"refused by a ValueError that names the size; got IndexError: tuple index out of range"),
        (takes_no_shape, r"got TypeError: .*image_shape.*called as factory\(image_shape=\(C, H, W\), spectral_norm"),
        (
            breaks_in_forward,
            r"expected scores of images \(3, 1, 8, 8\); got RuntimeError: .*Refuse a size that the layers",
        ),
        (not_a_module, r"expected the factory to return an nn\.Module; got a str\. Return the discriminator itself"),
        (ends_in_a_sigmoid, r"expected scores that are unbounded; got at most 1 .*Leave out the sigmoid"),
        (
            ignores_spectral_norm,
            r"expected spectral_norm=True to divide the weights.*got the same scores with and without",
        ),
        (scores_patches, r"expected one score per image, \(3,\) or \(3, 1\); got float32 \(3, 1, 8, 8\)\. Average"),
        (has_minibatch_std, r"expected in eval mode the scores of a batch.*got a difference of .*mixes_samples=True"),
        (blocks_the_images, r"expected a finite gradient in image 0, for the generator to follow; got none"),
        (has_an_unused_parameter, r"expected a finite gradient in the parameter 'spare'; got none\. Use the parameter"),
        (
            made_of_other_chance,
            r"expected the same scores .* built again under the same seed; got others\. Draw initial",
        ),
        (ignores_its_labels, r"expected another label to give other scores, or class logits.*leave `num_classes` at 0"),
        (gives_too_few_logits, r"expected one logit per class beside the scores, \(3, 3\); got float32 \(3, 2\)"),
        (gives_three_things, r"expected one score per image.*got a tuple"),
        (takes_no_labels, r"expected scores of images \(3, 1, 8, 8\) and labels of 3 classes; got TypeError"),
        (forgets_its_classifier, r"expected a finite gradient in the parameter 'classifier\.weight'; got none"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_discriminator_is_named_with_what_came_and_how_to_repair_it(factory, sentence):
    with pytest.raises(BrokenLaw, match=rf"^{factory.__name__} for images of 1×8×8.*{sentence}"):
        check_discriminator(factory, image_shapes=[SHAPE])


def test_mixing_samples_is_allowed_where_the_author_says_that_it_is_meant():
    check_discriminator(has_minibatch_std, image_shapes=[SHAPE], mixes_samples=True)


def test_one_that_takes_no_size_at_all_is_refused():
    with pytest.raises(BrokenLaw, match=r"only_squares: expected at least one image shape of \(1, 8, 9\) to be taken"):
        check_discriminator(only_squares, image_shapes=[(1, 8, 9)])
