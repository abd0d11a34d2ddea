import re

import pytest
import torch

from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.control import Control
from rpganify.errors import AnalysisError

SET = Control("3", "set", (Choice(1, 3.0), Choice(2, -1.5)))
SHIFT = Control("3", "shift", (Choice(1, 2.0), Choice(2, -0.5)))
RAISING = ((Choice(1, 7),), (Choice(1, 4), Choice(0, 5)))
BLOCKS = Control("3", "blocks", RAISING[-1], RAISING, ((Choice(2, 6),),))
LATENTS = torch.tensor([[10.0, 20.0, 30.0], [1.0, 2.0, 3.0]])
PATHS = torch.tensor([[1, 2, 3], [0, 0, 0]])


def test_setting_puts_dimensions_at_the_strength_times_their_share_of_the_largest():
    assert SET.apply(LATENTS).tolist() == [[10, 3, -1.5], [1, 3, -1.5]]
    assert SET.apply(LATENTS, 2.0).tolist() == [[10, 2, -1], [1, 2, -1]]
    assert SET.apply(LATENTS, -2.0).tolist() == [[10, -2, 1], [1, -2, 1]]


def test_shifting_adds_in_proportion_and_nothing_at_strength_0():
    assert SHIFT.apply(LATENTS).tolist() == [[10, 22, 29.5], [1, 4, 2.5]]
    assert SHIFT.apply(LATENTS, 4.0).tolist() == [[10, 24, 29], [1, 6, 2]]
    assert torch.equal(SHIFT.apply(LATENTS, 0.0), LATENTS)
    torch.testing.assert_close(SHIFT.apply(SHIFT.apply(LATENTS, 1.0), -1.0), LATENTS)


def test_of_blocks_the_strength_is_how_many_and_the_best_set_of_that_size_is_put_in():
    assert BLOCKS.apply(PATHS).tolist() == [[5, 4, 3], [5, 4, 0]]
    assert BLOCKS.apply(PATHS, 1).tolist() == [[1, 7, 3], [0, 7, 0]]
    assert BLOCKS.apply(PATHS, -1).tolist() == [[1, 2, 6], [0, 0, 6]]
    assert torch.equal(BLOCKS.apply(PATHS, 0), PATHS)


def test_codes_stay_as_they_were():
    for control, codes in ((SET, LATENTS), (SHIFT, LATENTS), (BLOCKS, PATHS)):
        before = codes.clone()
        control.apply(codes)
        assert torch.equal(codes, before)


@pytest.mark.parametrize("strength", [3, -2, 0.5])
def test_a_number_of_blocks_that_there_is_no_set_of_is_refused(strength):
    message = f"3={strength:+g}: of a converted model, the number says how many blocks are put into a path, and for '3' there "
    with pytest.raises(AnalysisError, match=re.escape(message + "are sets of up to 2 that raise it and up to 1")):
        BLOCKS.apply(PATHS, strength)


def test_an_empty_control_says_that_nothing_was_found():
    with pytest.raises(AnalysisError, match=re.escape("Nothing was found that raises '8', so its control is empty")):
        Control("8", "set", ()).apply(LATENTS)


def test_the_scale_is_the_strength_at_which_it_was_found():
    assert (SET.scale, SHIFT.scale, BLOCKS.scale) == (3, 2, 2)
    for control, codes in ((SET, LATENTS), (SHIFT, LATENTS), (BLOCKS, PATHS)):
        assert torch.equal(control.apply(codes, control.scale), control.apply(codes))
