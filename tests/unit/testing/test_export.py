"""The check of export formats passes the right ones, and says what is wrong with the others."""

import pytest
import torch

from rpganify.entries import ExportEntry
from rpganify.registry import Registry, resolve
from rpganify.testing import BrokenLaw, check_export


@pytest.mark.parametrize("entry", Registry().all(ExportEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_format_passes(entry):
    check_export(resolve(entry.factory)(), suffix=f".{entry.name}")


def test_there_are_built_in_formats():
    assert Registry().all(ExportEntry)


def shapes(module, latent, target):
    target.write_text("\n".join(f"{name} {tuple(t.shape)}" for name, t in module.state_dict().items()))


def test_a_strangers_correct_format_passes():
    check_export(shapes)


def elsewhere(module, latent, target):
    shapes(module, latent, target.with_suffix(".txt"))


def with_a_log(module, latent, target):
    shapes(module, latent, target)
    target.with_suffix(".log").write_text("done")


def nothing(module, latent, target):
    """Forgets the file."""


def empty(module, latent, target):
    target.touch()


def a_folder(module, latent, target):
    target.mkdir()


def in_half(module, latent, target):
    shapes(module.half(), latent, target)


def in_train_mode(module, latent, target):
    shapes(module.train(), latent, target)


def of_zeros(module, latent, target):
    module(latent.detach().zero_())
    shapes(module, latent, target)


def of_chance(module, latent, target):
    module(torch.randn_like(latent))
    shapes(module, latent, target)


def of_two(module, target):
    shapes(module, None, target)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (elsewhere, r"expected one file, generator\.out; got generator\.txt\. Write to `target` as it is given"),
        (with_a_log, r"expected one file, generator\.out; got generator\.log, generator\.out\."),
        (nothing, r"expected one file, generator\.out; got none"),
        (a_folder, r"expected one file, generator\.out; got generator\.out"),
        (empty, r"expected a file with something in it; got an empty one"),
        (in_half, r"expected the model left as it was; got other values in 'project\.weight'\. Work on a copy"),
        (in_train_mode, r"expected the model left as it was; got 'the model' in train mode, unlike before"),
        (of_zeros, r"expected latent to keep its values; got others afterwards"),
        (of_chance, r"expected the global random states to stay"),
        (of_two, r"expected a file; got TypeError: .*It is called as write\(module, latent, target\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_format_is_named_with_what_came_and_how_to_repair_it(write, sentence):
    with pytest.raises(BrokenLaw, match=f"^{write.__name__} of a generator: {sentence}"):
        check_export(write)
