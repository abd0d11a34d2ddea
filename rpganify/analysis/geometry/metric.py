"""The metric of the image manifold at one latent, in three forms, with checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.geometry.forms import exact_matrix, finite_differences, lanczos
from rpganify.analysis.geometry.products import Products
from rpganify.errors import AnalysisError

EXACT, LANCZOS, FINITE = "exact", "lanczos", "finite-differences"
FORMS = (EXACT, LANCZOS, FINITE)
NUM_TOP = 20  # eigenpairs that Lanczos looks for
# Of matrices, the Jacobian among them; activations come beside it.
MAX_BYTES = 2**30
_NUM_PROBES = 32


@dataclass(frozen=True, slots=True)
class Checks:
    """What a metric must be, and how far it is from it; all as shares of the largest eigenvalue.

    Args:
        asymmetry: largest difference of H to its transpose; of H on the eigenvectors found, by Hessian-vector products.
        least: the smallest eigenvalue; below 0 by rounding at most.
        residuals: ‖H·v − λv‖ of each eigenpair, `(k,)`, H·v by a Hessian-vector product of its own.
    """

    asymmetry: float
    least: float
    residuals: Tensor

    @property
    def residual(self) -> float:
        """The largest."""
        return float(self.residuals.max())


@dataclass(frozen=True, slots=True)
class Metric:
    """H at one position, in its eigenbasis; a step v changes the squared image distance by vᵀHv / 2.

    Args:
        position: float64 `(dim,)`, on the CPU as all of it.
        eigenvalues: falling, float64 `(k,)`; k is dim, except of Lanczos.
        eigenvectors: one per column, float64 `(dim, k)`.
        trace: of H, all eigenvalues together.
        trace_error: standard error of the trace; 0 where it is exact.
        form: how it was had.
        checks: what came out of them; None where they were left out.
        matrix: H itself, float64 `(dim, dim)`; None of Lanczos.
    """

    position: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor
    trace: float
    trace_error: float
    form: str
    checks: Checks | None
    matrix: Tensor | None = field(repr=False)

    @property
    def dim(self) -> int:
        """Of the latent."""
        return len(self.position)


def measure_metric(
    products: Products,
    position: Tensor,
    *,
    form: str = EXACT,
    num_top: int = NUM_TOP,
    is_checked: bool = True,
    max_bytes: int = MAX_BYTES,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Metric:
    """The metric H = 2JᵀJ at a position.

    Args:
        products: of the latent map and the features.
        position: `(dim,)`.
        form: "exact" (all Jacobian-vector products), "lanczos" (the largest eigenpairs, by Hessian-vector products) or
            "finite-differences" (of gradients of the squared distance).
        num_top: eigenpairs that Lanczos looks for.
        is_checked: whether symmetry, sign and each eigenpair are checked by Hessian-vector products; takes as long again.
        max_bytes: of matrices in memory; a Jacobian beyond it is made in slices.
        seed: of Lanczos' first vector, and of the probes of its trace.
        progress: told the directions done, and how many there are.
    Raises:
        AnalysisError: no such form, a latent too large for it, an operator without derivative, or a metric of zeros.
    """
    if form not in FORMS:
        raise AnalysisError(f"A metric is had by {', '.join(FORMS)}, not {form!r}.")
    dim = products.space.dim
    if tuple(position.shape) != (dim,):
        raise AnalysisError(f"A position of {products.space.name} is {dim} numbers; got shape {tuple(position.shape)}.")
    if form == LANCZOS:
        return _by_lanczos(products, position, num_top, is_checked, seed)
    _check_size(dim, max_bytes)
    if form == EXACT:
        matrix, asymmetry = exact_matrix(products, position, max_bytes, progress), 0.0
    else:
        matrix, asymmetry = finite_differences(products, position, progress)
    products.check_moves(position, float(matrix.abs().max()))
    eigenvalues, eigenvectors = (part.flip(-1) for part in torch.linalg.eigh(matrix))
    checks = None
    if is_checked:
        found = _check(products, position, eigenvalues, eigenvectors)
        checks = Checks(max(found.asymmetry, asymmetry), found.least, found.residuals)
    trace = float(matrix.trace())
    return Metric(position.double().cpu(), eigenvalues, eigenvectors, trace, 0.0, form, checks, matrix)


def _by_lanczos(products: Products, position: Tensor, num_top: int, is_checked: bool, seed: int) -> Metric:
    dim = products.space.dim
    if not 1 <= num_top < dim:
        raise AnalysisError(
            f"Lanczos finds 1 to {dim - 1} of the {dim} eigenpairs of {products.space.name}; asked for {num_top}. "
            "`--form exact` finds all."
        )
    probe = torch.randn(1, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    products.check_moves(position, float(products.speeds(position, probe)))
    eigenvalues, eigenvectors = lanczos(products, position, num_top, seed)
    checks = _check(products, position, eigenvalues, eigenvectors) if is_checked else None
    rest, error = _trace_beside(products, position, eigenvectors, seed)
    trace = float(eigenvalues.sum()) + rest
    return Metric(position.double().cpu(), eigenvalues, eigenvectors, trace, error, LANCZOS, checks, None)


def _check(products: Products, position: Tensor, eigenvalues: Tensor, eigenvectors: Tensor) -> Checks:
    moved = products.hessian(position, eigenvectors.T)  # (k, dim)
    scale = float(eigenvalues[0])
    inside = moved @ eigenvectors
    residuals = (moved - eigenvalues[:, None] * eigenvectors.T).norm(dim=1)
    return Checks(float((inside - inside.T).abs().max()) / scale, float(eigenvalues[-1]) / scale, residuals / scale)


def _trace_beside(products: Products, position: Tensor, eigenvectors: Tensor, seed: int) -> tuple[float, float]:
    """The trace of H on all that is at right angles to some vectors, estimated from random signs, and its standard error.

    Source: Hutchinson's estimator on the complement of known eigenvectors, which leaves it only the small eigenvalues.
    """
    chance = torch.Generator().manual_seed(seed)
    probes = torch.randint(0, 2, (_NUM_PROBES, len(eigenvectors)), generator=chance).double() * 2 - 1
    beside = probes - probes @ eigenvectors @ eigenvectors.T
    found = products.speeds(position, beside)
    return float(found.mean()), float(found.std() / _NUM_PROBES**0.5)


def _check_size(dim: int, max_bytes: int) -> None:
    # H, its eigenvectors and the work of finding them, in double precision.
    needed = 3 * 8 * dim**2
    if needed > max_bytes:
        raise AnalysisError(
            f"The latent has {dim:,} dimensions: its metric and eigenvectors would take {needed / 2**30:.1f} GiB, and "
            f"{max_bytes / 2**30:.1f} GiB are allowed. `--form lanczos --top 20` finds the largest eigenpairs without the "
            "matrix; `--part 0-511` takes some inputs only."
        )
