"""The relativistic losses against their formulas, and in a training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.testing import check_loss
from rpganify.training.losses import ComparesScores
from rpganify_relativistic.losses import RaHinge, RaStandard

REAL = torch.tensor([0.5, -1.0, 2.0, 0.1], dtype=torch.float64)
FAKE = torch.tensor([-0.3, 1.2, 0.4, -2.5], dtype=torch.float64)


def hinge(x: float) -> float:
    return max(0.0, 1 - x)


def cross_entropy(x: float) -> float:
    return -math.log(1 / (1 + math.exp(-x)))


@pytest.mark.parametrize(("loss", "cost"), [(RaHinge(), hinge), (RaStandard(), cross_entropy)])
def test_each_side_is_judged_against_the_mean_of_the_other(loss, cost) -> None:
    real, fake = REAL.tolist(), FAKE.tolist()
    real_mean, fake_mean = sum(real) / 4, sum(fake) / 4
    of_discriminator = sum(cost(r - fake_mean) for r in real) / 4 + sum(cost(-(f - real_mean)) for f in fake) / 4
    of_generator = sum(cost(-(r - fake_mean)) for r in real) / 4 + sum(cost(f - real_mean) for f in fake) / 4
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(of_discriminator)
    assert float(loss.generator_against(REAL, FAKE)) == pytest.approx(of_generator)
    assert isinstance(loss, ComparesScores) and loss.penalty(None, REAL, FAKE, None) is None


@pytest.mark.parametrize("loss", [RaHinge(), RaStandard()])
def test_adding_one_number_to_all_scores_changes_nothing(loss) -> None:
    for term in (loss.discriminator, loss.generator_against):
        assert float(term(REAL + 17, FAKE + 17)) == pytest.approx(float(term(REAL, FAKE)))


@pytest.mark.parametrize("loss", [RaHinge(), RaStandard()])
def test_the_generator_is_judged_by_the_real_images_too(loss) -> None:
    fake = FAKE.clone().requires_grad_()
    (one,) = torch.autograd.grad(loss.generator_against(REAL, fake), fake)
    (two,) = torch.autograd.grad(loss.generator_against(REAL - 6, fake), fake)
    assert not torch.allclose(one, two)
    assert float(loss.generator(FAKE)) == pytest.approx(float(loss.generator_against(torch.zeros(4), FAKE)))


@pytest.mark.parametrize("loss", [RaHinge(), RaStandard(), RaHinge(wants_spectral_norm=False)])
def test_the_losses_keep_the_laws(loss) -> None:
    check_loss(loss)


@pytest.mark.parametrize("name", ["ra-hinge", "ra-standard"])
def test_a_model_is_converted_trained_with_it_saved_opened_and_analyzed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    training = ["--data", "digits", "--loss", name, "--steps", "3", "--batch-size", "8", "--discriminator", "mlp"]
    for command in (
        ["convert", "mlp28", "--blocks", "2", "--arg", "channels=8", "-o", "model.rpgan"],
        ["train", "model.rpgan", *training, "-o", "run"],
        ["analyze", "run", "diversity", "--paths", "2", "-o", "report"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 3 and all(math.isfinite(step["generator_loss"]) for step in steps)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["loss"] == name
    assert rpganify.load(tmp_path / "run").paths.num_blocks == (2,) * 5
