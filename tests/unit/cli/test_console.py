"""Tables on stdout."""

from rpganify.cli.console import show_table


def test_a_text_among_the_rows_stands_across_all_columns_and_widens_none(capsys):
    show_table(
        [("name", "left"), ("number", "right")],
        ["a heading that is longer than the whole table [x]", ["one", "1"], "another", ["two", "22"]],
    )
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "name  number",
        "a heading that is longer than the whole table [x]",
        "one        1",
        "another",
        "two       22",
    ]
    assert captured.err == ""
