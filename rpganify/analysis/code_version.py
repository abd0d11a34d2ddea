"""Which code a result depends on: a module, and all that it imports of its own package and of ours, as one hash."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<place>\.*[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n#]+)|import[ \t]+(?P<module>[\w.]+))",
    re.MULTILINE,
)
_NAME = re.compile(r"\w+")


@functools.cache
def code_version(module: str) -> str:
    """The module's name, the release of its package, and a hash of the code that it stands on.

    That is the text of the module and of every module of the same package and of rpganify that it imports, directly or
    not, at its head or inside a function. So new code counts as new, and a change elsewhere does not.

    Args:
        module: full name of an imported module, such as `rpganify.analysis.diversity.analyzer`.
    """
    package = module.partition(".")[0]
    try:
        release = version(package)
    except PackageNotFoundError:
        release = "unreleased"
    digest = hashlib.sha256()
    for name, file in sorted(_modules_below(module).items()):
        digest.update(f"\n{name}\n".encode())
        digest.update(file.read_bytes())
    return f"{module} {release} {digest.hexdigest()[:16]}"


def _modules_below(module: str) -> dict[str, Path]:
    """The module and what it imports of its package, by name; nothing if its source is not there."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = None if name in found else _file_of(name)
        if file is not None:
            found[name] = file
            waiting += _imports(name, file)
    return found


def _imports(module: str, file: Path) -> Iterator[str]:
    """Names in the module's package and in ours that may be modules; what is none is found to have no file."""
    packages = (module.partition(".")[0], "rpganify")
    here = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for match in _IMPORT.finditer(file.read_text(encoding="utf-8", errors="replace")):
        if match["module"]:
            places = [match["module"]]
        else:
            dots = len(match["place"]) - len(match["place"].lstrip("."))
            base = here[: len(here) - dots + 1] if dots else []
            place = ".".join([*base, *filter(None, [match["place"].lstrip(".")])])
            places = [place, *(f"{place}.{name}" for name in _NAME.findall(match["names"]))]
        yield from (place for place in places if place.partition(".")[0] in packages)


def _file_of(module: str) -> Path | None:
    """The source of a module, found beside its package's, which is imported already."""
    top, _, rest = module.partition(".")
    source = getattr(sys.modules.get(top), "__file__", None)
    if source is None:
        return None
    if not rest:
        return Path(source) if Path(source).suffix == ".py" else None
    inside = Path(source).parent.joinpath(*rest.split("."))
    return next((file for file in (inside.with_suffix(".py"), inside / "__init__.py") if file.is_file()), None)
