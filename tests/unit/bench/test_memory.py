"""The peak of tensors' memory, on allocations whose sum is known."""

import torch

from rpganify.bench.memory import peak_bytes

CPU = torch.device("cpu")
N = 1000  # float32 numbers in a tensor here


def test_tensors_that_live_together_add_up():
    def run():
        a = torch.zeros(N)
        b = torch.ones(2 * N)
        return a, b

    assert peak_bytes(run, CPU) == 3 * N * 4


def test_what_is_gone_does_not_count_any_more():
    def run():
        for _ in range(5):
            x = torch.zeros(N)
            del x
        return torch.zeros(2 * N)

    assert peak_bytes(run, CPU) == 2 * N * 4


def test_views_and_tensors_that_were_there_before_cost_nothing():
    before = torch.zeros(N)

    def run():
        view = before[10:].view(-1, 10).t()
        view.add_(1)
        return before.reshape(10, -1)

    assert peak_bytes(run, CPU) == 0


def test_memory_lives_as_long_as_the_last_view_of_it():
    def run():
        part = torch.zeros(N)[:1]
        other = torch.zeros(N)
        return part, other

    assert peak_bytes(run, CPU) == 2 * N * 4


def test_what_the_backward_pass_keeps_and_makes_counts_too():
    weight = torch.zeros(N, requires_grad=True)

    def both():
        weight.exp().sum().backward()

    # The exponential is kept for its own derivative, and the gradient is made beside it; a few scalars besides.
    assert 2 * N * 4 <= peak_bytes(both, CPU) <= 2 * N * 4 + 64
    torch.testing.assert_close(weight.grad, torch.ones(N))
