"""The passes that are timed, and the plain twin, which is a generator's first path."""

import torch

from rpganify.bench.loop import SampleLoop
from rpganify.bench.subjects import Subjects, plain_twin
from tests.unit.bench.generators import CPU, converted, with_norm_of_one_value


def test_the_plain_twin_is_the_first_path_and_shares_nothing():
    routed = converted(3)
    plain = plain_twin(routed)
    first = routed.images(torch.zeros(1, 3, dtype=torch.int64))
    torch.testing.assert_close(plain.images(routed.Z), first)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.zero_()
    torch.testing.assert_close(routed.images(torch.zeros(1, 3, dtype=torch.int64)), first)


def test_every_pass_comes_with_and_without_gradients_and_leaves_none():
    routed = converted(3)
    passes = Subjects(plain_twin(routed), routed, 4, CPU).passes()
    assert list(passes) == [
        "plain", "plain + backward", "routed", "routed + backward", "frozen", "frozen + backward", "loop",
        "loop + backward",
    ]  # fmt: skip
    for one in passes.values():
        one()
    assert all(parameter.grad is None for parameter in routed.parameters())


def test_a_loop_is_left_out_where_a_sample_by_itself_is_refused_and_says_why(monkeypatch):
    small, shared = converted(3).train(), with_norm_of_one_value().train()
    for one in (small, shared):
        assert Subjects(plain_twin(one), one, 4, CPU).why_no_loop() is None

    def refuse(self, paths, conditions):
        raise ValueError("A norm\n  wants two.")

    monkeypatch.setattr(SampleLoop, "forward", refuse)
    assert Subjects(plain_twin(small), small, 4, CPU).why_no_loop() == "A norm wants two."
