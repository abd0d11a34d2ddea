"""What `rpganify invert` reads, keeps and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.inversion.figure import PictureRow, draw_pictures
from rpganify.analysis.inversion.held_out import DrawnPaths
from rpganify.analysis.inversion.inverting import Inversion
from rpganify.analysis.inversion.latent_tuning import Tuned
from rpganify.analysis.inversion.predictor import BlockPredictor, PredictorConfig, train_predictor
from rpganify.analysis.inversion.predictor_file import load_predictor, save_predictor
from rpganify.cli.console import Side, say
from rpganify.cli.files import write_bytes
from rpganify.data.pictures import decode, read_header
from rpganify.paths import PathSpace
from rpganify.report.report import Figure
from rpganify.report.writing import figure_to_png

Told = dict[str, str | float]


def read_images(files: Sequence[Path], image_shape: tuple[int, ...]) -> Tensor:
    """Picture files in the model's shape, uint8 `(N, C, H, W)`; what had to be changed is said.

    Raises:
        DataError: a file that is no picture.
    """
    channels, height, width = image_shape
    made, changed = [], []
    for file in files:
        header = read_header(file, file)
        made.append(torch.from_numpy(decode(file, file, channels, height, width)))
        if (header.height, header.width) != (height, width):
            changed.append(f"{file} ({header.width}×{header.height})")
    if changed:
        listed = ", ".join(changed[:3]) + (f" and {len(changed) - 3} others" if len(changed) > 3 else "")
        say(f"note: cropped around the centre and resized to {width}×{height}: {listed}")
    return torch.stack(made)


def choose_predictor(
    maker: ImageMaker,
    num_samples: int,
    kept: Path | None,
    chance: torch.Generator,
    progress: Callable[[str, int, int], None],
) -> BlockPredictor:
    """The predictor that is kept in a file, or a new one, which is then kept there.

    Args:
        maker: makes images of the model; in eval mode.
        num_samples: to train a new one on.
        kept: the file, or None.
        chance: draws the paths to train on.
        progress: told how far the training is.
    Raises:
        AnalysisError: the file holds something else, or a predictor of another model; or it cannot be written.
    """
    if kept is not None and kept.exists():
        return load_predictor(maker.model, kept, maker.device)
    config = PredictorConfig(num_samples=max(num_samples, PredictorConfig().batch_size))
    space = maker.model.paths
    drawn = DrawnPaths(space, chance, torch.empty((0, space.num_buckets), dtype=torch.int64))
    made = train_predictor(maker, drawn, config, lambda done: progress("training of the predictor", done, num_samples))
    if kept is not None:
        save_predictor(made, config, cast(nn.Module, maker.model), kept)
        say(f"wrote {kept}")
    return made


def describe_found(
    files: Sequence[Path], found: Inversion, tuned: Tuned | None, space: PathSpace, *, is_predicted: bool
) -> list[Told]:
    """What was found for each file, as texts and numbers by name.

    Args:
        files: of the images.
        found: their paths and distances.
        tuned: latents of their own, or None.
        space: of the model.
        is_predicted: whether there was a predictor.
    """
    rows: list[Told] = []
    for index, file in enumerate(files):
        random, predicted, nearest = found.distances[index].tolist()
        row: Told = {"image": str(file), "path": space.format(found.found[index]), "distance": nearest}
        if is_predicted:
            row |= {"predicted path": space.format(found.predicted[index]), "its distance": predicted}
        row["a random path's"] = random
        if tuned is not None:
            before, after = tuned.errors[index].tolist()
            row |= {"pixel error": before, "with its own Z": after}
        rows.append(row)
    return rows


def format_value(value: str | float) -> str:
    """A value for a table."""
    return value if isinstance(value, str) else f"{value:.4g}"


def side_of(value: str | float) -> Side:
    """On which side a column of such values stands."""
    return "left" if isinstance(value, str) else "right"


def write_picture(path: Path, rows: Sequence[tuple[str, str, Tensor]], paths: Sequence[str]) -> None:
    """Writes the images and what their paths make as one PNG file, aside first; makes missing folders.

    Args:
        path: the file.
        rows: title, detail and images uint8 `(N, C, H, W)` of each row, the wanted images first.
        paths: found, one per image.
    """
    drawing = draw_pictures([PictureRow(*row) for row in rows], paths)
    write_bytes(path, figure_to_png(Figure("inversion", "", drawing)))


def write_latents(path: Path, latents: Tensor) -> None:
    """Writes latents `(N, *latent)` as the tensor 'z' of a safetensors file, aside first; makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    try:
        save_file({"z": latents.contiguous()}, aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
