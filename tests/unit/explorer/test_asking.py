"""Queries of requests."""

import pytest

from rpganify.errors import ExplorerError
from rpganify.explorer.asking import MAX_QUERY, Query


def test_texts_are_decoded():
    query = Query("path=1-2-3&condition=styles%5B0%5D%3D%5B1%2C2%5D&condition=label=3&first=12&blank=")
    assert query.one("path") == "1-2-3"
    assert query.many("condition") == ["styles[0]=[1,2]", "label=3"]
    assert query.integer("first") == 12
    assert query.one("blank") == "" and query.many("absent") == []


@pytest.mark.parametrize("text", ["", "first=1&first=2"])
def test_a_text_that_is_missing_or_given_twice_is_refused(text):
    with pytest.raises(ExplorerError, match=r"values for 'first'; give one: \?first=…"):
        Query(text).integer("first")


@pytest.mark.parametrize("text", ["-1", "1.0", "x", "", "²", "1234567890"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(ExplorerError, match="is no whole number, 0 or larger"):
        Query(f"first={text}").integer("first")


def test_an_endless_query_is_not_read():
    with pytest.raises(ExplorerError, match="8193 characters, more than the 8192"):
        Query("x" * (MAX_QUERY + 1))
