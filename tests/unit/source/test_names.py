import ast

import pytest

from rpganify.source.names import (
    bound_names,
    changed_names,
    is_main_guard,
    loads_data,
    parser_of,
    root_name,
    trains,
    used_names,
)


def statement(text: str) -> ast.stmt:
    return ast.parse(text).body[0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = a + b.c", {"a", "b"}),
        ("def f(p, q=d):\n    local = p + g\n    return local", {"d", "g"}),
        ("def f():\n    return [i * k for i in rows]", {"k", "rows"}),
        ("def f():\n    def inner(x):\n        return x + outer\n    return inner", {"outer"}),
        (
            "class A(Base):\n    size = width\n    def m(self):\n        return helper(self.size)",
            {"Base", "width", "helper"},
        ),
        ("@register\ndef f(x: Hint) -> Result:\n    pass", {"register", "Hint", "Result"}),
        ("f = lambda x: x + y", {"y"}),
        ("def f():\n    global g\n    g = 1\n    return g", {"g"}),
        ("class A:\n    def m(self):\n        return super().m()", {"super"}),
    ],
)
def test_used_names_are_those_of_the_module_and_no_locals(text, names):
    found = used_names(statement(text))
    assert names <= found
    assert found - names <= {"super", "__name__", "range"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a = b = 1", {"a", "b"}),
        ("a, (b, *c) = 1, (2, 3)", {"a", "b", "c"}),
        ("a: int = 1", {"a"}),
        ("a += 1", {"a"}),
        ("import os.path", {"os"}),
        ("import torch.nn as nn", {"nn"}),
        ("from m import a as b", {"b"}),
        ("def f():\n    x = 1", {"f"}),
        ("class A:\n    x = 1", {"A"}),
        ("for i in range(3):\n    x = i", {"i"}),
        ("with open('f') as f:\n    x = 1", {"f"}),
        ("x = [i for i in range(3)]", {"x"}),
        ("x = (y := 3)", {"x", "y"}),
        ("opt.a = 1", set()),
        ("print(a)", set()),
    ],
)
def test_bound_names_of_a_statement_or_a_block_header(text, names):
    assert bound_names(statement(text)) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cfg.a.b = 1", {"cfg"}),
        ("cfg['a'] += 1", {"cfg"}),
        ("del cfg['a']", {"cfg"}),
        ("sizes.append(3)", {"sizes"}),
        ("cfg.update(a=1)", {"cfg"}),
        ("vars(opt).update(a=1)", {"opt"}),
        ("setattr(opt, 'a', 1)", {"opt"}),
        ("parser.add_argument('--x')", {"parser"}),
        ("parser.add_argument_group('g').add_argument('--x')", {"parser"}),
        ("popped = cfg.pop('a')", {"cfg"}),
        ("x, cfg['a'] = 1, 2", {"cfg"}),
        ("print(cfg)", set()),
        ("optimizer.step()", set()),
        ("net.cuda()", set()),
        ("torch.manual_seed(1)", set()),
    ],
)
def test_changed_names_are_the_variables_whose_objects_change(text, names):
    assert changed_names(statement(text)) == names


def test_a_parser_that_is_handed_to_a_function_counts_as_changed():
    assert changed_names(statement("add_options(parser, 3)"), frozenset({"parser"})) == {"parser"}
    assert changed_names(statement("add_options(other)"), frozenset({"parser"})) == frozenset()


def test_a_group_knows_its_parser():
    assert parser_of(statement("p = argparse.ArgumentParser()")) == ("p", None)
    assert parser_of(statement("g = p.add_argument_group('x')")) == ("g", "p")
    assert parser_of(statement("x = f()")) is None


def test_the_root_of_an_access_is_the_variable_that_it_starts_from():
    assert root_name(ast.parse("opt.a['b'](1).c", mode="eval").body) == "opt"
    assert root_name(ast.parse("(1).real", mode="eval").body) is None


def test_a_loop_with_a_backward_pass_is_a_training():
    assert trains(statement("for x in data:\n    loss(x).backward()"))
    assert not trains(statement("for i in range(3):\n    sizes.append(i)"))


def test_the_main_guard_is_known_from_both_sides():
    assert is_main_guard(statement("if __name__ == '__main__':\n    pass"))
    assert is_main_guard(statement("if '__main__' == __name__:\n    pass"))
    assert not is_main_guard(statement("if name == '__main__':\n    pass"))


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("data = DataLoader(x)", "DataLoader"),
        ("data = torch.utils.data.DataLoader(x)", "torch.utils.data.DataLoader"),
        ("data = dset.MNIST('.', download=True)", "dset.MNIST"),
        ("data = torchvision.datasets.CIFAR10('.')", "torchvision.datasets.CIFAR10"),
        ("def f():\n    return DataLoader(x)", ""),
        ("n = len(x)", ""),
    ],
)
def test_calls_that_read_a_data_set_are_seen(text, call):
    assert loads_data(statement(text)) == call
