"""More blocks for a trained model: its old paths keep their images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from rpganify.conversion.record import state_tensors
from rpganify.conversion.replication import NamedReplication, find_replication, same_tensor, tensors_by_name
from rpganify.errors import PlanError
from rpganify.plan import FIXED_INPUT
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import history, new_rows, restack


def grow(
    model: RandomPathGenerator,
    add: Sequence[int],
    *,
    init: str = "fresh",
    factory: Callable[[int], nn.Module] | None = None,
    seed: int = 0,
    data: str = "",
) -> RandomPathGenerator:
    """A new model with more blocks; the old ones come first, so that old paths keep their numbers and their images.

    New blocks take the bucket's old ones by turns as their models: block `m + k` is born of block `k % m`.

    Args:
        model: not changed.
        add: how many blocks each bucket gets, 0 for none.
        init: how they are born: "fresh", the author's initialisation run again (needs `factory`; without one the values
            of an old block are permuted within each tensor); "copy"; "jitter", copies with normal noise of 0.1 std; or
            the name of a plugin's replication.
        factory: seed -> a newly built generator of the original class.
        seed: of the new blocks.
        data: name of the data set that the model was trained on so far, for its record; see `data_before`.
    Raises:
        PlanError: not one number per bucket, a negative one, or nothing to add.
        RegistryError: no replication has the name `init`.
        ConversionError: what the factory builds has other tensors.
    Source:
        RPGAN, section 4.3.
    """
    add = tuple(add)
    check_growth(model, add)
    replication = find_replication(init)
    old = model.plan.num_blocks
    rows = [[*range(m), *(k % m for k in range(more))] for m, more in zip(old, add, strict=True)]
    record = {"operation": "grow", "added": list(add), "num_blocks": list(old), "init": init, "seed": seed}
    if data:
        record["data"] = data
    made = restack(model, rows, record, num_old_blocks=old)
    _bear(made, replication, factory, seed)
    return made


def data_before(model: RandomPathGenerator) -> str:
    """Name of the data set that a model was trained on before it last grew, such as `mnist[0-6]`; empty if not known."""
    grown = [record for record in history(model) if record.get("operation") == "grow"]
    return str(grown[-1].get("data", "")) if grown else ""


def check_growth(model: RandomPathGenerator, add: Sequence[int]) -> None:
    """Refuses numbers of new blocks that do not fit a model.

    Raises:
        PlanError: see `grow`.
    """
    names = ", ".join(f"{bucket.name} × {bucket.num_blocks}" for bucket in model.plan.buckets)
    if len(add) != model.plan.num_buckets:
        example = ",".join("5" if index < 2 else "0" for index in range(model.plan.num_buckets))
        raise PlanError(
            f"{len(add)} numbers of new blocks ({_listed(add)}) for {model.plan.num_buckets} buckets ({names}): each bucket "
            f"needs one, 0 for none. For example: {example}."
        )
    if any(not isinstance(more, int) or isinstance(more, bool) or more < 0 for more in add):
        raise PlanError(
            f"{_listed(add)} are no numbers of new blocks: whole numbers, 0 or more, are. `rpganify prune --drop` takes "
            "blocks away."
        )
    if not any(add):
        raise PlanError(f"Nothing to add: {_listed(add)} for {names}. Give at least one bucket a new block.")


def _bear(
    made: RandomPathGenerator, replication: NamedReplication, factory: Callable[[int], nn.Module] | None, seed: int
) -> None:
    """Turns the copies that stand where new blocks shall be into what the replication makes of them."""
    first_row, tensors = new_rows(made), tensors_by_name(made)
    draws = torch.Generator().manual_seed(seed)
    is_built = replication.entry.builds_anew and factory is not None
    with torch.no_grad():
        for block in range(min(first_row.values()), max(made.plan.num_blocks)):
            present = [name for name, first in first_row.items() if first <= block < len(tensors[name])]
            # Conversion built block k under seed + k, so that new ones never repeat its blocks.
            anew = state_tensors(factory(seed + block)) if is_built and factory is not None and present else None
            for name in present:
                row = tensors[name][block]
                row.copy_(_born(made, replication, name, row.detach().cpu(), anew, draws))


def _born(
    made: RandomPathGenerator,
    replication: NamedReplication,
    name: str,
    values: Tensor,
    anew: Mapping[str, Tensor] | None,
    draws: torch.Generator,
) -> Tensor:
    """One tensor of one new block."""
    if name == FIXED_INPUT:
        # Z is no part of the generator: there is nothing to build anew, but its distribution is known.
        fresh = torch.randn(values.shape, generator=draws).to(values) if replication.entry.builds_anew else None
        return replication(name, values, fresh, draws)
    fresh = None if anew is None else same_tensor(name, values, anew).to(values)
    is_asked = fresh is not None or made.blueprint.tensors[name].role == "parameter"
    if is_asked and (values.is_floating_point() or values.is_complex()):
        return replication(name, values, fresh, draws)
    return values if fresh is None else fresh


def _listed(add: Sequence[int]) -> str:
    return ",".join(str(more) for more in add)
