"""Trained weights from files that cannot run code."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rpganify.cli.weights import load_weights
from rpganify.errors import ModelFileError


def network(seed, width=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def assert_equal_weights(one, two):
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], tensor, rtol=0, atol=0)


def test_weights_are_read_from_safetensors(tmp_path):
    trained, fresh = network(1), network(2)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    load_weights(fresh, tmp_path / "w.safetensors")
    assert_equal_weights(trained, fresh)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"netG": state, "epoch": 3, "netD": {"score.weight": torch.zeros(1)}},
        lambda state: {"state": {"model": {f"module.{name}": tensor for name, tensor in state.items()}}},
        lambda state: {name: tensor for name, tensor in state.items() if "num_batches" not in name},
    ],
    ids=["state dict", "checkpoint", "nested, data parallel", "before batch norms counted"],
)
def test_weights_are_found_in_what_people_save(tmp_path, wrap):
    trained, fresh = network(1), network(2)
    torch.save(wrap(trained.state_dict()), tmp_path / "w.pt")
    load_weights(fresh, tmp_path / "w.pt")
    assert_equal_weights(trained, fresh)


class Bomb:
    """Runs code when unpickled without restriction."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file was run')",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": Bomb()}, "cannot be opened without running code from it"),
        ({"epoch": 3}, "holds no state dict"),
        ({"a": network(1).state_dict(), "b": network(3).state_dict()}, "several state dicts that fit .* 'a', 'b'"),
        (
            network(1, width=5).state_dict(),
            r"another network: '0\.weight' is \(5, 3\) there and \(4, 3\) in the generator",
        ),
        (
            {"g": {"0.weights": torch.zeros(4, 3)}},
            r"'g', holds .*'0\.weight' is not in it, nor are 7 more\. Did you mean",
        ),
        ({**network(1).state_dict(), "3.bias": torch.zeros(1)}, r"the generator has no '3\.bias'"),
    ],
    ids=["code", "no weights", "ambiguous", "other shape", "other names", "too many"],
)
def test_files_that_do_not_fit_are_refused_and_leave_the_generator_alone(tmp_path, content, message):
    fresh = network(2)
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelFileError, match=message):
        load_weights(fresh, tmp_path / "w.pt")
    assert_equal_weights(network(2), fresh)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(ModelFileError, match=r"There is no weight file .*--weights takes \.safetensors"):
        load_weights(network(2), tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_truncated_file_is_refused(tmp_path, name, share):
    path = tmp_path / name
    (torch.save if name == "w.pt" else save_file)(network(1).state_dict(), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ModelFileError, match=r"cannot be (read|opened)"):
        load_weights(network(2), path)


def test_a_plain_pickle_is_not_run(tmp_path):
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match="cannot be opened without running code from it"):
        load_weights(network(2), tmp_path / "w.pt")
