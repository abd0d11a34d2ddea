"""What a geometry says in words: its definition, a summary, and what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.geometry.measure import Measured
from rpganify.analysis.geometry.metric import EXACT, FINITE, LANCZOS
from rpganify.analysis.geometry.spectrum import dims, participation_ratio

# Residuals of eigenpairs, as shares of the largest eigenvalue, that rounding explains: in single precision a product is
# exact to about 1e-6; finite differences are exact to a third of the digits only.
TOLERANCES = {EXACT: 1e-5, LANCZOS: 1e-5, FINITE: 1e-2}

DEFINITION = """
The metric at a position z₀ is the matrix H of second derivatives, by z and at z = z₀, of the squared image distance
d²(G(z₀), G(z)); a small step v changes that distance by vᵀHv / 2. Here d² is {distance}. As d² is the squared distance of
features φ, H = 2JᵀJ, where J is the derivative of φ(G(z)). {form}

What is moved: {what}, {dim} numbers. Positions: {where}. Weights, further inputs, and noise that the generator draws itself,
are held fixed.

Anisotropy: the eigenvalues λ of H say how much the image changes along each axis. dim(0.99) is the fewest axes whose
eigenvalues sum to 99 % of all; the participation ratio (Σλ)² / Σλ² is how many equal axes would be spread out as much.
Controls: the same network with the values of each parameter in a random order ("shuffled"; running statistics stay), and with
every layer as torch makes a new one of its kind ("untrained").

Homogeneity: for positions i and j, the correlation, over the axes of i, of the metric of j along them, diag(Vᵢᵀ Hⱼ Vᵢ), with
the eigenvalues of j; linear, and of logarithms, in which values below {floor} of a position's largest eigenvalue count as that.

Source: Wang and Ponce, "The geometry of deep generative image models and its applications", 2021. The exact form, the floor,
the untrained control, and metrics under the paths of a converted generator are ours.
"""
FORM_WORDS = {
    EXACT: "It is had exactly, from the Jacobian-vector products of all axes, without second derivatives.",
    LANCZOS: "Its largest eigenpairs are found by Lanczos from exact Hessian-vector products 2Jᵀ(Jv); the rest of the trace "
    "is estimated from random directions at right angles to them.",
    FINITE: "It is had from central differences of the gradient of d², a step apart that is the cube root of the type's "
    "precision times the size of the latent's numbers, and made symmetric.",
}


def summary(measured: Measured, linear: Estimate | None, log: Estimate | None) -> str:
    """How many axes carry the change, beside the controls, and how much positions agree."""
    model = measured.model
    found = [dims(metric, 0.99) for metric in model.metrics]
    known = [one for one in found if one is not None]
    dim = model.metrics[0].dim
    if len(known) == len(found):
        sentences = [f"On average {sum(known) / len(known):.1f} of {dim} axes carry 99 % of the image's change"]
        beside = []
        for control in measured.controls:
            others = [dims(metric, 0.99) for metric in control.metrics]
            numbers = [one for one in others if one is not None]
            if len(numbers) == len(others):
                beside.append(f"{sum(numbers) / len(numbers):.1f} with {control.name} weights")
        sentences[0] += f" ({', '.join(beside)})." if beside else "."
    else:
        count = len(model.metrics[0].eigenvalues)
        ratio = sum(map(participation_ratio, model.metrics)) / len(model.metrics)
        sentences = [
            f"The {count} largest axes of {dim} do not carry 99 % of the image's change everywhere; the participation ratio "
            f"is about {ratio:.1f}."
        ]
    if linear is not None and log is not None:
        between = "paths" if model.points.points[0].code is not None else "positions"
        sentences.append(
            f"Two {between} agree on the axes with a correlation of {linear.value:.3f} (logarithms: {log.value:.3f}, 95 % "
            f"interval {log.low:.3f} to {log.high:.3f})."
        )
    return " ".join(sentences)


def notes(measured: Measured, means: Mapping[str, tuple[Estimate | None, Estimate | None]]) -> list[str]:
    """What a reader should know before believing the numbers.

    Args:
        measured: the metrics.
        means: agreement of each network, linear and log, by its name.
    """
    told = list(measured.notes)
    told.append(_on_checks(measured))
    agreement = measured.model.agreement
    if agreement.num_values and agreement.num_floored > 0.01 * agreement.num_values:
        told.append(
            f"{100 * agreement.num_floored / agreement.num_values:.0f} % of the values that enter the logarithmic agreement "
            f"lie below {agreement.floor:g} of the largest eigenvalue and count as that: directions in which the image does "
            "not move. How many axes are dead then weighs more in that number than how the live ones lie."
        )
    if measured.model.metrics[0].matrix is None:
        count = len(measured.model.metrics[0].eigenvalues)
        told.append(
            f"Agreement is of the {count} largest axes only, which vary less than all of them do; it is not comparable with "
            "that of other forms."
        )
    if measured.controls:
        count = len(measured.controls[0].metrics)
        told.append(f"The controls are taken at {count} of the positions.")
    _, own = means[measured.model.name]
    for control in measured.controls:
        _, other = means[control.name]
        if own is not None and other is not None and other.high >= own.low:
            told.append(
                f"With {control.name} weights positions agree on the axes about as much (logarithms: {other.value:.3f}), so "
                "that training is not what makes them agree."
            )
    if points_are_random(measured):
        told.append(
            "The published log agreement of a DCGAN at 30 positions, 0.952, is of another generator, data set and image "
            "distance: it can stand beside this one, but the two do not compare."
        )
    return told


def points_are_random(measured: Measured) -> bool:
    """Whether positions are those of a standard generator's random z."""
    points = measured.model.points.points
    return points[0].code is None and points[0].space.name == "z"


def _on_checks(measured: Measured) -> str:
    checks = [metric.checks for metric in measured.model.metrics if metric.checks is not None]
    residual = max(one.residual for one in checks)
    asymmetry = max(one.asymmetry for one in checks)
    least = min(one.least for one in checks)
    tolerance = TOLERANCES[measured.config.form]
    told = (
        f"Checked at every position by Hessian-vector products of their own, as shares of the largest eigenvalue: each "
        f"eigenpair holds to {residual:.1e}, the matrix is symmetric to {asymmetry:.1e}, and the least eigenvalue is "
        f"{least:.1e}"
    )
    if max(residual, asymmetry, -least) > tolerance:
        return (
            f"{told}. That is more than the {tolerance:g} that rounding explains: the generator is not smooth there, or the "
            "form does not suit it. `--form exact` is the reference."
        )
    return f"{told}: all within {tolerance:g}, which rounding explains."
