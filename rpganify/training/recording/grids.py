"""Pictures of a training: the same samples through time, and what each bucket does to one of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torchvision.utils import save_image

from rpganify.data.display import as_pictures
from rpganify.data.images import ImageData, sample_rate_of
from rpganify.data.sound import is_sound, write_wav
from rpganify.plan import Plan
from rpganify.training.callbacks import Callback, StepMetrics, TrainResult, TrainStart
from rpganify.training.config import TrainConfig
from rpganify.training.labels import label_condition
from rpganify.training.networks import ImageGenerator
from rpganify.training.randomness import derived_seed, seeded_globals, stream
from rpganify.training.recording.grid_picture import GridRow, draw_grid

# What a generator takes beside codes and label: so many samples of each input, drawn from a CPU generator, by name.
DrawInputs = Callable[[int, torch.Generator], Mapping[str, Tensor]]
_MAX_CLASSES = 16
_MAX_WIDTH = 1600


@dataclass(frozen=True, slots=True)
class ClassInput:
    """The input of a conditional generator that takes a class label.

    Args:
        name: of the input.
        labels: int64, those that it is trained with, in rising order.
    """

    name: str
    labels: Tensor

    def shown(self, limit: int) -> Tensor:
        """All labels, or `limit` evenly spread ones."""
        count = min(len(self.labels), limit)
        return self.labels[torch.arange(count) * len(self.labels) // count]


class Grid(Protocol):
    """A picture that is written again and again."""

    def write(self, step: int) -> None:
        """Write the picture of the generator as it is after `step` steps."""


class GridWriter(Callback):
    """Writes pictures before the first step, at intervals, and after the last step.

    Args:
        every: steps between pictures.
        grids: what is written.
    """

    def __init__(self, every: int, grids: Sequence[Grid]) -> None:
        self._every = every
        self._grids = tuple(grids)

    def on_start(self, start: TrainStart) -> None:
        """Write the pictures of the untrained generator."""
        if start.step == 0:
            self._write(0)

    def on_step(self, metrics: StepMetrics) -> None:
        """Write pictures if they are due."""
        if metrics.step % self._every == 0:
            self._write(metrics.step)

    def on_end(self, result: TrainResult) -> None:
        """Write the last pictures; a training that was killed behind its last checkpoint has none yet."""
        if result.step % self._every:
            self._write(result.step)

    def _write(self, step: int) -> None:
        for grid in self._grids:
            grid.write(step)


class SampleGrid:
    """A PNG grid of the same codes, `step-000500.png`; drawing it leaves no trace in the training.

    The images of a conditional generator stand by class: a column for each class, a row for each code. What is no picture
    is drawn as one (`data.display.as_pictures`); sound is written as `step-000500.wav` as well.

    Args:
        directory: where the grids go.
        generator: is put into evaluation mode while it draws.
        num_samples: images in the grid, rounded down to whole rows where there are classes.
        batch_size: most images that are made at once.
        seed: of the codes and inputs, and of any noise that the generator itself draws.
        sample_rate: samples per second, if the data is sound.
        class_input: what takes the label, if anything does; of more than 16 classes 16 are shown.
        draw_inputs: what else it takes.
    """

    def __init__(
        self,
        directory: Path,
        generator: ImageGenerator,
        *,
        num_samples: int,
        batch_size: int,
        seed: int,
        sample_rate: int | None = None,
        class_input: ClassInput | None = None,
        draw_inputs: DrawInputs | None = None,
    ) -> None:
        self._directory = directory
        self._sample_rate = sample_rate
        self._maker = _ImageMaker(generator, batch_size, seed)
        chance = stream(seed, "samples")
        if class_input is None:
            self._codes = generator.draw(num_samples, chance)
            self._inputs = dict(draw_inputs(num_samples, chance)) if draw_inputs else {}
            self._num_columns = math.ceil(math.sqrt(num_samples))
        else:
            labels = class_input.shown(_MAX_CLASSES)
            self._num_columns = len(labels)
            num_rows = max(1, num_samples // self._num_columns)
            self._codes = generator.draw(num_rows, chance).repeat_interleave(self._num_columns, dim=0)
            drawn = draw_inputs(num_rows, chance) if draw_inputs else {}
            self._inputs = {name: one.repeat_interleave(self._num_columns, dim=0) for name, one in drawn.items()}
            self._inputs[class_input.name] = labels.repeat(num_rows)

    def write(self, step: int) -> None:
        """Write the grid, and what is sound to be heard."""
        samples = self._maker(self._codes, self._inputs)
        with _aside(sample_grid_path(self._directory, step)) as path:
            save_image(as_pictures(samples), path, nrow=self._num_columns, normalize=True, value_range=(-1, 1))
        if self._sample_rate is not None and is_sound(tuple(samples.shape[1:])):
            write_wav(self._directory / f"step-{step:06d}.wav", samples, self._sample_rate)


class VariationGrid:
    """What each bucket does: a row per bucket with one path, and beside it the same path with other blocks there.

    `variations-000500.png`; path and blocks are the same through time. Each picture is labelled with the block that it
    takes in its row's bucket. A conditional generator gets the same label everywhere, the first.

    Args:
        directory: where the grids go.
        generator: a converted one.
        num_blocks: most other blocks of each bucket that are shown; fewer where samples are wide.
        batch_size, seed, class_input, draw_inputs: as of `SampleGrid`; one sample of each input serves all.
    """

    def __init__(
        self,
        directory: Path,
        generator: ImageGenerator,
        *,
        batch_size: int,
        seed: int,
        num_blocks: int = 10,
        class_input: ClassInput | None = None,
        draw_inputs: DrawInputs | None = None,
    ) -> None:
        self._directory = directory
        self._maker = _ImageMaker(generator, batch_size, seed)
        self._plan = cast(_Converted, generator).plan
        chance = stream(seed, "samples", 1)
        self._path = generator.draw(1, chance)[0]
        picture_width = as_pictures(torch.zeros(1, *generator.image_shape)).shape[3]
        limit = max(3, min(num_blocks, _MAX_WIDTH // picture_width - 1))
        self._blocks = []
        for bucket, available in enumerate(self._plan.num_blocks):
            order = torch.randperm(available, generator=chance)
            self._blocks.append(order[order != self._path[bucket]][:limit].sort().values)
        self._inputs = dict(draw_inputs(1, chance)) if draw_inputs else {}
        if class_input is not None:
            self._inputs[class_input.name] = class_input.shown(1)

    def write(self, step: int) -> None:
        """Write the grid."""
        paths = [self._path[None]]
        for bucket, blocks in enumerate(self._blocks):
            varied = self._path.repeat(len(blocks), 1)
            varied[:, bucket] = blocks
            paths.append(varied)
        codes = torch.cat(paths)
        inputs = {name: one.expand(len(codes), *one.shape[1:]) for name, one in self._inputs.items()}
        base, *parts = as_pictures(self._maker(codes, inputs)).split([len(path) for path in paths])
        rows = [
            GridRow(
                f"{index + 1} {bucket.name}",
                torch.cat([base, part]),
                (str(int(self._path[index])), *(str(int(block)) for block in blocks)),
            )
            for index, (bucket, part, blocks) in enumerate(zip(self._plan.buckets, parts, self._blocks, strict=True))
        ]
        path_text = self._plan.paths.format(self._path)
        title = f"step {step:,}, path {path_text}; each row: that path, and other blocks of one bucket"
        with _aside(variation_grid_path(self._directory, step)) as path:
            draw_grid(title, rows).save(path)


def grids_of_training(directory: Path, generator: ImageGenerator, data: ImageData, config: TrainConfig) -> GridWriter:
    """The pictures that every run has: samples, and for a converted generator with blocks to vary what its buckets do.

    Args:
        directory: where the pictures go.
        generator: to be shown: the moving average, if there is one.
        data: real images; their labels are those of a conditional generator.
        config: the settings.
    """
    name = label_condition(generator, data)
    class_input = None if name is None or data.labels is None else ClassInput(name, data.labels.unique())
    is_converted = generator.codes == "paths"
    draw_inputs = _random_Z(generator) if is_converted and config.Z == "random" else None
    grids: list[Grid] = [
        SampleGrid(
            directory,
            generator,
            num_samples=config.num_samples,
            batch_size=config.batch_size,
            seed=config.seed,
            sample_rate=sample_rate_of(data),
            class_input=class_input,
            draw_inputs=draw_inputs,
        )
    ]
    if is_converted and max(cast(_Converted, generator).plan.num_blocks) > 1:
        grids.append(
            VariationGrid(
                directory,
                generator,
                batch_size=config.batch_size,
                seed=config.seed,
                class_input=class_input,
                draw_inputs=draw_inputs,
            )
        )
    return GridWriter(config.sample_every, grids)


def _random_Z(generator: ImageGenerator) -> DrawInputs:
    shape = tuple(cast(Any, generator).Z.shape[1:])
    return lambda count, chance: {"z": torch.randn(count, *shape, generator=chance)}


def sample_grid_path(directory: Path, step: int) -> Path:
    """Where the sample grid of a step lies."""
    return directory / f"step-{step:06d}.png"


def variation_grid_path(directory: Path, step: int) -> Path:
    """Where the variation grid of a step lies."""
    return directory / f"variations-{step:06d}.png"


class _Converted(Protocol):
    """What of a converted generator a variation grid reads."""

    @property
    def plan(self) -> Plan:
        """Its buckets."""


class _ImageMaker:
    """Images of a generator, without gradients, in eval mode, and with the same noise each time."""

    def __init__(self, generator: ImageGenerator, batch_size: int, seed: int) -> None:
        self._generator = generator
        self._batch_size = batch_size
        self._seed = seed

    def __call__(self, codes: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Float images on the CPU, of codes `(N, ...)` and inputs `(N, ...)`."""
        device = next(parameter.device for _, parameter in self._generator.named_parameters())
        was_training = self._generator.training
        self._generator.train(False)
        try:
            with torch.no_grad(), seeded_globals(derived_seed(self._seed, "samples", 1)):
                starts = range(0, len(codes), self._batch_size)
                parts = [slice(start, start + self._batch_size) for start in starts]
                batches = [
                    self._generator.images(codes[part], **{name: one[part].to(device) for name, one in inputs.items()})
                    for part in parts
                ]
                return torch.cat([images.float().cpu() for images in batches])
        finally:
            self._generator.train(was_training)


class _aside:
    """Gives a place beside a file, and moves what was written there to it: nobody sees half a picture."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._aside = target.with_name(f".{target.name}")

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        return self._aside

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            os.replace(self._aside, self._target)
        else:
            self._aside.unlink(missing_ok=True)
