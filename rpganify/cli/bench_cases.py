"""What `rpganify bench` measures: its own settings, a source with each number of blocks, or a converted model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from torch import nn

from rpganify.cli.files import source_name
from rpganify.cli.sources import SourceOptions, choose_plan
from rpganify.conversion.converting import Inspection, convert_inspected
from rpganify.errors import PlanError
from rpganify.modelfile import load_model
from rpganify.plan import NormMode, Plan
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator

_BATCH, _BLOCKS = 64, 40
# How blocks are born changes no time; noisy copies are made at once, and images tell which block was taken.
_BIRTH = "jitter"

BlockCount = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What cases the user asks for; None is no wish.

    Args:
        batch_sizes: a case each.
        blocks: a case each, one number for all buckets or one each.
        buckets: as `choose_plan` takes them.
        norm: what becomes of norm layers.
    """

    batch_sizes: Sequence[int] | None = None
    blocks: Sequence[BlockCount] | None = None
    buckets: int | Sequence[str] | None = None
    norm: NormMode | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A registered architecture with what it is measured with, if nothing else is asked.

    Args:
        arguments: `--arg` texts.
    """

    architecture: str
    arguments: tuple[str, ...]
    blocks: BlockCount
    batch_size: int


# Widths that a laptop trains, with the paper's blocks: 5 × 40 for CIFAR-10, its table 3 for the fully connected one.
BUILT_IN = (
    Setting("sngan32", ("channels=64",), _BLOCKS, _BATCH),
    Setting("dcgan32", (), _BLOCKS, _BATCH),
    Setting("mlp28", (), (32, 32, 32, 16, 16), 256),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A generator with its blocks.

    Args:
        name: for people.
        batch_sizes: a case each.
        architecture: the registered name that it was made from, if any.
        blueprint: of the generator.
        open: makes the converted generator, or hands over the one there is.
    """

    name: str
    batch_sizes: tuple[int, ...]
    architecture: str | None
    blueprint: Blueprint
    open: Callable[[], RandomPathGenerator]


def find_candidates(options: SourceOptions, wishes: Wishes, *, trusts_source: bool = False) -> list[Candidate]:
    """The generators to measure; sources are traced and plans checked, blocks are made when a candidate is opened.

    Args:
        options: of the source; its text is empty for the built-in settings.
        wishes: what cases.
        trusts_source: see `load_model`.
    Raises:
        typer.BadParameter: options that go with a source only.
        RpganifyError: it cannot be found, read, traced or planned so.
    """
    if not options.source:
        return _built_in(options, wishes)
    if Path(options.source).is_dir() or options.source.endswith(".rpgan"):
        return [_of_model(options, wishes, trusts_source)]
    return _of_source(options, wishes)


def _built_in(options: SourceOptions, wishes: Wishes) -> list[Candidate]:
    if options != SourceOptions("", seed=options.seed) or wishes.buckets is not None:
        raise typer.BadParameter(
            "Options such as --arg and --buckets belong to a SOURCE; name it: rpganify bench sngan32 --arg channels=64."
        )
    candidates = []
    for one in BUILT_IN:
        own = Wishes(wishes.batch_sizes or (one.batch_size,), wishes.blocks or (one.blocks,), None, wishes.norm)
        candidates += _of_source(SourceOptions(one.architecture, arguments=one.arguments, seed=options.seed), own)
    return candidates


def _of_source(options: SourceOptions, wishes: Wishes) -> list[Candidate]:
    source = options.load()
    generator = options.build(source)
    inspection = options.inspect(generator)
    plans = [
        choose_plan(
            inspection, source, buckets=wishes.buckets, blocks=blocks, norm=wishes.norm or "shared", init=_BIRTH
        )
        for blocks in wishes.blocks or (_BLOCKS,)
    ]
    return [
        Candidate(
            name=" ".join([source_name(source.origin), *(options.arguments or ())]),
            batch_sizes=tuple(wishes.batch_sizes or (_BATCH,)),
            architecture=source.architecture.name if source.architecture else None,
            blueprint=inspection.blueprint,
            open=partial(_converted, generator, inspection, plan, options.seed),
        )
        for plan in plans
    ]


def _converted(generator: nn.Module, inspection: Inspection, plan: Plan, seed: int) -> RandomPathGenerator:
    return convert_inspected(generator, inspection, plan, seed=seed).model


def _of_model(options: SourceOptions, wishes: Wishes, trusts_source: bool) -> Candidate:
    text = options.source
    model = load_model(text, trust_source=trusts_source)
    if not isinstance(model, RandomPathGenerator):
        raise PlanError(
            f"{text} is a standard generator without blocks. Convert its source, or bench the source itself."
        )
    if wishes.blocks is not None:
        counts = " ".join(str(count) for count in model.plan.num_blocks)
        raise PlanError(
            f"{text} has its blocks already ({counts}), and --blocks asks for others. Leave it out, or bench the source "
            "that the model was converted from."
        )
    if wishes.buckets is not None or wishes.norm is not None or options != SourceOptions(text, seed=options.seed):
        raise PlanError(
            f"{text} is converted already: options such as --arg, --buckets and --norm belong to a SOURCE. Leave them out, "
            "or bench the source that the model was converted from."
        )
    return Candidate(
        name=Path(text).stem,
        batch_sizes=tuple(wishes.batch_sizes or (_BATCH,)),
        architecture=model.blueprint.provenance.get("architecture"),
        blueprint=model.blueprint,
        open=lambda: model,
    )
