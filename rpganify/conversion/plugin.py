"""The built-in replications, offered through the same hook as a stranger's; imports no torch."""

from __future__ import annotations

from rpganify.hookspecs import ReplicationEntry, hookimpl


@hookimpl
def rpganify_replications() -> list[ReplicationEntry]:
    """What `--init` names."""
    newborn = "rpganify.conversion.newborn"
    return [
        ReplicationEntry(
            "fresh", "the author's initialisation, run again for each block", f"{newborn}:fresh", builds_anew=True
        ),
        ReplicationEntry("copy", "each block as the generator is", f"{newborn}:copy"),
        ReplicationEntry("jitter", "copies with normal noise of 0.1 std", f"{newborn}:jitter"),
    ]
