"""Generators whose controlling sets are known, and a classifier that reads their images off.

Of a latent, dimension 3 beyond 1 makes A, and dimensions 5 and 8, both beyond 1.5, make B. Of a path, block 2 of bucket 1
makes A, and block 1 of bucket 2 and block 3 of bucket 3 together make B. Nothing else changes anything.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.controls.choices import Choice, latent_choices, path_choices
from rpganify.analysis.controls.judging import Judge
from rpganify.analysis.controls.subject import Subject
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator

CONCEPTS = ("neither", "A", "B")
NEITHER, A, B = range(3)
DIM = 12
NUM_BLOCKS = (8, 8, 8, 8)
A_BLOCKS = (Choice(0, 2),)
B_BLOCKS = (Choice(1, 1), Choice(2, 3))


def planted_logits(images: Tensor) -> Tensor:
    """Scores of an image whose first pixel says A and whose second says B, each between 0 and 1."""
    is_a, is_b = images.flatten(1)[:, :2].T
    return torch.stack([torch.full_like(is_a, 4.0), 9 * is_a, 16 * is_b], dim=1)


def planted_judge(images: Callable[[Tensor], Tensor], **options: int) -> Judge:
    """The planted classifier on these images; its features are the images."""
    return Judge(images, planted_logits, lambda made: (made.flatten(1), planted_logits(made)), **options)


def latent_images(latents: Tensor) -> Tensor:
    is_a = torch.sigmoid(5 * (latents[:, 3] - 1))
    is_b = torch.sigmoid(6 * (latents[:, 5] - 1.5)) * torch.sigmoid(6 * (latents[:, 8] - 1.5))
    return torch.stack([is_a, is_b], dim=1)[:, None, None]  # (n, 1, 1, 2)


def path_images(paths: Tensor) -> Tensor:
    is_a = (paths[:, 0] == 2).float()
    is_b = ((paths[:, 1] == 1) & (paths[:, 2] == 3)).float()
    return torch.stack([is_a, is_b], dim=1)[:, None, None]


def draw_paths(n: int, chance: torch.Generator) -> Tensor:
    return torch.randint(8, (n, len(NUM_BLOCKS)), generator=chance)


def draw_latents(n: int, chance: torch.Generator) -> Tensor:
    return torch.randn(n, DIM, generator=chance)


def latent_subject() -> Subject:
    return Subject(planted_judge(latent_images), draw_latents, latent_choices(DIM), DIM, True, CONCEPTS)


def path_subject() -> Subject:
    return Subject(planted_judge(path_images), draw_paths, path_choices(NUM_BLOCKS), len(NUM_BLOCKS), False, CONCEPTS)


def judge_of(images: Callable[[Tensor], Tensor], logits: Callable[[Tensor], Tensor]) -> Judge:
    """A judge of any images by any scores; its features are the scores."""
    return Judge(images, logits, lambda made: (logits(made), logits(made)))


def code_judge(logits: Callable[[Tensor], Tensor]) -> Judge:
    """A judge by scores of the codes themselves, `(n, num_coordinates)`."""
    return judge_of(lambda codes: codes[:, :, None, None], lambda images: logits(images[:, :, 0, 0]))


class Reader(nn.Module):
    """The classifier as a network; images are in [-1, 1], 8×8."""

    def features(self, images: Tensor) -> Tensor:
        return (images.flatten(1)[:, :2] + 1) / 2

    def scores_of(self, features: Tensor) -> Tensor:
        return planted_logits(features)

    def forward(self, images: Tensor) -> Tensor:
        return self.scores_of(self.features(images))


def planted_classifier() -> ClassifierFeatures:
    return ClassifierFeatures(
        "planted", {"network": "planted"}, (1, 8, 8), Reader(), torch.device("cpu"), class_names=CONCEPTS
    )


class LatentPlanted(nn.Module):
    """The latent's generator as people write one; its images are (1, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.pick = nn.Linear(DIM, 3)
        self.spread = nn.Linear(2, 64)
        with torch.no_grad():
            self.pick.weight.zero_()
            for row, (dimension, slope) in enumerate(((3, 5.0), (5, 6.0), (8, 6.0))):
                self.pick.weight[row, dimension] = slope
            self.pick.bias.copy_(torch.tensor([-5.0, -9.0, -9.0]))
            self.spread.weight.copy_(torch.eye(2).repeat(32, 1) * 2)
            self.spread.bias.fill_(-1.0)

    def forward(self, z: Tensor) -> Tensor:
        on = torch.sigmoid(self.pick(z))
        return self.spread(torch.stack([on[:, 0], on[:, 1] * on[:, 2]], dim=1)).view(-1, 1, 8, 8)


class PathPlanted(nn.Module):
    """The same of four layers, each of which is to be a bucket: the biases of the first three make the image."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 1)
        self.two = nn.Linear(4, 1)
        self.three = nn.Linear(4, 1)
        self.idle = nn.Linear(4, 1)

    def forward(self, z: Tensor) -> Tensor:
        is_a = torch.sigmoid(self.one(z))
        is_b = torch.sigmoid(self.two(z)) * torch.sigmoid(self.three(z))
        image = torch.cat([is_a, is_b], dim=1) * 2 - 1 + 0 * self.idle(z)
        return image.repeat(1, 32).view(-1, 1, 8, 8)


def standard_model() -> StandardGenerator:
    return rpganify.standard(LatentPlanted()).eval()


def converted_model() -> RandomPathGenerator:
    rp = rpganify.wrap(PathPlanted(), buckets=["one", "two", "three", "idle"], blocks=list(NUM_BLOCKS))
    named = dict(rp.named_parameters())
    with torch.no_grad():
        for layer, block in (("one", 2), ("two", 1), ("three", 3)):
            named[f"{layer}.weight"].zero_()
            named[f"{layer}.bias"].fill_(-20.0)
            named[f"{layer}.bias"][block] = 20.0
    return rp.eval()
