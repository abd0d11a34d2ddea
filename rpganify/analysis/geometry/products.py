"""Products with the Jacobian of the image features, by forward and reverse differentiation, in chunks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from rpganify.analysis.forward_mode import pushed_forward
from rpganify.analysis.geometry.culprits import find_culprits, operator_in
from rpganify.analysis.latents import LatentMap
from rpganify.errors import AnalysisError

MAX_CHUNK = 64  # more directions at once are no faster on a CPU
Describe = Callable[[Tensor], Tensor]


@dataclass(slots=True)
class Products:
    """Products with J, the derivative of the features of a map's images by the latent.

    Args:
        space: images of latents.
        describe: images `(N, C, H, W)` to features `(N, …)`, differentiable, each image by itself.
        chunk: directions that are worked on at once.
    """

    space: LatentMap
    describe: Describe
    chunk: int = MAX_CHUNK
    _takes_batches: bool = field(default=True, init=False)

    def features(self, latents: Tensor) -> Tensor:
        """Features `(N, F)` of latents `(N, dim)`.

        Raises:
            AnalysisError: they are whole numbers, which have no derivative.
        """
        # torch's fused attention has first derivatives only; the plain one has them all.
        with sdpa_kernel(SDPBackend.MATH):
            images = self.space.images(latents)
            found = self.describe(images).flatten(1) if images.is_floating_point() else images
        if not found.is_floating_point():
            raise AnalysisError(
                f"The image is made of {found.dtype} values, so that it has no derivative by {self.space.name}: it moves in "
                "steps or not at all. Leave the rounding out of the generator; saving an image rounds it."
            )
        return found

    def tangents(self, position: Tensor, directions: Tensor) -> Iterator[Tensor]:
        """J·v for each direction: parts `(≤ chunk, F)`, in order.

        Args:
            position: `(dim,)`.
            directions: `(k, dim)`.
        Raises:
            AnalysisError: an operator has no derivative at all; it is named.
        """
        at = position.to(self.space.device, self.space.dtype)
        for part in directions.to(self.space.device, self.space.dtype).split(self.chunk):
            yield self._tangents(at, part)

    def hessian(self, position: Tensor, directions: Tensor) -> Tensor:
        """H·v = 2Jᵀ(J·v) for each direction: float64 `(k, dim)`, on the CPU.

        This is the exact Hessian of the squared feature distance at the position itself: its other term is multiplied by
        the distance, which is 0 there.
        """
        at = position.to(self.space.device, self.space.dtype)
        with torch.enable_grad():
            start = at[None].clone().requires_grad_()
            reached = self.features(start)[0]
            found = [self._pulled(reached, start, moved) for moved in self.tangents(position, directions)]
        return 2 * torch.cat(found).double().cpu()

    def speeds(self, position: Tensor, directions: Tensor) -> Tensor:
        """vᵀHv = 2‖J·v‖² for each direction: float64 `(k,)`, on the CPU."""
        parts = [moved.double().square().sum(dim=1).cpu() for moved in self.tangents(position, directions)]
        return 2 * torch.cat(parts)

    def gradients(self, position: Tensor, latents: Tensor) -> Tensor:
        """Gradients of the squared feature distance to a position: float64 `(k, dim)`, on the CPU.

        Args:
            position: `(dim,)`.
            latents: where to take them, `(k, dim)`.
        """
        at = position.to(self.space.device, self.space.dtype)
        with torch.no_grad():
            wanted = self.features(at[None])
        found = []
        for part in latents.to(self.space.device, self.space.dtype).split(self.chunk):
            with torch.enable_grad():
                start = part.clone().requires_grad_()
                squared = (self.features(start) - wanted).square().sum()
                found.append(_gradient(squared, start).double().cpu())
        return torch.cat(found)

    def check_moves(self, position: Tensor, largest: float) -> None:
        """Refuses a metric of nothing but zeros, and says which operator may have done it.

        Args:
            position: where it was taken.
            largest: its largest eigenvalue.
        Raises:
            AnalysisError: that is 0, or no number.
        """
        if largest == 0:
            at = position.to(self.space.device, self.space.dtype)[None]
            named = find_culprits(lambda: self.features(at))
            why = (
                f"it goes through {', '.join(named)}, whose derivative is 0 or cut off"
                if named
                else "a dead layer or a saturated one does this"
            )
            raise AnalysisError(
                f"The derivative of the image features by {self.space.name} is 0 in every direction: {why}. There is no "
                "metric to take. Leave such an operator out of the generator, or choose a layer after it (--layer)."
            )
        if not math.isfinite(largest):
            raise AnalysisError(
                f"The derivative of the image features by {self.space.name} holds NaN or infinity. The training diverged, or "
                "an operator has no derivative at this position; take another --seed, or an earlier checkpoint."
            )

    def _tangents(self, at: Tensor, part: Tensor) -> Tensor:
        """One image and many tangents, which saves making the image once for each; where that cannot be, copies of it."""
        if self._takes_batches:
            try:
                return self._by_tangents(at, part).detach()
            except torch.OutOfMemoryError:
                raise
            except (RuntimeError, NotImplementedError):
                self._takes_batches = False
        try:
            return pushed_forward(self.features, at.expand(len(part), -1).contiguous(), part)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            raise AnalysisError(
                f"{operator_in(error)} cannot be differentiated forwards, nor twice, so that the exact form and the one by "
                "Lanczos cannot be had. `--form finite-differences` takes first derivatives only."
            ) from error

    def _by_tangents(self, at: Tensor, part: Tensor) -> Tensor:
        def moved(direction: Tensor) -> Tensor:
            found = torch.func.jvp(lambda latent: self.features(latent[None])[0], (at,), (direction,))[1]
            assert isinstance(found, Tensor)
            return found

        with torch.no_grad(), _without_slow_warnings():
            found: Tensor = torch.func.vmap(moved)(part)
        return found

    def _pulled(self, reached: Tensor, start: Tensor, cotangents: Tensor) -> Tensor:
        """Jᵀu of each row u."""
        if not reached.requires_grad:
            return torch.zeros(len(cotangents), start.shape[1], device=start.device, dtype=start.dtype)
        if self._takes_batches:
            with _without_slow_warnings():
                (found,) = torch.autograd.grad(reached, start, cotangents, retain_graph=True, is_grads_batched=True)
            assert isinstance(found, Tensor)
            return found[:, 0]
        rows = [torch.autograd.grad(reached, start, row, retain_graph=True)[0][0] for row in cotangents]
        return torch.stack(rows)


@contextmanager
def _without_slow_warnings() -> Iterator[None]:
    """Inside, torch does not say that an operator is taken one direction after another, which is slower and no less right."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
        yield


def _gradient(value: Tensor, start: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(start)
    (found,) = torch.autograd.grad(value, start, allow_unused=True)
    return torch.zeros_like(start) if found is None else found
