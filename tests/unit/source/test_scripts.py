"""Scripts as they lie about in the world: each is loaded as it is, and nothing but what the class needs is run."""

import copy
import inspect
import pickle
import sys

import pytest
import torch

from rpganify.errors import SourceError
from rpganify.source import load_source
from tests.unit.source.loaded import built


def test_a_script_with_options_effects_and_a_training_is_loaded_without_running_them(write):
    write("""
        import argparse, os
        import torch
        import torch.nn as nn
        import a_package_that_nobody_has

        os.makedirs("images", exist_ok=True)
        parser = argparse.ArgumentParser()
        parser.add_argument("--latent-dim", type=int, default=6)
        group = parser.add_argument_group("image")
        group.add_argument("--size", type=int, default=4)
        opt = parser.parse_args()
        print(opt)
        cuda = True if torch.cuda.is_available() else False
        img_shape = (1, opt.size, opt.size)
        assert cuda, "this script needs a GPU"

        class Generator(nn.Module):
            def __init__(self):
                super(Generator, self).__init__()
                self.fc = nn.Linear(opt.latent_dim, img_shape[1] * img_shape[2])

            def forward(self, z):
                return self.fc(z).view(z.size(0), *img_shape)

        generator = Generator().cuda()
        loader = torch.utils.data.DataLoader(a_package_that_nobody_has.Data())
        for epoch in range(10):
            raise RuntimeError("the training was started")
    """)
    generator = built("my_gan.py")
    assert generator(torch.zeros(3, 6)).shape == (3, 1, 4, 4)


def test_the_script_sees_the_options_that_it_is_given(write):
    write("""
        import argparse
        import torch.nn as nn
        parser = argparse.ArgumentParser()
        parser.add_argument("--width", type=int, required=True)
        args = parser.parse_args()
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, args.width)
    """)
    argv = list(sys.argv)
    assert built("my_gan.py", {}, ["--width", "7"]).fc.out_features == 7
    assert sys.argv == argv
    with pytest.raises(
        SourceError, match=r"line 6: `args = parser.parse_args\(\)` stops the script: .*required: --width"
    ):
        built("my_gan.py")


def test_an_option_that_the_class_does_not_need_may_be_missing(write):
    write("""
        import argparse
        import torch.nn as nn
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", required=True)
        args = parser.parse_args()
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 3)
            def save(self):
                return args.data
    """)
    assert built("my_gan.py").fc.out_features == 3


def test_a_byte_order_mark_tabs_and_prints_of_python_2_do_not_matter(write):
    write(
        b"\xef\xbb\xbfimport torch.nn as nn\n"
        b"print 'loading'\n"
        b"class Generator(nn.Module):\n"
        b"\tdef __init__(self):\n"
        b"\t\tsuper(Generator, self).__init__()\n"
        b"                self.fc = nn.Linear(2, 3)\n"
        b"def train():\n"
        b"\tprint >>log, 'step %d' % 3\n"
        b"\traise ValueError, 'python 2'\n"
        b"exec 'x = 1'\n"
    )
    assert built("my_gan.py").fc.out_features == 3


def test_an_exported_notebook_is_a_script(write):
    write("""
        # coding: utf-8
        # In[1]:
        get_ipython().run_line_magic('matplotlib', 'inline')
        %load_ext autoreload
        import torch.nn as nn
        # In[2]:
        !pip install something
        width = 3
        # In[3]:
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, width)
        # In[4]:
        Generator()
        # In[5]:
        width = 99
    """)
    assert built("my_gan.py").fc.out_features == 3


def test_a_class_that_a_notebook_defines_twice_is_the_later_one(write):
    write("""
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(1, 1)
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 2)
    """)
    assert built("my_gan.py").fc.out_features == 2


def test_a_scripts_docstring_is_there_for_its_parser(write):
    write('''
        """Trains a GAN.

        width=3
        """
        import torch.nn as nn
        WIDTH = int(__doc__.split("width=")[1])
        class Generator(nn.Linear):
            def __init__(self):
                super().__init__(2, WIDTH)
    ''')
    assert built("my_gan.py").out_features == 3


def test_a_device_chosen_by_a_branch_is_followed(write):
    write("""
        import torch
        import torch.nn as nn
        if torch.cuda.is_available():
            device = torch.device("cuda")
            torch.nobody_calls_this()
        else:
            device = torch.device("cpu")
            torch.nobody_calls_this()
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 3).to(device)
    """)
    assert built("my_gan.py").fc.weight.device.type in ("cpu", "cuda")


def test_tables_that_are_filled_at_top_level_are_full(write):
    write("""
        import torch.nn as nn
        from types import SimpleNamespace
        CHANNELS = {}
        CHANNELS["a"] = 2
        CHANNELS.update(b=3)
        sizes = []
        for i in range(3):
            sizes.append(i + 4)
        cfg = SimpleNamespace(net=SimpleNamespace(width=1))
        cfg.net.width = 8
        setattr(cfg, "depth", 9)
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.numbers = [CHANNELS["a"], CHANNELS["b"], *sizes, cfg.net.width, cfg.depth]
    """)
    assert built("my_gan.py").numbers == [2, 3, 4, 5, 6, 8, 9]


def test_decorators_bases_defaults_and_closures_are_followed(write):
    write("""
        import functools
        import torch.nn as nn
        WIDTH = 3
        def keep(cls):
            cls.kept = True
            return cls
        class Base(nn.Module):
            pass
        def default():
            return WIDTH
        @keep
        class Generator(Base):
            def __init__(self, width=default()):
                super().__init__()
                make = lambda: [nn.Linear(2, w) for w in (width, OTHER)]
                self.layers = nn.ModuleList(make())
        OTHER = 4
        class Unneeded(nobody.Knows):
            pass
    """)
    generator = built("my_gan.py")
    assert [layer.out_features for layer in generator.layers] == [3, 4]
    assert generator.kept


def test_a_statement_that_would_load_data_is_not_run_even_if_it_is_needed(write):
    write("""
        import torch.nn as nn
        from torchvision import datasets
        data = datasets.MNIST("data", download=True)
        num_classes = len(data.classes)
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(num_classes, 3)
    """)
    with pytest.raises(SourceError, match=r"line 4: .* would load data with `datasets.MNIST`"):
        built("my_gan.py")


@pytest.mark.parametrize(
    "statement",
    ["folder = __import__('os').mkdir('made') or 3", "folder = open('made', 'w').write('x')", "folder = fetch()"],
)
def test_a_needed_statement_with_an_effect_is_refused_by_name(write, statement):
    write(f"""
        import torch.nn as nn
        import urllib.request
        def fetch():
            return urllib.request.urlopen("http://localhost:9/x").read()
        {statement}
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, folder)
    """)
    with pytest.raises(SourceError, match=r"line 6: `folder = .*` is needed but was not run, as it would "):
        built("my_gan.py")


def test_a_spoiled_attribute_does_not_spoil_its_neighbours(write):
    write("""
        import torch.nn as nn
        from types import SimpleNamespace
        opt = SimpleNamespace(width=3)
        opt.root = nobody.knows()
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, opt.width)
    """)
    assert built("my_gan.py").fc.out_features == 3


def test_what_the_script_prints_is_not_printed(write, capsys):
    write("""
        import torch.nn as nn
        def width():
            print("a width is asked for")
            return 3
        WIDTH = width()
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                print("a generator is made")
                self.fc = nn.Linear(2, WIDTH)
    """)
    built("my_gan.py")
    assert capsys.readouterr() == ("", "")


def test_the_code_lives_in_a_real_module_with_its_file(write, generator_text, tmp_path):
    write(generator_text)
    generator = built("my_gan.py")
    kind = type(generator)
    module = sys.modules[kind.__module__]
    assert module.__file__ == str(tmp_path / "my_gan.py")
    assert inspect.getsource(kind).startswith("class Generator(nn.Module):")
    again = pickle.loads(pickle.dumps(generator))
    assert type(again) is kind
    assert torch.equal(copy.deepcopy(generator).fc.weight, again.fc.weight)


def test_a_dataclass_and_a_script_function_work_in_a_sliced_module(write):
    write("""
        from __future__ import annotations
        from dataclasses import dataclass, field
        import torch
        import torch.nn as nn
        @dataclass
        class Config:
            width: int = 3
            sizes: list[int] = field(default_factory=list)
        @torch.jit.script
        def scale(x: torch.Tensor) -> torch.Tensor:
            return x * 2
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, Config().width)
            def forward(self, z):
                return scale(self.fc(z))
    """)
    assert built("my_gan.py")(torch.zeros(1, 2)).shape == (1, 3)


def test_loading_leaves_the_random_states_alone(write):
    write("""
        import torch, random
        import torch.nn as nn
        start = torch.randn(3)
        random.seed(1)
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.start = nn.Parameter(start)
    """)
    torch.manual_seed(5)
    expected = torch.randn(2)
    torch.manual_seed(5)
    source = load_source("my_gan.py")
    assert torch.equal(torch.randn(2), expected)
    assert torch.equal(source.build().start, load_source("my_gan.py").build().start)
