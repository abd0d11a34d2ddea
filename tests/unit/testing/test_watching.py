"""Whether an extension left alone what is not its own."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from rpganify.testing import BrokenLaw
from rpganify.testing.watching import untouched_module, untouched_randomness, untouched_tensors
from rpganify.training.randomness import global_states

DRAWS = {"torch": lambda: torch.rand(1), "numpy": lambda: np.random.rand(), "python": lambda: random.random()}


@pytest.mark.parametrize("which", DRAWS)
def test_a_drawn_number_is_noticed_and_undone(which):
    before = global_states()
    noticed = pytest.raises(BrokenLaw, match=rf"got another state of {which}\. Draw nothing")
    with noticed, untouched_randomness("It", repair="Draw nothing."):
        DRAWS[which]()
    assert global_states() == before


def test_the_states_are_put_back_after_an_exception_as_well():
    before = global_states()
    with pytest.raises(ZeroDivisionError), untouched_randomness("It", repair=""):
        torch.rand(1)
        raise ZeroDivisionError
    assert global_states() == before


def test_whoever_seeds_with_zero_is_noticed_in_a_process_that_was_seeded_with_zero():
    torch.manual_seed(0)
    with pytest.raises(BrokenLaw, match="got another state of torch"), untouched_randomness("It", repair=""):
        torch.manual_seed(0)


def test_tensors_keep_values_type_shape_and_whether_they_require_gradients():
    tensor = torch.tensor([1.0, float("nan")])
    with untouched_tensors("It", {"x": tensor}, repair=""):
        tensor.add_(0)
    for change in (lambda: tensor.add_(1), lambda: tensor.unsqueeze_(0), lambda: tensor.fill_(float("nan"))):
        with (
            pytest.raises(BrokenLaw, match="expected x to keep its values"),
            untouched_tensors("It", {"x": tensor}, repair=""),
        ):
            change()
    noticed = pytest.raises(BrokenLaw, match="expected requires_grad of x to stay False; got True")
    with noticed, untouched_tensors("It", {"x": tensor}, repair=""):
        tensor.requires_grad_()


def module():
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval())


CHANGES = {
    r"other values in '0\.bias'": lambda m: m[0].bias.data.add_(1),
    r"other values in '1\.running_var'": lambda m: m[1].running_var.add_(1),
    r"'0\.extra' before or after, not both": lambda m: m[0].register_buffer("extra", torch.ones(1)),
    r"requires_grad of '0\.weight' False where it was True": lambda m: m[0].weight.requires_grad_(False),
    r"'0\.weight' with a gradient, unlike before": lambda m: m[0].weight.sum().backward(),
    r"'1' in train mode, unlike before": lambda m: m.train(),
    r"'the model' in eval mode, unlike before": lambda m: m.eval(),
}


@pytest.mark.parametrize("words", CHANGES)
def test_a_module_keeps_tensors_gradients_and_the_mode_of_each_part(words):
    watched = module()
    with untouched_module("It", watched, repair=""):
        watched(torch.ones(3, 2))
    noticed = pytest.raises(BrokenLaw, match=f"^It: expected the model left as it was; got {words}")
    with noticed, untouched_module("It", watched, repair=""):
        CHANGES[words](watched)


def test_a_gradient_that_is_cleared_is_noticed():
    watched = module()
    watched[0].weight.sum().backward()
    noticed = pytest.raises(BrokenLaw, match=r"got '0\.weight' without a gradient, unlike before")
    with noticed, untouched_module("It", watched, repair=""):
        watched.zero_grad()
