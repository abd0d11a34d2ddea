"""The measurements of `rpganify bench`, one case after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from rpganify.bench.case import measure_case
from rpganify.bench.step import measure_step
from rpganify.bench.subjects import Subjects, plain_twin
from rpganify.cli.bench_cases import Candidate
from rpganify.cli.bench_tables import BenchResult, case_title
from rpganify.cli.choosing import choose_discriminator, choose_loss, default_discriminator
from rpganify.errors import TrainingError
from rpganify.registry import default_registry
from rpganify.routing.generator import conditions_of

# That of RPGAN's main setting.
_LOSS = "hinge"

Judges = tuple[nn.Module, nn.Module]


def choose_judges(candidate: Candidate, discriminator: str | None, seed: int) -> Judges:
    """Two equal discriminators, for the training steps of the standard GAN and of the random path GAN.

    Args:
        candidate: what they judge.
        discriminator: name or file; None takes the architecture's own, or one that fits the image.
        seed: of their initial weights.
    Raises:
        TrainingError: the generator takes more than a path, or the discriminator cannot be built for its images.
        RegistryError, SourceError: it cannot be found.
    """
    blueprint, registry = candidate.blueprint, default_registry()
    conditions = [condition.name for condition in conditions_of(blueprint)]
    if conditions:
        raise TrainingError(
            f"--step times a training, and trainings give a generator nothing but its path; {candidate.name} also takes "
            f"{', '.join(conditions)}. Leave --step out: everything else is measured with such inputs."
        )
    name = discriminator or default_discriminator(candidate.architecture, blueprint.image_shape, registry)
    loss = choose_loss(_LOSS, {}, registry)
    first, second = (
        choose_discriminator(
            name, {}, blueprint.image_shape, spectral_norm=loss.wants_spectral_norm, seed=seed, registry=registry
        )
        for _ in range(2)
    )
    return first, second


def run_bench(
    candidates: Sequence[Candidate],
    judges: Sequence[Judges],
    *,
    num_rounds: int,
    has_loop: bool,
    compares_kernels: bool,
    d_steps: int,
    seed: int,
    device: torch.device,
    progress: Callable[[str, int, int], None],
) -> list[BenchResult]:
    """Measures every candidate at every batch size, one after the other, so that one at a time is in memory.

    Args:
        candidates: what is measured.
        judges: discriminators for each of them; none where no training step is asked for.
        num_rounds: rounds that count.
        has_loop: whether the loop over samples is timed too.
        compares_kernels: whether every layer is also timed by itself, by each of its kernels.
        d_steps: discriminator steps in a training step.
        seed: of paths, latents and conditions.
        device: where it is measured.
        progress: told what is under way, how much of it is done, and how much there is.
    """
    results = []
    for index, candidate in enumerate(candidates):
        routed = candidate.open().to(device)
        plain = plain_twin(routed)
        for batch_size in candidate.batch_sizes:
            subjects = Subjects(plain, routed, batch_size, device, seed)
            title = case_title(candidate.name, routed.plan.num_blocks, batch_size)
            case = measure_case(
                candidate.name,
                subjects,
                num_rounds=num_rounds,
                has_loop=has_loop,
                compares_kernels=compares_kernels,
                on_round=partial(progress, f"{title}: round"),
            )
            step = None
            if judges:
                step = measure_step(
                    subjects,
                    judges[index],
                    choose_loss(_LOSS, {}, default_registry()),
                    d_steps=d_steps,
                    num_rounds=num_rounds,
                    on_round=partial(progress, f"{title}: training step"),
                )
            results.append(BenchResult(case, step))
    return results
