"""Generator -> converted generator: trace, plan, replicate, rewrite, verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from rpganify.conversion.building import build_random_path_generator, build_standard_generator
from rpganify.conversion.dependence import find_block_dependence, find_ties, find_unroutable
from rpganify.conversion.inputs import Example
from rpganify.conversion.layering import make_blueprint
from rpganify.conversion.planning import CONTAINERS, DEFAULT_BLOCKS, Stage, make_plan, natural_stages
from rpganify.conversion.probing import find_example
from rpganify.conversion.replication import fill_blocks, fill_tensors, find_replication, source_tensors
from rpganify.conversion.tracing import Trace, TraceOptions, trace
from rpganify.conversion.verification import GradientError, Verification, verify_recording, verify_routing
from rpganify.errors import PlanError, closest
from rpganify.plan import FIXED_INPUT, BucketSpec, NormMode, Plan
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator


@dataclass(frozen=True, slots=True)
class Inspection:
    """A traced generator, before any plan.

    Args:
        blueprint: its graphs, layers and tensors.
        source: its tensors by name, detached.
        containers: names of its Sequentials and ModuleLists.
        example: the inputs that it was traced with.
        verification: how the graph compares with the generator.
    """

    blueprint: Blueprint
    source: Mapping[str, Tensor]
    containers: frozenset[str]
    example: Example
    verification: Verification

    def stages(self, norm: NormMode = "shared") -> list[Stage]:
        """The generator's natural stages."""
        fixed = find_unroutable(self.blueprint)
        movable = [layer for layer in self.blueprint.layers if layer.name not in fixed]
        return natural_stages(movable, self.containers, norm, find_ties(self.blueprint))

    def plan(
        self,
        buckets: int | Sequence[str] | None = None,
        blocks: int | Sequence[int] = DEFAULT_BLOCKS,
        norm: NormMode = "shared",
        init: str = "fresh",
        num_Z: int = 1,
    ) -> Plan:
        """The plan that a conversion with these options would follow.

        Args:
            buckets, blocks, norm, init: see `planning.make_plan`.
            num_Z: how many fixed inputs; several are the first bucket, called `Z`, before those that `buckets` names.
        Raises:
            PlanError: see `planning.make_plan`; or there is no Z.
        """
        if not isinstance(num_Z, int) or isinstance(num_Z, bool) or num_Z < 1:
            raise PlanError(f"num_Z={num_Z!r} is no number of fixed inputs; 1 is usual, several become a bucket.")
        ties, fixed = find_ties(self.blueprint), find_unroutable(self.blueprint)
        plan = make_plan(self.blueprint.layers, self.containers, buckets, blocks, norm, init, ties, fixed)
        if num_Z == 1:
            return plan
        return replace(plan, buckets=(BucketSpec(FIXED_INPUT, (FIXED_INPUT,), num_Z), *plan.buckets))


@dataclass(frozen=True, slots=True)
class Conversion:
    """A converted generator and what was found on the way.

    Args:
        model: the converted generator.
        verification: its proof.
        notes: what a user should know.
    """

    model: RandomPathGenerator
    verification: Verification
    notes: tuple[str, ...]


def inspect_generator(
    generator: nn.Module,
    latent: str | None = None,
    example_inputs: Mapping[str, Any] | None = None,
    image: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    freeze_noise: bool = False,
) -> Inspection:
    """Traces a generator and verifies the graph; the generator is neither run nor changed, copies of it are.

    Args:
        generator: any module whose forward makes images.
        latent: name and/or shape of the latent: `z`, `z:128`, `100x1x1`; None finds it.
        example_inputs: argument of forward -> example. Tensors become inputs, whose first axis is the batch;
            everything else is bound as a constant.
        image: where in the output the images are (`[1]`, `['fake']`); None finds them.
        image_shape: of one image, for generators that return them flat.
        freeze_noise: noise that forward draws is drawn now, once, and the same for every sample and call.
    Raises:
        ConversionError: it cannot be traced; the message says where and what helps.
    """
    example = find_example(generator, latent, example_inputs)
    options = TraceOptions(freezes_noise=freeze_noise)
    traced = trace(generator, example, options)
    try:
        return _proved(generator, traced, example, image, image_shape, freeze_noise)
    except GradientError:
        if not traced.custom_functions:
            raise
        # A backward that is not the derivative of its forward (gradient reversal, straight-through): keep it as a call.
        traced = trace(generator, example, replace(options, keeps_functions=True))
        return _proved(generator, traced, example, image, image_shape, freeze_noise)


def _proved(
    generator: nn.Module,
    traced: Trace,
    example: Example,
    image: str | None,
    image_shape: tuple[int, ...] | None,
    freeze_noise: bool,
) -> Inspection:
    blueprint = make_blueprint(generator, traced, example, image, image_shape)
    source = source_tensors(generator, traced.constants, blueprint)
    containers = frozenset(name for name, module in generator.named_modules() if type(module).__name__ in CONTAINERS)
    verification = verify_recording(generator, blueprint, source, example, has_other_noise=freeze_noise)
    return Inspection(blueprint, source, containers, example, verification)


def convert(
    generator: nn.Module,
    *,
    buckets: int | Sequence[str] | None = None,
    blocks: int | Sequence[int] = DEFAULT_BLOCKS,
    norm: NormMode = "shared",
    init: str = "fresh",
    latent: str | None = None,
    example_inputs: Mapping[str, Any] | None = None,
    image: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    freeze_noise: bool = False,
    num_Z: int = 1,
    plan: Plan | None = None,
    factory: Callable[[int], nn.Module] | None = None,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> Conversion:
    """Converts a generator into a random path generator, verifies it, and leaves the generator alone.

    Args:
        generator: becomes block 0 of every bucket.
        buckets, blocks, norm, num_Z: see `Inspection.plan`.
        init: how the other blocks are born: "fresh", "copy", "jitter", or a plugin's; see `replication.fill_blocks`.
        latent, example_inputs, image, image_shape, freeze_noise: see `inspect_generator`.
        plan: a finished plan, in place of `buckets`, `blocks`, `norm`, `init` and `num_Z`.
        factory: seed -> a new generator, for fresh blocks.
        seed: of the blocks and of `Z`.
        provenance: what to write into the model about its source; plain JSON data.
    Raises:
        PlanError, ConversionError: see there.
        RegistryError: no replication has the name `init`.
    """
    find_replication(plan.init if plan else init)  # a name that is wrong is refused before the generator is traced
    inspection = inspect_generator(generator, latent, example_inputs, image, image_shape, freeze_noise)
    return convert_inspected(
        generator,
        inspection,
        plan or inspection.plan(buckets, blocks, norm, init, num_Z),
        factory=factory,
        seed=seed,
        provenance=provenance,
    )


def convert_inspected(
    generator: nn.Module,
    inspection: Inspection,
    plan: Plan,
    *,
    factory: Callable[[int], nn.Module] | None = None,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> Conversion:
    """The second half of `convert`: replicate, rewrite, verify."""
    _check_plan(plan, inspection.blueprint)
    replication = find_replication(plan.init)
    notes = tuple(inspection.blueprint.provenance.get("notes", ()))
    blueprint = replace(
        inspection.blueprint.with_plan(plan),
        provenance={**inspection.blueprint.provenance, **(provenance or {}), "seed": seed},
    )
    model = build_random_path_generator(blueprint)
    stacked = find_block_dependence(blueprint, plan).tensors
    fill_blocks(model, inspection.source, stacked, replication, factory, seed)
    difference = verify_routing(generator, model, inspection.example)
    return Conversion(model, replace(inspection.verification, batch_difference=difference), notes)


def _check_plan(plan: Plan, blueprint: Blueprint) -> None:
    known = [FIXED_INPUT, *(layer.name for layer in blueprint.layers)]
    for bucket in plan.buckets:
        for layer in bucket.layers:
            if layer not in known:
                raise PlanError(
                    f"The plan's bucket {bucket.name!r} names a layer {layer!r} that this generator does not have."
                    f"{closest(layer, known)}"
                )


def wrap(
    model: nn.Module,
    buckets: int | Sequence[str] | None = None,
    blocks: int | Sequence[int] = DEFAULT_BLOCKS,
    *,
    init: str = "fresh",
    norm: NormMode = "shared",
    latent: str | None = None,
    example_inputs: Mapping[str, Any] | None = None,
    image: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    freeze_noise: bool = False,
    num_Z: int = 1,
    factory: Callable[[int], nn.Module] | None = None,
    seed: int = 0,
) -> RandomPathGenerator:
    """Converts a generator into a random path generator; the generator stays as it is.

    Args:
        model: any `nn.Module` that maps a latent to images.
        buckets: None for the generator's natural stages; a number; or one selection of layers per bucket, each a name,
            a glob, `re:…`, `type:…`, `first..last`, `stage:2`, or several of these joined by commas.
        blocks: blocks per bucket, one number for all or one each.
        init: "fresh", the author's initialisation run again (needs `factory`; without one the given values are
            permuted within each tensor); "copy"; "jitter", copies with normal noise of 0.1 std; or the name of a
            plugin's replication (`rpganify plugins`).
        norm: "shared", all paths share the norm layers; "per-block", every block has its own.
        latent: `z`, `z:128` or `100x1x1`, where it cannot be found.
        example_inputs: argument of forward -> example; tensors become inputs (first axis: the batch), other values are
            bound as constants.
        image: where in the output the images are, `[1]` or `['fake']`.
        image_shape: of one image, where the generator returns them flat.
        freeze_noise: noise that forward draws is drawn once, the same for every sample and call.
        num_Z: how many fixed inputs Z; several are a bucket of their own, the first of the path, called `Z`.
        factory: seed -> a newly built generator.
        seed: of the blocks and of `Z`.
    Raises:
        PlanError: the buckets or blocks do not fit this generator.
        RegistryError: no replication has the name `init`.
        ConversionError: it cannot be converted, or the result does not equal it; the message says where and what helps.

    Example:
        rp = rpganify.wrap(generator, buckets=5, blocks=40)
        images = rp(rp.paths.sample(64))
    """
    return convert(
        model, buckets=buckets, blocks=blocks, init=init, norm=norm, latent=latent, example_inputs=example_inputs,
        image=image, image_shape=image_shape, freeze_noise=freeze_noise, num_Z=num_Z, factory=factory, seed=seed,
    ).model  # fmt: skip


def standard(
    model: nn.Module,
    *,
    latent: str | None = None,
    example_inputs: Mapping[str, Any] | None = None,
    image: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    freeze_noise: bool = False,
) -> StandardGenerator:
    """The plain generator with the interface of a converted one, for trainings and comparisons; a copy.

    Args and errors as `wrap`.
    """
    inspection = inspect_generator(model, latent, example_inputs, image, image_shape, freeze_noise)
    plain = build_standard_generator(inspection.blueprint)
    fill_tensors(plain, inspection.source)
    return plain
