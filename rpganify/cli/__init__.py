"""The command line: the only place that prints. Torch is imported inside commands, so help and completion are quick."""

__all__ = ["main"]


def main() -> None:
    """Runs `rpganify` with the process's arguments, and ends the process with the exit code."""
    from rpganify.cli.waiting import choose_waiting

    choose_waiting()
    from rpganify.cli.app import app

    app()
