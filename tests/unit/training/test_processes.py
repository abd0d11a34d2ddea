"""One process alone; several are tested in tests/functional/test_two_processes.py."""

import pytest
import torch
from torch import nn

from rpganify.errors import TrainingError
from rpganify.training import processes as module
from rpganify.training.networks import laid_out_like
from rpganify.training.processes import Processes, is_launched


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)

    def refuse(*_, **__):
        raise AssertionError("a process alone asks nobody")

    for name in ("all_reduce", "broadcast", "barrier", "all_gather_object"):
        monkeypatch.setattr(torch.distributed, name, refuse)


@pytest.mark.parametrize("world_size", [None, "1"])
def test_a_process_without_others_is_the_main_one_and_its_share_is_all(monkeypatch, world_size):
    if world_size:
        monkeypatch.setenv("WORLD_SIZE", world_size)
    alone = Processes.joined("cpu")
    assert (alone.rank, alone.count, alone.is_main, alone.device) == (0, 1, True, torch.device("cpu"))
    assert alone.share(64) == slice(0, 64)
    assert not is_launched()


def test_what_it_would_share_with_others_stays_as_it_is():
    alone, weight = Processes(), nn.Parameter(torch.ones(3))
    weight.grad = gradient = torch.arange(3.0)
    alone.average_gradients([weight])
    assert weight.grad is gradient and gradient.tolist() == [0.0, 1.0, 2.0]
    assert alone.mean([0.5, float("nan")])[0] == 0.5
    assert alone.any(True) and not alone.any(False)
    assert alone.gather({"a": 1}) == [{"a": 1}]
    alone.agree([weight.data])
    alone.wait()


def test_the_shares_of_all_processes_follow_one_another_without_gap():
    shares = [Processes(rank=rank, count=3).share(5) for rank in range(3)]
    assert [list(range(15))[share] for share in shares] == [[*range(5)], [*range(5, 10)], [*range(10, 15)]]
    assert [Processes(rank=rank, count=3).is_main for rank in range(3)] == [True, False, False]


def test_gradients_are_averaged_in_pieces_and_a_missing_one_counts_as_nought(monkeypatch):
    """Two processes in one: the other's values are those of this one, times three."""
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: values.mul_(4))
    monkeypatch.setattr(module, "_CHUNK", 5)
    sizes = [(2, 3), (7,), (1, 1), (2, 2)]
    parameters = [nn.Parameter(torch.zeros(size)) for size in sizes]
    parameters.append(nn.Parameter(torch.zeros(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)))
    expected = []
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape)
        expected.append(2 * parameter.grad)  # the mean of one and three
    nobody = nn.Parameter(torch.zeros(2))
    Processes(count=2).average_gradients([*parameters, nobody])
    for parameter, value in zip(parameters, expected, strict=True):
        assert torch.equal(parameter.grad, value)
        assert parameter.grad.stride() == parameter.stride()  # fused kernels go by the place in memory
    assert nobody.grad is None


def test_the_end_of_another_process_is_a_refusal_without_the_library_s_jokes(monkeypatch):
    def closed(*_):
        raise RuntimeError("[pair.cc:1] Connection closed by peer [1]. This is typically caused by a crash. GLHF!")

    monkeypatch.setattr(torch.distributed, "all_reduce", closed)
    with pytest.raises(
        TrainingError,
        match=r"not to be reached any more: \[pair\.cc:1\] Connection closed by peer \[1\]\. What ended it .* --resume\.$",
    ):
        Processes(count=2).mean([1.0])


def test_processes_that_cannot_join_are_told_what_to_look_at(monkeypatch):
    def fail(cpu):
        raise ValueError("MASTER_ADDR expected, but not set")

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("accelerate.PartialState", fail)
    with pytest.raises(
        TrainingError, match=r"cannot join: MASTER_ADDR expected, but not set\. Check the launcher's add"
    ):
        Processes.joined("cpu")


@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (5,), ()])
def test_values_are_laid_out_like_their_parameter_in_memory_of_their_own(shape):
    parameter = torch.zeros(shape)
    if len(shape) == 4:
        parameter = parameter.contiguous(memory_format=torch.channels_last)
    values = torch.randn(shape, dtype=torch.float64)
    made = laid_out_like(parameter, values)
    assert torch.equal(made, values) and made.dtype == torch.float64
    assert made.stride() == parameter.stride() and made.data_ptr() != values.data_ptr()


def test_a_count_of_steps_beside_a_parameter_is_copied_as_it_is():
    step = torch.tensor(3.0)
    made = laid_out_like(torch.zeros(2, 2), step)
    assert made.shape == () and made == 3 and made.data_ptr() != step.data_ptr()
