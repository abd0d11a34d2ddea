import sys
from pathlib import Path

import pytest
import torch

from rpganify.analysis.features import PixelFeatures, is_paper_statement
from rpganify.analysis.opening import open_extractor
from rpganify.analysis.quality.frechet import frechet_name
from rpganify.errors import AnalysisError, RegistryError


def test_pixels_are_the_images_themselves():
    images = torch.rand(2, 3, 4, 5)
    extractor = open_extractor("pixels")
    assert torch.equal(extractor(images), images.view(2, 60))
    assert (extractor.name, extractor.is_papers, extractor.adaptation((3, 4, 5))) == ("pixels", False, "")


def test_an_unknown_extractor_lists_those_there_are_with_the_closest():
    with pytest.raises(
        RegistryError, match=r"no feature extractor 'inceptoin'. Did you mean 'inception'\?.*are: .*pixels"
    ):
        open_extractor("inceptoin")


def test_a_classifier_without_a_file_is_asked_for_one():
    with pytest.raises(AnalysisError, match=r"Which classifier\? Name its weight file: `classifier:FILE`"):
        open_extractor("classifier")


def test_pixels_take_no_file():
    with pytest.raises(AnalysisError, match="`pixels` takes no argument, and was given 'x'"):
        open_extractor("pixels:x")


def test_inception_without_a_weight_file_names_the_file_and_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch_fidelity")
    wanted = r"pt_inception-2015-12-05-6726825d.pth.*does not download.*`--extractor inception:FILE`"
    with pytest.raises(AnalysisError, match=rf"missing.pth cannot be read \(No such file or directory\).*{wanted}"):
        open_extractor(f"inception:{tmp_path / 'missing.pth'}")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(AnalysisError, match=rf"was given no weight file.*{wanted}"):
        open_extractor("inception")


def test_inception_without_torch_fidelity_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(AnalysisError, match=r"pip install 'rpganify\[metrics\]'"):
        open_extractor("inception:x.pth")


def test_weights_of_another_network_are_no_inception(tmp_path: Path):
    pytest.importorskip("torch_fidelity")
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(AnalysisError, match="holds other weights than torch-fidelity's InceptionV3"):
        open_extractor(f"inception:{tmp_path / 'other.pth'}")


@pytest.fixture(scope="module")
def own_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An InceptionV3 with random weights: the right network, the wrong numbers."""
    inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = tmp_path_factory.mktemp("inception") / "own.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        patch.setattr(inception, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = inception.FeatureExtractorInceptionV3("inception", ["2048"])
    torch.save(network.state_dict(), path)
    return path


def test_inception_gives_the_features_that_torch_fidelity_gives_and_only_the_known_file_is_the_papers(
    own_weights: Path,
):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    extractor = open_extractor(f"inception:{own_weights}")
    assert not extractor.is_papers and extractor.name == "inception:own.pth (weights of its own)"
    assert "can be compared with one another only" in is_paper_statement(extractor)
    assert frechet_name(extractor) == "Fréchet distance (inception:own.pth (weights of its own))"
    images = torch.randint(256, (2, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    reference = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(own_weights))
    expected, expected_scores = reference(images.repeat(1, 3, 1, 1))
    features, scores = extractor.features_and_scores(images.float() / 127.5 - 1)  # type: ignore[attr-defined]
    assert features.shape == (2, 2048) and torch.equal(features, expected) and torch.equal(scores, expected_scores)
    assert torch.equal(extractor(images.float() / 127.5 - 1), expected)
    assert extractor.adaptation((1, 16, 16)).startswith("grey repeated to RGB, resized from 16×16 to 299×299")


def test_a_file_with_the_known_hash_is_the_papers(own_weights: Path, monkeypatch: pytest.MonkeyPatch):
    import hashlib

    digest = hashlib.sha256(own_weights.read_bytes()).hexdigest()
    monkeypatch.setattr("rpganify.analysis.inception.SHA256_START", digest[:8])
    extractor = open_extractor(f"inception:{own_weights}")
    assert extractor.is_papers and extractor.name == "inception:own.pth"
    assert frechet_name(extractor) == "FID"
    assert "the InceptionV3 that the paper" in is_paper_statement(extractor)


def test_other_features_never_make_a_fid():
    assert frechet_name(PixelFeatures()) == "Fréchet distance (pixels)"
