"""MedMNIST's data sets, read through the `medmnist` package.

Source: Yang et al., "MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D biomedical image classification",
Scientific Data, 2023.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rpganify.data.images import MemoryImages
from rpganify.errors import DataError, closest

SPLITS = ("train", "val", "test")
DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a set is asked for.

    Args:
        split: `train`, `val` or `test`.
        size: height and width in pixels.
        is_downloaded: whether a file that is missing may be fetched.
    """

    split: str = "train"
    size: int = 28
    is_downloaded: bool = False

    @classmethod
    def parse(cls, name: str, argument: str | None, sizes: tuple[int, ...]) -> Wanted:
        """What follows the colon in `bloodmnist:test,64,download`, in any order.

        Raises:
            DataError: a word that is neither part, nor size, nor `download`.
        """
        found: dict[str, Any] = {}
        for word in (part.strip() for part in (argument or "").split(",") if argument):
            value: str | int | bool
            if word in SPLITS:
                field, value = "split", word
            elif word.isdecimal() and int(word) in sizes:
                field, value = "size", int(word)
            elif word == DOWNLOAD:
                field, value = "is_downloaded", True
            else:
                known = (*SPLITS, *map(str, sizes), DOWNLOAD)
                raise DataError(
                    f"{name} has no {word!r}.{closest(word, known)} After the colon come, joined by commas: a part "
                    f"({', '.join(SPLITS)}), a size ({', '.join(map(str, sizes))}), and `{DOWNLOAD}`; e.g. {name}:test,64."
                )
            if field in found:
                raise DataError(f"{name}:{argument} names two of a kind: {found[field]} and {value}. Name one.")
            found[field] = value
        return cls(**found)


def open_medmnist(name: str, *, root: Path | None = None, argument: str | None = None) -> MemoryImages:
    """One of MedMNIST's data sets of images.

    Args:
        name: as `medmnist` calls it, e.g. `bloodmnist`.
        root: the folder with `NAME.npz`, or `NAME_64.npz` for larger images; medmnist's own, `.medmnist` in the home
            folder, if left out.
        argument: part, size and `download`, joined by commas; `train` and 28 if left out.
    Raises:
        DataError: the file is missing, damaged or of another set, a download fails, or `argument` names nothing.
    """
    import medmnist  # a second of import

    info: Mapping[str, Any] = medmnist.INFO[name]
    kind = getattr(medmnist, info["python_class"])
    wanted = Wanted.parse(name, argument, tuple(kind.available_sizes))
    folder = Path(root) if root is not None else Path(medmnist.info.DEFAULT_ROOT or ".")
    file = folder / (f"{name}.npz" if wanted.size == 28 else f"{name}_{wanted.size}.npz")
    if not file.exists() and not wanted.is_downloaded:
        raise DataError(
            f"{name} needs {file.name}, and it is not in {folder}. {_way_to_get(name, wanted, info, folder)} "
            f"`--data {name}:{_joined(wanted, DOWNLOAD)}` downloads it."
        )
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            kind(split=wanted.split, download=True, root=str(folder), size=wanted.size)
        except RuntimeError as error:  # medmnist's word for a download that failed
            raise DataError(
                f"{name} cannot be downloaded: {_cause(error)} {_way_to_get(name, wanted, info, folder)}"
            ) from error
    try:
        with zipfile.ZipFile(file):  # medmnist would leave a damaged file open
            pass
        data = kind(split=wanted.split, root=str(folder), size=wanted.size)
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file} is damaged or of another data set: {_cause(error)} Take it away. "
            f"{_way_to_get(name, wanted, info, folder)}"
        ) from error
    return _as_images(name, wanted, file, info, data.imgs, data.labels)


def _as_images(
    name: str, wanted: Wanted, file: Path, info: Mapping[str, Any], pixels: NDArray[Any], labels: NDArray[Any]
) -> MemoryImages:
    """Images and labels of medmnist's arrays `(N, H, W[, 3])` and `(N, num_labels)`."""
    num_channels = int(info["n_channels"])
    shape = (wanted.size, wanted.size, *([3] if num_channels == 3 else []))
    if pixels.shape[1:] != shape or pixels.dtype != np.uint8 or len(labels) != len(pixels):
        raise DataError(
            f"{file} holds images {pixels.dtype} {pixels.shape} and {len(labels)} labels; {name} has images uint8 (N, "
            f"{', '.join(map(str, shape))}) and a label for each. It is damaged or of another data set; fetch it again."
        )
    ordered = np.ascontiguousarray(pixels.reshape(*pixels.shape[:3], num_channels).transpose(0, 3, 1, 2))
    notes = [f"{info['python_class']} of MedMNIST, {info['license']}: name the source where you show the images."]
    due = info["n_samples"][wanted.split]
    if len(pixels) != due:
        notes.append(f"The file holds {len(pixels):,} images; {due:,} are published.")
    is_labelled = labels.ndim == 2 and labels.shape[1] == 1
    if not is_labelled:
        notes.append("Its images have several labels at once, so none is used.")
    spec = name if wanted == Wanted(is_downloaded=wanted.is_downloaded) else f"{name}:{_joined(wanted)}"
    return MemoryImages(
        spec,
        torch.from_numpy(ordered),
        torch.from_numpy(labels[:, 0].astype(np.int64)) if is_labelled else None,
        tuple(info["label"][str(label)] for label in range(len(info["label"]))) if is_labelled else (),
        " ".join(notes),
    )


def _joined(wanted: Wanted, *more: str) -> str:
    """`test,64` and what else is to follow the colon; defaults are left out."""
    words = [wanted.split] if wanted.split != "train" else []
    words += [str(wanted.size)] if wanted.size != 28 else []
    return ",".join([*words, *more])


def _way_to_get(name: str, wanted: Wanted, info: Mapping[str, Any], folder: Path) -> str:
    suffix = "" if wanted.size == 28 else f"_{wanted.size}"
    return (
        f"Fetch {info[f'url{suffix}']} (MD5 {info[f'MD5{suffix}']}), put it into {folder} as {name}{suffix}.npz, or point "
        "--data-root at the folder that holds it."
    )


def _cause(error: BaseException) -> str:
    """The first error of a chain, in one line; medmnist's own message hides it."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}."


Open = Callable[..., MemoryImages]
open_pathmnist: Open = partial(open_medmnist, "pathmnist")
open_chestmnist: Open = partial(open_medmnist, "chestmnist")
open_dermamnist: Open = partial(open_medmnist, "dermamnist")
open_octmnist: Open = partial(open_medmnist, "octmnist")
open_pneumoniamnist: Open = partial(open_medmnist, "pneumoniamnist")
open_retinamnist: Open = partial(open_medmnist, "retinamnist")
open_breastmnist: Open = partial(open_medmnist, "breastmnist")
open_bloodmnist: Open = partial(open_medmnist, "bloodmnist")
open_tissuemnist: Open = partial(open_medmnist, "tissuemnist")
open_organamnist: Open = partial(open_medmnist, "organamnist")
open_organcmnist: Open = partial(open_medmnist, "organcmnist")
open_organsmnist: Open = partial(open_medmnist, "organsmnist")
