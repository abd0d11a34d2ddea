"""Imports of scripts: neighbours, packages, what is missing; each is found as if the script were run, and nothing stays."""

import sys

import pytest
import torch

from rpganify.errors import SourceError
from tests.unit.source.loaded import built


def test_a_file_of_a_package_imports_its_relatives_without_running_the_package(write):
    write("raise RuntimeError('the package was imported')", "pkg/__init__.py")
    write("from .missing import x", "pkg/nets/__init__.py")
    write("import nobody_has_this\nWIDTH = 5\nraise RuntimeError('all of it was run')", "pkg/config.py")
    write("import torch.nn as nn\ndef layer(n):\n    return nn.Linear(2, n)", "pkg/nets/layers.py")
    write(
        """
        import torch.nn as nn
        from . import layers
        from ..config import WIDTH
        from pkg.nets.layers import layer
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = layer(WIDTH), layers.layer(WIDTH + 1)
        """,
        "pkg/nets/gan.py",
    )
    generator = built("pkg/nets/gan.py")
    assert (generator.a.out_features, generator.b.out_features) == (5, 6)


def test_relative_imports_work_without_an_init_file(write):
    write("WIDTH = 5", "nets/config.py")
    write(
        "import torch.nn as nn\nfrom .config import WIDTH\nclass Generator(nn.Linear):\n    def __init__(self):\n"
        "        super().__init__(2, WIDTH)",
        "nets/gan.py",
    )
    assert built("nets/gan.py").out_features == 5


def test_star_imports_bring_the_needed_names_only(write):
    write("import os\nos.makedirs('output')\nfrom deeper import *\nWIDTH = 4\nUNUSED = undefined", "params.py")
    write("DEPTH = 3\n_hidden = 1", "deeper.py")
    write("""
        from torch.nn import *
        from params import *
        class Generator(Module):
            def __init__(self):
                super().__init__()
                self.fc = Linear(DEPTH, WIDTH)
    """)
    generator = built("my_gan.py")
    assert (generator.fc.in_features, generator.fc.out_features) == (3, 4)


def test_neighbours_that_import_each_other_are_no_problem(write):
    write(
        "from b import Block\nWIDTH = 3\nimport torch.nn as nn\nclass Generator(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.block = Block()",
        "a.py",
    )
    write(
        "from a import WIDTH\nimport torch.nn as nn\nclass Block(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(2, WIDTH)",
        "b.py",
    )
    assert built("a.py:Generator").block.out_features == 3


def test_a_neighbour_is_found_by_an_import_inside_forward_long_after_loading(write, monkeypatch, tmp_path):
    write("def scale(x):\n    return 2 * x", "late_helper.py")
    write("""
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 2)
            def forward(self, z):
                from late_helper import scale
                import late_helper
                return scale(z) + late_helper.scale(z)
    """)
    generator = built("my_gan.py")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "late_helper" not in sys.modules
    assert torch.equal(generator(torch.ones(1, 2)), torch.full((1, 2), 4.0))
    (tmp_path / "elsewhere").rmdir()


def test_two_scripts_with_neighbours_of_one_name_do_not_meet(write):
    for width, folder in enumerate(("one", "two"), 3):
        write(f"WIDTH = {width}", f"{folder}/config.py")
        write(
            "import config\nimport torch.nn as nn\nclass Generator(nn.Linear):\n"
            "    def __init__(self):\n        super().__init__(2, config.WIDTH)",
            f"{folder}/gan.py",
        )
    assert [built(f"{folder}/gan.py").out_features for folder in ("one", "two", "one")] == [3, 4, 3]


def test_a_neighbour_found_by_importlib_works_and_is_forgotten(write):
    write("WIDTH = 3", "named_config.py")
    write("""
        import importlib
        import torch.nn as nn
        config = importlib.import_module("named_config")
        class Generator(nn.Linear):
            def __init__(self):
                super().__init__(2, config.WIDTH)
    """)
    assert built("my_gan.py").out_features == 3
    assert "named_config" not in sys.modules


def test_a_module_above_the_script_is_found_as_if_run_from_there(write):
    write("WIDTH = 3", "repo/common/config.py")
    write(
        "from common.config import WIDTH\nimport torch.nn as nn\nclass Generator(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(2, WIDTH)",
        "repo/models/gan.py",
    )
    assert built("repo/models/gan.py").out_features == 3


def test_a_folder_of_scripts_hides_no_installed_package(write):
    write("raise RuntimeError", "yaml/logs.py")
    write("""
        import yaml
        import torch.nn as nn
        WIDTH = yaml.safe_load("3")
        class Generator(nn.Linear):
            def __init__(self):
                super().__init__(2, WIDTH)
    """)
    pytest.importorskip("yaml")
    assert built("my_gan.py").out_features == 3


def test_a_search_path_that_the_script_adds_is_used_and_dropped(write):
    write("WIDTH = 3", "lib/added_config.py")
    write("""
        import os, sys
        sys.path.append(os.path.join(os.path.dirname(__file__), "lib"))
        from added_config import WIDTH
        import torch.nn as nn
        class Generator(nn.Linear):
            def __init__(self):
                super().__init__(2, WIDTH)
    """)
    assert built("my_gan.py").out_features == 3


def test_an_import_with_a_substitute_is_tried_first(write):
    write("""
        try:
            import nobody_has_this
            FAST = True
        except ImportError:
            FAST = False
        try:
            from nobody_has_this import Layer
        except ImportError:
            from torch.nn import Linear as Layer
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = Layer(2, 3 if FAST else 5)
    """)
    assert built("my_gan.py").fc.out_features == 5


def test_a_missing_package_matters_only_where_it_is_used(write):
    write("""
        import nobody_has_this as plots
        from nobody_has_that import thing
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 3)
            def show(self):
                plots.show(thing)
    """)
    generator = built("my_gan.py")
    with pytest.raises(SourceError, match=r"my_gan.py, line 2: `import nobody_has_this as plots` needs the package"):
        generator.show()


def test_a_setting_of_an_imported_neighbour_is_changed_as_the_script_does(write):
    write("from types import SimpleNamespace\ncfg = SimpleNamespace(width=1)", "config.py")
    write("""
        from config import cfg
        import config
        cfg.width = 5
        config.depth = 6
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(config.depth, cfg.width)
    """)
    generator = built("my_gan.py")
    assert (generator.fc.in_features, generator.fc.out_features) == (6, 5)


def test_settings_of_installed_packages_are_left_alone(write):
    write("""
        import torch
        import torch.nn as nn
        torch.backends.cudnn.benchmark = True
        torch.set_default_dtype(torch.float64)
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 3)
                self.has_cudnn = torch.backends.cudnn.enabled
    """)
    before = torch.backends.cudnn.benchmark
    assert built("my_gan.py").fc.weight.dtype == torch.float32
    assert torch.backends.cudnn.benchmark == before


def test_an_annotation_that_was_never_imported_does_no_harm(write):
    write("""
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self, sizes: Tuple[int, int] = (2, 3)) -> NoSuchThing:
                super().__init__()
                self.fc = nn.Linear(*sizes)
    """)
    assert built("my_gan.py").fc.out_features == 3
