"""Consecutive linear buckets multiplied into one: a block of it is the product of one block of each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, fx

from rpganify.conversion.building import actual_blueprint
from rpganify.conversion.replication import tensors_by_name
from rpganify.errors import ConversionError, PathError, PlanError
from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan
from rpganify.routing.blueprint import Blueprint, Layer, LayerConfig, TensorSpec
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.chain import Chain, find_chain
from rpganify.surgery.graphs import mapped_graphs, rebuilt, without_layers, written_anew
from rpganify.surgery.restack import NUM_OLD, SURGERY, history, stacked_tensors


def merge(
    model: RandomPathGenerator,
    buckets: Sequence[int],
    blocks: int | None = None,
    *,
    products: Tensor | Sequence[Sequence[int]] | None = None,
    seed: int = 0,
) -> RandomPathGenerator:
    """A new model in which one bucket of a single matrix stands for several linear ones that follow each other.

    Biases are multiplied through, and batch norms between the layers fold in with their running statistics, as they are in
    eval mode. Everything is computed in float64 and then rounded to the type that the model has.

    Args:
        model: not changed.
        buckets: two or more, consecutive, from 0.
        blocks: how many blocks the new bucket has, each the product of different random blocks.
        products: in place of `blocks`, the blocks to multiply: `(num_products, len(buckets))`.
        seed: of the random choice.
    Raises:
        PlanError: the buckets do not follow each other, or there are not so many products.
        PathError: no such block.
        ConversionError: something on the way is not linear, or the way forks; the message says what and where.
    Source:
        RPGAN, section 4.4.
    """
    buckets = _checked_buckets(model, buckets)
    chosen = _products(model, buckets, blocks, products, seed)
    blueprint = actual_blueprint(model)
    wanted = [layer for index in buckets for layer in model.plan.buckets[index].layers]
    chains = {id(graph): find_chain(graph, blueprint, wanted) for graph in blueprint.graphs()}
    chain = chains[id(blueprint.eval_graph)]
    _check_owners(model, buckets, chain)
    weight, bias = multiplied(model, chain.layers, dict(zip(buckets, chosen.T, strict=True)))
    name = _new_name(blueprint, chain)
    changed = mapped_graphs(blueprint, lambda graph: _shortened(graph, chains[id(graph)], name))
    dtype = blueprint.tensors[f"{chain.layers[0]}.weight"].dtype
    changed = _with_layer(without_layers(changed, chain.layers), blueprint, chain, name, weight, dtype)
    record = {
        "operation": "merge",
        "buckets": [model.plan.buckets[index].name for index in buckets],
        "first": buckets[0],
        "products": chosen.tolist(),
    }
    provenance = {key: value for key, value in blueprint.provenance.items() if key != NUM_OLD}
    changed = replace(
        changed.with_plan(_merged_plan(model.plan, buckets, chain, name, len(chosen))),
        provenance={**provenance, SURGERY: [*history(model), record]},
    )
    made = rebuilt(model, changed, {f"{name}.weight": weight, f"{name}.bias": bias})
    assert isinstance(made, RandomPathGenerator)
    return made


def multiplied(
    model: RandomPathGenerator, layers: Sequence[str], blocks: Mapping[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """The matrix and the bias that stand for layers one after the other, for each choice of blocks.

    Args:
        model: the layers are its linear ones and batch norms.
        layers: their names, in the order of the forward pass.
        blocks: bucket -> the block of each product, `(num_products,)`.
    Returns:
        float64 `(num_products, out, in)` and `(num_products, out)`, on the model's device.
    """
    tensors, stacked, configs = tensors_by_name(model), stacked_tensors(model), model.blueprint.layer_configs
    aliases = model.blueprint.aliases

    def of(name: str) -> Tensor | None:
        name = aliases.get(name, name)
        if name not in tensors:
            return None
        value = tensors[name].detach().double()
        return value[blocks[stacked[name]].to(value.device)] if name in stacked else value[None]

    matrix: Tensor | None = None
    offset = torch.zeros(1, 1, dtype=torch.float64)
    for layer in layers:
        weight, bias = of(f"{layer}.weight"), of(f"{layer}.bias")
        if configs[layer].kind == "Linear":
            assert weight is not None
            if matrix is None:
                matrix, offset = weight, weight.new_zeros(1, weight.shape[1])
            else:
                matrix, offset = weight @ matrix, (weight @ offset[..., None])[..., 0]
        else:
            mean, variance = of(f"{layer}.running_mean"), of(f"{layer}.running_var")
            assert mean is not None and variance is not None and matrix is not None
            scale = (variance + configs[layer].config["eps"]).rsqrt()
            scale = scale if weight is None else weight * scale
            matrix, offset = scale[..., None] * matrix, scale * (offset - mean)
        offset = offset if bias is None else offset + bias
    assert matrix is not None
    count = len(next(iter(blocks.values())))
    return matrix.expand(count, -1, -1).contiguous(), offset.expand(count, -1).contiguous()


def original_paths(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """The paths that a merged model's paths stand for in the model before: int64 `(N, num_buckets before)`.

    Raises:
        PathError: merging was not the last thing that was done to the model.
    """
    done = history(model)
    if not done or done[-1].get("operation") != "merge":
        raise PathError("Merging was not the last thing that was done to this model, so its paths stand for no others.")
    first, products = int(done[-1]["first"]), torch.tensor(done[-1]["products"])
    paths = model.paths.check(paths).cpu()
    return torch.cat([paths[:, :first], products[paths[:, first]], paths[:, first + 1 :]], dim=1)


def _checked_buckets(model: RandomPathGenerator, buckets: Sequence[int]) -> list[int]:
    given, count = sorted(set(buckets)), model.plan.num_buckets
    people = ", ".join(str(index + 1) for index in buckets)
    if len(given) < 2 or len(given) != len(buckets) or given != list(range(given[0], given[-1] + 1)):
        raise PlanError(
            f"Buckets {people or 'none'} cannot be merged: two or more that follow each other can, such as 2-3."
        )
    if given[0] < 0 or given[-1] >= count:
        raise PlanError(f"Buckets {people} are not all there: this model has buckets 1 to {count}. Name some of them.")
    return given


def _check_owners(model: RandomPathGenerator, buckets: Sequence[int], chain: Chain) -> None:
    """Refuses a chain with a layer of another bucket, or whose tensors are used elsewhere."""
    for layer in chain.layers:
        owner = model.plan.bucket_of(layer)
        if owner is not None and owner not in buckets:
            raise ConversionError(
                f"{layer} lies between {chain.layers[0]} and {chain.layers[-1]} but is in bucket {owner + 1} "
                f"({model.plan.buckets[owner].name}), which is not to be merged. Name that bucket, too."
            )
    used = {name for layer in model.blueprint.layers if layer.name in chain.layers for name in layer.parameters}
    for other in model.blueprint.layers:
        if other.name not in chain.layers and (tied := used.intersection(other.parameters)):
            raise ConversionError(
                f"{other.name} shares {min(tied)} with a layer that would be gone. Leave that layer's bucket out."
            )


def _products(
    model: RandomPathGenerator,
    buckets: Sequence[int],
    blocks: int | None,
    products: Tensor | Sequence[Sequence[int]] | None,
    seed: int,
) -> Tensor:
    """The blocks to multiply, int64 `(num_products, len(buckets))`."""
    space = PathSpace(
        tuple(model.plan.num_blocks[index] for index in buckets),
        tuple(model.plan.buckets[index].name for index in buckets),
    )
    if (blocks is None) == (products is None):
        raise PlanError(
            "Say how many products the new bucket has (blocks=128), or which ones (products=[[3, 17, 0], …])."
        )
    if products is not None:
        given = torch.as_tensor(products)
        return space.check(given if given.dim() == 2 else given[None]).cpu()
    assert blocks is not None
    if not 1 <= blocks <= space.cardinality:
        raise PlanError(
            f"There are {space.cardinality:,} different products of one block of each bucket, so {blocks} cannot be made. Ask "
            f"for 1 to {space.cardinality:,}."
        )
    draws = torch.Generator().manual_seed(seed)
    found: dict[tuple[int, ...], None] = {}
    if blocks * 2 > space.cardinality:
        numbers = torch.randperm(space.cardinality, generator=draws)[:blocks]
        return torch.stack(torch.unravel_index(numbers, space.num_blocks), dim=1)
    while len(found) < blocks:
        found.update(dict.fromkeys(tuple(row) for row in space.sample(blocks, generator=draws).tolist()))
    return torch.tensor(list(found)[:blocks])


def _new_name(blueprint: Blueprint, chain: Chain) -> str:
    """A name that no layer has: `l3_to_l5`."""
    name = re.sub(r"\W", "_", f"{chain.layers[0]}_to_{chain.layers[-1]}")
    while any(one == name or one.startswith(f"{name}.") for one in (*blueprint.tensors, *blueprint.layer_configs)):
        name += "_"
    return name


def _shortened(graph: fx.Graph, chain: Chain, name: str) -> fx.Graph:
    """The graph with one layer in the place of a chain."""
    first, last = chain.nodes[0], chain.nodes[-1]

    def one_layer(new: fx.Graph, made: Mapping[fx.Node, fx.Node]) -> fx.Node:
        return new.call_module(name, (made[first.all_input_nodes[0]],))

    # The others are read by nobody but each other.
    return written_anew(graph, {node: first.all_input_nodes[0] for node in chain.nodes[:-1]}, {last: one_layer})


def _with_layer(
    changed: Blueprint, before: Blueprint, chain: Chain, name: str, weight: Tensor, dtype: torch.dtype
) -> Blueprint:
    """The blueprint with the new layer in its table, where the chain began."""
    num_out, num_in = weight.shape[1:]
    place = next(i for i, layer in enumerate(before.layers) if layer.name in chain.layers)
    last = next(layer for layer in before.layers if layer.name == chain.layers[-1])
    layer = Layer(
        name, "Linear", (f"{name}.weight", f"{name}.bias"), math.prod((num_out, num_in + 1)), last.output_shape, False
    )
    specs = {
        f"{name}.weight": TensorSpec("parameter", (num_out, num_in), dtype, True),
        f"{name}.bias": TensorSpec("parameter", (num_out,), dtype, True),
    }
    config = LayerConfig("Linear", {"in_features": num_in, "out_features": num_out, "bias": True})
    return replace(
        changed,
        layers=(*changed.layers[:place], layer, *changed.layers[place:]),
        layer_configs={**changed.layer_configs, name: config},
        tensors={**changed.tensors, **specs},
    )


def _merged_plan(plan: Plan, buckets: Sequence[int], chain: Chain, name: str, num_blocks: int) -> Plan:
    first, last = buckets[0], buckets[-1]
    return replace(
        plan,
        buckets=(*plan.buckets[:first], BucketSpec(name, (name,), num_blocks), *plan.buckets[last + 1 :]),
        shared=tuple(layer for layer in plan.shared if layer not in chain.layers),
    )
