"""From a source to modules: expressions, arguments, seeds, and what the script itself does with its class."""

import copy
import hashlib
import random

import numpy as np
import pytest
import torch
from torch import nn

from rpganify.errors import SourceError
from rpganify.source import from_object, load_source

ARGS = """
import torch
import torch.nn as nn
class Generator(nn.Module):
    def __init__(self, latent_dim, channels, *, bias=True):
        super().__init__()
        self.fc = nn.Linear(latent_dim, channels, bias=bias)
def make_generator(width, depth=2):
    return nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])
class VAE(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.encoder = nn.Linear(4, size)
        self.decoder = nn.Linear(size, 4)
    def forward(self, x):
        return self.decode(self.encoder(x))
    def decode(self, z):
        return torch.tanh(self.decoder(z))
class Holder:
    def __init__(self):
        self.netG = Generator(2, 3)
    class Inner(nn.Linear):
        def __init__(self):
            super().__init__(2, 9)
"""


def test_a_source_says_what_it_is(write, generator_text):
    name = write(generator_text)
    source = load_source("my_gan.py:Generator", {"latent_dim": "8"})
    assert (source.text, source.kind, source.origin) == ("my_gan.py:Generator", "file", "my_gan.py")
    assert (source.qualname, source.arguments, source.architecture) == ("Generator", {"latent_dim": 8}, None)
    with open(name, "rb") as file:
        assert source.sha256 == hashlib.sha256(file.read()).hexdigest()
    assert (source.construction, source.initialiser) == (None, None)


def test_each_build_is_a_new_instance_and_a_seed_decides_its_weights(write, generator_text):
    write(generator_text)
    source = load_source("my_gan.py")
    first, again, other = source.build(1), source.build(1), source.build(2)
    assert first is not again
    assert torch.equal(first.fc.weight, again.fc.weight)
    assert not torch.equal(first.fc.weight, other.fc.weight)


def test_a_seed_covers_torch_numpy_and_random_and_all_are_put_back(write):
    write("""
        import random
        import numpy as np
        import torch
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.drawn = [torch.rand(1).item(), np.random.rand(), random.random()]
    """)
    source = load_source("my_gan.py")

    def draw():
        return [torch.rand(1).item(), np.random.rand(), random.random()]

    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = draw()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    built = source.build(7)
    assert draw() == expected
    assert source.build(7).drawn == built.drawn
    assert source.build(8).drawn != built.drawn
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    assert source.build(None).drawn == expected  # without a seed, the caller's states are used


@pytest.mark.parametrize(
    ("expression", "out_features"),
    [
        ("Generator(2, 3)", 3),
        ("Generator(2, channels=4, bias=False)", 4),
        ("Generator(*[2, 3 + 2])", 5),
        ("[g := Generator(2, 3), g.train()][0]", 3),
        ("Generator(2, 3) if VAE else None", 3),
        ("Generator(SimpleNamespace(n=2).n, 6)", 6),
        ("(lambda n: Generator(n, n))(7)", 7),
        ("nn.DataParallel(Generator(2, 3))", 3),
        ("Holder().netG", 3),
    ],
)
def test_an_expression_is_evaluated_with_the_names_of_the_script(write, expression, out_features):
    write(ARGS)
    assert load_source(f"my_gan.py:{expression}").build(0).fc.out_features == out_features


def test_a_function_is_called_with_the_arguments(write):
    write(ARGS)
    assert len(load_source("my_gan.py:make_generator(4, depth=3)").build(0)) == 3
    assert len(load_source("my_gan.py:make_generator", {"width": "4"}).build(0)) == 2


def test_a_nested_class_is_found(write):
    write(ARGS)
    assert load_source("my_gan.py:Holder.Inner").build(0).out_features == 9


@pytest.mark.parametrize("text", ["my_gan.py:VAE.decode", "my_gan.py:VAE(3).decode"])
def test_a_method_becomes_the_forward_of_its_owner(write, text):
    write(ARGS)
    source = load_source(text)
    view, plain = source.build(0), load_source("my_gan.py:VAE").build(0)
    z = torch.randn(5, 3)
    assert torch.equal(view(z), plain.decode(z))
    assert list(view.state_dict()) == list(plain.state_dict())
    twin = copy.deepcopy(view)
    with torch.no_grad():
        twin.decoder.weight.zero_()
    assert not torch.equal(twin(z), view(z)), "a copy must use its own weights"


def test_a_submodule_can_be_named(write):
    write(ARGS)
    assert load_source("my_gan.py:VAE.decoder").build(0).out_features == 4
    assert load_source("my_gan.py:VAE.decoder", {"size": "7"}).build(0).in_features == 7


def test_a_variable_of_the_script_is_made_anew_each_time_as_the_script_made_it(write):
    write(ARGS + "nz = 5\nnetG = Generator(nz, 3).to(device())\nnetG.cuda()\n")
    source = load_source("my_gan.py:netG")
    assert source.build(0) is not source.build(0)
    assert source.build(0).fc.in_features == 5
    assert source.construction == "Generator(nz, 3)  # line 26"


def test_arguments_are_literals_or_text(write):
    write("""
        import torch.nn as nn
        class Generator(nn.Module):
            def __init__(self, a, b, c, d):
                super().__init__()
                self.got = (a, b, c, d)
    """)
    source = load_source("my_gan.py", {"a": "1e-3", "b": "(1, 28)", "c": "relu", "d": "None"})
    assert source.build().got == (1e-3, (1, 28), "relu", None)


def test_missing_arguments_are_named_with_a_line_to_paste(write):
    write(ARGS)
    with pytest.raises(SourceError) as refusal:
        load_source("my_gan.py:Generator")
    assert str(refusal.value) == (
        "Generator needs the arguments latent_dim, channels; its signature is "
        "Generator(latent_dim, channels, *, bias=True). "
        "Give values, for example: `--arg latent_dim=128 --arg channels=3`."
    )


def test_the_line_to_paste_works(write):
    write(ARGS)
    assert load_source("my_gan.py:Generator", {"latent_dim": "128", "channels": "3"}).build(0).fc.out_features == 3


def test_an_argument_that_is_not_accepted_has_near_ones(write):
    write(ARGS)
    with pytest.raises(SourceError, match=r"Generator takes no argument 'latent_dims'. Did you mean 'latent_dim'\?"):
        load_source("my_gan.py:Generator", {"latent_dims": "3"})


def test_arguments_beside_a_finished_call_are_refused(write):
    write(ARGS)
    with pytest.raises(SourceError, match=r"is a finished call, so `--arg bias=…` has no place to go"):
        load_source("my_gan.py:Generator(2, 3)", {"bias": "False"}).build()


def test_a_decorated_class_still_shows_its_arguments(write):
    write("""
        import torch.nn as nn
        def persistent(cls):
            class Decorated(cls):
                def __init__(self, *args, **kwargs):
                    super().__init__(*args, **kwargs)
            Decorated.__name__ = cls.__name__
            return Decorated
        @persistent
        class Generator(nn.Module):
            def __init__(self, z_dim):
                super().__init__()
                self.fc = nn.Linear(z_dim, 2)
    """)
    with pytest.raises(SourceError, match=r"needs the argument z_dim; .* `--arg z_dim=128`"):
        load_source("my_gan.py")
    assert load_source("my_gan.py", {"z_dim": "6"}).build().fc.in_features == 6


@pytest.mark.parametrize(
    "tail",
    [
        "ngpu = 1\nnz = 6\nnetG = Generator(nz, channels=ngpu + 2).to(torch.device('cpu'))\nnz = 99\n",
        "if __name__ == '__main__':\n    nz = 6\n    netG = Generator(nz, 3)\n",
        "def main(nz=6):\n    import os\n    os.makedirs('out')\n    width = 3\n    netG = Generator(nz, width)\n",
        "def test():\n    g = Generator(6, 3)\n    assert g(1)\n",
    ],
)
def test_the_arguments_that_the_script_itself_passes_are_taken(write, tail):
    write(ARGS.partition("def make")[0] + tail)
    source = load_source("my_gan.py")
    generator = source.build(0)
    assert (generator.fc.in_features, generator.fc.out_features) == (6, 3)
    assert source.construction is not None and source.construction.startswith("Generator(")
    assert "# line " in source.construction


def test_given_arguments_go_before_the_scripts_own(write):
    write(ARGS.partition("def make")[0] + "netG = Generator(6, 3, bias=False)\n")
    generator = load_source("my_gan.py", {"latent_dim": "8"}).build(0)
    assert (generator.fc.in_features, generator.fc.out_features, generator.fc.bias) == (8, 3, None)


def test_arguments_of_the_script_that_cannot_be_had_are_explained(write):
    write(ARGS.partition("def make")[0] + "netG = Generator(6, len(dataset))\n")
    with pytest.raises(SourceError, match=r"makes it as `Generator\(6, len\(dataset\)\)  # line 8`, but: NameError"):
        load_source("my_gan.py")


INIT = """
import torch.nn as nn
def weights_init(m):
    if isinstance(m, nn.Linear):
        nn.init.constant_(m.weight, 0.5)
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
    def weight_init(self, value):
        nn.init.constant_(self.fc.weight, value)
def init_weights(net, value=0.5):
    nn.init.constant_(net.fc.weight, value)
resume = False
"""


@pytest.mark.parametrize(
    ("tail", "text"),
    [
        ("generator = Generator()\ngenerator.apply(weights_init)\n", "generator.apply(weights_init)  # line 16"),
        ("netG = Generator().apply(weights_init)\n", "__made__.apply(weights_init)  # line 15"),
        ("netG = Generator()\nnetG.weight_init(0.5)\n", "netG.weight_init(0.5)  # line 16"),
        ("netG = Generator()\ninit_weights(netG)\n", "init_weights(netG)  # line 16"),
        ("netG = Generator()\nif resume:\n    netG.load()\nelse:\n    netG.apply(weights_init)\n",
         "netG.apply(weights_init)  # line 19"),
        ("def main():\n    f = weights_init\n    netG = Generator()\n    netG.apply(f)\n", "netG.apply(f)  # line 18"),
        ("if __name__ == '__main__':\n    netG = Generator()\n    netG.apply(weights_init)\n",
         "netG.apply(weights_init)  # line 17"),
    ],
)  # fmt: skip
def test_the_scripts_own_initialisation_is_repeated_on_every_build(write, tail, text):
    write(INIT + tail)
    source = load_source("my_gan.py:Generator")
    assert source.initialiser == text.replace("__made__", "Generator()")
    for seed in (0, 1):
        assert torch.equal(source.build(seed).fc.weight, torch.full((3, 2), 0.5))


def test_an_initialisation_under_a_test_that_fails_is_left_out(write):
    write(INIT + "netG = Generator()\nif resume:\n    netG.apply(weights_init)\n")
    assert load_source("my_gan.py").initialiser is None


def test_another_networks_initialisation_is_not_ours(write):
    write(INIT + "netG = Generator()\nnetD = nn.Linear(1, 1)\nnetD.apply(weights_init)\n")
    assert load_source("my_gan.py").initialiser is None


def test_the_scripts_initialisation_can_be_left_out(write):
    from rpganify.source import load_class

    write(INIT + "netG = Generator()\nnetG.apply(weights_init)\n")
    source = load_class("my_gan.py", is_initialised=False)
    assert source.initialiser is None
    assert not torch.equal(source.build(0).fc.weight, torch.full((3, 2), 0.5))


def test_an_initialisation_that_fails_is_named(write):
    write(INIT + "netG = Generator()\nnetG.apply(broken_init)\ndef broken_init(m):\n    m.weight.zero_()\n")
    with pytest.raises(
        SourceError, match=r"own initialisation `netG.apply\(broken_init\)  # line 16` fails: .*line 18"
    ):
        load_source("my_gan.py").build(0)


def test_an_object_is_copied_or_made_by_its_factory():
    model = nn.Linear(2, 3)
    source = from_object(model)
    assert source.kind == "object" and source.qualname == "Linear"
    copied = source.build(0)
    assert copied is not model and torch.equal(copied.weight, model.weight)

    def factory(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Linear(2, 3)

    fresh = from_object(model, factory)
    assert torch.equal(fresh.build(1).weight, fresh.build(1).weight)
    assert not torch.equal(fresh.build(1).weight, fresh.build(2).weight)


def test_an_object_that_cannot_be_copied_asks_for_a_factory():
    model = nn.Linear(2, 3)
    model.handle = (number for number in range(3))
    with pytest.raises(SourceError, match=r"Linear cannot be copied: TypeError: .* Give `factory=lambda seed: …`"):
        from_object(model).build(0)


def test_a_registered_architecture_is_built_with_arguments():
    source = load_source("sngan32", {"channels": "8"})
    assert source.kind == "architecture" and source.architecture is not None
    assert source.architecture.name == source.origin == "sngan32"
    generator = source.build(0)
    assert torch.equal(next(generator.parameters()), next(source.build(0).parameters()))
    with pytest.raises(SourceError, match=r"sngan32 takes no argument 'channel'. Did you mean 'channels'"):
        load_source("sngan32", {"channel": "8"})
