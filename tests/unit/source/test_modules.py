"""`package.module:Class`, for packages of the user's and for installed ones."""

import sys

import pytest
import torch

from rpganify.errors import SourceError
from rpganify.source import load_source
from rpganify.source.world import World


def test_a_module_below_the_working_directory_is_sliced(write):
    write("raise RuntimeError('all of it was run')", "mypkg_here/__init__.py")
    write(
        "import torch.nn as nn\nfrom mypkg_here.sizes import WIDTH\nclass Generator(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(2, WIDTH)\nraise RuntimeError('run')",
        "mypkg_here/nets.py",
    )
    write("WIDTH = 5", "mypkg_here/sizes.py")
    source = load_source("mypkg_here.nets:Generator")
    assert (source.kind, source.origin, source.qualname) == ("module", "mypkg_here.nets", "Generator")
    assert source.build(0).out_features == 5
    assert load_source("mypkg_here.nets").build(0).out_features == 5
    assert "mypkg_here" not in sys.modules


def test_a_module_in_a_folder_without_init_is_found(write):
    write("WIDTH = 5", "folder_here/sizes.py")
    write(
        "import torch.nn as nn\nfrom folder_here.sizes import WIDTH\nclass Generator(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(2, WIDTH)",
        "folder_here/nets.py",
    )
    assert load_source("folder_here.nets:Generator").build(0).out_features == 5


def test_an_installed_module_is_imported_as_ever():
    source = load_source("torch.nn:Linear", {"in_features": "2", "out_features": "3"})
    assert source.kind == "module"
    assert type(source.build(0)) is torch.nn.Linear
    assert torch.equal(source.build(0).weight, source.build(0).weight)


def test_an_expression_may_use_names_of_an_installed_module():
    assert load_source("torch.nn:Sequential(Linear(2, 3), ReLU())").build(0)[0].out_features == 3


def test_an_installed_module_without_a_class_is_asked_for_one():
    with pytest.raises(SourceError, match=r"Which class of torch.nn.modules.activation\? Its Modules: Threshold, ReLU"):
        load_source("torch.nn.modules.activation")


def test_an_import_that_fails_is_told(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "module_that_is_blocked", None)
    with pytest.raises(SourceError, match="module_that_is_blocked"):
        load_source("module_that_is_blocked:Generator")


def test_what_a_namespace_offers_shows_only_when_asked_for(write, tmp_path):
    write("a = 1\nb = undefined\n")
    module = World(tmp_path / "my_gan.py").main
    assert "a" not in vars(module)
    assert module.a == 1
    with pytest.raises(AttributeError, match="module 'my_gan' has no attribute 'c'"):
        module.c  # noqa: B018


def test_a_file_sees_of_its_package_what_was_bound_when_its_turn_came(write):
    write("from .plain import *\nfrom .blocks import *\nfrom .fancy import *\n", "circ/__init__.py")
    write("KIND = 'plain'\n", "circ/plain.py")
    write("KIND = 'fancy'\n", "circ/fancy.py")
    write(
        "from circ import KIND\nimport torch.nn as nn\nclass Generator(nn.Module):\n"
        "    kind = KIND\n    def late(self):\n        from circ import KIND\n        return KIND\n",
        "circ/blocks.py",
    )
    write(
        "from circ import KIND\nfrom circ.blocks import Generator as Base\nclass Generator(Base):\n    user = KIND\n",
        "use_circ.py",
    )
    generator = load_source("use_circ.py:Generator").build(0)
    sys.path.insert(0, ".")
    try:
        import use_circ  # what Python itself makes of it

        expected = use_circ.Generator()
        kinds = (expected.kind, expected.user, expected.late())
    finally:
        sys.path.remove(".")
        for name in ("use_circ", "circ", "circ.plain", "circ.fancy", "circ.blocks"):
            sys.modules.pop(name, None)
    assert kinds == ("plain", "fancy", "fancy")
    assert (generator.kind, generator.user, generator.late()) == kinds
