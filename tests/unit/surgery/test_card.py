"""The model card: front matter that the hub reads, and what the model is."""

from __future__ import annotations

import json

import pytest
import torch

import rpganify
from rpganify.errors import PlanError
from rpganify.surgery.card import CardFacts, card_config, front_matter, model_card
from tests.unit.conversion.converted import model_copy
from tests.unit.surgery.models import converted

hub = pytest.importorskip("huggingface_hub", reason="the hub's own reader of cards is not installed")

FACTS = CardFacts(
    "rpgan-digits",
    licence="apache-2.0",
    authors="A. Author",
    data="mnist",
    settings={"steps": 10, "loss": "hinge", "quiet": None},
    metrics=[("Fréchet distance, pixels, after step 10", 12.345678)],
    files={"random paths": "samples.png"},
)


def test_the_hubs_own_reader_finds_the_front_matter() -> None:
    data = hub.ModelCard(model_card(converted(), FACTS)).data.to_dict()
    assert data == {
        "library_name": "rpganify",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["gan", "random-path-gan", "image-generation"],
        "license": "apache-2.0",
        "datasets": ["mnist"],
    }


def test_the_card_tells_what_the_model_is_and_how_to_use_it() -> None:
    model = rpganify.grow(converted((3, 2, 2)), (1, 0, 0), init="copy")
    text = model_card(model, FACTS)
    assert "3 buckets, 16 paths" in text and "| 1 | l1 | l1 | 4 |" in text and "Shared by all paths: norm." in text
    assert 'rpganify.load("rpgan-digits")' in text and "![random paths](samples.png)" in text
    assert "| steps | 10 |" in text and "quiet" not in text
    assert "| Fréchet distance, pixels, after step 10 | 12.35 |" in text
    assert "1. grow" in text and "By A. Author." in text


def test_what_is_not_known_is_left_out_and_a_missing_licence_is_said() -> None:
    text = model_card(converted(), CardFacts("m"))
    for heading in ("## Training", "## Quality", "## What was done", "license:", "datasets:", "!["):
        assert heading not in text
    assert "No licence is given" in text


def test_a_conditional_model_says_what_else_it_takes() -> None:
    model = model_copy("ClassLabels", 2, "eval")
    text = model_card(model, CardFacts("m"))
    assert "conditional" in front_matter(model, CardFacts("m"))
    assert f"It takes {model.conditions[0].name} besides a path" in text


def test_text_from_elsewhere_breaks_no_table() -> None:
    text = model_card(converted(), CardFacts("m", settings={"a|b": "x\n| y | `z` <b>"}))
    assert r"| a\|b | x \| y \| \`z\` \<b\> |" in text


def test_the_config_is_plain_data_about_the_model() -> None:
    config = json.loads(json.dumps(card_config(converted((3, 2, 2)), FACTS)))
    assert config["model_type"] == "random-path-generator" and config["num_paths"] == 12
    assert config["buckets"][0] == {"name": "l1", "layers": ["l1"], "num_blocks": 3}
    assert config["num_parameters"] == sum(p.numel() for p in converted((3, 2, 2)).parameters())
    assert torch.Size(config["image_shape"]) == (1, 8, 8)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a/b", 'x"y'])
def test_a_name_that_the_hub_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match=r"is no name for a model card.*--name chooses"):
        CardFacts(name)
