import pytest
import torch

from rpganify.analysis.geometry.culprits import find_culprits, operator_in


def test_operators_without_slope_and_cuts_are_named_in_their_order():
    x = torch.randn(3, 4)

    def run() -> torch.Tensor:
        return (torch.floor(x * 2) + x.detach()).argmax(dim=1).float()

    assert find_culprits(run) == ["floor", "detach", "argmax"]


def test_casts_to_whole_numbers_are_named_and_others_are_not():
    x = torch.randn(3)

    assert find_culprits(lambda: x.to(torch.uint8)) == ["a cast to torch.uint8"]
    assert find_culprits(lambda: x.double() * 2 + x.relu().tanh()) == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Trying to use forward AD with grid_sampler_2d that does not support it", "The operator grid_sampler_2d"),
        ("derivative for aten::_fused_attention_backward is not implemented", "The operator _fused_attention_backward"),
        ("the derivative for 'ormqr' is not implemented", "The operator ormqr"),
        ("something went wrong\nand more", "An operator (something went wrong)"),
        ("", "An operator"),
    ],
)
def test_the_operator_is_read_from_torchs_message_or_the_message_is_told(message: str, words: str):
    assert operator_in(RuntimeError(message)) == words
