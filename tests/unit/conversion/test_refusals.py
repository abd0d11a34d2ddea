"""When a generator cannot be converted: which class of problem, which line, and what helps. Never a traceback."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.conversion.converting import convert
from rpganify.errors import ConversionError, RpganifyError
from tests.generators import refused
from tests.generators.case import LATENT

Z = {"z": torch.randn(4, LATENT)}

# class -> what the message says: the class of problem, then the line of the generator where there is one.
REFUSALS: dict[str, tuple[str, ...]] = {
    "FlipsPythonsCoin": ("draws from Python's random in eval mode", "torch's random functions"),
    "FlipsNumpysCoin": (r"draws from numpy\.random in eval mode", "torch's random functions"),
    "FlipsTorchsCoin": (r"refused\.py:\d+: `if torch\.rand\(\(\)\) < 0\.5:`",),
    "BranchesOnContent": ("reads the content of a tensor", r"refused\.py:\d+: `if h\.mean\(\) > 0:`", r"torch\.where"),
    "ReadsAnItem": ("reads the content of a tensor", r"item at refused\.py:\d+: `.*z\.norm\(\)\.item\(\)"),
    "CountsInPython": ("reads the content of a tensor", r"refused\.py:\d+: `.*int\(\(z > 0\)\.sum\(\)\)"),
    "LeavesForNumpy": ("reads the content of a tensor", r"numpy at refused\.py:\d+: `angle = np\.tanh"),
    "LeavesForALibrary": ("reads the content of a tensor", r"refused\.py:\d+: `.*np\.asarray\(z\.detach\(\)\)"),
    "LoopsOverSamples": ("loop over the samples", r"refused\.py:\d+", "for the whole batch"),
    "LoopsOverTheBatchSize": ("loop over the samples", r"refused\.py:\d+", "for the whole batch"),
    "DependsOnTheBatchSize": ("At batch size 2|at batch size 4|depends on the batch size", r"refused\.py:\d+"),
    "PairsSamples": (r"batch",),
    "HoldsALock": ("HoldsALock cannot be copied", "Remove that attribute"),
    "ReturnsADataclass": ("returned Output without any tensor",),
    "ReturnsText": ("returned str without any tensor",),
    "ReturnsOneNumber": ("returns no image", r"one entry per sample"),
    "ReturnsIndices": ("returns no image", "no floating-point tensor"),
    "Raises": ("forward pass of Raises fails", "NotImplementedError: load the checkpoint first"),
    "HasNoForward": (r"HasNoForward has no forward\(\)\. It has decode\.", r"HasNoForward\.decode"),
    "TakesNothing": ("takes no input, so there is no latent to replace",),
    "HasNoParameters": ("layer",),
}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = getattr(refused, name)()
    return made


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_graph_cannot_repeat_is_refused_with_its_class_its_line_and_what_helps(name: str) -> None:
    examples = None if name in ("TakesNothing", "HasNoForward") else Z
    with pytest.raises(RpganifyError) as caught:
        rpganify.wrap(build(name), blocks=2, example_inputs=examples)
    for part in REFUSALS[name]:
        caught.match(part)
    assert "\n" not in str(caught.value), "one line"


def test_a_batch_size_that_is_baked_in_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"forward pass of BakesTheBatchIn fails on z \(2, 6\): .*\[4, 3, 4, 4\]"):
        rpganify.wrap(build("BakesTheBatchIn"), blocks=2, example_inputs=Z)


@pytest.mark.parametrize("name", ["SelectsByMask", "CutsNoiseToTheBatch"])
def test_what_depends_on_the_samples_in_torch_alone_converts_exactly_or_is_refused(name: str) -> None:
    original = build(name).eval()
    with suppress(ConversionError):
        plain = rpganify.extract(rpganify.wrap(original, blocks=1, init="copy", example_inputs=Z).eval(), [0])
        for batch in (1, 3, 4):
            z = torch.randn(batch, LATENT, generator=torch.Generator().manual_seed(batch))
            torch.testing.assert_close(plain(z), original(z))


def test_a_coin_that_is_flipped_in_training_only_is_noted_and_the_eval_program_runs_there() -> None:
    original = build("FlipsInTraining")
    conversion = convert(original, blocks=1, init="copy", example_inputs=Z)
    assert any(
        "In train mode the eval-mode program runs instead" in n and "Python's random" in n for n in conversion.notes
    )
    z = torch.randn(3, LATENT)
    plain = rpganify.extract(conversion.model.train(), [0])
    torch.testing.assert_close(plain(z), original.eval()(z))


def test_python_state_that_the_forward_pass_changes_is_noted_or_refused_by_its_name() -> None:
    try:
        notes = convert(build("CountsItsCalls"), blocks=1, init="copy", example_inputs=Z).notes
    except ConversionError as error:
        notes = (str(error),)
    assert any("'step'" in note or "step" in note.split() for note in notes), notes


@pytest.mark.parametrize("with_examples", [True, False])
def test_an_output_without_tensors_is_named_whether_or_not_the_latent_was_given(with_examples: bool) -> None:
    with pytest.raises(ConversionError, match="returned Output without any tensor"):
        rpganify.wrap(build("ReturnsADataclass"), blocks=2, example_inputs=Z if with_examples else None)


def test_pythons_and_numpys_random_states_are_put_back() -> None:
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()
    for name in ("FlipsPythonsCoin", "FlipsNumpysCoin", "FlipsInTraining"):
        with suppress(ConversionError):
            rpganify.wrap(getattr(refused, name)(), blocks=2, example_inputs=Z)
        torch.manual_seed(3)
        assert random.getstate() == before[0] and np.random.get_state()[1].tolist() == before[1]


def test_wrapping_leaves_torchs_random_state_alone() -> None:
    original = build("FlipsInTraining")
    state = torch.random.get_rng_state()
    rpganify.wrap(original, blocks=3, init="jitter")
    assert torch.equal(torch.random.get_rng_state(), state)


class Scaled(nn.Module):
    """A value of its own state decides in Python: that is the generator's, not the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.register_buffer("level", torch.tensor(3.0))

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        for _ in range(int(self.level)):
            h = torch.sin(h)
        return torch.tanh(h.view(-1, 3, 4, 4) * self.level.item())


def test_a_value_of_its_own_that_is_read_into_python_becomes_a_constant_and_is_noted() -> None:
    original = Scaled()
    conversion = convert(original, blocks=1, init="copy")
    assert any("'level' was read" in n or "value of level was read" in n for n in conversion.notes), conversion.notes
    z = torch.randn(3, LATENT)
    torch.testing.assert_close(rpganify.extract(conversion.model.eval(), [0])(z), original.eval()(z))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "[1]"}, r"There is no output '\[1\]'; images could be the output itself"),
        ({"image_shape": (3, 5, 5)}, r"returns 48 values per sample, shape \(3, 4, 4\); that is no image of shape"),
        ({"latent": "w"}, r"forward of FlipsInTraining takes z; there is no 'w' to be the latent"),
        ({"latent": "z:7"}, r"accepts no latent 'z' of shape 7\..*mat1 and mat2.*`--latent z:128`"),
        ({"latent": "z:"}, r"'z:' is no latent; write its name, its shape, or both: z, 100x1x1, z:128"),
        ({"example_inputs": {"q": torch.zeros(2, 6)}}, r"takes no argument 'q'; it takes z"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        rpganify.wrap(build("FlipsInTraining"), blocks=2, **arguments)
