"""`rpganify plugins doctor`: loads every plugin, and checks what each offers by the laws of its kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rpganify.cli.options import JsonOption

if TYPE_CHECKING:
    from rpganify.entries import Entry
    from rpganify.registry import Registry

Verdict = Literal["ok", "skipped", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of one entry, or of a plugin that could not be loaded.

    Args:
        plugin: who offers it.
        kind: which kind; empty for a whole plugin.
        name: the entry's; empty for a whole plugin.
        verdict: whether it keeps the laws, could not be checked, or is wrong.
        reason: why, if it is not "ok".
    """

    plugin: str
    kind: str
    name: str
    verdict: Verdict
    reason: str = ""


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Entries or plugins to check; all if none is named."),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="Where the files of data sets are.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load everything, check it, and say what is wrong.

    Each entry is tried by the laws of its kind (rpganify.testing). What lacks a file or a further option is skipped, and
    the reason said. Ends with 1 if anything is wrong.
    """
    from rpganify.cli.console import show, show_json
    from rpganify.cli.progress import ProgressTalk
    from rpganify.registry import KINDS, Registry, chosen_plugins

    registry = Registry(chosen_plugins(), is_lenient=True)
    entries = _chosen(
        names or (), [(kind.one, e) for kind in KINDS for e in registry.all(kind.entry).values()], registry
    )
    findings = [
        Finding(str(provider), "", "", "wrong", cause)
        for provider, cause in registry.failures.items()
        if not names or provider.name in names
    ]
    with ProgressTalk() as talk:
        for index, (kind, entry) in enumerate(entries):
            talk.update("checked", index, len(entries), f"{kind} {entry.name}")
            findings.append(_examine(kind, entry, registry, data_root))
        talk.update("checked", len(entries), len(entries))
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            subject = f"{finding.kind} {finding.name}" if finding.name else "plugin"
            show(f"{finding.verdict:8}{subject} of {finding.plugin}" + f": {finding.reason}" * bool(finding.reason))
        counts = [f"{sum(f.verdict == verdict for f in findings)} {verdict}" for verdict in ("ok", "skipped", "wrong")]
        show(", ".join(counts))
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


def _chosen(
    names: list[str] | tuple[str, ...], entries: list[tuple[str, Entry]], registry: Registry
) -> list[tuple[str, Entry]]:
    """The entries that the user names, by their own name or their plugin's.

    Raises:
        RegistryError: a name that is neither.
    """
    from rpganify.errors import RegistryError, closest

    known = {name for _, entry in entries for name in (entry.name, registry.provider(entry).name)}
    known |= {provider.name for provider in registry.failures}
    for name in names:
        if name not in known:
            raise RegistryError(
                f"Nothing and no plugin is called {name!r}.{closest(name, sorted(known))} `rpganify plugins` lists them."
            )
    return [
        (kind, entry)
        for kind, entry in entries
        if not names or entry.name in names or registry.provider(entry).name in names
    ]


def _examine(kind: str, entry: Entry, registry: Registry, data_root: Path | None) -> Finding:
    from rpganify.registry.resolving import one_line, reason
    from rpganify.testing import BrokenLaw, Unavailable, check

    plugin = str(registry.provider(entry))
    try:
        check(entry, registry=registry, data_root=data_root)
    except Unavailable as error:
        return Finding(plugin, kind, entry.name, "skipped", one_line(error))
    except BrokenLaw as error:
        return Finding(plugin, kind, entry.name, "wrong", one_line(error))
    except Exception as error:  # a plugin may fail where no check expected it; the others are still to be examined
        return Finding(plugin, kind, entry.name, "wrong", reason(error))
    return Finding(plugin, kind, entry.name, "ok")
