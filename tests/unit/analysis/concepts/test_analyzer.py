from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.concepts.analyzer import OBSERVED_PER_Z, Concepts, ConceptsConfig
from rpganify.analysis.foreign_classifier import ClassifierInput, foreign_classifier
from rpganify.errors import AnalysisError
from rpganify.report.pictures import figure_to_png, png_size
from rpganify.report.report import Report

from .planted import PlantedBlocks


class ReadsImage(nn.Module):
    """Scores that are the image's pixels, times 10."""

    def forward(self, images: Tensor) -> Tensor:
        return 10 * images.flatten(1)


class PlantedGenerator(nn.Module):
    """z1 raises class A; the signs of z0 and z2 together make a coin that neither tosses alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.2))

    def forward(self, z: Tensor) -> Tensor:
        coin = torch.sign(z[:, 0] * z[:, 2])
        scores = torch.stack([self.weight * z[:, 1], 0 * coin, 0.1 * coin, -0.1 * coin], dim=1)
        return scores.view(-1, 1, 2, 2)


def judge(image_shape: tuple[int, int, int]) -> ClassifierFeatures:
    return foreign_classifier(
        ReadsImage(), ClassifierInput(image_shape), "pixels.py:Reads", class_names=("A", "B", "C", "D")
    )


@pytest.fixture(scope="module")
def generator() -> nn.Module:
    return rpganify.standard(PlantedGenerator(), latent="z:5", image_shape=(1, 2, 2)).eval()


def context(image_shape: tuple[int, int, int] = (1, 2, 2), **options: object) -> AnalysisContext:
    return AnalysisContext(classifier=judge(image_shape), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def of_latent(generator: nn.Module) -> Report:
    return Concepts(ConceptsConfig(num_z=40, deltas=(1, 3))).analyze(generator, context())


@pytest.fixture(scope="module")
def of_blocks() -> Report:
    return Concepts(ConceptsConfig(num_z=40)).analyze(PlantedBlocks((5, 4, 1, 6)), context((1, 1, 4)))


def rows_of(report: Report, table: str) -> list[dict[str, object]]:
    found = report.table(table)
    return [dict(zip((column.name for column in found.columns), row, strict=True)) for row in found.rows]


def test_the_number_that_raises_a_class_is_named_with_its_effect_and_correlation(of_latent: Report):
    first = rows_of(of_latent, "concepts")[0]
    assert first["concept"] == "A" and first["raised most by"] == "z1 := +3" and first["goes together with"] == "z1"
    assert first["lowered by"] == 1 and first["raised by"] == 1
    assert float(str(first["from"])) > 10 and float(str(first["correlation"])) > 0.4
    assert "z1 := +3 raises a class most: A, by" in of_latent.summary
    assert "1 of 5 numbers of z have an effect" in of_latent.summary


def test_every_effect_is_in_the_files_and_the_doses_in_the_table(of_latent: Report):
    effects = rows_of(of_latent, "effects")
    assert len(effects) == 5 * 2 * 4 and {row["concept"] for row in effects} == set("ABCD")
    assert [row["δ"] for row in rows_of(of_latent, "deltas")] == [1, 3]
    told = [row["told"] for row in effects]
    assert rows_of(of_latent, "deltas")[1]["effects told"] == sum(map(bool, told)) > 0
    assert next(row["z"] for row in rows_of(of_latent, "importance")) == "1"


def test_the_block_that_raises_a_class_is_named_and_single_blocks_are_left_out(of_blocks: Report):
    first = rows_of(of_blocks, "concepts")[0]
    assert first["raised most by"] == "block 2 of bucket 1"
    assert of_blocks.per_bucket[0].startswith(
        "Bucket 1 (b1): 5 of 5 blocks change a class; the strongest, block 2, raises A by"
    )
    assert of_blocks.per_bucket[2] == "Bucket 3 (b3) has one block, so there is nothing to compare."
    assert of_blocks.per_bucket[3] == "Bucket 4 (b4): no block has an effect on a class that can be told from chance."
    assert [row["bucket"] for row in rows_of(of_blocks, "buckets")] == ["1 b1", "2 b2", "4 b4"]


def test_figures_show_effects_importance_and_images(of_latent: Report, of_blocks: Report):
    for report in (of_latent, of_blocks):
        assert [figure.name for figure in report.figures] == ["effects", "importance", "raised"]
        for figure in report.figures:
            width, height = png_size(figure_to_png(figure))
            assert 300 < width < 2400 and 200 < height < 3000


def test_the_report_says_whose_method_it_is_and_how_sure_the_classifier_was(of_latent: Report, of_blocks: Report):
    for report in (of_latent, of_blocks):
        assert "via Correlation Analysis" in report.definition and "are ours" in report.definition
        assert "Benjamini and Hochberg" in report.definition
        assert any("their likeliest class with" in note for note in report.notes)
        assert report.provenance["concepts"] == ["A", "B", "C", "D"]
    assert any("sign is that of the correlation in" in note for note in of_latent.notes)
    assert of_latent.provenance["δ"] == [1, 3] and of_latent.provenance["latents"] == 40


def test_equal_seeds_give_equal_reports_and_the_model_stays_as_it_was(generator: nn.Module):
    analyzer = Concepts(ConceptsConfig(num_z=6, deltas=(3,)))
    generator.train()
    one, again, other = (analyzer.analyze(generator, context(seed=seed)) for seed in (1, 1, 2))
    assert one.tables == again.tables and one.tables != other.tables
    assert generator.training
    generator.eval()


def test_an_image_that_the_classifier_does_not_recognise_is_doubted():
    class Blurs(PlantedBlocks):
        def images(self, codes: Tensor) -> Tensor:
            images = super().images(codes)
            sure = torch.tensor([0.0, 1.2, 0, 0]).view(1, 1, 1, 4)
            return torch.where((codes[:, 2] == 3)[:, None, None, None], 0 * images, images + sure)

    report = Concepts(ConceptsConfig(num_z=30)).analyze(Blurs(), context((1, 1, 4)))
    (doubt,) = [note for note in report.notes if "far less sure" in note]
    assert "images with block 3 of bucket 3 (25 %) than of the others" in doubt


def test_nothing_is_told_of_a_generator_whose_images_never_change():
    class Constant(PlantedBlocks):
        def images(self, codes: Tensor) -> Tensor:
            return 0 * super().images(codes)

    report = Concepts(ConceptsConfig(num_z=5)).analyze(Constant(), context((1, 1, 4)))
    assert report.summary == "No block has an effect on a class that can be told from chance."
    assert [figure.name for figure in report.figures] == ["effects", "importance"]
    assert any("No single intervention is told to raise A, B, C, D" in note for note in report.notes)


def test_the_number_of_images_is_told_before(generator: nn.Module):
    told = Concepts(ConceptsConfig(num_z=10, deltas=(1, 3)))
    assert told.num_images(generator, context()) == 10 * (1 + OBSERVED_PER_Z + 2 * 5 * 2)
    assert Concepts().num_images(PlantedBlocks((5, 1, 6)), context(num_paths=7)) == 14 * 11
    small, large = (told.other_s(generator, context(shape), 0) for shape in ((1, 2, 2), (1, 1, 4)))
    assert small == large > 0


def test_without_a_classifier_or_pictures_it_refuses(generator: nn.Module):
    with pytest.raises(AnalysisError, match="concepts tells classes apart by a classifier, and none was named"):
        Concepts().analyze(generator, replace(context(), classifier=None))
    with pytest.raises(AnalysisError, match=r"a bucket of at least 2 blocks"):
        Concepts(ConceptsConfig(num_z=3)).analyze(PlantedBlocks((1, 1, 1)), context((1, 1, 4)))


@pytest.mark.parametrize("wrong", [{"num_z": 1}, {"deltas": ()}, {"deltas": (0.0,)}])
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, object]):
    with pytest.raises(AnalysisError, match=r"at least 2 latents or paths and a δ above 0"):
        ConceptsConfig(**wrong)  # type: ignore[arg-type]
