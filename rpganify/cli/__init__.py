"""The command line: the only place that prints. Torch is imported inside commands, so help and completion are quick."""


def main() -> None:
    """Runs `rpganify` with the process's arguments, and ends the process with the exit code."""
    from rpganify.cli.app import app

    app()


__all__ = ["main"]
