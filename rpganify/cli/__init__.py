"""The command line: the only place that prints. Torch is imported inside commands, so help and completion are quick."""

import os

__all__ = ["main"]


def main() -> None:
    """Runs `rpganify` with the process's arguments, and ends the process with the exit code."""
    # Routing makes many small calls, and between them OpenMP's threads spin by default. Where others use the same two
    # cores, 40 training steps took over 300 s that way and 94 s with threads that sleep. Read once, on importing torch.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from rpganify.cli.app import app

    app()
