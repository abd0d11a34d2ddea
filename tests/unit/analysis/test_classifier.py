import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rpganify.analysis.classifier import FIRST_FORMAT, Classifier, load_classifier, save_classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.opening import open_extractor
from rpganify.errors import AnalysisError


def born(shape: tuple[int, int, int] = (1, 8, 8), **options: object) -> Classifier:
    torch.manual_seed(0)
    return Classifier(shape, 3, **options).eval().requires_grad_(False)  # type: ignore[arg-type]


def some_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 48), (1, 9, 40), (1, 128, 128)])
def test_images_of_any_shape_come_down_to_64_features_and_a_score_per_class(shape: tuple[int, int, int]):
    classifier, images = born(shape), some_images(2, *shape)
    features = classifier.features(images)
    assert features.shape == (2, 64) and classifier(images).shape == (2, 3)
    assert torch.equal(classifier.scores_of(features), classifier(images))
    pooled = [layer for layer in classifier.body if isinstance(layer, nn.MaxPool2d)]
    assert len(pooled) == {8: 1, 28: 2, 32: 2, 48: 3, 9: 1, 128: 4}[min(shape[1:])]


def test_a_wider_classifier_has_more_weights():
    def num_weights(width: int) -> int:
        return sum(parameter.numel() for parameter in born((3, 32, 32), width=width).parameters())

    assert num_weights(64) > 3 * num_weights(32)


def test_a_saved_classifier_is_the_same_when_opened_and_serves_as_features(tmp_path: Path):
    told = {"trained on": "digits", "held-out accuracy": 0.97}
    classifier = born(class_names=("one", "two", "three"), width=8, told=told)
    save_classifier(classifier, tmp_path / "digits.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.safetensors"]
    assert (tmp_path / "digits.safetensors").stat().st_mode & 0o777 == 0o644
    opened, images = load_classifier(tmp_path / "digits.safetensors"), some_images(5, 1, 8, 8)
    assert torch.equal(opened(images), classifier(images)) and not opened.training
    assert (opened.class_names, opened.width, opened.told) == (("one", "two", "three"), 8, told)
    extractor = open_extractor(f"classifier:{tmp_path / 'digits.safetensors'}")
    assert torch.equal(extractor(images), classifier.features(images)) and extractor(images).shape == (5, 64)
    assert extractor.name == "classifier:digits.safetensors" and not extractor.is_papers
    assert len(str(extractor.provenance["weight file sha256"])) == 64
    assert extractor.provenance["trained on"] == "digits" and extractor.provenance["held-out accuracy"] == 0.97
    assert extractor(torch.zeros(2, 3, 32, 32)).shape == (2, 64)


def test_a_file_of_the_first_format_is_read_as_ever(tmp_path: Path):
    """Its three strided convolutions are written out here, as they were."""

    def convolution(i: int, o: int, stride: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(i, o, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()

    body = nn.Sequential(
        *(*convolution(1, 32, 1), *convolution(32, 64, 2), *convolution(64, 64, 2)),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 64), nn.ReLU()),
    )
    first = nn.ModuleDict({"body": body, "head": nn.Linear(64, 10)}).eval()
    layout = json.dumps({"image_shape": [1, 12, 12], "num_classes": 10})
    save_file(first.state_dict(), tmp_path / "old.safetensors", {"format": FIRST_FORMAT, "layout": layout})
    opened, images = load_classifier(tmp_path / "old.safetensors"), some_images(4, 1, 12, 12)
    with torch.no_grad():
        assert torch.equal(opened(images), first["head"](body(images)))
    assert opened.class_names == () and classifier_features(opened).concepts == tuple("0123456789")
    save_classifier(opened, tmp_path / "new.safetensors")
    assert torch.equal(load_classifier(tmp_path / "new.safetensors")(images), opened(images))


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign", "later", "names"])
def test_a_file_that_is_no_classifier_of_ours_is_refused(tmp_path: Path, damage: str):
    path = tmp_path / "c.safetensors"
    layout = {"image_shape": [1, 8, 8], "num_classes": 3, "class_names": ["a"], "body": "pooled"}
    if damage == "truncated":
        save_classifier(born(), path)
        path.write_bytes(path.read_bytes()[:-100])
    if damage == "foreign":
        save_file({"w": torch.zeros(2)}, path)
    if damage == "later":
        layout |= {"body": "folded"}
    if damage in ("later", "names"):
        metadata = {"format": "rpganify-classifier-2", "layout": json.dumps(layout)}
        save_file(dict(born().state_dict()), path, metadata)
    reason = {"later": "none that this version knows", "names": "it names 1 of 3 classes"}.get(damage, "")
    with pytest.raises(
        AnalysisError, match=rf"c.safetensors is no classifier that rpganify saved.*{reason}.*`rpganify classifier DATA"
    ):
        load_classifier(path)


def test_a_directory_that_is_not_there_is_refused_when_saving(tmp_path: Path):
    with pytest.raises(AnalysisError, match=r"cannot be written to .*c.safetensors.*Choose another file"):
        save_classifier(born(), tmp_path / "no" / "c.safetensors")


def test_logits_are_the_scores_with_a_way_back_to_the_images():
    features = classifier_features(born(class_names=("a", "b", "c")))
    images = some_images(3, 3, 16, 16).requires_grad_()
    logits = features.logits(images)
    assert torch.equal(logits.detach(), features.scores(images)) and not features.scores(images).requires_grad
    (slope,) = torch.autograd.grad(logits[:, 1].sum(), images)
    assert slope.shape == images.shape and slope.abs().max() > 0
    assert features.concepts == ("a", "b", "c")
