from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rpganify.analysis.classifier import Classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.distances import ColourDistance, FeatureDistance
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_float
from rpganify.analysis.geometry.feature_maps import can_be_differentiated, feature_map_of, open_feature_map
from rpganify.analysis.geometry.metric import measure_metric
from rpganify.analysis.geometry.products import Products
from rpganify.analysis.lpips import open_lpips
from rpganify.errors import AnalysisError, RegistryError
from tests.unit.analysis.geometry.spaces import by_definition, somewhere, space_of
from tests.unit.analysis.test_lpips import saved, state_of

DOUBLE = torch.float64


def images_of(z: Tensor) -> Tensor:
    """A small smooth generator of `(N, 3, 16, 16)`."""
    matrix = torch.randn(z.shape[1], 768, generator=torch.Generator().manual_seed(0)).to(z.dtype)
    return torch.tanh(z @ matrix / 2).view(-1, 3, 16, 16)


def eight_bit(count: int = 3, channels: int = 3, size: int = 16) -> Tensor:
    return torch.randint(
        256, (count, channels, size, size), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )


@pytest.fixture
def classifier() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return Classifier((3, 16, 16), 4).eval().requires_grad_(False)


def squared(features: Tensor) -> Tensor:
    return torch.cdist(features.double(), features.double(), compute_mode="donot_use_mm_for_euclid_dist").square()


def test_pixels_give_the_squared_error():
    images = to_float(eight_bit())

    found = squared(open_feature_map("pixels", 3).as_function(torch.float32)(images))

    wanted = (images[:, None] - images[None]).double().square().sum(dim=(2, 3, 4))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-6)


def test_a_classifiers_features_are_those_of_the_image_distance_where_images_have_8_bits(classifier: Classifier):
    extractor = classifier_features(classifier)
    distance = FeatureDistance(extractor)

    found = squared(feature_map_of(distance, "semantic").as_function(torch.float32)(to_float(eight_bit())))

    wanted = distance.pairs(distance.describe(eight_bit())[None])[0, ..., 0].square()
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_lpips_is_the_squared_distance_of_its_features_and_not_their_distance(tmp_path: Path):
    distance = open_lpips(num_channels=3, argument=saved(tmp_path, state_of("alexnet")))

    found = squared(feature_map_of(distance, "lpips").as_function(torch.float32)(to_float(eight_bit())))

    torch.testing.assert_close(
        found, distance.pairs(distance.describe(eight_bit())[None])[0, ..., 0], atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("kind", ["pixels", "classifier", "lpips"])
def test_the_metric_is_the_second_derivative_of_each_squared_distance(
    kind: str, classifier: Classifier, tmp_path: Path
):
    if kind == "classifier":
        features = feature_map_of(classifier_features(classifier), kind)
    else:
        file = f":{saved(tmp_path, state_of('alexnet'))}" if kind == "lpips" else ""
        features = open_feature_map(f"{kind}{file}", 3)
    describe = features.as_function(DOUBLE)

    metric = measure_metric(Products(space_of(images_of, 3), describe), somewhere(3))

    assert metric.matrix is not None and metric.checks is not None
    wanted = by_definition(lambda z: describe(images_of(z)), somewhere(3))
    torch.testing.assert_close(metric.matrix, wanted, atol=1e-9 * float(wanted.abs().max()), rtol=1e-7)
    assert metric.checks.residual < 1e-12


def test_lpips_has_a_finite_derivative_where_no_channel_of_a_position_is_active(tmp_path: Path):
    state = state_of("alexnet")
    # The first layer of the network is dead, and with it each position of its output.
    state["net.slice1.0.bias"] = torch.full_like(state["net.slice1.0.bias"], -1e3)
    describe = open_feature_map(f"lpips:{saved(tmp_path, state)}", 3).as_function(DOUBLE)
    at = somewhere(3)[None]

    value, moved = torch.func.jvp(lambda z: describe(images_of(z)), (at,), (torch.ones_like(at),))

    assert bool(moved.isfinite().all())
    assert float(moved[0, : 64 * 15 * 15].abs().max()) == 0 == float(value[0, : 64 * 15 * 15].abs().max())


def test_double_precision_takes_a_copy_of_the_network(classifier: Classifier):
    extractor = classifier_features(classifier)
    images = images_of(somewhere(3)[None])

    found = feature_map_of(extractor, "classifier").as_function(DOUBLE)(images)

    assert found.dtype == DOUBLE and next(classifier.parameters()).dtype == torch.float32
    torch.testing.assert_close(found.float(), extractor(images.float()), atol=1e-5, rtol=1e-4)


def test_images_are_not_rounded_to_8_bits_first(classifier: Classifier):
    describe = feature_map_of(classifier_features(classifier), "classifier").as_function(DOUBLE)
    image = to_float(eight_bit(1)).double()

    assert float((describe(image + 1e-6) - describe(image)).abs().max()) > 0


def test_inception_gives_its_own_features_where_images_have_8_bits():
    from rpganify.analysis.inception import InceptionFeatures

    inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        patch.setattr(inception, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = inception.FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"])
    extractor = InceptionFeatures("inception:own.pth", False, {}, network, torch.device("cpu"))
    images = to_float(eight_bit(2, channels=1))

    found = feature_map_of(extractor, "inception").as_function(torch.float32)(images)

    # (x + 1) · 127.5 rounds by a 60 000th of a grey level.
    torch.testing.assert_close(found, extractor(images), atol=1e-5, rtol=1e-4)


def test_a_distance_of_histograms_is_refused_with_those_that_can_be_differentiated():
    with pytest.raises(AnalysisError, match=r"colour gives no features to differentiate.*`--distance pixels`"):
        open_feature_map("colour", 3)
    assert not can_be_differentiated(ColourDistance(3))


def test_a_plugins_extractor_is_taken_if_it_gives_a_function():
    class Halves(PixelFeatures):
        name = "halves"

        def as_function(self, dtype: torch.dtype):  # type: ignore[no-untyped-def]
            return lambda images: images.flatten(1) / 2

    class Opaque:
        name = "opaque"
        is_papers = False
        provenance: Mapping[str, str] = {}

        def adaptation(self, image_shape: tuple[int, ...]) -> str:
            return ""

        def __call__(self, images: Tensor) -> Tensor:
            return images.flatten(1)

    assert can_be_differentiated(Halves()) and not can_be_differentiated(Opaque())
    with pytest.raises(AnalysisError, match=r"a plugin's extractor that has `as_function\(dtype\)` does as well"):
        feature_map_of(Opaque(), "opaque")


def test_a_missing_file_and_an_unknown_name_are_refused():
    with pytest.raises(AnalysisError, match=r"nowhere\.safetensors"):
        open_feature_map("classifier:nowhere.safetensors", 1)
    with pytest.raises(AnalysisError, match="Which classifier"):
        open_feature_map("classifier", 1)
    with pytest.raises(RegistryError, match="lpipz"):
        open_feature_map("lpipz:x.pth", 1)


def test_relu_features_take_the_exact_form_as_reference():
    layer = nn.Linear(768, 20, bias=False)

    def describe(images: Tensor) -> Tensor:
        return torch.relu(images.flatten(1) @ layer.weight.detach().to(images.dtype).T)

    metric = measure_metric(Products(space_of(images_of, 3), describe), somewhere(3))

    assert metric.matrix is not None
    torch.testing.assert_close(metric.matrix, by_definition(lambda z: describe(images_of(z)), somewhere(3)))
