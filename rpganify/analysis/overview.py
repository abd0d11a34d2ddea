"""A model at a glance: what it is in words and facts, images of it, and what each bucket's other blocks make of one."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.generation import ImageMaker, evaluating, to_uint8
from rpganify.analysis.variations.analyzer import choose_variations
from rpganify.data.display import as_pictures
from rpganify.report.contents import rank_of
from rpganify.report.page import format_cell
from rpganify.report.report import Cell, Column, Report, Table
from rpganify.report.subject import BucketCard, Subject, Tile
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator

NUM_SAMPLES = 64
MAX_OTHERS = 10
MAX_TILE = 96  # pixels; larger images would make the page heavy, and are in the figures

PLAN_DEFINITION = """
A bucket is a set of layers that share one choice: each of its blocks is a full copy of those layers' parameters, and a path
chooses one block per bucket. Cardinality is the number of paths, the product of the buckets' blocks. Coverage is that number
divided by the number of training images (RPGAN, table 1): well below 1, the generator cannot tell all images apart.
"""
LAYERS_DEFINITION = """
The layers of the generator that have parameters, in the order in which they run, as they were found when it was recorded.
"""


@dataclass(frozen=True, slots=True)
class Training:
    """What is known of a model's training.

    Args:
        step: generator steps done.
        data: name of the data set.
        num_images: in it; None if that is not known.
    """

    step: int
    data: str
    num_images: int | None


def describe_model(
    model: RandomPathGenerator | StandardGenerator,
    context: AnalysisContext,
    name: str,
    training: Training | None = None,
    weights: str = "",
) -> Subject:
    """The model as the subject of a page, with one report, `plan`.

    Args:
        model: converted or standard; left as it was.
        context: its seed draws samples and path; the path is that of the analyzer `variations`.
        name: of the model.
        training: if it was trained in a run.
        weights: which weights these are, in words, if there was a choice.
    """
    with evaluating(model, context.seed):
        maker = ImageMaker(cast(PathModel, model), context)
        chance = torch.Generator().manual_seed(context.seed)
        samples = _tiles(maker.values(model.draw(NUM_SAMPLES, chance)))
        subject = Subject(name, key_of(name), samples=samples)
        if isinstance(model, StandardGenerator):
            facts = (("Kind", "standard generator"), *_common_facts(model, training, weights))
            lead = _standard_lead(model, name, training)
            return replace(subject, lead=lead, facts=facts, reports=(_layers_report(model),))
        base, cards = _cards(model, maker, context)
    coverage = model.paths.coverage(training.num_images) if training and training.num_images else None
    facts = (
        ("Buckets × blocks", _blocks(model.paths.num_blocks)),
        ("Paths", format_cell(model.paths.cardinality)),
        *((("Coverage", f"{format_cell(coverage)} per image"),) if coverage is not None else ()),
        *_common_facts(model, training, weights),
    )
    lead = _path_lead(model, name, training)
    return replace(subject, lead=lead, facts=facts, base=base, cards=cards, reports=(_plan_report(model, coverage),))


def with_reports(subject: Subject, reports: Sequence[Report], notes: Sequence[str] = ()) -> Subject:
    """The subject with further reports; its cards say what the page's first report that speaks of each bucket found."""
    ordered = sorted(reports, key=lambda report: rank_of(report.name))
    words = next((report.per_bucket for report in ordered if len(report.per_bucket) == len(subject.cards)), ())
    cards = subject.cards
    if words and cards:
        cards = tuple(replace(card, words=(text,)) for card, text in zip(cards, words, strict=True))
    return replace(subject, cards=cards, reports=(*subject.reports, *reports), notes=(*subject.notes, *notes))


def key_of(name: str) -> str:
    """The name as part of a file's name and of a link."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "model"


def _cards(
    model: RandomPathGenerator, maker: ImageMaker, context: AnalysisContext
) -> tuple[Tile, tuple[BucketCard, ...]]:
    variation = choose_variations(model.paths, context, 1, MAX_OTHERS)[0]
    first, *others = _tiles(maker.values(variation.paths()))
    path = model.paths.format(variation.path)
    remaining = iter(others)
    cards = []
    for index, (bucket, blocks) in enumerate(zip(model.plan.buckets, variation.blocks, strict=True)):
        tiles = tuple(replace(next(remaining), label=str(block), told=f"block {block}") for block in blocks)
        parameters = _block_size(model, index)
        base_block = int(variation.path[index])
        cards.append(
            BucketCard(index + 1, bucket.name, bucket.layers, bucket.num_blocks, parameters, base_block, tiles)
        )
    return replace(first, label=path, told=f"The image of path {path}"), tuple(cards)


def _tiles(values: Tensor) -> tuple[Tile, ...]:
    return tuple(Tile(_png(image)) for image in to_uint8(as_pictures(values)))


def _png(image: Tensor) -> bytes:
    array = image.permute(1, 2, 0).numpy()  # (H, W, C)
    picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if max(picture.size) > MAX_TILE:
        picture.thumbnail((MAX_TILE, MAX_TILE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _path_lead(model: RandomPathGenerator, name: str, training: Training | None) -> str:
    space = model.paths
    made = f"`{name}` is a random path generator, made of {_source(model)}"
    sizes = [format_cell(blocks) for blocks in space.num_blocks]
    if len(set(sizes)) == 1:
        buckets = f"Its {space.num_buckets} buckets of {sizes[0]} blocks each make"
    else:
        buckets = f"Its {space.num_buckets} buckets, of {', '.join(sizes[:-1])} and {sizes[-1]} blocks, make"
    if space.num_buckets == 1:
        buckets = f"Its one bucket of {sizes[0]} blocks makes"
    return (
        f"{made}. {buckets} {format_cell(space.cardinality)} paths, and each path makes one image.{_trained(training)}"
    )


def _standard_lead(model: StandardGenerator, name: str, training: Training | None) -> str:
    shape = "×".join(str(size) for size in model.blueprint.latent.shape)
    return (
        f"`{name}` is a standard generator, {_source(model)}: a random vector of {shape} numbers goes in, "
        f"an image comes out. It has no buckets.{_trained(training)}"
    )


def _source(model: RandomPathGenerator | StandardGenerator) -> str:
    told = model.blueprint.provenance
    source, kind = told.get("source"), told.get("class") or model.blueprint.name
    return f"`{kind}`" if source in (None, kind) else f"`{kind}` of `{source}`"


def _trained(training: Training | None) -> str:
    if training is None:
        return ""
    of = f", {format_cell(training.num_images)} images" if training.num_images else ""
    steps = "step" if training.step == 1 else "steps"
    on = f" on {training.data}{of}" if training.data else ""
    return f" It was trained for {format_cell(training.step)} {steps}{on}."


def _blocks(num_blocks: Sequence[int]) -> str:
    if len(set(num_blocks)) == 1:
        return f"{len(num_blocks)} × {num_blocks[0]}"
    return ", ".join(str(blocks) for blocks in num_blocks)


def _common_facts(
    model: RandomPathGenerator | StandardGenerator, training: Training | None, weights: str
) -> tuple[tuple[str, str], ...]:
    shape = tuple(model.image_shape)
    colours = {1: "grey", 3: "colour"}
    image = "×".join(str(size) for size in shape)
    if len(shape) == 3 and shape[0] in colours:
        image = f"{shape[2]}×{shape[1]}, {colours[shape[0]]}"
    facts = [("Image", image), ("Parameters", format_cell(sum(p.numel() for p in model.parameters())))]
    facts += [("Weights", weights)] if weights else [("Steps", format_cell(training.step))] if training else []
    return tuple(facts)


def _plan_report(model: RandomPathGenerator, coverage: float | None) -> Report:
    sizes = {layer.name: layer.num_parameters for layer in model.blueprint.layers}
    rows: list[tuple[Cell, ...]] = []
    for number, bucket in enumerate(model.plan.buckets, 1):
        parameters = _block_size(model, number - 1)
        total = parameters * bucket.num_blocks
        rows.append((number, bucket.name, ", ".join(bucket.layers), parameters, bucket.num_blocks, total))
    columns = ("bucket", "name", "layers", "parameters per block", "blocks", "parameters")
    table = Table("buckets", "Buckets", tuple(Column(one) for one in columns), tuple(rows))
    shared = [f"`{name}` ({format_cell(sizes.get(name, 0))} parameters)" for name in model.plan.shared]
    notes = (f"Shared by all paths: {', '.join(shared)}.",) if shared else ()
    product = " × ".join(str(blocks) for blocks in model.paths.num_blocks)
    covers = f", {format_cell(coverage)} for each training image" if coverage is not None else ""
    return Report(
        "plan", "Plan and coverage", PLAN_DEFINITION, (table,), provenance=dict(model.blueprint.provenance), notes=notes,
        summary=f"{product} = {format_cell(model.paths.cardinality)} paths{covers}.",
    )  # fmt: skip


def _block_size(model: RandomPathGenerator, bucket: int) -> int:
    """Parameters of one block of a bucket."""
    values = sum(parameter.numel() for parameter in model.bucket_parameters(bucket).values())
    return values // model.paths.num_blocks[bucket]


def _layers_report(model: StandardGenerator) -> Report:
    rows: list[tuple[Cell, ...]] = [
        (layer.name or "(itself)", layer.kind, layer.num_parameters, "×".join(str(n) for n in layer.output_shape[1:]))
        for layer in model.blueprint.layers
    ]
    columns = tuple(Column(one) for one in ("layer", "kind", "parameters", "output"))
    table = Table("layers", "Layers", columns, tuple(rows))
    return Report("plan", "Plan and coverage", LAYERS_DEFINITION, (table,), provenance=dict(model.blueprint.provenance))
