"""Which class is meant when a file is named and nothing else."""

import pytest

from rpganify.errors import SourceError
from rpganify.source import load_class, load_source

HEAD = "import torch.nn as nn\nfrom torch.nn import Module\n"


def classes(*definitions: str) -> str:
    """A file of classes, each given as `Name(Base): names its constructor mentions`."""
    text = HEAD
    for definition in definitions:
        head, _, used = definition.partition(": ")
        text += f"class {head}:\n    def __init__(self):\n        super().__init__()\n"
        text += f"        self.parts = [{used}]\n    def forward(self, x):\n        return x\n"
    return text


@pytest.mark.parametrize(
    ("definitions", "chosen"),
    [
        (["Generator(nn.Module)", "Discriminator(nn.Module)"], "Generator"),
        (["_netG(nn.Module)", "_netD(nn.Module)"], "_netG"),
        (["G(nn.Module)", "D(nn.Module)"], "G"),
        (["GNet(nn.Module)", "DNet(nn.Module)"], "GNet"),
        (["NetG(nn.Module)", "NetD(nn.Module)"], "NetG"),
        (["STAGE1_G(nn.Module)", "STAGE1_D(nn.Module)"], "STAGE1_G"),
        (["Encoder(nn.Module)", "Decoder(nn.Module)", "Discriminator(nn.Module)"], "Decoder"),
        (["WGANGenerator(Module)", "Critic(Module)"], "WGANGenerator"),
        (["GeneratorBlock(nn.Module)", "Generator(nn.Module): GeneratorBlock()"], "Generator"),
        (["Up(nn.Module)", "Gen(nn.Module): Up()", "Disc(nn.Module)"], "Gen"),
        (["Layer(nn.Module)", "Net(nn.Module): Layer()"], "Net"),
        (["Painter(nn.Module)", "Critic(nn.Module)"], "Painter"),
        (["Generator(nn.Module)", "GAN(nn.Module): Generator()"], "Generator"),
        (["Base(nn.Module)", "Painter(Base): Base"], "Painter"),
        (["Painter(nn.Sequential)", "Config(object)", "Plain(dict)"], "Painter"),
    ],
)
def test_one_class_fits(write, definitions, chosen):
    write(classes(*definitions))
    assert load_source("my_gan.py").qualname == chosen


def test_a_base_from_a_neighbour_makes_a_module(write):
    write(HEAD + "class Base(nn.Module):\n    pass\n", "base.py")
    write("from base import Base\nclass Painter(Base):\n    pass\nclass Settings:\n    pass\n")
    assert load_source("my_gan.py").qualname == "Painter"


def test_the_discriminator_is_found_by_its_role(write):
    write(classes("Generator(nn.Module)", "Discriminator(nn.Module)", "Block(nn.Module)"))
    assert load_class("my_gan.py", role="discriminator").qualname == "Discriminator"


def test_two_candidates_are_listed_with_their_lines_and_one_to_paste(write):
    write(classes("GeneratorA(nn.Module)", "GeneratorB(nn.Module)", "Discriminator(nn.Module)"))
    with pytest.raises(SourceError, match="nothing tells which") as refusal:
        load_source("my_gan.py")
    assert str(refusal.value) == (
        "my_gan.py has 2 classes that could be the generator, and nothing tells which one it is: "
        "GeneratorA (line 3), GeneratorB (line 9). Name one: `rpganify convert my_gan.py:GeneratorA`."
    )
    assert load_source("my_gan.py:GeneratorB").qualname == "GeneratorB"


def test_a_lonely_discriminator_is_no_generator(write):
    write(classes("Discriminator(nn.Module)"))
    with pytest.raises(SourceError, match=r"one class that could be the generator, .*: Discriminator \(line 3\)"):
        load_source("my_gan.py")


def test_a_file_without_modules_says_what_it_has(write):
    write("def make_generator():\n    return 1\nSIZE = 3\n")
    with pytest.raises(SourceError, match=r"my_gan.py defines no nn.Module. It defines SIZE, make_generator."):
        load_source("my_gan.py")


def test_an_empty_file_defines_nothing(write):
    write("")
    with pytest.raises(SourceError, match="It defines nothing"):
        load_source("my_gan.py")


def test_a_class_that_does_not_parse_might_be_the_one_so_nothing_is_guessed(write):
    write(classes("Painter(nn.Module)") + "class Generator(nn.Module:\n    pass\n")
    with pytest.raises(SourceError, match=r"my_gan.py, line 9: .*`class Generator\(nn.Module:`. Correct that line"):
        load_source("my_gan.py")
    assert load_source("my_gan.py:Painter").qualname == "Painter"


def test_python_2_outside_of_classes_does_not_prevent_a_choice(write):
    write(classes("Generator(nn.Module)") + "def train():\n    raise ValueError, 'x'\n")
    assert load_source("my_gan.py").qualname == "Generator"
