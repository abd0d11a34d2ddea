"""Noise that forward draws: random per call under the caller's generator, or frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rpganify
from rpganify.errors import RpganifyError
from rpganify.routing.generator import RandomPathGenerator
from tests.generators import CASES
from tests.generators.refused import FlipsTorchsCoin
from tests.unit.conversion.converted import FLOAT32, assert_same, model_copy, seeded

NOISY = ("DrawsNoise", "InjectsNoise", "AlwaysDropsOut")


def frozen(name: str, num_blocks: int = 3) -> RandomPathGenerator:
    case = CASES[name]
    model = rpganify.wrap(
        case.build(),
        blocks=num_blocks,
        init="jitter",
        freeze_noise=True,
        latent="z",
        example_inputs=None if case.is_found else case.arguments(2),
    )
    return model.eval()


@pytest.mark.parametrize("name", NOISY)
def test_frozen_noise_is_the_same_for_every_call_sample_and_batch_size(name: str) -> None:
    model = frozen(name)
    paths = model.draw(5, torch.Generator().manual_seed(0))
    images = seeded(lambda: model.images(paths), 1)
    assert torch.equal(seeded(lambda: model.images(paths), 2), images)
    assert_same(torch.cat([model.images(path[None]) for path in paths]), images, FLOAT32)
    same = model.images(paths[:1].repeat(4, 1))
    assert_same(same, same[:1].expand_as(same).contiguous(), FLOAT32)


@pytest.mark.parametrize("name", NOISY)
def test_frozen_noise_is_noise_all_the_same(name: str) -> None:
    """It is not zero: with the noise taken out, images change."""
    one, two = (model_copy(name, 3, "eval"), frozen(name))
    one.load_state_dict(two.state_dict(), strict=False)
    paths = two.draw(3, torch.Generator().manual_seed(0))
    live = torch.stack([seeded(lambda s=seed: one.images(paths), seed) for seed in range(40)])  # type: ignore[misc]
    away = (two.images(paths) - live.mean(0)).square().mean().sqrt()
    # As far from the mean image as any draw is, within a factor of 3.
    assert 1 / 3 < away / live.std(0).square().mean().sqrt() < 3


@pytest.mark.parametrize("name", NOISY)
def test_frozen_noise_survives_saving_and_extraction(name: str, tmp_path: Path) -> None:
    model = frozen(name)
    again = rpganify.load(rpganify.save(model, tmp_path / "m.rpgan"))
    paths = model.draw(4, torch.Generator().manual_seed(0))
    assert torch.equal(again.images(paths), model.images(paths))
    plain = rpganify.extract(model, paths[2])
    assert_same(plain(model.Z), model.images(paths[2:3]), FLOAT32)


def test_each_sample_has_noise_of_its_own_from_the_callers_generator_only() -> None:
    model = model_copy("InjectsNoise", 3, "eval")
    paths = model.draw(4, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    one = model.images(paths, torch.Generator().manual_seed(3))
    two = model.images(paths, torch.Generator().manual_seed(3))
    assert torch.equal(one, two) and torch.equal(torch.random.get_rng_state(), state)
    samples = model.images(paths[:1].repeat(3, 1), torch.Generator().manual_seed(3))
    assert not torch.equal(samples[0], samples[1]), "every sample has noise of its own"


def test_freezing_the_noise_of_a_generator_that_draws_none_changes_nothing() -> None:
    case = CASES["WorksInPlace"]
    one, two = (
        rpganify.wrap(case.build(), blocks=2, init="jitter", freeze_noise=is_frozen).eval()
        for is_frozen in (False, True)
    )
    paths = one.draw(4)
    assert torch.equal(one(paths), two(paths))


def test_a_frozen_draw_may_not_decide_in_python_what_runs() -> None:

    with pytest.raises(RpganifyError, match="refused"):
        rpganify.wrap(FlipsTorchsCoin(), blocks=2, freeze_noise=True)
