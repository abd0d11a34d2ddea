import colorsys
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.classifier import Classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.responsibility.statistics import Statistic, available_statistics
from rpganify.errors import AnalysisError

COLOUR, GREY = (3, 9, 12), (1, 9, 12)


def pictures(shape: tuple[int, ...] = COLOUR, count: int = 5) -> Tensor:
    return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def statistics(shape: tuple[int, ...] = COLOUR, **settings: object) -> dict[str, Statistic]:
    context = AnalysisContext(**settings)  # type: ignore[arg-type]
    return {statistic.key: statistic for statistic in available_statistics(shape, context)}


def small_classifier() -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classifier((1, 8, 8), 4).eval().requires_grad_(False)


def luma_by_hand(image: np.ndarray) -> np.ndarray:
    if len(image) == 1:
        return image[0].astype(float)
    return 0.299 * image[0].astype(float) + 0.587 * image[1].astype(float) + 0.114 * image[2].astype(float)


@pytest.mark.parametrize("shape", [COLOUR, GREY])
def test_brightness_contrast_and_edges_equal_a_loop_over_pixels(shape: tuple[int, ...]):
    known = statistics(shape)
    images = pictures(shape)
    for index, image in enumerate(images.numpy()):
        luma = luma_by_hand(image)
        mean = sum(luma.flatten()) / luma.size
        contrast = math.sqrt(sum((value - mean) ** 2 for value in luma.flatten()) / luma.size)
        height, width = luma.shape
        steps = [luma[y + 1, x] - luma[y, x] for y in range(height - 1) for x in range(width)]
        steps += [luma[y, x + 1] - luma[y, x] for y in range(height) for x in range(width - 1)]
        edges = math.sqrt(sum(step**2 for step in steps) / len(steps))
        found = [float(known[key].measure(images)[index, 0]) for key in ("brightness", "contrast", "edges")]
        assert found == pytest.approx([mean, contrast, edges], rel=1e-12)


def test_channels_are_means_and_saturation_is_the_chroma_of_hsv():
    known, images = statistics(), pictures()
    for channel, key in enumerate(("red", "green", "blue")):
        assert known[key].measure(images)[:, 0].tolist() == pytest.approx(
            images[:, channel].double().mean(dim=(1, 2)).tolist()
        )
    for index, image in enumerate(images.double().flatten(2).permute(0, 2, 1).tolist()):
        chroma = []
        for pixel in image:
            _, saturation, value = colorsys.rgb_to_hsv(*pixel)
            chroma.append(saturation * value)
        assert float(known["saturation"].measure(images)[index, 0]) == pytest.approx(sum(chroma) / len(chroma))


def test_grey_images_have_no_statistics_of_colour():
    assert list(statistics(GREY)) == ["brightness", "contrast", "edges"]
    assert list(statistics()) == ["brightness", "contrast", "edges", "red", "green", "blue", "saturation"]


def test_a_flat_picture_and_one_of_a_single_pixel_have_no_contrast_and_no_edges():
    for size in (1, 7):
        flat = torch.full((2, 3, size, size), 77, dtype=torch.uint8)
        known = statistics((3, size, size))
        assert torch.allclose(known["contrast"].measure(flat), torch.zeros(2, 1, dtype=torch.float64), atol=1e-12)
        assert torch.all(known["edges"].measure(flat) == 0)


def test_class_probabilities_are_the_softmax_of_the_classifiers_scores_and_named_by_number():
    classifier = classifier_features(small_classifier(), "small")
    found = statistics(GREY, classifier=classifier)["class"]
    images = pictures(GREY)
    expected = classifier.scores(images.float() / 127.5 - 1).double().softmax(dim=1)
    assert torch.equal(found.measure(images), expected) and found.measure(images).shape == (5, 4)
    assert found.parts == ("class 0", "class 1", "class 2", "class 3")
    assert "4 class probabilities that small gives" in found.definition


def test_features_are_the_extractors_and_pixels_are_called_pixels():
    found = statistics(extractor=PixelFeatures())["features"]
    images = pictures()
    assert torch.allclose(found.measure(images), images.double().flatten(1) / 127.5 - 1, atol=1e-6)  # float32
    assert found.title == "pixels"
    other = classifier_features(small_classifier(), "small")
    assert statistics(extractor=other)["features"].title == "features"


def test_every_statistic_gives_float64_rows_and_says_what_it_is():
    classifier = classifier_features(small_classifier())
    for statistic in statistics(classifier=classifier, extractor=PixelFeatures()).values():
        values = statistic.measure(pictures())
        assert values.dtype == torch.float64 and values.dim() == 2 and len(values) == 5
        assert statistic.definition.endswith(".") and statistic.title
        assert not statistic.parts or len(statistic.parts) == values.shape[1]


def test_statistics_can_be_chosen_by_name_in_any_order():
    chosen = available_statistics(COLOUR, AnalysisContext(), ("edges", "red"))
    assert [statistic.key for statistic in chosen] == ["edges", "red"]


@pytest.mark.parametrize(
    ("keys", "shape", "message"),
    [
        (("class",), COLOUR, r"Class probabilities need a classifier, and none was named.*`--classifier FILE`"),
        (("features",), COLOUR, r"Features need an extractor, and none was named: `--extractor classifier:FILE`"),
        (("red",), GREY, r"'red' is one of colour, and these images are grey. These images have brightness, contrast"),
        (("contrasts",), COLOUR, r"no image statistic 'contrasts'. Did you mean 'contrast'\? These images have"),
        (("edges", "red", "edges"), COLOUR, r"'edges' is named twice in edges, red, edges; once is enough"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_could(
    keys: tuple[str, ...], shape: tuple[int, ...], message: str
):
    with pytest.raises(AnalysisError, match=message):
        available_statistics(shape, AnalysisContext(), keys)
