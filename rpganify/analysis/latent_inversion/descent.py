"""Inversion by gradients: Adam on a latent's coordinates in a basis."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rpganify.analysis.latent_inversion.bases import Basis
from rpganify.analysis.latent_inversion.task import CHUNK, PASSES_PER_GRADIENT, Search, Task


def descend(
    task: Task,
    basis: Basis,
    learning_rate: float,
    num_steps: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Search:
    """Adam on the squared image distance of each target, from its start; the best latent on the way is kept.

    Targets do not influence each other: Adam treats every coordinate by itself. Call it where gradients may be on.

    Args:
        task: targets and starts.
        basis: of the coordinates that Adam moves.
        learning_rate: of Adam, the same throughout; its other settings are torch's.
        num_steps: gradients per target.
        progress: told the number of targets done so far.
    """
    parts = []
    for targets in torch.arange(len(task)).split(CHUNK):
        parts.append(_descend(task.chosen(targets), basis, learning_rate, num_steps))
        progress(int(targets[-1]) + 1)
    distances, latents = (torch.cat(found) for found in zip(*parts, strict=True))
    # Before the first step one forward pass shows where the start is; each step's gradient then costs three.
    passes = 1 + PASSES_PER_GRADIENT * torch.arange(num_steps + 1)
    return Search(passes, distances, latents)


def _descend(task: Task, basis: Basis, learning_rate: float, num_steps: int) -> tuple[Tensor, Tensor]:
    """Smallest distances so far `(T, num_steps + 1)`, and the latents of the last `(T, D)`."""
    everyone = torch.arange(len(task))
    coordinates = task.starts.new_zeros(len(task), basis.num_coordinates).requires_grad_()
    optimizer = torch.optim.Adam([coordinates], lr=learning_rate)
    best, kept = torch.full((len(task),), torch.inf, device=task.starts.device), task.starts.clone()
    curve = []
    for step in range(num_steps + 1):
        with torch.set_grad_enabled(step < num_steps):
            latents = basis.latents(task.starts, coordinates)
            squares = task.squares(latents, everyone)
            if step < num_steps:
                (coordinates.grad,) = torch.autograd.grad(squares.sum(), coordinates)
        is_better = squares.detach() < best
        best = torch.where(is_better, squares.detach().to(best), best)
        kept[is_better] = latents.detach()[is_better]
        curve.append(best.double().sqrt().cpu())
        if step < num_steps:
            optimizer.step()
    return torch.stack(curve, dim=1), kept
