import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.geometry.controls import shuffled, untrained
from rpganify.errors import AnalysisError
from tests.unit.analysis.geometry.models import converted, standard


def normed() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(4, 5))


def test_shuffling_keeps_each_parameters_values_and_all_running_statistics():
    module = normed()
    module(torch.randn(4, 2, 6, 6))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    shuffled(module, 0)(None)(module)

    for name, parameter in module.named_parameters():
        assert torch.equal(parameter.flatten().sort().values, before[name].flatten().sort().values)
    weights = module.state_dict()
    assert not torch.equal(weights["0.weight"], before["0.weight"])
    assert torch.equal(weights["1.running_mean"], before["1.running_mean"])


def test_an_untrained_network_is_that_of_its_seed_and_has_new_running_statistics():
    one, other, third = normed(), normed(), normed()
    one(torch.randn(4, 2, 6, 6))
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)

    untrained(one, 0)(None)(one)
    untrained(other, 0)(None)(other)
    untrained(third, 1)(None)(third)

    assert torch.equal(torch.rand(1), wanted), "global random states stay"
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
    assert not torch.equal(one.state_dict()["0.weight"], third.state_dict()["0.weight"])
    assert float(one.state_dict()["1.running_mean"].abs().sum()) == 0


@pytest.mark.parametrize("kind", [shuffled, untrained])
def test_a_block_gets_the_same_weights_on_every_path_and_others_get_others(kind: object):
    model = converted()
    of_path = kind(model, 0)  # type: ignore[operator]
    made = {}
    for path in ((0, 1), (0, 2), (1, 1)):
        plain = rpganify.extract(model, path)
        of_path(torch.tensor(path))(plain)
        made[path] = plain.state_dict()

    assert torch.equal(made[0, 1]["first.weight"], made[0, 2]["first.weight"])
    assert torch.equal(made[0, 1]["second.weight"], made[1, 1]["second.weight"])
    assert not torch.equal(made[0, 1]["first.weight"], made[1, 1]["first.weight"])
    assert not torch.equal(made[0, 1]["second.weight"], made[0, 2]["second.weight"])


class OwnScale(nn.Module):
    """A parameter that is no layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 4), nn.Parameter(torch.ones(4))

    def forward(self, z: Tensor) -> Tensor:
        return (self.layer(z) * self.scale).view(-1, 1, 2, 2)


def test_a_parameter_that_nothing_tells_how_it_is_born_allows_no_untrained_control():
    with pytest.raises(AnalysisError, match=r"scale belongs to no layer of torch's.*shuffled weights stands"):
        untrained(standard(), 0)(None)(OwnScale())
