"""`rpganify card`: a model with its card, as a folder for the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.options import ConditionOption, ForceOption, ModelArgument, RawOption, SeedOption, TrustSourceOption

if TYPE_CHECKING:
    from typing import Any

_NUM_IMAGES = 64
_SETTINGS = (
    "steps", "batch_size", "loss", "generator_lr", "discriminator_lr", "betas", "d_steps", "diversity", "diversity_weight",
    "sampling", "ema", "only_new", "seed",
)  # fmt: skip


def card(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of the model; the folder's if left out.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--license", metavar="ID", help="The hub's identifier, such as apache-2.0 or cc-by-4.0.")
    ] = "",
    authors: Annotated[str, typer.Option("--authors", metavar="TEXT", help="Who made it.")] = "",
    condition: ConditionOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    force: ForceOption = False,
) -> None:
    """Write a model and its card as a folder.

    README.md with front matter, config.json, samples.png and the model itself: what the Hugging Face hub shows, and what
    `rpganify.load` opens. Nothing is sent: `hf upload USER/NAME DIR` does that.
    """
    import torch

    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import say, show
    from rpganify.cli.files import check_is_free, write_bytes, write_json
    from rpganify.cli.operations import open_converted
    from rpganify.cli.sample_files import write_samples
    from rpganify.data.display import is_picture
    from rpganify.modelfile import save_model
    from rpganify.surgery.card import CardFacts, card_config, model_card

    check_is_free(output, is_forced=force)
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw)
    told = _run_record(model)
    settings = told.get("settings", {})
    facts = CardFacts(
        name=name or output.resolve().name,
        licence=licence,
        authors=authors,
        data=str(told.get("facts", {}).get("data", "")).partition(",")[0],
        settings={key: settings[key] for key in _SETTINGS if settings.get(key) not in (None, False, "")},
        metrics=_newest_quality(model),
        files={"random paths": "samples.png"} if is_picture(opened.image_shape) else {},
    )
    conditions = {
        key: value.expand(_NUM_IMAGES, *value.shape)
        for key, value in read_conditions(condition, opened.conditions).items()
    }
    with torch.no_grad():
        images = opened.sample(_NUM_IMAGES, torch.Generator().manual_seed(seed), **conditions) if facts.files else None
    save_model(opened, output, overwrite=force)
    if images is not None:
        write_samples(images, output / "samples.png", (), "", rate=None, model=model)
    write_json(output / "config.json", card_config(opened, facts))
    write_bytes(output / "README.md", model_card(opened, facts).encode())
    show(str(output))
    if not licence:
        say("note: the card says that no licence is given; --license apache-2.0 gives one")
    say(f"nothing was sent; to publish it: hf upload USER/{facts.name} {output}")


def _run_record(model: Path) -> dict[str, Any]:
    """What a run's folder tells of its training, of whichever version; empty for a model that is no run."""
    import json

    try:
        content = json.loads((model / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_record = isinstance(content, dict) and all(isinstance(content.get(key), dict) for key in ("settings", "facts"))
    return content if is_record else {}


def _newest_quality(model: Path) -> list[tuple[str, float]]:
    """The last quality that a run's training measured, with what it is."""
    from rpganify.training.recording.json_lines import read_lines
    from rpganify.training.run import RunDirectory

    file = RunDirectory(model).quality
    rows = list(read_lines(file)) if file.is_file() else []
    return [(f"{rows[-1]['name']}, after step {rows[-1]['step']}", float(rows[-1]["value"]))] if rows else []
