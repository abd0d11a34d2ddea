"""Small generators of our own, one per class of construction that generators in the wild are made of."""

from tests.generators import (
    attention,
    control_flow,
    gradients,
    inputs_outputs,
    norms,
    regions,
    state,
    tensors_made,
)
from tests.generators.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for part in (control_flow, inputs_outputs, tensors_made, state, norms, regions, attention, gradients)
    for case in part.CASES
}
