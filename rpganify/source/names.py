"""Which names of its module a statement binds, uses and changes."""

from __future__ import annotations

import ast
import dis
import warnings
from collections.abc import Iterator
from types import CodeType

Function = (ast.FunctionDef, ast.AsyncFunctionDef)
Definition = (*Function, ast.ClassDef)
_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
_CHANGING = {
    *("append", "extend", "insert", "setdefault", "add", "remove", "discard", "pop", "popitem", "clear", "sort"),
    *("reverse", "read", "read_string", "read_dict", "read_file", "freeze", "defrost"),
}
_CHANGING_PREFIXES = ("add_", "set_", "merge", "register", "update", "define")
_PARSER_MAKERS = ("Parser", "add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser")
_TRAINING = {"backward", "zero_grad", "step"}
_DATA_CALLS = {"DataLoader", "ImageFolder", "DatasetFolder", "load_dataset", "SummaryWriter", "init_process_group"}
_DATA_MODULES = {"datasets", "dset", "dsets"}


def used_names(node: ast.stmt | ast.expr, flags: int = 0) -> frozenset[str]:
    """Module-level names that running `node`, or calling what it defines, may look up.

    Read off the compiled code, so locals, parameters and comprehension variables are left out.
    Names in annotations count too, also where `from __future__ import annotations` defers them.

    Raises:
        SyntaxError: the node parses but does not compile (`return` outside a function).
    """
    code = compiled(node, "<names>", flags)
    names = {
        instruction.argval
        for inner in _codes(code)
        for instruction in dis.get_instructions(inner)
        if instruction.opname in _LOADS
    }
    for child in ast.walk(node):
        for annotation in (getattr(child, "annotation", None), getattr(child, "returns", None)):
            if isinstance(annotation, ast.expr):
                names |= {n.id for n in ast.walk(annotation) if isinstance(n, ast.Name)}
    return frozenset(names)


def globals_set_inside(node: ast.stmt) -> frozenset[str]:
    """Names that a function declares `global`."""
    return frozenset(name for child in ast.walk(node) if isinstance(child, ast.Global) for name in child.names)


def compiled(node: ast.stmt | ast.expr, filename: str, flags: int = 0) -> CodeType:
    """The code of one statement or expression, without warnings about the author's style."""
    tree = ast.Expression(node) if isinstance(node, ast.expr) else ast.Module([node], type_ignores=[])
    mode = "eval" if isinstance(node, ast.expr) else "exec"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(tree, filename, mode, flags=flags, dont_inherit=True)
    return code


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def bound_names(node: ast.AST) -> frozenset[str]:
    """Names of the module that a simple statement, or a block's own header, assigns, imports or defines."""
    if isinstance(node, Definition):
        return frozenset({node.name})
    if isinstance(node, ast.Import):
        return frozenset(alias.asname or alias.name.split(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return frozenset(alias.asname or alias.name for alias in node.names if alias.name != "*")
    parts = header(node) if is_block(node) else [node]
    names = {n.id for part in parts for n in _same_scope(part) if isinstance(n, ast.Name) and _is_store(n)}
    names |= {handler.name for handler in getattr(node, "handlers", ()) if handler.name}
    for part in parts:
        names |= {n.name for n in _same_scope(part) if isinstance(n, (ast.MatchAs, ast.MatchStar)) and n.name}
    return frozenset(names)


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is below it, without the bodies of functions; of comprehensions only `:=` leaks out."""
    yield node
    if isinstance(node, (ast.Lambda, *Definition)):
        return
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        for child in ast.walk(node):
            if isinstance(child, ast.NamedExpr):
                yield child.target
        return
    for child in ast.iter_child_nodes(node):
        yield from _same_scope(child)


def is_block(node: ast.AST) -> bool:
    """Whether a statement is a block whose inner statements can be chosen one by one."""
    return isinstance(node, (ast.If, ast.For, ast.While, ast.Try, ast.TryStar, ast.With))


def header(node: ast.AST) -> list[ast.AST]:
    """The expressions that a block evaluates by itself: test, iterable and target, contexts, handled types."""
    parts: list[ast.AST | None] = [getattr(node, field, None) for field in ("test", "target", "iter")]
    parts += getattr(node, "items", [])
    parts += [handler.type for handler in getattr(node, "handlers", ())]
    return [part for part in parts if part is not None]


def header_uses(node: ast.AST, flags: int = 0) -> frozenset[str]:
    """Names that a block's header looks up."""
    uses: set[str] = set()
    for part in header(node):
        for expression in (part.context_expr,) if isinstance(part, ast.withitem) else (part,):
            if isinstance(expression, ast.expr) and isinstance(getattr(expression, "ctx", ast.Load()), ast.Load):
                uses |= used_names(expression, flags)
    return frozenset(uses)


def root_name(node: ast.AST) -> str | None:
    """The variable that an access starts from: `opt` in `opt.a["b"]`, `vars(opt)` and `opt.group("x").b`."""
    while True:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call):
            is_vars = isinstance(node.func, ast.Name) and node.func.id in ("vars", "setattr") and node.args
            node = node.args[0] if is_vars else node.func
        else:
            return None


def changed_names(node: ast.AST, parsers: frozenset[str] = frozenset()) -> frozenset[str]:
    """Variables whose objects a statement changes in place: `cfg.a = 1`, `sizes.append(3)`, `del d["x"]`.

    Args:
        node: a simple statement.
        parsers: variables that hold argument parsers; handing one to any function changes it.
    """
    changed: set[str | None] = set()
    targets: list[ast.expr] = []
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target]
    for target in targets:
        elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        changed |= {root_name(e) for e in elements if isinstance(e, (ast.Attribute, ast.Subscript, ast.Starred))}
    value = getattr(node, "value", None) if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)) else None
    if isinstance(value, ast.Call):
        if isinstance(value.func, ast.Name) and value.func.id == "setattr":
            changed.add(root_name(value))
        if any(_is_changing(call) for call in _calls_along(value)):
            changed.add(root_name(value))
        changed |= {a.id for a in value.args if isinstance(a, ast.Name) and a.id in parsers}
    return frozenset(name for name in changed if name)


def _calls_along(call: ast.Call) -> Iterator[ast.Attribute]:
    """The methods called in a chain such as `a.b().c()`."""
    node: ast.AST = call
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func
        node = node.func if isinstance(node, ast.Call) else node.value


def _is_changing(method: ast.Attribute) -> bool:
    return method.attr in _CHANGING or method.attr.startswith(_CHANGING_PREFIXES)


def parser_of(node: ast.AST) -> tuple[str, str | None] | None:
    """For `p = ArgumentParser()` the pair (p, None); for `g = p.add_argument_group()` the pair (g, p)."""
    if not (
        isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name)
    ):
        return None
    function = node.value.func
    made_by = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if not made_by.endswith(_PARSER_MAKERS):
        return None
    parent = root_name(function) if made_by.startswith("add_") else None
    return node.targets[0].id, parent


def trains(node: ast.AST) -> bool:
    """Whether a loop holds calls that only a training has: `.backward()`, `.step()`, `.zero_grad()`."""
    return any(
        isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in _TRAINING
        for child in ast.walk(node)
    )


def is_main_guard(node: ast.AST) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare)):
        return False
    sides = [node.test.left, *node.test.comparators]
    names = {side.id for side in sides if isinstance(side, ast.Name)}
    return "__name__" in names and any(isinstance(s, ast.Constant) and s.value == "__main__" for s in sides)


def loads_data(node: ast.AST) -> str:
    """The call in a statement that reads a data set or opens a log; empty if there is none."""
    if isinstance(node, Definition) or is_block(node):
        return ""
    for child in _same_scope(node):
        if isinstance(child, ast.Call):
            function = ast.unparse(child.func)
            chain = function.split(".")
            if chain[-1] in _DATA_CALLS or (len(chain) > 1 and chain[-2] in _DATA_MODULES and chain[-1][:1].isupper()):
                return function
    return ""
