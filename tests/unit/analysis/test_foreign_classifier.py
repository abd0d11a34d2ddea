import pytest
import torch
from torch import Tensor, nn

from rpganify.analysis.foreign_classifier import ClassifierInput, foreign_classifier
from rpganify.errors import AnalysisError


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def linear(image_shape: tuple[int, int, int] = (1, 4, 4), num_classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(image_shape[0] * image_shape[1] * image_shape[2], num_classes))


class Gives(nn.Module):
    """Gives what a function makes of the number of images, whatever they show."""

    def __init__(self, given: object) -> None:
        super().__init__()
        self.given = given

    def forward(self, images: Tensor) -> object:
        return self.given(images) if callable(self.given) else self.given


def test_scores_are_the_modules_of_images_in_minus_one_to_one():
    module, images = linear(), torch.rand(5, 1, 4, 4, generator=seeded()) * 2 - 1
    opened = foreign_classifier(module, ClassifierInput((1, 4, 4)), "mine.py:Net", told={"source": "mine.py"})
    with torch.no_grad():
        torch.testing.assert_close(opened.scores(images), module(images))
    assert opened.concepts == ("0", "1", "2") and opened.name == "mine.py:Net" and not opened.is_papers
    assert opened.provenance["source"] == "mine.py" and opened.provenance["classes"] == 3
    assert not any(parameter.requires_grad for parameter in module.parameters()) and not module.training


def test_images_are_normalised_as_it_was_trained_and_fitted_to_its_shape():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    seen: list[Tensor] = []
    module = Gives(lambda images: seen.append(images) or torch.eye(2).repeat(len(images), 1)[: len(images)])
    opened = foreign_classifier(module, ClassifierInput((3, 6, 6), mean, std), "net")
    opened.scores(torch.ones(2, 1, 3, 3))
    expected = (1 - torch.tensor(mean)) / torch.tensor(std)
    torch.testing.assert_close(seen[-1], expected.view(1, 3, 1, 1).expand(2, 3, 6, 6))
    assert opened.provenance["normalised with mean"] == list(mean)


def test_a_log_is_taken_of_probabilities_so_that_their_softmax_gives_them_back():
    module = nn.Sequential(linear(), nn.Softmax(dim=1))
    opened = foreign_classifier(module, ClassifierInput((1, 4, 4)), "net")
    images = torch.rand(4, 1, 4, 4, generator=seeded())
    with torch.no_grad():
        torch.testing.assert_close(opened.scores(images).softmax(dim=1), module(images))
    assert opened.provenance["output"] == "probabilities, of which the logarithm is taken"
    certain = foreign_classifier(
        Gives(lambda images: torch.tensor([[1.0, 0.0]]).repeat(len(images), 1)), ClassifierInput((1, 4, 4)), "net"
    )
    assert torch.isfinite(certain.scores(images)).all()


def test_logits_have_a_way_back_to_the_images():
    opened = foreign_classifier(linear(), ClassifierInput((1, 4, 4)), "net", class_names=("a", "b", "c"))
    images = torch.zeros(2, 3, 8, 8, requires_grad=True)
    (slope,) = torch.autograd.grad(opened.logits(images)[:, 0].sum(), images)
    assert slope.abs().max() > 0 and opened.concepts == ("a", "b", "c")
    assert torch.equal(*opened.features_and_scores(torch.zeros(2, 1, 4, 4)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda images: torch.zeros(len(images)), r"gives of shape \(8,\) for 8 images of 1×4×4.*\(8, num_classes\)"),
        (lambda images: torch.zeros(len(images), 1), r"gives of shape \(8, 1\).*at least 2 classes"),
        (lambda images: torch.zeros(3, 2), r"gives of shape \(3, 2\)"),
        (lambda images: {"logits": images}, r"gives a dict for 8 images"),
        (lambda images: torch.full((len(images), 2), torch.nan), r"that are not all finite.*--classifier-weights FILE"),
        (lambda images: torch.zeros(len(images), 2, dtype=torch.int64), r"torch.int64 scores that are not all finite"),
    ],
)
def test_what_is_no_classifier_is_refused_before_anything_is_measured(given: object, message: str):
    with pytest.raises(AnalysisError, match=f"The classifier net .*{message}"):
        foreign_classifier(Gives(given), ClassifierInput((1, 4, 4)), "net")


def test_one_that_takes_other_images_is_refused_with_how_to_say_which():
    with pytest.raises(
        AnalysisError, match=r"does not take images of 1×8×8: RuntimeError.*--classifier-input 3x224x224"
    ):
        foreign_classifier(linear(), ClassifierInput((1, 8, 8)), "net")


def test_names_that_are_not_as_many_as_classes_are_refused():
    with pytest.raises(AnalysisError, match=r"net tells 3 classes apart, and 2 names were given: a, b"):
        foreign_classifier(linear(), ClassifierInput((1, 4, 4)), "net", class_names=("a", "b"))


def test_an_input_that_makes_no_sense_is_refused():
    with pytest.raises(AnalysisError, match=r"1 or 3 channels.*got \(2, 4, 4\)"):
        ClassifierInput((2, 4, 4))
    with pytest.raises(AnalysisError, match=r"one for each; got 0.1, 0.2 and 0.5"):
        ClassifierInput((3, 4, 4), mean=(0.1, 0.2))
    with pytest.raises(AnalysisError, match=r"a(nd)? one deviation above 0.*ImageNet"):
        ClassifierInput((1, 4, 4), std=(0.0,))
