"""The files that belong to one script: how they import each other, and the surroundings in which they run."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import itertools
import logging
import sys
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rpganify.source.circular import early_binding
from rpganify.source.finding import find_files, folders_above, is_installed, roots_of
from rpganify.source.runner import SlicedModule, runner_of
from rpganify.source.text import Script, read_script

log = logging.getLogger(__name__)
_numbers = itertools.count(1)


class World:
    """The files around one script, loaded without touching `sys.path` or other worlds.

    The modules get builtins of their own, whose `__import__` looks among the user's files first. So
    an import inside a method still finds the script's neighbours when it runs much later.

    Args:
        script: the file that was named.
        argv: what the script shall see as its command line, without its own name.
        root: a folder that absolute imports start from, besides those that the script's place tells.
    """

    def __init__(self, script: Path, argv: Sequence[str] = (), root: Path | None = None) -> None:
        self.name = f"rpganify_source_{next(_numbers)}"
        self.argv = [str(script), *argv]
        self.roots = [*([root] if root else []), *roots_of(script)]
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self.import_module}
        self._modules: dict[Path, SlicedModule] = {}
        self._depth = 0
        self._path_before: list[str] = []
        base = types.ModuleType(self.name)
        base.__path__ = []
        sys.modules[self.name] = base
        self.main = self.load(script)

    def owns(self, filename: str) -> bool:
        """Whether a code object's file is one of this world's."""
        return any(str(path) == filename for path in self._modules)

    def load(self, path: Path) -> SlicedModule:
        """The module of a file, or of a folder without `__init__.py`; nothing of it runs yet."""
        if path not in self._modules:
            script = Script(path, (), (), 0, "") if path.is_dir() else read_script(path)
            module = SlicedModule(self, self._module_name(path), path, script)
            self._modules[path] = module
            sys.modules[module.__name__] = module
        return self._modules[path]

    def resolve(self, name: str, level: int, importer: Path) -> SlicedModule | None:
        """The user's module that an import statement means; None if it is not one of the user's files."""
        chain = self._chain(name, level, importer)
        return chain[-1] if chain else None

    def modules_of(self, node: ast.stmt, importer: Path) -> list[SlicedModule]:
        """All of the user's modules that an import statement runs; packages before what is in them."""
        if isinstance(node, ast.Import):
            return self._chain(node.names[0].name, 0, importer)
        if not isinstance(node, ast.ImportFrom):
            return []
        chain = self._chain(node.module or "", node.level, importer)
        name = node.names[0].name
        if chain and name != "*" and name not in runner_of(chain[-1]).program.names:
            inner = self._chain(f"{node.module}.{name}" if node.module else name, node.level, importer)
            return inner or chain
        return chain

    def submodule(self, package: SlicedModule, name: str) -> SlicedModule | None:
        """A file or folder inside a package of the user's, set as the package's attribute."""
        folders = package.__dict__.get("__path__", ())
        found = find_files([name], [Path(folder) for folder in folders]) if name.isidentifier() else None
        if found is None:
            return None
        module = self.load(found[-1])
        package.__dict__[name] = module
        return module

    def import_module(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What `__import__` is to the user's files: theirs first, then everybody's."""
        importer = Path((globals or {}).get("__file__", self.argv[0]))
        chain = self._chain(name, level, importer)
        if not chain:
            if level:
                raise ImportError(f"there is no module {'.' * level + name!r} beside {importer.name}")
            return builtins.__import__(name, None, None, fromlist or (), 0)
        for parent, child in itertools.pairwise(chain):
            parent.__dict__.setdefault(child.__name__.rpartition(".")[2], child)
        if not fromlist:
            return chain[0]
        if chain[-1].__dict__["__file__"].endswith("__init__.py") and sys._getframe(1).f_code.co_name == "<module>":
            early = early_binding(self, runner_of(chain[-1]), fromlist[0], importer)
            if early is not None:
                offered = early.names[0].name
                wanted = fromlist[0] if offered == "*" else offered
                package = chain[-1].__dict__
                value = getattr(self.import_module(early.module or "", package, None, [wanted], early.level), wanted)
                return types.SimpleNamespace(**{fromlist[0]: value})
        for wanted in fromlist:
            if wanted not in chain[-1].__dict__ and wanted not in runner_of(chain[-1]).program.names:
                self.submodule(chain[-1], wanted)
        return chain[-1]

    def _chain(self, name: str, level: int, importer: Path) -> list[SlicedModule]:
        """The modules of a dotted name, outermost first; empty if they are not the user's."""
        parts = [part for part in name.split(".") if part]
        if level:
            folder = importer if importer.is_dir() else importer.parent
            for _ in range(level - 1):
                folder = folder.parent
            if not parts:
                init = folder / "__init__.py"
                return [self.load(init if init.is_file() else folder)]
            found = find_files(parts, [folder])
        else:
            found = self._find_absolute(parts)
        return [self.load(path) for path in found or ()]

    def _find_absolute(self, parts: list[str]) -> list[Path] | None:
        if not parts or parts[0] in sys.stdlib_module_names or parts[0] in ("torch", "numpy"):
            return None
        added = [Path(entry).resolve() for entry in sys.path if self._depth and entry not in self._path_before]
        self.roots += [entry for entry in added if entry.is_dir() and entry not in self.roots]
        found = find_files(parts, self.roots)
        if found is not None and found[0].is_dir() and is_installed(parts[0]):
            return None  # as in Python: a folder without `__init__.py` (logs in `wandb/`) hides no installed package
        if found is None and not is_installed(parts[0]):
            found = find_files(parts, [*folders_above(self.roots[0]), Path.cwd()])
        return found

    def _module_name(self, path: Path) -> str:
        place = path.parent if path.name == "__init__.py" else path.with_suffix("")
        for root in self.roots[::-1]:
            if place.is_relative_to(root) and place != root:
                return ".".join([self.name, *place.relative_to(root).parts])
        return f"{self.name}.{len(self._modules)}.{place.name}"

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """The surroundings in which user code runs: its own command line and path, quiet; put back at the end."""
        if self._depth:
            yield
            return
        known = set(sys.modules)
        argv, path = sys.argv, sys.path
        sys.argv, sys.path = list(self.argv), [*map(str, self.roots), *path]
        self._path_before = list(sys.path)
        self._depth += 1
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as said:
                warnings.simplefilter("ignore")
                with contextlib.redirect_stderr(io.StringIO()):
                    yield
            if said.getvalue():
                log.debug("%s printed: %s", self.argv[0], said.getvalue())
        finally:
            self._depth -= 1
            sys.argv, sys.path = argv, path
            self._forget_modules(known)

    def _forget_modules(self, known: set[str]) -> None:
        """Modules that `importlib.import_module` found beside the script must not be found by another one."""
        roots = tuple(str(root) + "/" for root in self.roots)
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            is_ours = isinstance(sys.modules[name], SlicedModule)
            if not is_ours and isinstance(file, str) and file.startswith(roots) and "site-packages" not in file:
                del sys.modules[name]
