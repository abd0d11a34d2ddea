from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor

from rpganify.analysis.classifier import Classifier, load_classifier, save_classifier, train_classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.generation import to_float
from rpganify.analysis.opening import open_extractor
from rpganify.errors import AnalysisError


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images * 255 / 16).round().to(torch.uint8).view(-1, 1, 8, 8), torch.tensor(labels)


@pytest.fixture(scope="module")
def trained(digits: tuple[Tensor, Tensor]) -> Classifier:
    images, labels = digits
    return train_classifier(images[:900], labels[:900], seed=0)


def test_trained_on_half_of_the_real_digits_it_recognises_the_other_half(
    trained: Classifier, digits: tuple[Tensor, Tensor]
):
    images, labels = digits
    recognised = classifier_features(trained).classes(to_float(images[900:]))
    assert (recognised == labels[900:]).float().mean() > 0.94  # seeds give 0.96 to 0.97
    assert set(recognised.tolist()) == set(range(10))


def test_equal_seeds_give_equal_weights_and_leave_the_global_random_state(digits: tuple[Tensor, Tensor]):
    images, labels = digits[0][:128], digits[1][:128]
    state = torch.get_rng_state()
    one, again, other = (train_classifier(images, labels, seed=seed, num_epochs=1) for seed in (1, 1, 2))
    assert torch.equal(one.head.weight, again.head.weight) and not torch.equal(one.head.weight, other.head.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_saved_classifier_is_the_same_when_opened_and_serves_as_features(
    trained: Classifier, digits: tuple[Tensor, Tensor], tmp_path: Path
):
    save_classifier(trained, tmp_path / "digits.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.safetensors"]
    opened = load_classifier(tmp_path / "digits.safetensors")
    images = to_float(digits[0][:5])
    assert torch.equal(opened(images), trained(images)) and opened.num_classes == 10 and not opened.training
    extractor = open_extractor(f"classifier:{tmp_path / 'digits.safetensors'}")
    assert torch.equal(extractor(images), trained.features(images)) and extractor(images).shape == (5, 64)
    assert extractor.name == "classifier:digits.safetensors" and not extractor.is_papers
    assert len(str(extractor.provenance["weight file sha256"])) == 64
    assert extractor(torch.zeros(2, 3, 32, 32)).shape == (2, 64)


def test_progress_is_told_after_each_epoch(digits: tuple[Tensor, Tensor]):
    seen: list[tuple[str, int, int]] = []
    train_classifier(digits[0][:32], digits[1][:32], num_epochs=2, progress=lambda *step: seen.append(step))
    assert seen == [("classifier", 1, 2), ("classifier", 2, 2)]


def test_images_and_labels_that_do_not_fit_are_refused():
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(AnalysisError, match=r"uint8 images \(N, C, H, W\) and N labels; got torch.float32"):
        train_classifier(images.float(), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(AnalysisError, match=r"labels \(3,\)"):
        train_classifier(images, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(AnalysisError, match=r"at least 8×8, got \(8, 4\)"):
        train_classifier(images[..., :4], torch.arange(4))
    with pytest.raises(AnalysisError, match="at least two classes; these are 0 to 0"):
        train_classifier(images, torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_file_that_is_no_classifier_of_ours_is_refused(trained: Classifier, tmp_path: Path, damage: str):
    path = tmp_path / "c.safetensors"
    if damage == "truncated":
        save_classifier(trained, path)
        path.write_bytes(path.read_bytes()[:-100])
    if damage == "foreign":
        save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(AnalysisError, match=r"c.safetensors is no classifier that rpganify saved.*save_classifier"):
        load_classifier(path)


def test_a_directory_that_is_not_there_is_refused_when_saving(trained: Classifier, tmp_path: Path):
    with pytest.raises(AnalysisError, match=r"cannot be written to .*c.safetensors.*Choose another file"):
        save_classifier(trained, tmp_path / "no" / "c.safetensors")
