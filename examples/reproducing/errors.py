"""What is refused on purpose; every other exception is a mistake of ours."""

from __future__ import annotations

from rpganify.errors import RpganifyError


class RecipeError(RpganifyError, ValueError):
    """A recipe that does not say what it should, or asks for what is not at hand."""


class StageError(RpganifyError, RuntimeError):
    """A stage of an experiment that failed, or that was made in another way before."""
