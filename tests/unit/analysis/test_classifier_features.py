import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rpganify.analysis.fitting import describe_fit, fit_images
from rpganify.analysis.generation import to_float
from rpganify.analysis.opening import open_extractor
from rpganify.errors import AnalysisError

RESNET = "cifar10_classifier/resnet56-4bfd9763.th"


def cifar10_images(shared_data: Path, num_images: int) -> Tensor:
    return cifar10(shared_data, num_images)[0]


def cifar10(shared_data: Path, num_images: int) -> tuple[Tensor, Tensor]:
    with (shared_data / "cifar-10-batches-py" / "test_batch").open("rb") as file:
        batch = pickle.load(file, encoding="latin1")
    images = np.array(batch["data"][:num_images]).reshape(-1, 3, 32, 32)
    return torch.from_numpy(images), torch.tensor(batch["labels"][:num_images])


def test_the_resnet_recognises_real_cifar10_images(shared_data: Path):
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    images, labels = cifar10(shared_data, 400)
    share = (extractor.classes(to_float(images)) == labels).float().mean()  # type: ignore[attr-defined]
    assert share > 0.9  # its author and shared/data/README.md: 0.934 on all 10,000


def test_the_resnets_features_are_the_64_values_that_its_last_layer_reads(shared_data: Path):
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    images = to_float(cifar10_images(shared_data, 4))
    features = extractor(images)
    assert features.shape == (4, 64) and not features.requires_grad
    state = torch.load(shared_data / RESNET, map_location="cpu", weights_only=True)["state_dict"]
    scores = features @ state["module.linear.weight"].T + state["module.linear.bias"]
    assert torch.allclose(scores, extractor.scores(images), atol=1e-5)  # type: ignore[attr-defined]
    together = extractor.features_and_scores(images)  # type: ignore[attr-defined]
    assert torch.equal(together[0], features) and torch.allclose(together[1], scores, atol=1e-5)


def test_the_resnet_says_which_file_it_is_and_that_it_is_not_the_papers(shared_data: Path):
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    assert extractor.name == "classifier:resnet56-4bfd9763.th" and not extractor.is_papers
    assert str(extractor.provenance["weight file sha256"]).startswith("4bfd97631478d6b6")


def test_grey_images_of_another_size_are_fitted_and_it_is_said(shared_data: Path):
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    assert extractor(torch.zeros(2, 1, 28, 28)).shape == (2, 64)
    assert extractor.adaptation((1, 28, 28)) == (
        "grey repeated to RGB, resized from 28×28 to 32×32 (bilinear, antialiased)"
    )
    assert extractor.adaptation((3, 32, 32)) == ""


def test_colour_is_weighed_to_grey_as_pillow_does():
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(colours).convert("L"))
    floats = to_float(torch.from_numpy(colours).permute(2, 0, 1)[None])
    fitted = (fit_images(floats, (1, 6, 6)) + 1) * 127.5
    assert np.abs(fitted[0, 0].numpy() - grey).max() < 1  # Pillow truncates to whole values
    assert describe_fit((3, 6, 6), (1, 6, 6)) == "RGB weighed to grey (BT.601)"


def test_images_that_fit_are_left_alone():
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(fit_images(images, (3, 8, 8)), images)


def test_a_missing_weight_file_is_named_with_what_is_wanted(tmp_path: Path):
    with pytest.raises(AnalysisError, match=r"nowhere.th cannot be read \(No such file or directory\).*ResNet-56"):
        open_extractor(f"classifier:{tmp_path / 'nowhere.th'}")


def test_a_truncated_weight_file_is_refused(shared_data: Path, tmp_path: Path):
    (tmp_path / "half.th").write_bytes((shared_data / RESNET).read_bytes()[:100_000])
    with pytest.raises(AnalysisError, match=r"no file of weights that can be opened safely.*truncated"):
        open_extractor(f"classifier:{tmp_path / 'half.th'}")


def test_weights_of_another_network_are_refused(tmp_path: Path):
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "other.pt")
    with pytest.raises(AnalysisError, match="weights of another network than ResNet-56"):
        open_extractor(f"classifier:{tmp_path / 'other.pt'}")


class Command:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (self.path,)  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["classifier", "inception"])
def test_a_weight_file_that_holds_code_is_refused_and_the_code_not_run(kind: str, tmp_path: Path):
    if kind == "inception":
        pytest.importorskip("torch_fidelity")
    torch.save({"state_dict": Command(tmp_path / "made")}, tmp_path / "evil.pth")
    with pytest.raises(AnalysisError, match="no file of weights that can be opened safely"):
        open_extractor(f"{kind}:{tmp_path / 'evil.pth'}")
    assert not (tmp_path / "made").exists()
