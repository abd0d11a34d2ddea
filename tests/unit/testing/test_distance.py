"""The check of image distances passes the right ones, and says what is wrong with the others."""

import pytest
import torch

from rpganify.analysis.distances import ColourDistance, FeatureDistance
from rpganify.analysis.features import PixelFeatures
from rpganify.testing import BrokenLaw, check_distance


class Brightness:
    """A stranger's distance, right unless told otherwise."""

    key = "brightness"
    title = "Brightness"
    parts = ("brightness",)

    def describe(self, images):
        return images.double().flatten(1).mean(dim=1)

    def pairs(self, described):
        return (described[:, :, None] - described[:, None, :]).abs()[..., None]


@pytest.mark.parametrize("num_channels", [1, 3])
def test_the_built_in_distances_pass(num_channels):
    check_distance(ColourDistance(num_channels), num_channels=num_channels)
    check_distance(FeatureDistance(PixelFeatures()), num_channels=num_channels)
    check_distance(Brightness(), num_channels=num_channels, size=8)


class Signed(Brightness):
    def pairs(self, described):
        return (described[:, :, None] - described[:, None, :])[..., None]


class Similarity(Brightness):
    def pairs(self, described):
        return 255 - super().pairs(described)


class OneWay(Brightness):
    def pairs(self, described):
        return (described[:, :, None] - described[:, None, :]).clamp_min(0)[..., None]


class RelativeToTheGroup(Brightness):
    def pairs(self, described):
        pairs = super().pairs(described)
        return pairs / pairs.amax(dim=(1, 2), keepdim=True).clamp_min(1e-9)


class RelativeToTheBatch(Brightness):
    def describe(self, images):
        means = super().describe(images)
        return means / means.max().clamp_min(1)


class Float32(Brightness):
    def pairs(self, described):
        return super().pairs(described).float()


class WithoutParts(Brightness):
    def pairs(self, described):
        return super().pairs(described)[..., 0]


class Blind(Brightness):
    def describe(self, images):
        return torch.zeros(len(images), dtype=torch.float64)


class Ratio(Brightness):
    def pairs(self, described):
        return (described[:, :, None] / described[:, None, :] - 1).abs()[..., None]


class Inverting(Brightness):
    def describe(self, images):
        return super().describe(images.bitwise_not_())


class Noisy(Brightness):
    def describe(self, images):
        return super().describe(images) + torch.rand(len(images))


class Ageing(Brightness):
    calls = 0

    def describe(self, images):
        self.calls += 1
        return super().describe(images) * self.calls


class TakesNumpy(Brightness):
    def describe(self, images):
        return images.astype(float)


@pytest.mark.parametrize(
    ("distance", "sentence"),
    [
        (Signed, r"\.pairs: expected distances from 0 on; got -.*absolute value"),
        (Similarity, r"\.pairs: expected 0 between equal images; got 255, where"),
        (OneWay, r"\.pairs: expected the same distance in both directions; got a difference of .*Average both"),
        (RelativeToTheGroup, r": expected .* not to depend on the others of their group; got a difference.*constants"),
        (RelativeToTheBatch, r": expected a group's distances not to depend on the other groups; got a difference"),
        (Float32, r"\.pairs: expected float64 \(2, 3, 3, 1\) for 2 groups of 3 images.*; got float32"),
        (WithoutParts, r"\.pairs: expected float64 \(2, 3, 3, 1\).*; got float64 \(2, 3, 3\)\. Compute"),
        (Blind, r"\.pairs: expected some two different pictures.* to be apart; got 0 for all"),
        (Ratio, r"\.pairs: expected finite distances; got NaN or infinity\. Look for a division by zero"),
        (Inverting, r"\.describe: expected images to keep its values; got others afterwards\. Work on a copy"),
        (Noisy, r": expected the global random states to stay.*got another state of torch\. A distance draws nothing"),
        (Ageing, r": expected the same images to have the same distances each time; got others"),
        (TakesNumpy, r": expected distances of two groups.*; got AttributeError: .*astype'\. `describe` takes uint8"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_distance_is_named_with_what_came_and_how_to_repair_it(distance, sentence):
    with pytest.raises(BrokenLaw, match=f"^{distance.__name__}{sentence}"):
        check_distance(distance())


@pytest.mark.parametrize(
    ("member", "value", "sentence"),
    [
        ("key", "", r"key: expected a text; got ''"),
        ("title", None, r"title: expected a text; got None"),
        ("parts", ("brightness", 3), r"parts: expected the names of its last axis, .*got \('brightness', 3\)"),
        ("parts", (), r"parts: expected the names of its last axis"),
    ],
)
def test_words_that_a_report_needs_are_asked_for(member, value, sentence):
    distance = type("Named", (Brightness,), {member: value})()
    with pytest.raises(BrokenLaw, match=rf"^Named\.{sentence}"):
        check_distance(distance)
