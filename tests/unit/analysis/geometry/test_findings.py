from dataclasses import replace

import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.geometry.findings import notes, summary
from rpganify.analysis.geometry.measure import GeometryConfig, Measured, Series, measure_geometry
from rpganify.analysis.geometry.metric import Checks
from tests.unit.analysis.geometry.models import standard

NEAR, FAR = Estimate(0.9, 0.88, 0.92), Estimate(0.5, 0.45, 0.55)
NOTHING: dict[str, tuple[Estimate | None, Estimate | None]] = {"model": (None, None)}


def measured(num_controls: int = 0, form: str = "exact") -> Measured:
    return measure_geometry(
        standard(), AnalysisContext(), GeometryConfig(3, form=form, num_top=2, num_controls=num_controls)
    )


def with_checks(found: Measured, checks: Checks) -> Measured:
    metrics = tuple(replace(metric, checks=checks) for metric in found.model.metrics)
    return replace(found, model=replace(found.model, metrics=metrics))


def with_agreement(series: Series, **changes: float) -> Series:
    return replace(series, agreement=replace(series.agreement, **changes))


def test_checks_beyond_rounding_are_said_with_what_to_take_instead():
    fine = Checks(1e-9, -1e-12, torch.tensor([1e-8]))
    for broken in (
        replace(fine, asymmetry=0.1),
        replace(fine, least=-0.01),
        replace(fine, residuals=torch.tensor([0.02])),
    ):
        (told,) = (one for one in notes(with_checks(measured(), broken), NOTHING) if one.startswith("Checked"))
        assert (
            "That is more than the 1e-05 that rounding explains" in told and "`--form exact` is the reference" in told
        )
    (told,) = (one for one in notes(with_checks(measured(), fine), NOTHING) if one.startswith("Checked"))
    assert told.endswith("all within 1e-05, which rounding explains.")


def test_dead_directions_that_weigh_in_the_logarithms_are_said():
    found = measured()
    many = replace(found, model=with_agreement(found.model, num_floored=31, num_values=100))
    few = replace(found, model=with_agreement(found.model, num_floored=1, num_values=100))

    assert any(
        one.startswith("31 % of the values that enter the logarithmic agreement lie below 1e-10")
        for one in notes(many, NOTHING)
    )
    assert not any("logarithmic agreement lie" in one for one in notes(few, NOTHING))


def test_a_control_that_agrees_as_much_takes_the_credit_from_training():
    found = measured(num_controls=2)

    def told(control: Estimate) -> list[str]:
        means = {"model": (NEAR, NEAR), "shuffled": (FAR, FAR), "untrained": (control, control)}
        return [one for one in notes(found, means) if "training is not what makes them agree" in one]

    assert told(Estimate(0.91, 0.9, 0.92)) == [
        "With untrained weights positions agree on the axes about as much (logarithms: 0.910), so that training is not what "
        "makes them agree."
    ]
    assert told(FAR) == []


def test_lanczos_says_that_its_agreement_is_of_the_largest_axes():
    told = notes(measured(form="lanczos"), NOTHING)

    assert any(one.startswith("Agreement is of the 2 largest axes only") for one in told)


def test_the_summary_says_so_where_the_axes_found_do_not_carry_enough():
    told = summary(measured(form="lanczos"), None, None)

    assert told.startswith(
        "The 2 largest axes of 6 do not carry 99 % of the image's change everywhere; the participation ratio"
    )
