"""The inversion in words: how it was done, what came out, and what to know before believing it."""

from __future__ import annotations

from rpganify.analysis.latent_inversion.bases import EIGEN
from rpganify.analysis.latent_inversion.findings import REAL, Comparison, Inverted, Measured
from rpganify.analysis.latent_inversion.methods import CMA, passes_of

_LEVEL = 0.05

_HOW = """
Which latent makes a given image? Each wanted image is searched for by every method from the same start, within the
same number of generator passes ({passes} per image, where an image takes one and a gradient three: a backward pass costs
about two), by the smallest image distance so far. Methods differ in the coordinates that they move. `plain`: the latent's
own. `eigenbasis`: along the eigenvectors of the metric, the mean of those at {num_positions}; Adam scales each
coordinate's step by the size of its gradients, so that it matters which coordinates they are. `preconditioned`: the same,
each divided by √(λ + ε), which makes a unit step change the image about equally along all of them; ε is
{epsilon:g} of the largest λ and was not tuned. `length held`: latents are scaled to the length of their start, so that
a method cannot come nearer by going farther out than draws of z ever are.{cma}

Step sizes (Adam's learning rate, the first standard deviation of CMA-ES) were chosen for each method alike, by the mean
final distance on {num_tuned} other images with other starts and the same budget: 0.02 to 0.5 in steps of 1, 2, 5, and up
to four more beyond the end that is best. The columns of each basis have a mean square of 1, so that sizes compare.

`length of z` is the root mean square of the found latents' values. `distance in z` compares with the latent that made the
image, as a share of the distance between two such latents, in the whole space and along the first {num_top} axes, which
hold 99 % of the metric's trace.{around}

`ratio` is that of the mean final distances, below 1 where the method comes nearer than the other; `effect` is the
matched-pairs rank-biserial correlation, 1 where it comes nearer to every image. p is from Wilcoxon's two-sided signed-rank
test; `p, corrected` is Holm's over all such tests of this report. Intervals are 95 % bootstrap intervals over the images.
The comparison of Adam in the two bases is that of Wang and Ponce 2021; budget, choice of step sizes, preconditioning by a
root, held lengths and the tests are ours.
"""
_AROUND = (
    " Own images are made of vectors around Z, with noise of half the size of its values: the generator knows no others under "
    "this path. All searches start at Z."
)
_CMA = (
    " `CMA-ES` (the package cma) takes no gradients; it searches in the plain basis, and along the first axes alone, the "
    "fewest that hold 99 % of the metric's trace."
)


def definition(inverted: Inverted) -> str:
    """How it was done, with this report's numbers."""
    first = inverted.measured[0]
    has_cma = any(outcome.method.optimiser == CMA for outcome in first.outcomes)
    num_positions = len(first.axes.positions)
    return _HOW.format(
        passes=str(passes_of(inverted.num_steps)),
        num_positions="one position" if num_positions == 1 else f"{num_positions} positions",
        epsilon=inverted.relative_epsilon,
        cma=_CMA if has_cma else "",
        around="" if inverted.space.home is None else _AROUND,
        num_tuned=inverted.num_tuned_on,
        num_top=" or ".join(dict.fromkeys(str(one.num_top) for one in inverted.measured)),
    )


def summary(inverted: Inverted) -> str:
    """For the first image distance, how the eigenbasis and preconditioning fare against the plain basis."""
    measured = inverted.measured[0]
    kind = REAL if any(targets.name == REAL for targets in inverted.targets) else inverted.targets[0].name
    images = f"{inverted.num_real} real images" if kind == REAL else "the model's own images"
    told = [f"{_titled(one)} {_fared(one)}" for one in measured.comparisons if one.images == kind]
    return f"On {images}, by the {measured.features.title}: {'; '.join(told)}."


def _titled(one: Comparison) -> str:
    basis = one.method.basis
    if one.method.optimiser == CMA:
        return f"CMA-ES on the {basis.name}"
    if basis.holds_length:
        return "with the length of z held, Adam in the eigenbasis"
    return "Adam in the eigenbasis" if basis.name == EIGEN else "Adam preconditioned by the metric"


def _fared(one: Comparison) -> str:
    paired = one.paired
    against = "its plain basis" if one.method.optimiser == CMA else "the plain basis"
    if paired.num_equal == paired.num_pairs:
        return f"ends exactly where {against} does"
    ratio = "" if paired.ratio is None else f" at {paired.ratio.value:.2f} times the distance"
    p = f"p = {one.corrected_p:.2g}, corrected"
    if one.corrected_p >= _LEVEL:
        return f"ends{ratio} of {against}, which chance may explain ({p})"
    share = 100 * paired.num_nearer / paired.num_pairs
    return f"ends{ratio} of {against} and is nearer for {share:.0f} % of them ({p})"


def notes(inverted: Inverted) -> list[str]:
    """What a reader should know before believing the numbers."""
    told = []
    for measured in inverted.measured:
        told += _far_latents(measured, inverted)
        for outcome in measured.outcomes:
            if outcome.tuning.is_at_end:
                told.append(
                    f"{outcome.method.name}, {measured.features.title}: the step size chosen, {outcome.tuning.chosen:g}, is "
                    "the last that was tried, so a better one may lie beyond."
                )
    return told


def _far_latents(measured: Measured, inverted: Inverted) -> list[str]:
    """A note where a method leaves the latents that the generator was trained on."""
    lengths = {
        outcome.method.name: float(outcome.search.latents.double().square().mean().sqrt())
        for outcome in measured.outcomes
    }
    far = {name: length for name, length in lengths.items() if length > 1.5}
    if not far or inverted.space.home is not None:
        return []
    said = ", ".join(f"{name} {length:.2g}" for name, length in far.items())
    return [
        f"{measured.features.title}: nothing holds the latents near draws of the generator's z, and some end farther out than "
        f"those ever are (root mean square of their values, 1 for draws: {said}). What is compared is how near images come, "
        "not how likely their latents are; the rows with the length held tell what is left without going out."
    ]
