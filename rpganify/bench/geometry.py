"""What the three forms of a metric cost, and how far their eigenvalues lie apart, at one position."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.geometry.metric import EXACT, FINITE, LANCZOS, NUM_TOP, Metric, measure_metric
from rpganify.analysis.geometry.products import Products
from rpganify.bench.memory import peak_bytes
from rpganify.report.report import Column, Table


@dataclass(frozen=True, slots=True)
class FormCost:
    """One form at one position.

    Args:
        form: its name.
        num_eigenpairs: that it gives.
        seconds: that it takes, without checks, the second time it is run.
        peak_bytes: of tensors at one time, at the most.
        difference: largest difference of an eigenvalue to the exact form's, as a share of the largest eigenvalue.
    """

    form: str
    num_eigenpairs: int
    seconds: float
    peak_bytes: int
    difference: float


def compare_forms(
    products: Products, position: Tensor, seed: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[FormCost, ...]:
    """All forms, the exact one first, one after the other on one machine.

    Args:
        products: of the latent map and the features.
        position: `(dim,)`.
        seed: of Lanczos.
        progress: told the forms done, and how many there are.
    """
    num_top = min(NUM_TOP, products.space.dim - 1)
    forms = (EXACT, FINITE, LANCZOS)
    costs: list[FormCost] = []
    exact: Metric | None = None
    for done, form in enumerate(forms):
        progress(done, len(forms))

        def measure(form: str = form) -> Metric:
            return measure_metric(products, position, form=form, num_top=num_top, is_checked=False, seed=seed)

        most = peak_bytes(measure, products.space.device)
        if products.space.device.type == "cuda":
            torch.cuda.synchronize(products.space.device)
        start = time.perf_counter()
        metric = measure()  # ends on the CPU, so that a GPU is waited for
        seconds = time.perf_counter() - start
        exact = exact or metric
        count = len(metric.eigenvalues)
        apart = (metric.eigenvalues - exact.eigenvalues[:count]).abs().max() / exact.eigenvalues[0]
        costs.append(FormCost(form, count, seconds, most, float(apart)))
    progress(len(forms), len(forms))
    return tuple(costs)


def forms_table(costs: tuple[FormCost, ...]) -> Table:
    """A row per form."""
    columns = (
        Column("form"), Column("eigenpairs"), Column("time", "s"), Column("peak memory of tensors", "MiB"),
        Column("eigenvalues differ by, share of the largest"),
    )  # fmt: skip
    rows = tuple((one.form, one.num_eigenpairs, one.seconds, one.peak_bytes / 2**20, one.difference) for one in costs)
    return Table("forms", "The three forms of the metric at the first position, without checks", columns, rows)
