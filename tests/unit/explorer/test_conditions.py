"""Further inputs as fields of the page."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rpganify.errors import ExplorerError
from rpganify.explorer.conditions import Field, count_accepted, make_fields, read_fields

LABEL = Field("label", torch.tensor(2), num_values=10)
STRENGTH = Field("strength", torch.tensor(1.5))
STYLE = Field("styles[1]", torch.tensor([0.5, 1.0]))


def test_a_request_gives_values_and_the_rest_stays_as_it_was():
    read = read_fields((LABEL, STRENGTH, STYLE), ["label=7", "styles[1]=[0, 2.5]"])
    assert read["label"].dtype == torch.int64 and int(read["label"]) == 7
    torch.testing.assert_close(read["strength"], torch.tensor(1.5))
    torch.testing.assert_close(read["styles[1]"], torch.tensor([0.0, 2.5]))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lable=3"], "no further input 'lable'; it has label, strength, styles"),
        (["label=3", "label=4"], "label is given twice"),
        (["label=cat"], "label='cat' is neither a number nor a list of numbers; 2 would be one"),
        (["label="], "label='' is neither a number"),
        (["label=[1]"], r"label has shape \(\), and '\[1\]' has \(1,\); 2 would fit"),
        (["label=1.5"], r"label takes whole numbers, and '1\.5' is none"),
        (["label=10"], "label is 0 to 9 in this generator; there is no 10"),
        (["label=-1"], "label is 0 to 9 in this generator; there is no -1"),
        (["label=99999999999999999999"], "is neither a number"),
        (["strength=NaN"], r"strength='NaN' is not finite; 1\.5 would be"),
        (["strength=null"], "is neither a number"),
        (["styles[1]=[1,2,3]"], r"has shape \(2,\), and '\[1,2,3\]' has \(3,\); \[0\.5, 1\.0\] would fit"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_one_that_would(texts, message):
    with pytest.raises(ExplorerError, match=message):
        read_fields((LABEL, STRENGTH, STYLE), texts)


def test_the_page_is_told_what_kind_of_field_to_show():
    noise = Field("noise", torch.zeros(1, 16, 16))
    assert [field.to_json() for field in (LABEL, STRENGTH, STYLE, noise)] == [
        {"name": "label", "kind": "integer", "shape": [], "value": 2, "numValues": 10},
        {"name": "strength", "kind": "number", "shape": [], "value": 1.5, "numValues": None},
        {"name": "styles[1]", "kind": "list", "shape": [2], "value": [0.5, 1.0], "numValues": None},
        {"name": "noise", "kind": "fixed", "shape": [1, 16, 16], "value": None, "numValues": None},
    ]


@given(st.integers(1, 5000))
def test_the_numbers_that_are_accepted_are_counted_exactly(num_values):
    asked = []

    def accepts(value):
        asked.append(value)
        return value < num_values

    assert count_accepted(accepts) == num_values
    assert len(asked) <= 26  # 2 log2(5000)


def test_there_is_no_count_where_everything_or_nothing_is_accepted():
    assert count_accepted(lambda value: True) is None
    assert count_accepted(lambda value: False) is None


def test_the_labels_of_a_generator_are_found_by_trying(labelled):
    def images(given):
        return labelled.images(torch.zeros(1, 3, dtype=torch.int64), **{name: v[None] for name, v in given.items()})

    initial = {"label": torch.tensor(3), "strength": torch.tensor(1.0)}
    label, strength = make_fields(labelled.conditions, initial, images)
    assert (label.name, label.num_values, int(label.initial)) == ("label", 4, 3)
    assert (strength.name, strength.num_values) == ("strength", None)
