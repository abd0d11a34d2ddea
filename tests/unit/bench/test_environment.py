"""What is told of the circumstances."""

import pytest
import torch

from rpganify.bench.environment import Environment


@pytest.mark.parametrize(
    ("policy", "spins", "do_sleep"),
    [
        (None, None, False),
        ("passive", None, True),
        ("ACTIVE", None, False),
        ("PASSIVE", "30000", False),
        (None, "0", True),
    ],
)
def test_whether_threads_sleep_is_what_openmp_read_of_the_environment(monkeypatch, policy, spins, do_sleep):
    for name, value in (("OMP_WAIT_POLICY", policy), ("GOMP_SPINCOUNT", spins)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    here = Environment.here(torch.device("cpu"), keeps_memory=True, kernel="grouped")
    assert here.threads_sleep is do_sleep
    assert here == Environment("cpu", torch.get_num_threads(), do_sleep, torch.__version__, True, "grouped")
