"""A folder in the layout of the Hugging Face hub: the model, what it is, and how to use it. Sends nothing anywhere."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rpganify.errors import PlanError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import history

_HEADINGS = "bucket | name | layers | blocks"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card tells beside what the model itself knows.

    Args:
        name: of the model, `rpgan-digits`.
        licence: identifier as the hub has them, such as `apache-2.0`; empty leaves it open, and the card says so.
        authors: who made it; empty leaves the line out.
        data: name of the data set that it was trained on; empty if it is not known.
        settings: of the training, by name.
        metrics: measured numbers with what is measured, which says how.
        files: further files of the folder that the card shows: text -> file name.
    """

    name: str
    licence: str = ""
    authors: str = ""
    data: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[tuple[str, float]] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}", self.name):
            raise PlanError(
                f"{self.name!r} is no name for a model card: letters, digits, '-', '_' and '.' are, 96 at most. --name chooses "
                "one."
            )


def front_matter(model: RandomPathGenerator, facts: CardFacts) -> str:
    """The card's YAML head, between lines of `---`; values are written as JSON, which YAML reads."""
    entries: dict[str, Any] = {
        "library_name": "rpganify",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["gan", "random-path-gan", "image-generation"],
    }
    if model.conditions:
        entries["tags"].append("conditional")
    if facts.licence:
        entries["license"] = facts.licence
    if facts.data:
        entries["datasets"] = [facts.data]
    return (
        "---\n"
        + "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in entries.items())
        + "---\n"
    )


def model_card(model: RandomPathGenerator, facts: CardFacts) -> str:
    """`README.md` of the folder, with its front matter: what the model is, its buckets, its training, how to use it."""
    parts = [front_matter(model, facts), f"# {facts.name}\n", _intro(model, facts)]
    parts += [f"![{_plain(text)}]({file})\n" for text, file in facts.files.items()]
    parts += [
        _buckets(model),
        _usage(model, facts),
        _training(facts),
        _metrics(facts),
        _surgery(model),
        _limits(model, facts),
    ]
    return "\n".join(part for part in parts if part)


def card_config(model: RandomPathGenerator, facts: CardFacts) -> dict[str, Any]:
    """`config.json` of the folder: plain data about the model."""
    told = model.blueprint.provenance
    return {
        "library_name": "rpganify",
        "model_type": "random-path-generator",
        "generator": model.blueprint.name,
        "architecture": told.get("architecture"),
        "image_shape": list(model.image_shape),
        "latent_shape": list(model.blueprint.latent.shape),
        "buckets": [
            {"name": bucket.name, "layers": list(bucket.layers), "num_blocks": bucket.num_blocks}
            for bucket in model.plan.buckets
        ],
        "norm": model.plan.norm,
        "num_paths": model.paths.cardinality,
        "num_parameters": _num_parameters(model),
        "conditions": [condition.name for condition in model.conditions],
        "data": facts.data or None,
        "training": dict(facts.settings),
        "surgery": history(model),
    }


def _intro(model: RandomPathGenerator, facts: CardFacts) -> str:
    size = " × ".join(str(number) for number in model.image_shape)
    who = f" By {_plain(facts.authors)}." if facts.authors else ""
    data = f", trained on {_plain(facts.data)}" if facts.data else ""
    return (
        f"A random path GAN: `{model.blueprint.name}`, converted by rpganify{data}. It makes images of {size} (channels, "
        "height, width). Its input is no random vector but a path, one block of each bucket: "
        f"{model.plan.num_buckets} buckets, {model.paths.cardinality:,} paths, {_num_parameters(model):,} parameters.{who}\n"
    )


def _buckets(model: RandomPathGenerator) -> str:
    rows = [
        f"| {index} | {_plain(bucket.name)} | {_plain(', '.join(bucket.layers))} | {bucket.num_blocks} |"
        for index, bucket in enumerate(model.plan.buckets, 1)
    ]
    shared = f"\nShared by all paths: {_plain(', '.join(model.plan.shared))}.\n" if model.plan.shared else ""
    return "\n".join(["## Buckets\n", f"| {_HEADINGS} |", "| --: | --- | --- | --: |", *rows]) + "\n" + shared


def _usage(model: RandomPathGenerator, facts: CardFacts) -> str:
    bucket = model.plan.num_buckets // 2
    return f"""## Use

    pip install rpganify

    import rpganify, torch
    rp = rpganify.load("{facts.name}")                  # this folder, downloaded; runs no code that came with it
    paths = rp.paths.sample(64, generator=torch.Generator().manual_seed(0))
    images = rp.images(paths)                           # about -1 to 1
    rp.images(rp.paths.vary(paths[0], bucket={bucket}))        # every block of bucket {bucket + 1}, all others frozen

`rpganify sample {facts.name} -n 64 -o grid.png` draws a picture, `rpganify extract` writes one path as weights for the
original class.
"""


def _training(facts: CardFacts) -> str:
    if not facts.settings:
        return ""
    rows = [
        f"| {_plain(name)} | {_plain(value)} |" for name, value in facts.settings.items() if value not in (None, "", {})
    ]
    return "\n".join(["## Training\n", "| setting | value |", "| --- | --- |", *rows]) + "\n"


def _metrics(facts: CardFacts) -> str:
    if not facts.metrics:
        return ""
    rows = [f"| {_plain(what)} | {value:.4g} |" for what, value in facts.metrics]
    note = "\nNumbers compare only at equal image counts, feature extractor, resizing and split.\n"
    return "\n".join(["## Quality\n", "| measured | value |", "| --- | --: |", *rows]) + "\n" + note


def _surgery(model: RandomPathGenerator) -> str:
    done = history(model)
    if not done:
        return ""
    lines = [f"{number}. {_plain(record.get('operation', ''))}" for number, record in enumerate(done, 1)]
    return "\n".join(["## What was done to it after its conversion\n", *lines, "", "Details are in `config.json`.", ""])


def _limits(model: RandomPathGenerator, facts: CardFacts) -> str:
    lines = ["## Limits\n"]
    if not facts.licence:
        lines.append("- No licence is given: ask its authors before you use it.")
    data = f"that of {_plain(facts.data)}" if facts.data else "of its training data, which the model does not tell"
    lines.append(f"- Its images show what is in its training data, {data}; so do their gaps and biases.")
    if model.conditions:
        names = ", ".join(condition.name for condition in model.conditions)
        lines.append(f"- It takes {_plain(names)} besides a path.")
    return "\n".join(lines) + "\n"


def _num_parameters(model: RandomPathGenerator) -> int:
    return sum(math.prod(parameter.shape) for parameter in model.parameters())


def _plain(value: object) -> str:
    """Text from elsewhere in a line or a cell of Markdown, as it is."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)
