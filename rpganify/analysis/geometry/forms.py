"""Three ways to the metric: all Jacobian-vector products, Lanczos, and differences of gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from rpganify.analysis.geometry.products import Products
from rpganify.errors import AnalysisError

Progress = Callable[[int, int], None]

# Features of the Jacobian that are multiplied in double precision at once.
_BLOCK = 4096


def exact_matrix(products: Products, position: Tensor, max_bytes: int, progress: Progress) -> Tensor:
    """H = 2JᵀJ from the Jacobian-vector products of all unit vectors: float64 `(dim, dim)`, symmetric.

    Args:
        products: of the map and the features.
        position: `(dim,)`.
        max_bytes: a Jacobian that is larger is made slice by slice of the features, which computes it as often.
        progress: told the directions done, and how many there are.
    """
    dim = len(position)
    units = torch.eye(dim, dtype=torch.float64)
    with torch.no_grad():
        num_features = products.features(position.to(products.space.device, products.space.dtype)[None]).shape[1]
    width = max(1, min(num_features, max_bytes // (dim * products.space.dtype.itemsize)))
    total = dim * -(-num_features // width)
    matrix, done = torch.zeros(dim, dim, dtype=torch.float64), 0
    for start in range(0, num_features, width):
        rows = torch.empty(dim, min(width, num_features - start), dtype=products.space.dtype)
        filled = 0
        for part in products.tangents(position, units):
            rows[filled : filled + len(part)] = part[:, start : start + width]
            filled, done = filled + len(part), done + len(part)
            progress(done, total)
        for block in rows.split(_BLOCK, dim=1):
            matrix += block.double() @ block.double().T
    # Each product of two blocks is symmetric but for the order of its sums.
    return matrix + matrix.T


def lanczos(products: Products, position: Tensor, num_top: int, seed: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues of H, falling `(k,)`, and its eigenvectors `(dim, k)`, by Hessian-vector products.

    Args:
        products: of the map and the features.
        position: `(dim,)`.
        num_top: k.
        seed: of the first vector.
    Raises:
        AnalysisError: it does not converge.
    """
    dim = len(position)

    def multiply(vector: np.ndarray) -> np.ndarray:
        found: np.ndarray = products.hessian(position, torch.from_numpy(vector.reshape(1, -1)))[0].numpy()
        return found

    first = torch.randn(dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()
    # Products in single precision are exact to about 1e-6 of the largest eigenvalue; asking for more never ends.
    tolerance = 1e-6 if products.space.dtype != torch.float64 else 1e-12
    operator = LinearOperator((dim, dim), matvec=multiply, dtype=np.float64)
    try:
        values, vectors = eigsh(operator, k=num_top, which="LA", v0=first, tol=tolerance)
    except ArpackNoConvergence as error:
        raise AnalysisError(
            f"Lanczos found {len(error.eigenvalues)} of {num_top} eigenpairs in {10 * dim} rounds. Ask for fewer (--top), or "
            "take `--form exact`."
        ) from error
    order = np.argsort(values)[::-1]
    return torch.from_numpy(values[order].copy()), torch.from_numpy(vectors[:, order].copy())


def finite_differences(products: Products, position: Tensor, progress: Progress) -> tuple[Tensor, float]:
    """H from central differences of the gradients of the squared distance, made symmetric; and how far it was from that.

    Args:
        products: of the map and the features.
        position: `(dim,)`.
        progress: told the directions done, and how many there are.
    Returns:
        float64 `(dim, dim)`, and the largest difference to its transpose as a share of the largest entry.
    """
    dim = len(position)
    step = difference_step(position, products.space.dtype)
    at, rows = position.double().cpu(), []
    for units in torch.eye(dim, dtype=torch.float64).split(products.chunk):
        ahead = products.gradients(position, at + step * units)
        behind = products.gradients(position, at - step * units)
        rows.append((ahead - behind) / (2 * step))
        progress(sum(map(len, rows)), dim)
    matrix = torch.cat(rows)
    largest = float(matrix.abs().max())
    asymmetry = float((matrix - matrix.T).abs().max()) / largest if largest else 0.0
    return (matrix + matrix.T) / 2, asymmetry


def difference_step(position: Tensor, dtype: torch.dtype) -> float:
    """How far finite differences go: the cube root of the type's precision, times the size of the latent's numbers.

    There the error of the difference, which grows with the square of the step, meets that of rounding, which falls with it:
    5e-3 in single precision, 6e-6 in double.
    """
    size = float(position.double().square().mean().sqrt()) or 1.0
    return float(torch.finfo(dtype).eps ** (1 / 3)) * size
