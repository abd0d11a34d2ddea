"""MedMNIST's sets from files of its layout, which are made here; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import medmnist
import numpy as np
import pytest
import torch
import torchvision.datasets.utils
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.data.opening import open_data
from rpganify.entries import DataSetEntry
from rpganify.errors import DataError
from rpganify.registry import default_registry, resolve
from rpganify.testing import check_dataset
from rpganify_medmnist.plugin import SETS
from rpganify_medmnist.sets import Wanted, open_medmnist


def write(folder: Path, name: str, size: int = 28, num: int = 12) -> dict[str, np.ndarray]:
    """A file as medmnist publishes it, with fewer images."""
    info = medmnist.INFO[name]
    chance = np.random.default_rng(0)
    shape = (num, size, size, 3) if info["n_channels"] == 3 else (num, size, size)
    num_labels = len(info["label"]) if "multi-label" in info["task"] else 1
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = chance.integers(0, 256, shape, np.uint8)
        labels = chance.integers(0, 2 if num_labels > 1 else len(info["label"]), (num, num_labels))
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
    np.savez(folder / (f"{name}.npz" if size == 28 else f"{name}_{size}.npz"), **arrays)
    return arrays


def test_every_set_of_images_is_offered_and_no_volume() -> None:
    flat = [name for name, info in medmnist.INFO.items() if not info["python_class"].endswith("3D")]
    assert sorted(SETS) == sorted(flat)
    for name, shown in SETS.items():
        info = medmnist.INFO[name]
        assert ("RGB" if info["n_channels"] == 3 else "grey") in shown
        assert ("not for commercial use" in shown) == ("NC" in info["license"])
        entry = default_registry().get(DataSetEntry, name)
        assert resolve(entry.factory).args == (name,)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(SETS))
def test_each_set_is_read_with_its_labels_and_its_licence(tmp_path: Path, name: str) -> None:
    arrays = write(tmp_path, name)
    data = open_data(name, tmp_path, default_registry())
    info = medmnist.INFO[name]
    assert data.name == name and len(data) == 12
    assert data.image_shape == (info["n_channels"], 28, 28)
    images = data.images(torch.arange(12)).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(images.reshape(arrays["train_images"].shape), arrays["train_images"])
    assert info["license"] in data.note and "name the source" in data.note
    assert f"The file holds 12 images; {info['n_samples']['train']:,} are published." in data.note
    if name == "chestmnist":
        assert data.labels is None and "several labels at once" in data.note
    else:
        assert data.labels is not None and data.labels.tolist() == arrays["train_labels"][:, 0].tolist()
        assert data.class_names == tuple(info["label"].values())


@pytest.mark.parametrize(
    ("argument", "wanted", "name"),
    [
        (None, Wanted(), "bloodmnist"),
        ("test", Wanted("test"), "bloodmnist:test"),
        ("64, val", Wanted("val", 64), "bloodmnist:val,64"),
        ("train,28", Wanted(), "bloodmnist"),
    ],
)
def test_part_and_size_follow_the_colon_in_any_order(
    tmp_path: Path, argument: str | None, wanted: Wanted, name: str
) -> None:
    assert Wanted.parse("bloodmnist", argument, (28, 64)) == wanted
    arrays = write(tmp_path, "bloodmnist", wanted.size)
    data = open_medmnist("bloodmnist", root=tmp_path, argument=argument)
    assert data.name == name
    assert np.array_equal(data.pixels.permute(0, 2, 3, 1).numpy(), arrays[f"{wanted.split}_images"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("tets", r"bloodmnist has no 'tets'\. Did you mean 'test'\?.*e\.g\. bloodmnist:test,64"),
        ("65", "bloodmnist has no '65'"),
        ("test,", "bloodmnist has no ''"),
        ("test,val", "bloodmnist:test,val names two of a kind: test and val"),
    ],
)
def test_words_that_name_nothing_are_refused(tmp_path: Path, argument: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_medmnist("bloodmnist", root=tmp_path, argument=argument)


def test_a_missing_file_is_named_with_its_address_checksum_and_place(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_medmnist("bloodmnist", root=tmp_path, argument="test,64")
    info, told = medmnist.INFO["bloodmnist"], str(caught.value)
    assert told.startswith(f"bloodmnist needs bloodmnist_64.npz, and it is not in {tmp_path}. ")
    assert info["url_64"] in told and info["MD5_64"] in told
    assert f"put it into {tmp_path} as bloodmnist_64.npz" in told and "`--data bloodmnist:test,64,download`" in told
    with pytest.raises(DataError, match=r"pathmnist\.npz, and it is not in .*`--data pathmnist:download` downloads it"):
        open_medmnist("pathmnist", root=tmp_path / "nowhere")


def test_a_download_that_fails_says_why_and_what_to_do_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, root: str, filename: str, md5: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", fail)
    with pytest.raises(
        DataError, match=r"bloodmnist cannot be downloaded: OSError: no route to host\. Fetch https.*as bloodmnist\.npz"
    ):
        open_medmnist("bloodmnist", root=tmp_path / "new", argument="download")


def test_a_download_goes_to_the_root_and_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        asked.append((url, filename, md5))
        write(Path(root), "bloodmnist")

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", fetch)
    data = open_medmnist("bloodmnist", root=tmp_path, argument="download")
    info = medmnist.INFO["bloodmnist"]
    assert asked == [(info["url"], "bloodmnist.npz", info["MD5"])]
    assert (len(data), data.name) == (12, "bloodmnist")
    open_medmnist("bloodmnist", root=tmp_path)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b"no zip"), r"bloodmnist\.npz is damaged or of another data set: .*Fetch https"),
        (lambda file: file.write_bytes(file.read_bytes()[:500]), r"bloodmnist\.npz is damaged or of another data set"),
        (lambda file: file.write_bytes(b""), r"bloodmnist\.npz is damaged or of another data set"),
        (
            lambda file: np.savez(file, other=np.zeros(3)),
            r"bloodmnist\.npz is damaged or of another data set: KeyError",
        ),
        (
            lambda file: np.savez(file, train_images=np.zeros((2, 28, 28), np.uint8), train_labels=np.zeros((2, 1))),
            r"holds images uint8 \(2, 28, 28\) and 2 labels; bloodmnist has images uint8 \(N, 28, 28, 3\)",
        ),
        (
            lambda file: np.savez(file, train_images=np.zeros((2, 28, 28, 3), np.uint8), train_labels=np.zeros((1, 1))),
            r"and 1 labels; bloodmnist has",
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_by_name(tmp_path: Path, spoil, message: str) -> None:
    write(tmp_path, "bloodmnist")
    spoil(tmp_path / "bloodmnist.npz")
    with pytest.raises(DataError, match=message):
        open_medmnist("bloodmnist", root=tmp_path)


def test_a_published_file_gives_no_note_on_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "bloodmnist")
    monkeypatch.setitem(medmnist.INFO["bloodmnist"]["n_samples"], "test", 12)
    data = open_medmnist("bloodmnist", root=tmp_path, argument="test")
    assert data.note == "BloodMNIST of MedMNIST, CC BY 4.0: name the source where you show the images."


def test_the_data_sets_keep_the_laws(tmp_path: Path) -> None:
    for name in ("bloodmnist", "chestmnist"):
        write(tmp_path, name, num=70)
        check_dataset(default_registry().get(DataSetEntry, name).factory, root=tmp_path, argument="val")


def test_a_model_is_converted_trained_on_it_saved_opened_and_analyzed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "breastmnist")
    training = ["--data", "breastmnist[0-1]", "--data-root", ".", "--steps", "2", "--batch-size", "4"]
    for command in (
        ["convert", "mlp28", "--blocks", "2", "--arg", "channels=8", "-o", "model.rpgan"],
        ["train", "model.rpgan", *training, "--discriminator", "mlp", "-o", "run"],
        ["analyze", "run", "diversity", "--paths", "2", "-o", "report"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert rpganify.load(tmp_path / "run").image_shape == (1, 28, 28)
