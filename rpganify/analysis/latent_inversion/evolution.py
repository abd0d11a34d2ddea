"""Inversion without gradients: CMA-ES on a latent's coordinates in a basis, by the package cma."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

from rpganify.analysis.latent_inversion.bases import Basis
from rpganify.analysis.latent_inversion.task import Search, Task
from rpganify.errors import AnalysisError


def require_cma() -> ModuleType:
    """The package cma.

    Raises:
        AnalysisError: it is not installed.
    """
    try:
        import cma
    except ImportError as error:
        raise AnalysisError(
            "CMA-ES is done by the package cma, which is not installed: `pip install 'rpganify[inversion]'`, or "
            "`pip install cma`. Inversion by gradients does without."
        ) from error
    module: ModuleType = cma
    return module


def population_size(num_coordinates: int) -> int:
    """Latents per generation, `4 + 3 ln k` of k coordinates: the package's own default."""
    return 4 + int(3 * math.log(num_coordinates))


def check_budget(num_coordinates: int, num_passes: int) -> None:
    """Refuses a budget that does not take a generation.

    Raises:
        AnalysisError: both numbers.
    """
    size = population_size(num_coordinates)
    if num_passes <= size:
        raise AnalysisError(
            f"A generation of CMA-ES in {num_coordinates} dimensions has {size} images, and only {num_passes} passes are "
            "allowed, one of them for the start. Allow more."
        )


def evolve(
    task: Task,
    basis: Basis,
    step_size: float,
    num_passes: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Search:
    """CMA-ES on the image distance of each target, from its start; the best latent of all is kept.

    All targets' generations are evaluated together, which changes nothing for any of them.

    Args:
        task: targets and starts.
        basis: of the coordinates that it searches.
        step_size: standard deviation of the first generation's coordinates.
        num_passes: images that may be made per target; as many whole generations as fit, after the start itself.
        seed: of every target's own random numbers.
        progress: told the number of generations done so far.
    Raises:
        AnalysisError: cma is not installed, or the passes are fewer than one generation takes.
    """
    cma = require_cma()
    check_budget(basis.num_coordinates, num_passes)
    size = population_size(basis.num_coordinates)
    num_generations = (num_passes - 1) // size
    states = [_strategy(cma, basis.num_coordinates, step_size, size, seed, target) for target in range(len(task))]
    targets = torch.arange(len(task)).repeat_interleave(size)
    best = task.distances(task.starts, torch.arange(len(task)))
    kept, curve = task.starts.clone(), [best]
    for generation in range(num_generations):
        asked = [state.ask() for state in states]
        coordinates = torch.from_numpy(np.stack(asked)).flatten(0, 1).to(task.starts)
        latents = basis.latents(task.starts[targets], coordinates)
        distances = task.distances(latents, targets).view(len(task), size)
        for state, solutions, values in zip(states, asked, distances.tolist(), strict=True):
            state.tell(solutions, values)
        lowest, index = distances.min(dim=1)
        is_better = lowest < best
        best = torch.where(is_better, lowest, best)
        kept[is_better] = latents.view(len(task), size, -1)[torch.arange(len(task)), index][is_better]
        curve.append(best)
        progress(generation + 1)
    return Search(1 + size * torch.arange(num_generations + 1), torch.stack(curve, dim=1), kept)


def _strategy(cma: ModuleType, dimension: int, step_size: float, size: int, seed: int, target: int) -> Any:
    chance = np.random.default_rng([seed, target])

    def normal(count: int, width: int) -> Any:
        return chance.standard_normal((count, width))

    options = {
        "popsize": size,
        # Random numbers of our own: its default would seed numpy's, which belong to the whole process.
        "randn": normal,
        "seed": math.nan,
        "verbose": -10,  # below -9 it also reads no file of signals from the working directory
        "verb_log": 0,
    }
    return cma.CMAEvolutionStrategy(np.zeros(dimension), step_size, options)
