import io

import pytest
import torch
from PIL import Image
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.overview import Training, describe_model, key_of, with_reports
from rpganify.analysis.variations.analyzer import Variations
from rpganify.conversion.converting import convert, standard, wrap
from rpganify.report.report import Report
from rpganify.report.subject import Subject, Tile


class Painter(nn.Module):
    """A generator of colour pictures of a chosen size."""

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.dense = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.out = nn.Linear(8, 3 * size * size)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.out(torch.relu(self.norm(self.dense(z))))).view(-1, 3, self.size, self.size)


@pytest.fixture
def painter() -> Painter:
    torch.manual_seed(0)
    return Painter()


def pixels(tile: Tile) -> torch.Tensor:
    with Image.open(io.BytesIO(tile.png)) as picture:
        data = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        return data.view(picture.height, picture.width, -1).permute(2, 0, 1)


def images(model: nn.Module, codes: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return to_uint8(model.eval().images(codes))


def test_a_converted_model_is_told_in_words_facts_and_a_plan(painter: Painter):
    told = {"source": "my_gan.py", "class": "Painter"}
    model = convert(painter, buckets=["dense", "out"], blocks=[3, 5], provenance=told).model
    subject = describe_model(model, AnalysisContext(), "first", Training(1500, "digits", 30))
    assert subject.lead == (
        "`first` is a random path generator, made of `Painter` of `my_gan.py`. Its 2 buckets, of 3 and 5 blocks, make 15 "
        "paths, and each path makes one image. It was trained for 1\u202f500 steps on digits, 30 images."
    )
    num_parameters = 3 * 40 + 5 * 9 * 48 + 16 + 4
    assert dict(subject.facts) == {
        "Buckets × blocks": "3, 5", "Paths": "15", "Coverage": "0.500 per image", "Image": "4×4, colour",
        "Parameters": f"{num_parameters:,}".replace(",", "\u202f"), "Steps": "1\u202f500",
    }  # fmt: skip
    plan = subject.report("plan")
    assert plan is not None and plan.summary == "3 × 5 = 15 paths, 0.500 for each training image."
    assert plan.table("buckets").rows == ((1, "dense", "dense", 40, 3, 120), (2, "out", "out", 432, 5, 2160))
    assert plan.notes == ("Shared by all paths: `norm` (16 parameters).",)


def test_a_standard_generator_has_layers_and_no_buckets(painter: Painter):
    subject = describe_model(standard(painter), AnalysisContext(), "plain", weights="g.pt")
    assert "`plain` is a standard generator, `Painter`: a random vector of 4 numbers goes in" in subject.lead
    assert "trained" not in subject.lead and subject.cards == () and subject.base is None
    plan = subject.report("plan")
    assert plan is not None and [row[0] for row in plan.table("layers").rows] == ["dense", "norm", "out"]
    assert len(subject.samples) == 64 and dict(subject.facts)["Kind"] == "standard generator"
    assert dict(subject.facts)["Weights"] == "g.pt"


def test_pictures_are_those_of_the_paths_they_name(painter: Painter):
    model = wrap(painter, buckets=["dense", "out"], blocks=[3, 14])
    context = AnalysisContext(paths=((2, 7),))
    subject = describe_model(model, context, "m")
    assert subject.base is not None and subject.base.label == "2-7"
    assert torch.equal(pixels(subject.base), images(model, torch.tensor([[2, 7]]))[0])
    assert [tile.label for tile in subject.cards[0].tiles] == ["0", "1"]
    assert len(subject.cards[1].tiles) == 10 and "7" not in [tile.label for tile in subject.cards[1].tiles]
    for bucket, card in enumerate(subject.cards):
        for tile in card.tiles:
            path = torch.tensor([[2, 7]])
            path[0, bucket] = int(tile.label)
            assert torch.equal(pixels(tile), images(model, path)[0])
    drawn = model.draw(64, torch.Generator().manual_seed(0))
    assert torch.equal(torch.stack([pixels(tile) for tile in subject.samples]), images(model, drawn))


def test_the_path_is_that_of_the_analyzer_variations(painter: Painter):
    model, context = wrap(painter, buckets=2, blocks=9), AnalysisContext(seed=4)
    subject = describe_model(model, context, "m")
    assert subject.base is not None
    assert [figure.name for figure in Variations().analyze(model, context).figures] == [subject.base.label]


def test_the_model_and_chance_are_left_as_they_were(painter: Painter):
    model = wrap(painter, buckets=2, blocks=2)
    model.train()
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    describe_model(model, AnalysisContext(), "m")
    assert model.training and torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_large_pictures_are_made_smaller_and_signals_are_drawn():
    large = describe_model(standard(Painter(130)), AnalysisContext(), "large")
    assert tuple(pixels(large.samples[0]).shape) == (3, 96, 96)
    signals = standard(nn.Sequential(nn.Linear(4, 50), nn.Unflatten(1, (1, 50))), latent="4")
    drawn = describe_model(signals, AnalysisContext(), "signals")
    assert pixels(drawn.samples[0]).shape[0] == 1 and dict(drawn.facts)["Image"] == "1×50"


def test_a_bucket_of_fixed_inputs_and_a_bucket_of_one_block_are_cards_too(painter: Painter):
    model = convert(painter, buckets=["dense", "out"], blocks=[1, 2], num_Z=3).model
    subject = describe_model(model, AnalysisContext(), "m")
    assert [(card.name, card.num_blocks, card.num_parameters, len(card.tiles)) for card in subject.cards] == [
        ("Z", 3, 4, 2), ("dense", 1, 40, 0), ("out", 2, 432, 1)
    ]  # fmt: skip


def test_cards_say_what_the_first_report_of_the_page_found_of_each_bucket(painter: Painter):
    subject = describe_model(wrap(painter, buckets=2, blocks=2), AnalysisContext(), "m")
    found = {
        "zebra": ("z1", "z2"), "diversity": ("d1", "d2"), "responsibility": ("r1", "r2"), "variations": ("only one",)
    }  # fmt: skip
    reports = [Report(name, name, "", per_bucket=words) for name, words in found.items()]
    told = with_reports(subject, reports, ["a note"])
    assert [card.words for card in told.cards] == [("r1",), ("r2",)]
    assert [report.name for report in told.reports] == ["plan", *found] and told.notes == ("a note",)
    assert [card.words for card in with_reports(subject, reports[:1]).cards] == [("z1",), ("z2",)]
    assert [card.words for card in with_reports(subject, ()).cards] == [(), ()]


@pytest.mark.parametrize(
    ("name", "key"), [("runs/first", "runs-first"), ("größe 2", "gr-e-2"), ("…", "model"), ("a.b_c", "a.b_c")]
)
def test_a_key_is_fit_for_a_files_name(name: str, key: str):
    assert key_of(name) == key
    assert Subject(name, key).key == key
