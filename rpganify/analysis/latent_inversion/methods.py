"""The ways of inversion that are compared: Adam in three bases, CMA-ES in two; step sizes chosen alike, budgets alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rpganify.analysis.geometry.axes import Axes
from rpganify.analysis.latent_inversion.bases import (
    Basis,
    eigenbasis,
    plain_basis,
    preconditioned_basis,
)
from rpganify.analysis.latent_inversion.descent import descend
from rpganify.analysis.latent_inversion.evolution import evolve, population_size
from rpganify.analysis.latent_inversion.task import PASSES_PER_GRADIENT, Search, Task
from rpganify.analysis.latent_inversion.tuning import Tuning, tune

ADAM, CMA = "Adam", "CMA-ES"
SHARE_OF_VARIATION = 0.99
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Method:
    """A way of inversion.

    Args:
        optimiser: "Adam" or "CMA-ES".
        basis: of the coordinates that it moves.
        against: name of the method that it is compared with; None for the plain ones.
    """

    optimiser: str
    basis: Basis
    against: str | None

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"{self.optimiser}, {self.basis.name}"

    def search(
        self, task: Task, step_size: float, num_steps: int, seed: int, told: Told = lambda done, of: None
    ) -> Search:
        """Inverts every target within the passes that `num_steps` gradients take.

        Args:
            task: targets and starts.
            step_size: Adam's learning rate, or the first standard deviation of CMA-ES.
            num_steps: gradients per target; CMA-ES has their passes for images.
            seed: of CMA-ES.
            told: progress, what is done and of how much.
        """
        if self.optimiser == ADAM:
            return descend(task, self.basis, step_size, num_steps, lambda done: told(done, len(task)))
        num_passes = passes_of(num_steps)
        num_generations = (num_passes - 1) // population_size(self.basis.num_coordinates)
        return evolve(task, self.basis, step_size, num_passes, seed, lambda done: told(done, num_generations))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method found.

    Args:
        method: which.
        tuning: how its step size was chosen.
        search: how it fared on the targets.
    """

    method: Method
    tuning: Tuning
    search: Search = field(repr=False)


def passes_of(num_steps: int) -> int:
    """Generator passes of so many gradients, and of a look at the start."""
    return 1 + PASSES_PER_GRADIENT * num_steps


def gradient_methods(axes: Axes, relative_epsilon: float, *, with_length_held: bool = True) -> list[Method]:
    """Adam in the plain basis, in the eigenbasis, and preconditioned; and in the first two with the latents' length held.

    Args:
        axes: all of the latent space.
        relative_epsilon: of the preconditioning.
        with_length_held: whether the last two are among them.
    """
    plain = Method(ADAM, plain_basis(axes.dimension), None)
    eigen, preconditioned = (
        Method(ADAM, basis, plain.name) for basis in (eigenbasis(axes), preconditioned_basis(axes, relative_epsilon))
    )
    methods = [plain, eigen, preconditioned]
    if with_length_held:
        held = Method(ADAM, plain.basis.with_length_held(), None)
        methods += [held, Method(ADAM, eigen.basis.with_length_held(), held.name)]
    return methods


def evolution_methods(axes: Axes, num_axes: int) -> list[Method]:
    """CMA-ES in the plain basis, and on the first axes alone."""
    plain = Method(CMA, plain_basis(axes.dimension), None)
    return [plain, Method(CMA, eigenbasis(axes, num_axes), plain.name)]


def num_axes_for(axes: Axes, share: float = SHARE_OF_VARIATION) -> int:
    """The fewest axes whose eigenvalues sum to a share of all."""
    sums = axes.eigenvalues.clamp_min(0).cumsum(0)
    return int((sums < share * sums[-1] * (1 - 1e-12)).sum()) + 1


def run_method(
    method: Method,
    tuning_task: Task,
    task: Task,
    num_steps: int,
    seed: int,
    told: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Outcome:
    """Chooses the method's step size on some targets, and inverts others with it.

    Args:
        method: which.
        tuning_task: targets that the step size is chosen on; none of them in `task`.
        task: targets that count.
        num_steps: gradients per target, or as many passes.
        seed: of CMA-ES.
        told: what is under way, how much is done, and of how much.
    """

    def mean_distance(step_size: float) -> float:
        return float(method.search(tuning_task, step_size, num_steps, seed).final.mean())

    tuning = tune(mean_distance, progress=lambda done: told(f"step size of {method.name}", done, done))
    search = method.search(task, tuning.chosen, num_steps, seed, lambda done, of: told(f"{method.name}", done, of))
    return Outcome(method, tuning, search)
