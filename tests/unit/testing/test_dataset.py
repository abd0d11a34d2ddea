"""The check of data sets passes the right ones, and says what is wrong with the others."""

import dataclasses

import pytest
import torch
from PIL import Image

from rpganify.data.images import MemoryImages
from rpganify.entries import DataSetEntry
from rpganify.errors import DataError
from rpganify.registry import Registry
from rpganify.testing import BrokenLaw, Unavailable, check_dataset
from tests.unit.data import files
from tests.unit.data.test_lsun import picture, write_lsun

NAMES = ("dark", "light")


def pixels(count=12):
    return torch.randint(256, (count, 1, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@dataclasses.dataclass
class Images:
    """A data set of a stranger's, right unless told otherwise."""

    pixels: torch.Tensor = dataclasses.field(default_factory=pixels)
    name: str = "mine"
    image_shape: tuple = (1, 4, 4)
    class_names: tuple = NAMES
    num_classes: int | None = 2
    labels: torch.Tensor | None = dataclasses.field(default_factory=lambda: torch.arange(12) % 2)
    note: str = ""

    def __len__(self):
        return len(self.pixels)

    def images(self, indices):
        return self.pixels[indices]


def opening(make):
    return lambda root, argument: make()


def test_the_built_in_set_that_needs_no_files_passes():
    check_dataset(Registry().get(DataSetEntry, "digits").factory)


@pytest.mark.parametrize("name", ["mnist", "coloured-mnist", "fashion-mnist", "cifar10", "folder", "zip", "webdataset"])
def test_the_built_in_sets_that_read_files_pass(tmp_path, name):
    files.write_mnist(tmp_path / "MNIST" / "raw")
    files.write_mnist(tmp_path / "FashionMNIST" / "raw")
    files.write_cifar10(tmp_path / "cifar-10-batches-py")
    for index, image in enumerate(pixels()):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{index}.png")
    contents = {f"{index}.png": (tmp_path / f"{index}.png").read_bytes() for index in range(len(pixels()))}
    files.write_zip(tmp_path / "all.zip", contents)
    files.write_tar(tmp_path / "all.tar", list(contents.items()))
    argument = {"folder": ".", "zip": "all.zip", "webdataset": "all.tar"}.get(name)
    check_dataset(Registry().get(DataSetEntry, name).factory, root=tmp_path, argument=argument)


def test_lmdb_folders_pass(tmp_path):
    entries = {bytes([key]): picture(256, 256, level) for key, level in ((97, 10), (98, 200), (99, 90))}
    write_lsun(tmp_path / "bedroom_train_lmdb", entries)
    check_dataset("rpganify.data.lsun:open_lsun", root=tmp_path, argument="bedroom")
    check_dataset("rpganify.data.lmdb_images:open_lmdb", root=tmp_path, argument="bedroom_train_lmdb")


@pytest.mark.parametrize(
    "make",
    [
        Images,
        lambda: Images(labels=None, num_classes=None, class_names=()),
        lambda: Images(pixels()[:1], labels=torch.tensor([1])),
        lambda: MemoryImages("mine", pixels()),
        lambda: Images(torch.linspace(-1, 1, 96).view(12, 1, 8), image_shape=(1, 8)),
        lambda: Images((torch.linspace(-1, 1, 96) * 32767).short().view(12, 1, 8), image_shape=(1, 8)),
    ],
)
def test_a_strangers_correct_set_passes_with_labels_or_without_with_one_image_and_of_sound(make):
    check_dataset(opening(make))


def test_a_set_without_its_files_is_skipped_with_its_own_reason():
    with pytest.raises(
        Unavailable, match=r"open_mnist cannot be checked here: mnist is read from a folder.*--data-root"
    ):
        check_dataset("rpganify.data.mnist:open_mnist")


class NotInOrder(Images):
    def images(self, indices):
        return self.pixels[indices.sort().values]


class Augmented(Images):
    def images(self, indices):
        return self.pixels[indices].flip(-1) if torch.rand(()) < 0.5 else self.pixels[indices]


class Ranging(Images):
    """Knows one image less than it says."""

    def images(self, indices):
        return self.pixels[:-1][indices]


class Normalised(Images):
    def images(self, indices):
        return self.pixels[indices].float() / 127.5 - 1


class ChannelsLast(Images):
    def images(self, indices):
        return self.pixels[indices].permute(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: Images(pixels() // 128),
            r"images: expected uint8 values from 0 \(black\) to 255.*got 1 as the largest in",
        ),
        (
            lambda: Images(labels=torch.arange(12) % 2 + 1),
            r"labels: expected class numbers from 0 to 1; got .* 1 to 2\. Count",
        ),
        (
            lambda: Images(labels=torch.zeros(12)),
            r"labels: expected one class number per image, int64 .*got float32 \(12,\)",
        ),
        (
            lambda: Images(labels=torch.arange(11) % 2),
            r"labels: expected one class number per image.*got int64 \(11,\)",
        ),
        (
            lambda: Images(labels=None),
            r"labels: expected without labels num_classes None .*got 2 and \('dark', 'light'\)",
        ),
        (
            lambda: Images(class_names=("dark",)),
            r"class_names: expected one name for each of the 2 classes .*got 1 names",
        ),
        (
            lambda: Images(image_shape=(12, 1, 4, 4)),
            r"images: expected uint8 .*12, 1, 4, 4\) for .*got uint8 .*, 1, 4, 4\)",
        ),
        (
            lambda: Images(image_shape=[1, 4, 4]),
            r"image_shape: expected the shape of one image, .*a tuple .*got \[1, 4, 4\]",
        ),
        (lambda: Images(name=""), r"name: expected what the user would type, a text; got ''"),
        (lambda: Images(note=None), r"note: expected sentences.*got None"),
        (lambda: Images(pixels(0), labels=torch.arange(0)), r"expected at least one image; got none"),
        (
            lambda: pixels(),
            r"expected a rpganify\.data\.images\.ImageData; got uint8 .* without .*image_shape.*MemoryImages",
        ),
        (Normalised, r"images: expected uint8 .*got float32 .*Pictures are 8-bit pixels"),
        (
            lambda: Images(torch.arange(96.0).view(12, 1, 8), image_shape=(1, 8)),
            r"expected float32 values from -1 to 1; got 95",
        ),
        (ChannelsLast, r"images: expected uint8 \(\d+, 1, 4, 4\) .*got uint8 \(\d+, 4, 4, 1\).*channels first"),
        (NotInOrder, r"images: expected image \d+ to be the same alone as in a batch; got another one.*order of the"),
        (Ranging, r"images: expected images at .* indices; got IndexError: .*indices \(B,\) in \[0, len\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_set_is_named_with_what_came_and_how_to_repair_it(make, sentence):
    with pytest.raises(BrokenLaw, match=sentence):
        check_dataset(opening(make))


def test_an_augmentation_within_the_set_is_found_whatever_the_seed_is():
    with pytest.raises(BrokenLaw, match=r"images: expected .* the same .*got (others|another)"):
        check_dataset(opening(Augmented))


def test_a_set_that_is_another_when_opened_again_is_refused():
    shuffled = iter([pixels(), pixels().flip(0)])
    with pytest.raises(
        BrokenLaw, match=r"expected the same images in a data set that is opened again.*Sort what a folder"
    ):
        check_dataset(opening(lambda: Images(next(shuffled))))


def test_labels_that_are_others_when_opened_again_are_refused():
    labels = iter([torch.arange(12) % 2, 1 - torch.arange(12) % 2])
    with pytest.raises(
        BrokenLaw, match=r"labels: expected the same labels in a data set that is opened again; got others"
    ):
        check_dataset(opening(lambda: Images(labels=next(labels))))


def test_writing_into_images_that_were_handed_out_must_not_reach_the_set():
    class Remembering(Images):
        """Makes a batch once and hands the same memory out again."""

        made: dict

        def images(self, indices):
            key = tuple(indices.tolist())
            self.made = getattr(self, "made", {})
            return self.made.setdefault(key, self.pixels[indices])

    with pytest.raises(
        BrokenLaw, match=r"expected images of their own.*got that writing into them changed the data set"
    ):
        check_dataset(opening(Remembering))


def test_a_factory_that_fails_is_named_with_how_it_is_called():
    def broken(path):
        return Images()

    with pytest.raises(
        BrokenLaw, match=r"broken: expected a data set; got TypeError: .*called as factory\(root=Path or None"
    ):
        check_dataset(broken)


def test_a_refusal_of_files_is_no_failure_of_the_set():
    def empty(root, argument):
        raise DataError("there is nothing")

    with pytest.raises(Unavailable, match="empty cannot be checked here: there is nothing"):
        check_dataset(empty)
