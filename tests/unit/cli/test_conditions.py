"""Values for a generator's further inputs."""

from dataclasses import dataclass

import pytest
import torch
import typer

from rpganify.cli.conditions import read_conditions


@dataclass(frozen=True)
class Condition:
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype


LABEL = Condition("label", (), torch.int64)
STYLE = Condition("styles[1]", (3,), torch.float32)


def test_values_become_tensors_of_the_inputs_type_and_shape():
    read = read_conditions(["label=3", "styles[1]=[1,0,0.5]"], [LABEL, STYLE])
    assert read["label"].dtype == torch.int64
    torch.testing.assert_close(read["label"], torch.tensor(3))
    torch.testing.assert_close(read["styles[1]"], torch.tensor([1.0, 0.0, 0.5]))


def test_a_generator_without_further_inputs_needs_nothing():
    assert read_conditions(None, []) == {}


@pytest.mark.parametrize(
    ("values", "wanted", "message"),
    [
        (None, [LABEL], r"also needs label, torch\.int64 of shape \(\): --condition label=0"),
        (["lable=3"], [LABEL], r"no further input 'lable'; it needs label\. Did you mean 'label'\?"),
        (["label=3"], [], "no further input 'label'; it needs none"),
        (["label=cat"], [LABEL], "label=cat is neither a number nor a list of numbers"),
        (["label=[1,2]"], [LABEL], r"label=\[1,2\] has shape \(2,\); shape \(\) is needed"),
    ],
)
def test_values_that_do_not_fit_are_wrong_usage_and_say_how_to_go_on(values, wanted, message):
    with pytest.raises(typer.BadParameter, match=message):
        read_conditions(values, wanted)
