"""The fixed input, tuned to single images: what a path could show if `Z` were not shared by all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rpganify.analysis.generation import to_float, to_uint8
from rpganify.routing.generator import RandomPathGenerator

LEARNING_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Tuned:
    """Latents in the place of `Z`, one per image, and what the paths make of them.

    Args:
        latents: float `(T, *latent)`.
        images: uint8 `(T, C, H, W)`.
        errors: mean squared error of the pixels in [-1, 1], with the model's `Z` and with the tuned latent: float64
            `(T, 2)`.
    """

    latents: Tensor
    images: Tensor
    errors: Tensor


def tune_latents(
    model: RandomPathGenerator,
    paths: Tensor,
    images: Tensor,
    conditions: Mapping[str, Tensor],
    num_steps: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Tuned:
    """For each image a latent of its own, by Adam on the squared error of the pixels; the best one on the way is kept.

    The model stays as it is: the latents take the place of its `Z` in the calls. Call it inside `evaluating`.

    Args:
        model: a converted generator.
        paths: one per image, int64 `(T, num_buckets)`; they stay.
        images: wanted, uint8 `(T, C, H, W)`; all at once.
        conditions: a value for each further input, without the batch axis.
        num_steps: of Adam.
        progress: told the number of steps done so far.
    """
    device = model.Z.device
    wanted = to_float(images).to(device)
    given: dict[str, Any] = {
        name: value.to(device).expand(len(images), *value.shape) for name, value in conditions.items()
    }
    first = torch.cat([model.latent_of(path) for path in paths]).detach()
    latents = first.clone().requires_grad_()
    optimizer = torch.optim.Adam([latents], lr=LEARNING_RATE)
    best = torch.full((len(images),), torch.inf, device=device)
    kept, made, start = first.clone(), torch.empty_like(wanted), best
    for step in range(num_steps + 1):
        with torch.enable_grad():
            reached = model.images(paths, z=latents, **given).float()
            errors = (reached - wanted).square().flatten(1).mean(dim=1)  # (T,)
            (latents.grad,) = torch.autograd.grad(errors.sum(), latents)
        if step == 0:
            start = errors.detach()
        is_better = errors.detach() < best
        best = torch.where(is_better, errors.detach(), best)
        kept[is_better], made[is_better] = latents.detach()[is_better], reached.detach()[is_better]
        optimizer.step()
        progress(min(step + 1, num_steps))
    return Tuned(kept.cpu(), to_uint8(made.cpu()), torch.stack([start, best], dim=1).double().cpu())
