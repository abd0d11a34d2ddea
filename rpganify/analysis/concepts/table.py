"""From changes of class probabilities to effects: mean, interval, significance corrected over all cells, and importance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import false_discovery_control, ttest_1samp
from torch import Tensor

from rpganify.analysis.bootstrap import LEVEL, NUM_RESAMPLES, resample

# Of all cells that are told to have an effect, this share may have none, on average over analyses.
FALSE_DISCOVERY_RATE = 0.05
# Scores are float32, and images of one batch and another differ by rounding: a mean below a thousandth of a percentage point
# is none, however often it comes out alike.
ROUNDING = 1e-5
_CHUNK = 2048  # columns that are resampled at once: 16 MB


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of interventions (rows) on concepts (columns); each field is float64 `(num_interventions, num_concepts)`.

    Args:
        mean: mean change of the class probability, between −1 and 1.
        low, high: ends of the 95 % bootstrap interval, each cell for itself.
        p_values: of a mean of 0, each cell for itself.
        adjusted: the same by Benjamini and Hochberg over all cells.
    """

    mean: Tensor
    low: Tensor
    high: Tensor
    p_values: Tensor
    adjusted: Tensor

    @property
    def is_significant(self) -> Tensor:
        """Where an effect is told, with a false discovery rate of 5 % over all cells; bool."""
        return self.adjusted <= FALSE_DISCOVERY_RATE


def judge(changes: Tensor, seed: int) -> Effects:
    """The effects of interventions on the same n samples.

    Args:
        changes: float64 `(n, num_interventions, num_concepts)`, of independent samples, n at least 2.
        seed: of the bootstrap.
    Source:
        Benjamini and Hochberg 1995. The p-values are of Student's t-test of the paired changes: `tests` hold the false
        discovery rate on planted truth, also where probabilities are nearly always 0 or 1.
    """
    num_samples = len(changes)
    flat = changes.reshape(num_samples, -1)
    mean = flat.mean(dim=0)
    low, high = torch.empty_like(mean), torch.empty_like(mean)
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    for start in range(0, flat.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        # The same seed for each part: all cells are resampled by the same choices of samples.
        means = resample(flat[:, part], torch.Generator().manual_seed(seed), NUM_RESAMPLES)
        low[part], high[part] = torch.quantile(means, ends, dim=0)
    p_values = torch.from_numpy(_p_values(flat.numpy()))
    p_values[mean.abs() < ROUNDING] = 1.0
    adjusted = torch.from_numpy(np.asarray(false_discovery_control(p_values.numpy(), method="bh")))
    shape = changes.shape[1:]
    return Effects(
        mean.reshape(shape),
        torch.minimum(low, mean).reshape(shape),
        torch.maximum(high, mean).reshape(shape),
        p_values.reshape(shape),
        adjusted.reshape(shape),
    )


def _p_values(changes: np.ndarray) -> np.ndarray:
    """Student's t-test of each column; 1 where nothing changes at all, 0 where all changes are equal and not 0."""
    is_constant = np.ptp(changes, axis=0) == 0
    varied = np.where(is_constant, np.arange(len(changes))[:, None], changes)  # a stand-in that has a variance
    tested = np.asarray(ttest_1samp(varied, 0.0, axis=0).pvalue)
    return np.where(is_constant, np.where(changes[0] == 0, 1.0, 0.0), tested)


def moved_probability(effects: Tensor) -> Tensor:
    """How much probability a mean effect moves from some classes to others: half the sum of its sizes, `(num_interventions,)`.

    Args:
        effects: `(num_interventions, num_concepts)`; the classes' effects add up to 0.
    """
    return effects.abs().sum(dim=-1) / 2


@dataclass(frozen=True, slots=True)
class Importance:
    """How much each variable matters, and how much variables that do not would seem to.

    Args:
        values: of each variable, `(num_variables,)`, 0 to 1.
        null_low, null_high: 2.5 % and 97.5 % of the largest value, the second largest and so on of variables without mean
            effect; sorted from the largest, `(num_variables,)`.
        of_concepts: the largest size of a variable's effects on each concept, `(num_variables, num_concepts)`.
        null_of_concepts: 97.5 % of their largest, second largest and so on without mean effect, averaged over the concepts.
    """

    values: Tensor
    null_low: Tensor
    null_high: Tensor
    of_concepts: Tensor
    null_of_concepts: Tensor

    @property
    def order(self) -> Tensor:
        """The variables' indices, the most important first."""
        return self.values.argsort(descending=True, stable=True)

    @property
    def num_above_null(self) -> int:
        """How many, from the most important on, lie above the band."""
        is_below = self.values[self.order] <= self.null_high
        return int(is_below.int().argmax()) if is_below.any() else len(self.values)


def importance(changes: Tensor, variables: Tensor, seed: int, num_flips: int = 200) -> Importance:
    """The probability that each variable moves, as a mean over its interventions, and a null band.

    The band is what remains when the signs of all changes of a sample are flipped at random, sample by sample: the changes
    are then as large as they are and of mean 0, whatever the variables do.

    Args:
        changes: float64 `(n, num_interventions, num_concepts)`.
        variables: which variable each intervention sets, int64 `(num_interventions,)`, from 0 without gaps.
        seed: of the flips.
        num_flips: how often.
    """
    num_samples, _, num_concepts = changes.shape
    num_variables = int(variables.max()) + 1
    counts = variables.bincount()

    def measured(effects: Tensor) -> tuple[Tensor, Tensor]:
        """Importance over all concepts and for each."""
        sums = torch.zeros(num_variables, dtype=torch.float64).index_add(0, variables, moved_probability(effects))
        index = variables[:, None].expand_as(effects)
        largest = torch.zeros(num_variables, num_concepts, dtype=torch.float64)
        return sums / counts, largest.scatter_reduce(0, index, effects.abs(), "amax")

    values, of_concepts = measured(changes.mean(dim=0))
    chance = torch.Generator().manual_seed(seed)
    signs = 2.0 * torch.randint(2, (num_flips, num_samples), generator=chance, dtype=torch.float64) - 1
    flat = changes.reshape(num_samples, -1)
    null = torch.empty(num_flips, num_variables, dtype=torch.float64)
    null_of_concepts = torch.empty(num_flips, num_variables, num_concepts, dtype=torch.float64)
    for index, row in enumerate(signs):
        whole, each = measured((row @ flat / num_samples).reshape(changes.shape[1:]))
        null[index] = whole.sort(descending=True).values
        null_of_concepts[index] = each.sort(dim=0, descending=True).values
    low, high = (null.quantile(end, dim=0) for end in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    highest = null_of_concepts.quantile((1 + LEVEL) / 2, dim=0).mean(dim=1)
    return Importance(values, low, high, of_concepts, highest)
