"""Tables of TOML are read strictly."""

import pytest

from examples.reproducing.errors import RecipeError
from examples.reproducing.fields import Fields


def test_every_kind_of_value_is_taken_as_it_stands() -> None:
    content = {
        "name": "a", "step": 3, "rate": 0.5, "is_on": True, "words": ["a", "b"], "counts": [1, 2], "one": 7,
        "rows": [["a"], ["b", "c"]], "table": {"x": 1}, "tables": [{"name": "first"}, {"name": "second"}],
    }  # fmt: skip
    fields = Fields(content, "here")
    assert (fields.text("name"), fields.whole("step"), fields.number("rate")) == ("a", 3, 0.5)
    assert fields.flag("is_on", False) is True
    assert (fields.texts("words"), fields.wholes("counts"), fields.wholes("one")) == (("a", "b"), (1, 2), (7,))
    assert fields.rows("rows") == (("a",), ("b", "c"))
    assert fields.table("table") == {"x": 1}
    assert [one.text("name") for one in fields.tables("tables")] == ["first", "second"]
    fields.finish()


def test_what_is_left_out_has_its_default() -> None:
    fields = Fields({}, "here")
    assert (fields.text("a", "b"), fields.flag("c", True), fields.texts("d", ("e",))) == ("b", True, ("e",))
    assert (fields.number("f"), fields.whole("g"), fields.table("h"), fields.tables("i")) == (None, None, {}, ())
    assert fields.rows("j") == ()


def test_a_whole_number_is_a_number_too() -> None:
    assert Fields({"x": 2}, "here").number("x") == 2.0


def test_a_key_that_nobody_asked_for_is_refused_with_the_nearest() -> None:
    fields = Fields({"titel": "x"}, "my.toml")
    fields.text("title", "")
    with pytest.raises(RecipeError, match=r"^my\.toml: there is no setting 'titel' here\. Did you mean 'title'\?"):
        fields.finish()


def test_a_missing_key_is_refused_with_what_may_have_been_meant() -> None:
    with pytest.raises(RecipeError, match=r"'title' is missing; it is a text in quotes\. Did you mean 'titel'\?"):
        Fields({"titel": "x"}, "my.toml").text("title")


@pytest.mark.parametrize(
    ("take", "value", "wanted"),
    [
        (lambda fields: fields.text("x"), 3, "a text in quotes"),
        (lambda fields: fields.whole("x"), 0.5, "a whole number"),
        (lambda fields: fields.whole("x"), True, "a whole number"),
        (lambda fields: fields.number("x"), "0.5", "a number"),
        (lambda fields: fields.flag("x", False), 1, "true or false"),
        (lambda fields: fields.texts("x"), "a", "a list of texts"),
        (lambda fields: fields.texts("x"), [1], "a list of texts"),
        (lambda fields: fields.wholes("x"), [True], "a list of whole numbers"),
        (lambda fields: fields.rows("x"), [[1]], "a list of lists of texts"),
        (lambda fields: fields.table("x"), [], r"a table, \[x\]"),
        (lambda fields: fields.tables("x"), {}, r"a list of tables, \[\[x\]\]"),
    ],
)
def test_a_value_of_another_kind_is_refused(take, value, wanted: str) -> None:
    with pytest.raises(RecipeError, match=rf"'x' is {wanted}"):
        take(Fields({"x": value}, "here"))


def test_an_error_says_in_which_table_it_is() -> None:
    fields = Fields({"models": {"rpgan": {"blcoks": 3}}, "analyses": [{}, {"modles": []}]}, "my.toml")
    with pytest.raises(RecipeError, match=r"^my\.toml, \[models\], \[rpgan\]: "):
        fields.fields("models").fields("rpgan").finish()
    with pytest.raises(RecipeError, match=r"^my\.toml, \[\[analyses\]\] 2: "):
        fields.tables("analyses")[1].finish()
