"""Blueprint -> converted generator: routed layers for the layers of a bucket, everything else as it was.

The pass is a pure function of the blueprint, so a model file holds the plain graph and the plan, and opening it
runs this pass again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from rpganify.conversion.dependence import find_block_dependence
from rpganify.conversion.known import build_layer
from rpganify.conversion.rewriting import Rewriter
from rpganify.plan import FIXED_INPUT
from rpganify.routing.blueprint import Blueprint, TensorSpec
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.program import LatentPrograms, Program, RoutedProgram


def build_random_path_generator(blueprint: Blueprint) -> RandomPathGenerator:
    """The converted generator with memory for its tensors, which are not filled.

    Raises:
        PlanError: parameters of two buckets meet before they meet a sample, or are one tensor.
        ConversionError: an operation on a bucket's parameters cannot be run per block.
    """
    plan = blueprint.plan
    assert plan is not None
    dependence = find_block_dependence(blueprint, plan)
    tensors = _build_tensors(blueprint, dependence.tensors)
    programs: list[RoutedProgram] = []
    for mode, graph in zip(("eval", "train"), blueprint.graphs(), strict=False):
        holder = nn.Module()
        programs.append(RoutedProgram(Rewriter(blueprint, plan, graph, dependence, f"routed_{mode}", holder).rewrite()))
        if holder._modules:
            tensors.add_module(f"routed_{mode}", holder)
    return RandomPathGenerator(blueprint, programs[0], programs[-1], tensors, build_latent_programs)


def build_latent_programs(blueprint: Blueprint) -> LatentPrograms:
    """The programs of a converted generator that take latents of their own, one per sample, in the place of Z."""
    plan = blueprint.plan
    assert plan is not None
    dependence = find_block_dependence(blueprint, plan)
    calls: dict[str, nn.Module] = {}
    programs: list[RoutedProgram] = []
    for mode, graph in zip(("eval", "train"), blueprint.graphs(), strict=False):
        name, holder = f"latent_{mode}", nn.Module()
        rewriter = Rewriter(blueprint, plan, graph, dependence, name, holder, takes_latents=True)
        programs.append(RoutedProgram(rewriter.rewrite()))
        calls[name] = holder
    return LatentPrograms(programs[0], programs[-1], calls)


def model_tensors(blueprint: Blueprint) -> dict[str, TensorSpec]:
    """Every tensor of the model that a blueprint describes, with the shape it has there.

    Raises:
        PlanError, ConversionError: as `build_random_path_generator`.
    """
    if blueprint.plan is None:
        return dict(blueprint.tensors)
    stacked = find_block_dependence(blueprint, blueprint.plan).tensors
    blocks = blueprint.plan.num_blocks
    tensors = {
        name: replace(spec, shape=(blocks[stacked[name]], *spec.shape)) if name in stacked else spec
        for name, spec in blueprint.tensors.items()
    }
    latent = blueprint.latent
    num_Z = blocks[stacked[FIXED_INPUT]] if FIXED_INPUT in stacked else 1
    return {**tensors, FIXED_INPUT: TensorSpec("parameter", (num_Z, *latent.shape), latent.dtype, True)}


def actual_blueprint(model: RandomPathGenerator | StandardGenerator) -> Blueprint:
    """The model's blueprint with the types that its tensors have by now (`model.double()`)."""
    actual = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    tensors = {name: replace(spec, dtype=actual[name].dtype) for name, spec in model.blueprint.tensors.items()}
    inputs = model.blueprint.inputs
    if "Z" in actual:
        inputs = tuple(replace(spec, dtype=actual["Z"].dtype) if spec.is_latent else spec for spec in inputs)
    return replace(model.blueprint, tensors=tensors, inputs=inputs)


def build_standard_generator(blueprint: Blueprint) -> StandardGenerator:
    """The plain generator with memory for its tensors, which are not filled."""
    programs = [Program(graph) for graph in blueprint.graphs()]
    return StandardGenerator(blueprint, programs[0], programs[-1], _build_tensors(blueprint, {}))


def _build_tensors(blueprint: Blueprint, stacked: Mapping[str, int]) -> nn.Module:
    """A tree of modules with the generator's tensors under their own names; nothing is filled."""
    root = nn.Module()
    made: dict[str, Tensor] = {}
    for name, spec in blueprint.tensors.items():
        shape = (
            (blueprint.plan.buckets[stacked[name]].num_blocks, *spec.shape)
            if name in stacked and blueprint.plan
            else spec.shape
        )
        tensor = torch.empty(shape, dtype=spec.dtype)
        made[name] = nn.Parameter(tensor, requires_grad=spec.is_trainable) if spec.role == "parameter" else tensor
    first = {**{name: name for name in made}, **blueprint.aliases}
    for layer_name, config in blueprint.layer_configs.items():
        plain = build_layer(config)
        local = {n: made[first[f"{layer_name}.{n}"]] for n, _ in [*plain.named_parameters(), *plain.named_buffers()]}
        bucket = next(
            (stacked[first[f"{layer_name}.{n}"]] for n in local if first[f"{layer_name}.{n}"] in stacked), None
        )
        if bucket is None or blueprint.plan is None:
            for name, tensor in local.items():
                parent, own_name = plain.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
                if isinstance(tensor, nn.Parameter):
                    parent._parameters[own_name] = tensor
                else:
                    parent._buffers[own_name] = tensor
            layer: nn.Module = plain
        else:
            layer = RoutedLayer(config, blueprint.plan.buckets[bucket].num_blocks, local)
        _place(root, layer_name, layer)
    for name, tensor in made.items():
        parent = _parent(root, name)
        local_name = name.rpartition(".")[2]
        if local_name in parent._parameters or local_name in parent._buffers:
            continue
        if isinstance(tensor, nn.Parameter):
            parent.register_parameter(local_name, tensor)
        else:
            parent.register_buffer(local_name, tensor, persistent=blueprint.tensors[name].role == "buffer")
    return root


def _parent(root: nn.Module, name: str) -> nn.Module:
    """The module that holds `name`, made of empty modules where missing."""
    module = root
    for part in name.split(".")[:-1]:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module._modules[part]  # type: ignore[assignment]
    return module


def _place(root: nn.Module, name: str, module: nn.Module) -> None:
    _parent(root, name)._modules[name.rpartition(".")[2]] = module
