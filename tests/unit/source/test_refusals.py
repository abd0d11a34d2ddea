"""Each refusal is one line that says what, why and how to go on."""

import pytest

from rpganify.errors import SourceError
from rpganify.source import load_source
from rpganify.source.text import shown

MODULE = """
import torch.nn as nn
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
class Plain:
    pass
SIZE = 3
def give_number():
    return 3
"""


def refusal(text: str, *args: object, **kwargs: object) -> str:
    with pytest.raises(SourceError) as caught:
        load_source(text, *args, **kwargs).build(0)
    message = str(caught.value)
    assert "\n" not in message and message[0] != " " and message.endswith((".", "`.", "`"))
    return message


def test_a_missing_file_is_told_with_near_names(write):
    write(MODULE)
    assert refusal("my_gen.py") == (
        "my_gen.py does not exist. Did you mean 'my_gan.py'? Check the path, or give the file's full name."
    )


def test_a_missing_file_without_near_names_is_told_with_what_is_there(write, tmp_path):
    write(MODULE)
    assert f"Python files in {shown(tmp_path)}: my_gan.py" in refusal("zzz.py")


def test_a_missing_folder_is_told(write):
    assert "there is no folder nowhere" in refusal("nowhere/my_gan.py")


def test_a_folder_is_no_file(write):
    write(MODULE, "models/gan.py")
    assert refusal("models/") == "models/ is a folder. Name one of its files: gan.py."
    assert refusal("models") == "models is a folder. Name one of its files: gan.py."


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("gan.ipynb", "jupyter nbconvert --to script gan.ipynb"),
        ("gan.pth", "give the weights with `--weights`"),
        ("gan.txt", "Name the .py file that defines the class"),
    ],
)
def test_other_kinds_of_files_are_refused_with_the_way_to_go(write, name, advice):
    write("", name)
    assert advice in refusal(name)


def test_a_syntax_error_is_told_with_line_and_text(write):
    write("import torch.nn as nn\nclass Generator(nn.Module):\n    def __init__(self:\n        pass\n")
    message = refusal("my_gan.py")
    assert message.startswith("my_gan.py, line 3: ") and "`def __init__(self:`" in message
    assert "line 3" in refusal("my_gan.py:Generator")


def test_a_needed_constant_that_does_not_parse_is_told(write):
    write(MODULE.replace("2, 3", "2, WIDTH") + "WIDTH = = 3\n")
    assert "'WIDTH' is defined in my_gan.py, line 12: invalid syntax: `WIDTH = = 3`" in refusal("my_gan.py:Generator")


def test_an_unknown_class_is_told_with_near_names(write):
    write(MODULE)
    assert refusal("my_gan.py:Genrator") == (
        "my_gan.py defines no 'Genrator'. Did you mean 'Generator'? Its Modules: Generator (line 3)."
    )


@pytest.mark.parametrize("expression", ["Generator(", "", "Generator 3", "1 +", "class", "\x00"])
def test_what_is_no_expression_is_refused(write, expression):
    write(MODULE)
    assert "is no Python expression" in refusal(f"my_gan.py:{expression}")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("SIZE", "SIZE gives a int, which is no nn.Module"),
        ("give_number", "give_number gives a int, which is no nn.Module"),
        ("Plain", "Plain is a class, but no nn.Module"),
        ("Plain()", "gives a Plain, which is no nn.Module"),
        ("Generator(3)", "TypeError: Generator.__init__() takes 1 positional argument but 2 were given"),
        ("Generator.nothing", "Generator has no attribute 'nothing'"),
        ("Generator().fcc", "has no attribute 'fcc'"),
        ("unknown(3)", "defines no 'unknown'"),
        ("1 / 0", "ZeroDivisionError"),
        ("None", "gives a NoneType"),
        ("nn", "gives a module"),
    ],
)
def test_expressions_that_give_no_generator_are_refused(write, expression, message):
    write(MODULE)
    assert message in refusal(f"my_gan.py:{expression}")


def test_an_exception_of_the_constructor_is_told_with_its_line(write):
    write("""
        import torch.nn as nn
        def sizes():
            raise KeyError("no size\\nhere")
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                sizes()
    """)
    message = refusal("my_gan.py")
    assert message.startswith("Building Generator fails at my_gan.py, line 4: KeyError: ")


@pytest.mark.parametrize("leave", ["raise SystemExit(3)", "import sys; sys.exit('bye')", "quit()"])
def test_a_constructor_that_leaves_the_process_does_not_take_us_along(write, leave):
    write(f"""
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                {leave}
    """)
    assert "Building Generator fails at my_gan.py" in refusal("my_gan.py")


def test_a_ctrl_c_is_the_users_and_passes(write):
    write("""
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                raise KeyboardInterrupt
    """)
    with pytest.raises(KeyboardInterrupt):
        load_source("my_gan.py").build(0)


def test_a_needed_package_that_is_missing_is_told_with_the_line_to_install_it(write):
    write("import nobody_has_this.nets as nets\nclass Generator(nets.Base):\n    pass\n")
    assert refusal("my_gan.py:Generator") == (
        "my_gan.py, line 1: `import nobody_has_this.nets as nets` needs the package 'nobody_has_this', "
        "which is not installed. Install it (`pip install nobody_has_this`) and try again."
    )


def test_a_missing_neighbour_is_told(write):
    write(
        "from .nothing import Base\nclass Generator(Base):\n    def forward(self, x):\n        return x\n", "p/gan.py"
    )
    assert "there is no module '.nothing' beside gan.py" in refusal("p/gan.py")


def test_a_name_that_a_neighbour_lacks_is_told(write):
    write("x = 1\n", "other.py")
    write("from other import Base\nclass Generator(Base):\n    pass\n")
    message = refusal("my_gan.py:Generator")
    assert "cannot import name 'Base' from 'other'" in message and "line 1" in message


def test_a_command_line_that_is_read_by_position_is_told(write):
    write(
        "import sys\nimport torch.nn as nn\nn = int(sys.argv[1])\nclass Generator(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(2, n)\n"
    )
    assert "reads the command line, which is empty" in refusal("my_gan.py")
    assert load_source("my_gan.py", {}, ["5"]).build(0).out_features == 5


def test_a_gpu_that_is_not_there_is_told(write):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    write(MODULE.replace("nn.Linear(2, 3)", "nn.Linear(2, 3).cuda()"))
    assert "It asks for a GPU, which is not here" in refusal("my_gan.py")


def test_an_argument_name_that_is_none_is_refused(write):
    write(MODULE)
    assert "'latent-dim' is no argument name" in refusal("my_gan.py", {"latent-dim": "3"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "No generator is named"),
        ("   ", "No generator is named"),
        ("sngan33", "'sngan33' is no Python file, module or architecture. Did you mean 'sngan32'"),
        ("sngan32(channels=3)", "Arguments of an architecture are given as `--arg name=value`"),
        ("no.such.module:Class", "There is no module 'no.such.module' (there is no 'no')"),
        ("torch.no_such:Class", "There is no module 'torch.no_such'"),
        ("torch.nn:Linaer", "torch.nn defines no 'Linaer'. Did you mean 'Linear'"),
        ("torch.nn:Linear", "needs the arguments in_features, out_features"),
    ],
)
def test_names_that_lead_nowhere_are_refused(write, text, message):
    assert message in refusal(text)


def test_a_file_named_without_its_ending_is_recognised(write):
    write(MODULE)
    assert "There is a file my_gan.py: name it with its ending." in refusal("my_gan")


def test_a_file_that_may_not_be_read_is_told(write, monkeypatch):
    from pathlib import Path

    write(MODULE)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert refusal("my_gan.py") == "my_gan.py cannot be read: Permission denied. Check its permissions."
