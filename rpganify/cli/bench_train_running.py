"""The measurement of `rpganify bench train`, and how it is told."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rpganify.bench.environment import Environment
from rpganify.bench.train import Part, TrainingCost, measure_training, noise_like
from rpganify.cli.bench_cases import Candidate
from rpganify.cli.bench_tables import case_title, environment_line
from rpganify.cli.choosing import choose_discriminator, choose_loss, classes_to_judge, default_discriminator
from rpganify.cli.console import say, show, show_table
from rpganify.cli.progress import ProgressTalk
from rpganify.cli.training import save_generator
from rpganify.cli.training_talk import TrainingTalk
from rpganify.data.images import ImageData
from rpganify.data.opening import fit_to, open_data
from rpganify.data.progress import progress_told
from rpganify.registry import Registry, default_registry
from rpganify.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Training:
    """What is to be measured.

    Args:
        candidate: the generator.
        discriminator: name or file; None takes the architecture's own, or one that fits the image.
        data: real images as the user names them; None takes noise.
        data_root: where their files are.
        config: as of the training that is asked about.
    """

    candidate: Candidate
    discriminator: str | None
    data: str | None
    data_root: Path | None
    config: TrainConfig


def run_training(training: Training, device: torch.device) -> tuple[str, TrainingCost]:
    """Train for some steps in a folder that is removed afterwards; what was trained, in words, and what it cost.

    Raises:
        RpganifyError: what is named cannot be found, or not be trained together.
    """
    candidate, config, registry = training.candidate, training.config, default_registry()
    image_shape = candidate.blueprint.image_shape
    loss = choose_loss(config.loss, {}, registry)
    with ProgressTalk() as progress:
        with progress_told(progress.update):
            data = _real_images(training, image_shape, registry)
        generator = candidate.open()
        discriminator = choose_discriminator(
            training.discriminator or default_discriminator(candidate.architecture, image_shape, registry),
            {},
            image_shape,
            spectral_norm=loss.wants_spectral_norm,
            seed=config.seed,
            registry=registry,
            num_classes=classes_to_judge(generator, data),
        )
        # Here and not where the system keeps its temporary files: that may be memory, and runs are written here.
        with tempfile.TemporaryDirectory(prefix=".rpganify-bench-", dir=Path()) as folder:
            cost = measure_training(
                generator,
                discriminator,
                loss,
                data,
                config,
                run=Path(folder) / "run",
                device=device,
                callbacks=[TrainingTalk(progress)],
                save_generator=save_generator,
            )
    case = case_title(candidate.name, generator.plan.num_blocks, config.batch_size)
    return f"{case}, discriminator steps {config.d_steps}, {data.name}", cost


def _real_images(training: Training, image_shape: tuple[int, ...], registry: Registry) -> ImageData:
    if training.data is None:
        return noise_like(image_shape)
    data, done = fit_to(open_data(training.data, training.data_root, registry), image_shape)
    if done:
        say(f"data: {done}")
    return data


def show_cost(title: str, cost: TrainingCost, environment: Environment) -> None:
    """A row per part, and what is outside the networks in sum."""
    outside = [part for part in cost.parts if not part.is_network]
    networks = [part for part in cost.parts if part.is_network]
    rows = [
        *(_row(f"  {part.name}", part.step_s, cost, part) for part in outside),
        _row("outside the networks", cost.outside_s, cost),
        *(_row(f"  {part.name}", part.step_s, cost, part) for part in networks),
        _row("a step", cost.step_s, cost),
    ]
    show(title)
    show_table(
        [("", "left"), ("ms\na step", "right"), ("share", "right"), ("ms\neach", "right"), ("every\nsteps", "right")],
        rows,
    )
    show("")
    show(f"{environment_line(environment)}; {cost.num_steps} steps")


def _row(name: str, seconds: float, cost: TrainingCost, part: Part | None = None) -> Sequence[str]:
    each = "" if part is None or part.each_s is None else f"{part.each_s * 1e3:,.1f}"
    every = "" if part is None or part.every is None else f"{part.every:,}"
    return [name, f"{seconds * 1e3:,.2f}", f"{seconds / cost.step_s:.2%}", each, every]
