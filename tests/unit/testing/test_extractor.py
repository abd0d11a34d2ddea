"""The check of feature extractors passes the right ones, and says what is wrong with the others."""

import pytest
import torch
from torch import nn

from rpganify.analysis.features import PixelFeatures
from rpganify.testing import BrokenLaw, check_extractor


class Thumbnail:
    """A stranger's extractor, right unless told otherwise."""

    name = "thumbnail"
    is_papers = False
    provenance = {"size": 4}  # noqa: RUF012

    def adaptation(self, image_shape):
        return "averaged down to 4×4"

    def __call__(self, images):
        return nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)


@pytest.mark.parametrize("extractor", [PixelFeatures(), Thumbnail()])
def test_correct_extractors_pass(extractor):
    check_extractor(extractor)
    check_extractor(extractor, image_shapes=[(3, 48, 32)])


class OneVector(Thumbnail):
    def __call__(self, images):
        return super().__call__(images).mean(dim=0)


class Maps(Thumbnail):
    def __call__(self, images):
        return images


class Whitened(Thumbnail):
    def __call__(self, images):
        features = super().__call__(images)
        return features - features.mean(dim=0)


class Divided(Thumbnail):
    def __call__(self, images):
        features = super().__call__(images)
        return (features + 1) / (features + 1).sum(dim=1, keepdim=True)


class WithGraph(Thumbnail):
    layer = nn.Conv2d(3, 2, 3)

    def __call__(self, images):
        return self.layer(images.expand(-1, 3, -1, -1)).flatten(1)


class InTrainMode(Thumbnail):
    def __call__(self, images):
        return nn.functional.dropout(super().__call__(images), 0.5)


class Blind(Thumbnail):
    def __call__(self, images):
        return torch.ones(len(images), 5)


class Normalising(Thumbnail):
    def __call__(self, images):
        return super().__call__(images.sub_(0.5))


class ColourOnly(Thumbnail):
    def __call__(self, images):
        return images[:, 2].flatten(1)


@pytest.mark.parametrize(
    ("extractor", "sentence"),
    [
        (OneVector, r"expected floats \(4, D\) on the CPU; got float32 \(16,\) on cpu\. Flatten"),
        (Maps, r"expected floats \(4, D\) on the CPU; got float32 \(4, 1, 28, 28\) on cpu"),
        (Whitened, r"expected a batch's features to be those of its images one by one; got a difference of"),
        (Divided, r"expected finite features; got NaN or infinity"),
        (WithGraph, r"expected features without a gradient graph.*; got features that require gradients.*no_grad"),
        (InTrainMode, r"expected the global random states to stay.*eval mode"),
        (Blind, r"expected a black and a white picture to have different features; got equal ones"),
        (Normalising, r"expected images to keep its values; got others afterwards\. Work on a copy"),
        (ColourOnly, r"expected features; got IndexError: .*It is called with float images \(N, C, H, W\), C 1 or 3"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_features_are_named_with_what_came_and_how_to_repair_it(extractor, sentence):
    with pytest.raises(BrokenLaw, match=rf"^{extractor.__name__} on images of 1×28×28: {sentence}"):
        check_extractor(extractor())


@pytest.mark.parametrize(
    ("member", "value", "sentence"),
    [
        ("name", None, r"name: expected what a report calls it, a text; got None"),
        ("is_papers", "no", r"is_papers: expected True or False; got 'no'"),
        ("provenance", {"size": torch.ones(1)}, r"provenance: expected data that JSON can hold; got TypeError"),
        ("adaptation", lambda self, image_shape: None, r"adaptation: expected words on what is done.*; got None"),
    ],
)
def test_what_a_report_tells_of_it_is_asked_for(member, value, sentence):
    with pytest.raises(BrokenLaw, match=rf"^Named\.{sentence}"):
        check_extractor(type("Named", (Thumbnail,), {member: value})())
