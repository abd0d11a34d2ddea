"""The check of replications passes the right ones, and says what is wrong with the others."""

import pytest
import torch

from rpganify.entries import ReplicationEntry
from rpganify.registry import Registry, resolve
from rpganify.testing import BrokenLaw, check_replication


@pytest.mark.parametrize("entry", Registry().all(ReplicationEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_replication_passes(entry):
    check_replication(resolve(entry.factory)())


def test_there_are_built_in_replications():
    assert {"copy", "fresh", "jitter"} <= Registry().all(ReplicationEntry).keys()


def scaled(values, fresh, generator):
    if not values.is_floating_point():
        return values
    return values * (0.5 + torch.rand((), generator=generator, dtype=values.dtype))


def test_a_strangers_correct_replication_passes():
    check_replication(scaled)


def in_place(values, fresh, generator):
    return values.mul_(2)


def global_chance(values, fresh, generator):
    return values + torch.randn_like(values) if values.is_floating_point() else values


def widened(values, fresh, generator):
    return values.float()


def whitened(values, fresh, generator):
    return (values - values.mean()) / values.std(correction=0) if values.is_floating_point() else values


def flattened(values, fresh, generator):
    return values.flatten()


def only_fresh(values, fresh, generator):
    return fresh.clone()


def blended(values, fresh, generator):
    return values if fresh is None else fresh.lerp_(values, 0.5) if values.is_floating_point() else values


def nothing(values, fresh, generator):
    return None


class Remembering:
    """Goes on from the block before."""

    def __init__(self):
        self.calls = 0

    def __call__(self, values, fresh, generator):
        self.calls += 1
        return values * self.calls


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (in_place, r"a weight: expected values to keep its values; got others.*`values \+ noise`"),
        (global_chance, r"a weight: expected the global random states to stay.*generator=generator"),
        (widened, r"a float64 weight: expected a tensor like the given one, float64 \(5, 4\); got float32 \(5, 4\)"),
        (whitened, r"a bias of zeros: expected finite values; got NaN or infinity.*standard deviation"),
        (flattened, r"a weight: expected a tensor like the given one, float32 \(4, 3, 3, 3\); got float32 \(108,\)"),
        (only_fresh, r"a weight: expected a tensor like float32 \(4, 3, 3, 3\); got AttributeError.*fresh is None if"),
        (blended, r"a weight beside a fresh one: expected fresh to keep its values; got others"),
        (nothing, r"a weight: expected a tensor like the given one, .*; got a NoneType"),
        (Remembering(), r"a weight: expected the same values from a generator of the same seed; got others"),
    ],
)
def test_a_wrong_replication_is_named_with_what_came_and_how_to_repair_it(make, sentence):
    with pytest.raises(BrokenLaw, match=rf" of {sentence}"):
        check_replication(make)
