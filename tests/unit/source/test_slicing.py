import ast
import textwrap

from rpganify.source.slicing import Program, prune


def kept(text: str, *names: str, before: int | None = None) -> str:
    program = Program(ast.parse(textwrap.dedent(text)).body)
    return "\n".join(ast.unparse(node) for node in prune(program.statements, program.slice(names, before=before).nodes))


def test_names_are_followed_through_functions_to_constants():
    text = """
    A = 1
    B = 2
    def f():
        return A
    def g():
        return B
    x = f()
    """
    assert kept(text, "x") == "A = 1\ndef f():\n    return A\nx = f()"


def test_changes_of_a_needed_object_are_kept_in_order():
    text = """
    sizes = {}
    other = {}
    sizes["a"] = 1
    other["a"] = 1
    sizes.update(b=2)
    print(sizes)
    """
    assert kept(text, "sizes") == "sizes = {}\nsizes['a'] = 1\nsizes.update(b=2)"


def test_options_of_a_group_belong_to_the_parser():
    text = """
    p = ArgumentParser()
    g = p.add_argument_group("x")
    g.add_argument("--n")
    q = ArgumentParser()
    q.add_argument("--m")
    opt = p.parse_args()
    """
    result = kept(text, "opt")
    assert "g.add_argument('--n')" in result
    assert "q" not in result


def test_of_a_branch_only_the_needed_statements_stay():
    text = """
    if kind == "lsun":
        data = load()
        nc = 3
    elif kind == "mnist":
        data = load()
        nc = 1
    else:
        data = None
    """
    assert kept(text, "nc") == "if kind == 'lsun':\n    nc = 3\nelif kind == 'mnist':\n    nc = 1"


def test_a_try_whose_handler_is_needed_keeps_its_whole_body():
    text = """
    try:
        import apex
        HAS_APEX = True
    except ImportError:
        HAS_APEX = False
    """
    assert "import apex" in kept(text, "HAS_APEX")


def test_a_try_whose_handler_is_not_needed_keeps_one_import():
    text = """
    try:
        import numpy
        import plotting
    except ImportError as e:
        print(e)
        raise
    """
    result = kept(text, "numpy")
    assert "plotting" not in result and "raise" in result and "print" not in result


def test_a_loop_that_fills_a_needed_list_is_kept_without_its_talk():
    text = """
    sizes = []
    for i in range(4):
        print(i)
        if i == 3:
            break
        sizes.append(i)
    """
    result = kept(text, "sizes")
    assert "print" not in result and "break" in result and "sizes.append(i)" in result


def test_a_training_loop_binds_nothing():
    text = """
    alpha = 0
    for x in data:
        loss(x).backward()
        alpha = alpha + 1
    """
    assert kept(text, "alpha") == "alpha = 0"


def test_the_main_block_binds_nothing():
    text = """
    size = 4
    if __name__ == "__main__":
        size = 8
    """
    assert kept(text, "size") == "size = 4"


def test_what_comes_after_the_first_use_does_not_count():
    text = """
    size = 4
    net = make(size)
    size = 8
    """
    program = Program(ast.parse(textwrap.dedent(text)).body)
    nodes = program.slice(["size"], before=1).nodes
    assert [ast.unparse(node) for node in nodes] == ["size = 4"]


def test_a_name_that_is_bound_only_later_is_still_found():
    text = """
    net = make()
    device = "cpu"
    """
    assert kept(text, "device", before=0) == "device = 'cpu'"


def test_a_class_that_registers_itself_in_a_needed_table_is_kept():
    text = """
    TABLE = {}
    def register(name):
        def add(cls):
            TABLE[name] = cls
            return cls
        return add
    @register("a")
    class A: pass
    class B: pass
    def build(name):
        return TABLE[name]()
    """
    result = kept(text, "build")
    assert "class A" in result and "class B" not in result


def test_a_function_that_sets_a_global_is_called():
    text = """
    def setup():
        global width
        width = 8
    setup()
    other()
    """
    result = kept(text, "width")
    assert result.endswith("setup()") and "other" not in result


def test_names_looked_up_as_text_keep_all_definitions():
    text = """
    class A: pass
    class B: pass
    x = 1
    def build(name):
        return globals()[name]()
    """
    result = kept(text, "build")
    assert "class A" in result and "class B" in result and "x = 1" not in result


def test_search_paths_are_set_before_an_import():
    text = """
    import sys
    sys.path.append("lib")
    import helper
    x = helper.f()
    """
    assert "sys.path.append('lib')" in kept(text, "x")
