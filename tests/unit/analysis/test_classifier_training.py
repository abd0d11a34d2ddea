import pytest
import torch
from torch import Tensor

from rpganify.analysis.classifier import Classifier
from rpganify.analysis.classifier_training import (
    ClassAccuracy,
    ClassifierConfig,
    augment,
    count_right,
    hold_out,
    train_classifier,
)
from rpganify.data.digits import open_digits
from rpganify.data.images import MemoryImages, SelectedImages
from rpganify.data.labels import select_labels
from rpganify.errors import AnalysisError

DIGITS = tuple("0123456789")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of(labels: list[int], names: tuple[str, ...] = DIGITS, size: int = 8) -> MemoryImages:
    pixels = torch.randint(0, 256, (len(labels), 1, size, size), generator=seeded(), dtype=torch.uint8)
    return MemoryImages("mine", pixels, torch.tensor(labels), names)


def test_trained_on_half_of_the_real_digits_it_recognises_the_other_half():
    digits = open_digits()
    first, last = (SelectedImages(digits, part, "digits") for part in torch.arange(len(digits)).split([900, 897]))
    trained = train_classifier(first, ClassifierConfig(num_epochs=8, batch_size=64))
    found = count_right(trained, last)
    assert [one.name for one in found] == list(DIGITS) and sum(one.num_images for one in found) == 897
    assert sum(one.num_right for one in found) / 897 > 0.94  # seeds give about 0.97
    assert all(one.num_right > 0.7 * one.num_images for one in found)
    assert trained.told == {"trained on": "digits", "images": 900, "epochs": 8, "seed": 0}


def test_equal_seeds_give_equal_weights_and_leave_the_global_random_state():
    data = of([0, 1, 2, 3] * 20)
    state = torch.get_rng_state()

    def trained(seed: int) -> Tensor:
        return train_classifier(
            data, ClassifierConfig(seed=seed, num_epochs=1, shift_px=1, is_mirrored=True)
        ).head.weight

    assert torch.equal(trained(1), trained(1)) and not torch.equal(trained(1), trained(2))
    assert torch.equal(torch.get_rng_state(), state)


def test_progress_counts_the_images_that_were_shown():
    seen: list[tuple[int, int]] = []
    config = ClassifierConfig(num_epochs=2, batch_size=16)
    train_classifier(of([0, 1] * 20), config, progress=lambda *step: seen.append(step))
    assert len(seen) == 6 and seen[2] == (40, 80) and seen[-1] == (80, 80)


def test_fewer_images_are_shown_more_often():
    config = ClassifierConfig()
    assert [config.epochs_for(number) for number in (1000, 24_000, 60_000, 10**6)] == [40, 10, 4, 4]
    assert ClassifierConfig(num_epochs=3).epochs_for(60_000) == 3


def test_classes_that_a_selection_leaves_out_are_none_of_its_classes():
    digits = select_labels(open_digits(), "2,7")
    trained = train_classifier(digits, ClassifierConfig(num_epochs=4, batch_size=32))
    assert trained.class_names == ("2", "7") and trained.num_classes == 2
    assert sum(one.num_right for one in count_right(trained, digits)) > 0.95 * len(digits)


class ByBrightness(Classifier):
    """Says "light" of images that are lighter than grey."""

    def __init__(self) -> None:
        super().__init__((1, 8, 8), 2, class_names=("dark", "light"))

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([-mean, mean], dim=1)


def test_right_answers_are_counted_by_the_names_of_classes_whatever_their_numbers():
    levels = torch.tensor([0, 10, 250, 240, 5]).to(torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    data = MemoryImages("mine", levels, torch.tensor([2, 2, 0, 2, 0]), ("light", "none", "dark"))
    found = count_right(ByBrightness(), data)
    assert found == (ClassAccuracy("dark", 3, 2), ClassAccuracy("light", 2, 1))


def test_a_class_that_it_does_not_know_is_refused():
    with pytest.raises(AnalysisError, match=r"mine has images of the class 7, and the classifier knows dark, light"):
        count_right(ByBrightness(), of([7]))


def test_a_tenth_of_every_class_is_held_out_and_the_parts_share_no_image():
    data = of([0] * 40 + [1] * 20 + [2] * 2)
    learnt, held = hold_out(data, seed=0)
    assert held.labels is not None and learnt.labels is not None
    assert held.labels.bincount().tolist() == [4, 2, 1] and learnt.labels.bincount().tolist() == [36, 18, 1]
    both = torch.cat([part.images(torch.arange(len(part))) for part in (learnt, held)])
    assert len(both.flatten(1).unique(dim=0)) == 62
    again, other = hold_out(data, seed=0)[1], hold_out(data, seed=1)[1]
    assert torch.equal(again.images(torch.arange(7)), held.images(torch.arange(7)))
    assert not torch.equal(other.images(torch.arange(7)), held.images(torch.arange(7)))


def test_a_class_of_one_image_cannot_be_held_out():
    with pytest.raises(AnalysisError, match=r"one image of the class 1, which cannot be both learnt and tested"):
        hold_out(of([0, 0, 1]), seed=0)


def test_shifted_images_are_parts_of_the_image_with_its_edges_repeated():
    images = torch.randn(40, 3, 6, 5, generator=seeded())
    moved = augment(images, 2, False, seeded(1))
    padded = nn_pad(images, 2)
    shifts = set()
    for one, whole in zip(moved, padded, strict=True):
        (found,) = {
            (down, right)
            for down in range(5)
            for right in range(5)
            if torch.equal(one, whole[:, down : down + 6, right : right + 5])
        }
        shifts.add(found)
    assert len(shifts) > 15  # of 25
    assert torch.equal(augment(images, 0, False, seeded()), images)


def nn_pad(images: Tensor, by: int) -> Tensor:
    """The edges repeated, by hand."""
    rows = torch.arange(-by, images.shape[2] + by).clamp(0, images.shape[2] - 1)
    columns = torch.arange(-by, images.shape[3] + by).clamp(0, images.shape[3] - 1)
    return images[:, :, rows][:, :, :, columns]


def test_about_half_of_the_images_are_mirrored():
    images = torch.randn(200, 1, 4, 4, generator=seeded())
    shown = augment(images, 0, True, seeded(1))
    is_mirrored = (shown == images.flip(3)).flatten(1).all(dim=1)
    assert ((shown == images).flatten(1).all(dim=1) | is_mirrored).all()
    assert 70 < int(is_mirrored.sum()) < 130


def test_data_without_classes_is_refused_with_where_labels_come_from():
    pixels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(AnalysisError, match=r"mine has no labels.*subfolder of its own.*DIR/cat/1.png"):
        train_classifier(MemoryImages("mine", pixels))
    with pytest.raises(AnalysisError, match=r"all 4 images of mine are of the class 3"):
        train_classifier(of([3] * 4))
    with pytest.raises(AnalysisError, match=r"mine calls two classes by one name \(a, a\)"):
        train_classifier(of([0, 1], ("a", "a")))
    with pytest.raises(
        AnalysisError, match=r"at least 8×8 pixels, and mine has samples of shape \(1, 7, 7\).*--size 32"
    ):
        train_classifier(of([0, 1], size=7))


@pytest.mark.parametrize("wrong", [{"num_epochs": -1}, {"batch_size": 1}, {"width": 0}, {"shift_px": -1}])
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, int]):
    with pytest.raises(AnalysisError, match=r"at least 1 epoch, on batches of at least 2.*got"):
        ClassifierConfig(**wrong)  # type: ignore[arg-type]
