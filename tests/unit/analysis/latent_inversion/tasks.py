"""Inversions of linear generators."""

from __future__ import annotations

from torch import Tensor

from rpganify.analysis.latent_inversion.task import Task
from tests.unit.analysis.linear_maps import Planted, as_they_are


def task_to(linear: Planted, latents: Tensor, starts: Tensor) -> Task:
    """Targets are the images of `latents`."""
    return Task(linear.space, as_they_are, linear.space.images(latents).flatten(1), starts)
