"""Consecutive linear buckets multiplied into one: a block of it is the product of one block of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from rpganify.conversion.building import actual_blueprint
from rpganify.errors import ConversionError, PathError, PlanError
from rpganify.paths import PathSpace
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.graphs import mapped_graphs, rebuilt, without_layers
from rpganify.surgery.merging.chain import Chain, check_alike, find_chain
from rpganify.surgery.merging.multiplying import multiplied
from rpganify.surgery.merging.products import most_used_products, named_products, random_products
from rpganify.surgery.merging.tensors import ChosenTensors
from rpganify.surgery.merging.writing import merged_plan, new_name, shortened, with_layer
from rpganify.surgery.restack import NUM_OLD, SURGERY, history


def merge(
    model: RandomPathGenerator,
    buckets: Sequence[int],
    blocks: int | None = None,
    *,
    products: Tensor | Sequence[Sequence[int]] | None = None,
    most_used: Tensor | Sequence[Sequence[int]] | None = None,
    seed: int = 0,
) -> RandomPathGenerator:
    """A new model in which one bucket of a single layer stands for several linear ones that follow each other.

    Linear layers become one, convolutions too where their product is exact at the border as well. Where it is not, as with
    a convolution behind a dense layer, all becomes one matrix, unless that is more than eight times as large. Biases are
    multiplied through, and batch norms between the layers fold in with their running statistics, as they are in eval mode.
    Everything is computed in float64 and then rounded to the type that the model has.

    Args:
        model: not changed.
        buckets: two or more, consecutive, from 0.
        blocks: how many blocks the new bucket has, each the product of different random blocks.
        products: in place of `blocks`, the blocks to multiply: `(num_products, len(buckets))`.
        most_used: paths in use, `(N, num_buckets)`; the products are those that most of them go through, `blocks` of them,
            or all.
        seed: of the random choice, and of that between products that are used equally often.
    Raises:
        PlanError: the buckets do not follow each other, or there are not so many products.
        PathError: no such block.
        ConversionError: something on the way is not linear, the way forks, or no layer is exact; the message says what and
            where.
    Source:
        RPGAN, section 4.4, for linear layers; which convolutions are one is ours.
    """
    buckets = _checked_buckets(model, buckets)
    chosen = _products(model, buckets, blocks, products, most_used, seed)
    blueprint = actual_blueprint(model)
    wanted = [layer for index in buckets for layer in model.plan.buckets[index].layers]
    chains = {id(graph): find_chain(graph, blueprint, wanted) for graph in blueprint.graphs()}
    chain = chains[id(blueprint.eval_graph)]
    check_alike(chain, list(chains.values()))
    _check_owners(model, buckets, chain)
    tensors = ChosenTensors.of(model, dict(zip(buckets, chosen.T, strict=True)))
    dtype = tensors.dtype_of(chain.layers[-1])
    product, name = multiplied(chain, tensors, dtype), new_name(blueprint, chain)
    changed = mapped_graphs(blueprint, lambda graph: shortened(graph, chains[id(graph)], product, name))
    changed = with_layer(without_layers(changed, chain.layers), blueprint, chain, product, name, dtype)
    record = {
        "operation": "merge",
        "buckets": [model.plan.buckets[index].name for index in buckets],
        "first": buckets[0],
        "products": chosen.tolist(),
    }
    provenance = {key: value for key, value in blueprint.provenance.items() if key != NUM_OLD}
    changed = replace(
        changed.with_plan(merged_plan(model.plan, buckets, chain, name, len(chosen))),
        provenance={**provenance, SURGERY: [*history(model), record]},
    )
    values = {f"{name}.weight": product.weight}
    made = rebuilt(model, changed, values if product.bias is None else {**values, f"{name}.bias": product.bias})
    assert isinstance(made, RandomPathGenerator)
    return made


def original_paths(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """The paths that a merged model's paths stand for in the model before: int64 `(N, num_buckets before)`.

    Raises:
        PathError: no such paths, or merging was not the last thing that was done to the model.
    """
    first, products = _last_merge(model)
    paths = model.paths.check(paths).cpu()
    return torch.cat([paths[:, :first], products[paths[:, first]], paths[:, first + 1 :]], dim=1)


def merged_paths(model: RandomPathGenerator, paths: Tensor) -> tuple[Tensor, Tensor]:
    """The paths of a merged model that stand for paths of the model before.

    Args:
        model: merged.
        paths: of the model before, int64 `(N, num_buckets before)`.
    Returns:
        Those that there still are, int64 `(K, num_buckets)`, and which of the given ones they are, bool `(N,)`: a path
        through blocks that were not multiplied is gone.
    Raises:
        PathError: the paths have another length, or merging was not the last thing that was done to the model.
    """
    first, products = _last_merge(model)
    num_merged, num_buckets = products.shape[1], model.plan.num_buckets - 1 + products.shape[1]
    if paths.dim() != 2 or paths.shape[1] != num_buckets:
        raise PathError(
            f"The model before had {num_buckets} buckets, so its paths are (N, {num_buckets}); got {tuple(paths.shape)}."
        )
    number = {tuple(row): index for index, row in reversed(list(enumerate(products.tolist())))}
    found = torch.tensor(
        [number.get(tuple(row), -1) for row in paths[:, first : first + num_merged].tolist()], dtype=torch.int64
    )
    is_there = found >= 0
    whole = torch.cat([paths[:, :first].cpu(), found[:, None], paths[:, first + num_merged :].cpu()], dim=1)
    return model.paths.check(whole[is_there]), is_there


def _last_merge(model: RandomPathGenerator) -> tuple[int, Tensor]:
    """The bucket that is a product, and its products' blocks before, int64 `(num_products, num_merged)`."""
    done = history(model)
    if not done or done[-1].get("operation") != "merge":
        raise PathError("Merging was not the last thing that was done to this model, so its paths stand for no others.")
    return int(done[-1]["first"]), torch.tensor(done[-1]["products"])


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


def _products(
    model: RandomPathGenerator,
    buckets: Sequence[int],
    blocks: int | None,
    products: Tensor | Sequence[Sequence[int]] | None,
    most_used: Tensor | Sequence[Sequence[int]] | None,
    seed: int,
) -> Tensor:
    """The blocks to multiply, int64 `(num_products, len(buckets))`."""
    space = PathSpace(
        tuple(model.plan.num_blocks[index] for index in buckets),
        tuple(model.plan.buckets[index].name for index in buckets),
    )
    if products is not None and (blocks is not None or most_used is not None):
        raise PlanError(
            "Products are named or chosen, not both: leave out products, or blocks and most_used, which choose them."
        )
    if products is not None:
        return named_products(space, products)
    if most_used is not None:
        return most_used_products(space, model.paths.check(torch.as_tensor(most_used)).cpu()[:, buckets], blocks, seed)
    if blocks is None:
        raise PlanError(
            "Say how many products the new bucket has (blocks=128), or which ones (products=[[3, 17, 0], …])."
        )
    return random_products(space, blocks, seed)


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
