"""On real digits, a trained generator's blocks are read off its images, and its paths are found again."""

import pytest
import torch

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.inversion.analyzer import InversionAnalyzer, InversionConfig
from rpganify.entries import DiscriminatorEntry
from rpganify.registry import default_registry, resolve
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.trainer import Trainer
from tests.functional.test_digits_quality import digits, new_generator

__all__ = ["digits"]

STEPS = 300


@pytest.fixture(scope="module")
def report(digits, tmp_path_factory):
    """What the analyzer finds of a small generator that was trained on digits: 4 buckets of 6 blocks, 1296 paths."""
    generator = rpganify.wrap(new_generator(0), buckets=4, blocks=6, factory=new_generator)
    torch.manual_seed(1)
    build = resolve(default_registry().get(DiscriminatorEntry, "mlp").factory)
    discriminator = build(image_shape=(1, 8, 8), spectral_norm=True, channels=128)
    config = TrainConfig(
        steps=STEPS, generator_lr=1e-3, discriminator_lr=1e-3, sample_every=STEPS, checkpoint_every=STEPS
    )
    Trainer(generator, discriminator, Hinge(), digits, config, run=tmp_path_factory.mktemp("run") / "digits").run()
    context = AnalysisContext(num_paths=100, num_images=400, data=digits)
    analyzer = InversionAnalyzer(InversionConfig(num_samples=12_800, tuning_steps=20))
    return analyzer.analyze(generator, context)


def columns(report, name):
    table = report.table(name)
    headings = [column.name for column in table.columns]
    return [dict(zip(headings, row, strict=True)) for row in table.rows]


def test_blocks_are_named_far_more_often_than_by_guessing(report):
    rows = columns(report, "prediction")
    # What the first layer does is mended by those behind it after so short a training; its block is hardly seen.
    assert min(row["named first, from"] for row in rows[1:]) > rows[0]["guessing"], report.summary
    assert sum(row["named first"] for row in rows) > 3 * sum(row["guessing"] for row in rows)
    assert min(row["named first"] for row in rows[2:]) > 90


def test_most_blocks_of_its_own_images_are_found_again(report):
    *buckets, whole = columns(report, "recovery")
    assert min(row["by search"] for row in buckets) >= 80, report.summary
    assert whole["by search"] >= 80
    assert all(row["by search"] >= row["by prediction"] for row in buckets)


def test_real_digits_are_met_nearer_than_by_prediction_and_by_chance(report):
    own, real = columns(report, "distances")
    assert real["found path, to"] < real["predicted path"] < real["random path"]
    assert own["found path"] < 0.1 * own["random path"]
