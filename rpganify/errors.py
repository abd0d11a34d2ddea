"""The exceptions that rpganify raises on purpose; anything else that escapes is our bug."""


class RpganifyError(Exception):
    """A refusal with a message for the user: what was wrong, why it is refused, how to go on."""


class SourceError(RpganifyError, LookupError):
    """The generator that was named cannot be found, read or built."""


class PlanError(RpganifyError, ValueError):
    """Buckets, blocks or layers that do not make a valid plan for this generator."""


class ConversionError(RpganifyError, ValueError):
    """The generator's forward pass cannot be turned into a graph, or the result does not verify."""


class PathError(RpganifyError, ValueError):
    """A path, bucket number or block number outside the path space."""


class ModelFileError(RpganifyError, ValueError):
    """A model on disk that is missing, damaged, foreign or newer, or that cannot be written."""


class RegistryError(RpganifyError, LookupError):
    """A plugin that is wrong, or a name that no plugin provides."""


class DataError(RpganifyError, ValueError):
    """A data set that is missing, damaged, or does not fit the generator."""


class TrainingError(RpganifyError, RuntimeError):
    """A training that cannot start, continue or be resumed."""


class AnalysisError(RpganifyError, ValueError):
    """An analysis that this model, or what is at hand, does not allow."""


class ExplorerError(RpganifyError, RuntimeError):
    """A page on this machine that cannot be served, or a request to it that cannot be answered."""


def closest(name: str, known: "list[str] | tuple[str, ...]", limit: int = 3) -> str:
    """The known names nearest to `name`, as a phrase for an error message; empty if none is near.

    Example: `closest("conv", ["conv1", "fc"])` is `" Did you mean 'conv1'?"`.
    """
    import difflib

    near = difflib.get_close_matches(name, known, n=limit, cutoff=0.5)
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(one) for one in near)}?"
