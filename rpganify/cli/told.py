"""What commands that write a page say when it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rpganify.cli.console import say, show, show_json
from rpganify.report.report import Report


def tell_reports(
    reports: Sequence[Report], files: Sequence[Path], *, has_sentences: bool, content: object = None
) -> None:
    """Notes, then each report in a line, then what was written.

    Args:
        reports: those on the page.
        files: what was written, the page first.
        has_sentences: whether what a report says of each bucket follows its line.
        content: in place of the lines, for `--json`.
    """
    for report in reports:
        for note in report.notes:
            say(f"note ({report.name}): {note}")
    if content is not None:
        show_json(content)
    else:
        for report in reports:
            show(f"{report.title}: {report.summary}" if report.summary else report.title)
            for sentence in report.per_bucket if has_sentences else ():
                show(sentence)
    say(f"wrote {files[0]} and {len(files) - 1} files beside it")
