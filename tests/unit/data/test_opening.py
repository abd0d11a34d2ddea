"""From what the user wrote to images that fit the generator."""

from __future__ import annotations

import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

import rpganify
from rpganify.data.fitting import FittedImages
from rpganify.data.images import ImageData, MemoryImages, SelectedImages
from rpganify.data.labels import parse_labels, select_labels
from rpganify.data.opening import fit_to, open_data, parse_spec
from rpganify.data.signals import MemorySignals
from rpganify.errors import DataError, RegistryError
from rpganify.hookspecs import DataSetEntry
from rpganify.registry import Registry
from tests.unit.data.files import write_cifar10, write_mnist

REGISTRY = Registry()


def memory(channels: int, height: int, width: int, num: int = 5, note: str = "") -> MemoryImages:
    pixels = torch.randint(
        0, 256, (num, channels, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return MemoryImages("noise", pixels, torch.arange(num) % 3, ("cat", "dog", "T-shirt/top"), note)


def all_of(data: ImageData) -> torch.Tensor:
    return data.images(torch.arange(len(data)))


@pytest.mark.parametrize(
    ("spec", "parsed"),
    [
        ("digits", ("digits", None, None)),
        (" digits ", ("digits", None, None)),
        ("mnist:test", ("mnist", "test", None)),
        ("mnist[0-6]", ("mnist", None, "0-6")),
        ("mnist:test[1,3]", ("mnist", "test", "1,3")),
        ("folder:some/dir", ("folder", "some/dir", None)),
        ("folder:C:\\faces", ("folder", "C:\\faces", None)),
        ("folder:dir[a,b]", ("folder", "dir", "a,b")),
        ("folder:dir[1][a]", ("folder", "dir[1]", "a")),
    ],
)
def test_a_text_names_a_set_its_part_and_its_labels(spec: str, parsed: tuple[str, str | None, str | None]) -> None:
    assert parse_spec(spec) == parsed


def test_brackets_of_an_existing_folder_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "faces[1]").mkdir()
    assert parse_spec("folder:faces[1]", tmp_path) == ("folder", "faces[1]", None)
    assert parse_spec("folder:faces[1][a]", tmp_path) == ("folder", "faces[1]", "a")
    assert parse_spec("folder:faces[2]", tmp_path) == ("folder", "faces", "2")


@pytest.mark.parametrize("spec", ["", "[0-6]", "mnist[0-6", "mnist]", "mnist[0-6]:test", ":test"])
def test_a_text_of_another_form_is_refused_with_the_right_one(spec: str) -> None:
    with pytest.raises(DataError, match=r"is no data set: write NAME, .*such as mnist:test\[0-6\]"):
        parse_spec(spec)


@pytest.mark.parametrize("spec", ["mnist:", "mnist[]", "mnist[ ]", "mnist:[1]"])
def test_a_text_that_stops_short_is_refused(spec: str) -> None:
    with pytest.raises(DataError, match="stops short"):
        parse_spec(spec)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RegistryError, match=r"no data set 'mnits'\. Did you mean 'mnist'"):
        open_data("mnits[0-6]", None, REGISTRY)


def test_real_mnist_is_filtered_by_a_range_of_digits(shared_data: Path) -> None:
    data = open_data("mnist[0-6]", shared_data, REGISTRY)
    assert data.name == "mnist[0-6]" and data.labels is not None
    # The digits 7, 8 and 9 count 6265, 5851 and 5949.
    assert len(data) == 60_000 - 6265 - 5851 - 5949
    assert data.labels.unique().tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_real_cifar10_is_filtered_by_class_names(shared_data: Path) -> None:
    data = open_data("cifar10:test[cat,dog]", shared_data, REGISTRY)
    assert data.name == "cifar10:test[cat,dog]" and data.labels is not None
    assert data.labels.bincount(minlength=10).tolist() == [0, 0, 0, 1000, 0, 1000, 0, 0, 0, 0]
    assert data.num_classes == 10, "labels keep their numbers"


def test_a_filter_keeps_the_order_and_the_images(tmp_path: Path) -> None:
    images, labels = write_mnist(tmp_path, num=40)
    data = open_data("mnist[7,2]", tmp_path, REGISTRY)
    kept = np.isin(labels, (2, 7))
    assert np.array_equal(all_of(data)[:, 0].numpy(), images[kept])
    assert data.labels is not None and data.labels.tolist() == labels[kept].tolist()


def test_a_coloured_digit_has_its_colour_with_and_without_a_filter(tmp_path: Path) -> None:
    _, labels = write_mnist(tmp_path, num=40)
    whole = open_data("coloured-mnist", tmp_path, REGISTRY)
    part = open_data("coloured-mnist[3]", tmp_path, REGISTRY)
    assert torch.equal(all_of(part), all_of(whole)[torch.from_numpy(labels == 3)])


def test_a_set_that_stays_on_disk_is_filtered_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(4):
        (tmp_path / "ab"[index % 2]).mkdir(exist_ok=True)
        Image.new("L", (8, 8), index * 10).save(tmp_path / "ab"[index % 2] / f"{index}.png")
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    data = open_data(f"folder:{tmp_path}[b]", None, REGISTRY)
    assert isinstance(data, SelectedImages)
    assert all_of(data)[:, 0, 0, 0].tolist() == [10, 30]


def test_a_class_that_no_image_has_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, num=5)
    with pytest.raises(DataError, match="None of the 5 images of mnist is of class 8, 9"):
        open_data("mnist[8-9]", tmp_path, REGISTRY)


def test_labels_cannot_be_chosen_where_there_are_none(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"has no labels, so \[3\] cannot choose among them"):
        open_data(f"folder:{tmp_path}[3]", None, REGISTRY)


NAMES = ("cat", "dog", "T-shirt/top", "7")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("dog,cat", (0, 1)),
        ("0-2", (0, 1, 2)),
        (" 1 , 1 ", (1,)),
        ("T-shirt/top", (2,)),
        ("7", (3,)),
        ("2-2,cat", (0, 2)),
    ],
)
def test_labels_are_named_by_name_number_and_range(text: str, labels: tuple[int, ...]) -> None:
    assert parse_labels(text, NAMES, "set") == labels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cot", r"set has no class 'cot'\. Did you mean 'cat'\? Its labels are 0 to 3, called cat, dog"),
        ("4", "no class '4'"),
        ("1-4", "no class '4'"),
        ("-1", "no class '-1'"),
        ("1,,2", "no class ''"),
        ("2-1", r"range 2-1 of set\[2-1\] runs backwards; write 1-2"),
    ],
)
def test_labels_that_are_not_there_are_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_labels(text, NAMES, "set")


def plugin(data: object) -> Registry:
    module = types.ModuleType("mine")
    entry = DataSetEntry("birds", "my birds", lambda *, root, argument: data)
    module.rpganify_datasets = rpganify.hookimpl(lambda: [entry])  # type: ignore[attr-defined]
    registry = Registry()
    registry.register(module)
    return registry


def test_a_stranger_s_data_set_is_opened_and_filtered_like_our_own() -> None:
    data = open_data("birds[dog]", None, plugin(memory(3, 4, 4)))
    assert data.labels is not None and data.labels.tolist() == [1, 1]


def test_a_stranger_s_factory_that_returns_no_data_set_is_named() -> None:
    with pytest.raises(DataError, match="'birds' of the plugin mine gave a list; its factory returns a"):
        open_data("birds", None, plugin([1, 2]))


def test_images_that_fit_are_left_alone() -> None:
    data = memory(3, 8, 8)
    assert fit_to(data, (3, 8, 8)) == (data, "")


def test_grey_becomes_rgb_by_repetition_and_that_is_said() -> None:
    data = memory(1, 8, 8)
    fitted, said = fit_to(data, (3, 8, 8))
    assert torch.equal(all_of(fitted), all_of(data).repeat(1, 3, 1, 1))
    assert said == "noise: grey repeated to RGB."


@pytest.mark.parametrize("size", [(8, 8), (20, 20), (64, 64), (40, 60)])
def test_resizing_agrees_with_torchvision_and_is_said(size: tuple[int, int]) -> None:
    data = memory(3, 32, 48) if size == (40, 60) else memory(3, 32, 32)
    fitted, said = fit_to(data, (3, *size))
    expected = transforms.resize(all_of(data), list(size), antialias=True)
    # torchvision resizes bytes with whole-number weights: off by a grey level at most.
    assert (all_of(fitted).int() - expected.int()).abs().max() <= 1
    assert said == (
        f"noise: resized from {data.image_shape[1]}x{data.image_shape[2]} to {size[0]}x{size[1]} "
        "(bilinear, antialiased)."
    )


@pytest.mark.parametrize(
    ("found", "kept", "wanted"),
    [((218, 178), (178, 178), (178, 178)), ((32, 48), (32, 32), (16, 16)), ((30, 30), (12, 30), (8, 20))],
)
def test_another_aspect_is_cropped_around_the_centre_and_that_is_said(
    found: tuple[int, int], kept: tuple[int, int], wanted: tuple[int, int]
) -> None:
    data = memory(1, *found, num=2)
    fitted, said = fit_to(data, (1, *wanted))
    cropped = transforms.center_crop(all_of(data), list(kept))
    expected = cropped if kept == wanted else transforms.resize(cropped, list(wanted), antialias=True)
    assert (all_of(fitted).int() - expected.int()).abs().max() <= 1
    assert said.startswith(f"noise: cropped around the centre from {found[0]}x{found[1]} to {kept[0]}x{kept[1]}")
    assert ("resized" in said) == (kept != wanted)


def test_a_flat_image_stays_flat_at_every_level() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1).expand(256, 1, 10, 10)
    fitted, _ = fit_to(MemoryImages("flat", pixels), (1, 7, 7))
    assert torch.equal(all_of(fitted), pixels[:, :, :7, :7])


def test_fitting_keeps_labels_names_and_the_original() -> None:
    data = memory(1, 8, 8, note="Cropped on reading.")
    before = data.pixels.clone()
    fitted, said = fit_to(data, (3, 4, 4))
    assert torch.equal(data.pixels, before)
    assert fitted.labels is data.labels and fitted.class_names == data.class_names and fitted.name == "noise"
    assert said.startswith("Cropped on reading. noise: resized from 8x8 to 4x4")


def test_what_was_done_on_reading_is_said_even_where_nothing_more_is() -> None:
    assert fit_to(memory(3, 8, 8, note="Cropped on reading."), (3, 8, 8))[1] == "Cropped on reading."


def test_more_images_than_fit_in_memory_are_fitted_when_drawn_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = memory(1, 12, 8)
    at_once, said = fit_to(data, (3, 6, 6))
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    lazy, lazily_said = fit_to(data, (3, 6, 6))
    assert isinstance(at_once, MemoryImages) and isinstance(lazy, FittedImages) and isinstance(lazy, ImageData)
    assert lazily_said == said
    assert (len(lazy), lazy.image_shape, lazy.num_classes, lazy.name) == (5, (3, 6, 6), 3, "noise")
    assert lazy.labels is data.labels and lazy.class_names == data.class_names
    indices = torch.tensor([4, 1])
    assert torch.equal(lazy.images(indices), at_once.images(indices))


def test_a_selection_of_fitted_images_is_fitted_too() -> None:
    data = memory(1, 12, 12)
    fitted, _ = fit_to(SelectedImages(data, torch.tensor([3, 0]), "two"), (3, 6, 6))
    assert torch.equal(all_of(fitted), all_of(fit_to(data, (3, 6, 6))[0])[[3, 0]])


def test_colours_are_not_dropped_unasked() -> None:
    with pytest.raises(
        DataError,
        match=r"channels do not fit: noise is RGB \(3 channels\), the generator makes images that are grey "
        r"\(1 channel\).*Dropping the colours is not done unasked.*`--arg image_channels=3`.*to_grey=True",
    ):
        fit_to(memory(3, 8, 8), (1, 8, 8))


def test_colours_are_weighted_to_luma_when_asked() -> None:
    data = memory(3, 8, 8)
    fitted, said = fit_to(data, (1, 8, 8), to_grey=True)
    expected = torch.from_numpy(
        np.stack([np.array(Image.fromarray(p.permute(1, 2, 0).numpy()).convert("L")) for p in data.pixels])
    )
    # Pillow weights with whole numbers: off by a grey level at most.
    assert (all_of(fitted)[:, 0].int() - expected.int()).abs().max() <= 1
    assert said == "noise: RGB made grey by luma."


@pytest.mark.parametrize("channels", [(1, 2), (3, 4), (2, 3), (4, 1)])
def test_other_numbers_of_channels_are_refused(channels: tuple[int, int]) -> None:
    found, wanted = channels
    data = MemoryImages("odd", torch.zeros(2, found, 4, 4, dtype=torch.uint8))
    with pytest.raises(DataError, match=rf"channels do not fit: odd is .*Build the generator with {found} output"):
        fit_to(data, (wanted, 4, 4), to_grey=True)


@pytest.mark.parametrize("shape", [(3, 8), (8,), (3, 8, 8, 8), (3, 0, 8)])
def test_a_shape_that_is_no_image_s_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"samples of shape 3×8×8, the generator makes .*, and only images \(C, H, W\)"):
        fit_to(memory(3, 8, 8), shape)


def test_what_is_no_image_is_taken_where_it_has_the_generator_s_shape() -> None:
    signals = MemorySignals("waves", torch.zeros(3, 1, 16))
    data, said = fit_to(signals, (1, 16))
    assert data is signals and said == ""
    with pytest.raises(DataError, match=r"waves holds samples of shape 1×16, the generator makes 1×8, .*generator for"):
        fit_to(signals, (1, 8))
    with pytest.raises(DataError, match=r"waves holds samples of shape 1×16, the generator makes 3×8×8"):
        fit_to(signals, (3, 8, 8))


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A data set that cuts itself: as many windows of a row of numbers as fit, each labelled by its row."""

    rows: torch.Tensor
    length: int
    name: str = "rows"
    class_names: tuple[str, ...] = ("a", "b", "c")
    num_classes: int = 3
    note: str = "Made up."

    @property
    def image_shape(self) -> tuple[int, int]:
        return 1, self.length

    @property
    def labels(self) -> torch.Tensor:
        return torch.arange(len(self.rows)).repeat_interleave(self.rows.shape[1] // self.length)

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        return self.rows.view(-1, 1, self.length)[indices]

    def fitted(self, shape: tuple[int, ...]) -> tuple[Windows, str]:
        return Windows(self.rows, shape[1]), f"cut to {shape[1]}"


def test_a_data_set_that_fits_itself_is_asked_for_the_generator_s_shape() -> None:
    rows = torch.arange(24, dtype=torch.int16).view(3, 8)
    data, said = fit_to(Windows(rows, 8), (1, 4))
    assert (data.image_shape, len(data), said) == ((1, 4), 6, "cut to 4")
    same, said = fit_to(Windows(rows, 8), (1, 8))
    assert (len(same), said) == (3, "Made up.")


def test_a_selection_of_labels_stays_one_when_its_data_set_fits_itself() -> None:
    rows = torch.arange(24, dtype=torch.int16).view(3, 8)
    chosen = select_labels(Windows(rows, 8), "a,c")
    data, said = fit_to(chosen, (1, 2))
    assert said == "cut to 2" and data.name == "rows[a,c]"
    assert data.images(torch.arange(len(data))).flatten().tolist() == [*range(8), *range(16, 24)]
    assert data.labels is not None and data.labels.tolist() == [0] * 4 + [2] * 4


def test_opening_twice_gives_the_same_images(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    first, second = (open_data("cifar10", tmp_path, REGISTRY) for _ in range(2))
    assert torch.equal(all_of(first), all_of(second))
