import json
import random

import numpy as np
import torch

from rpganify.training.randomness import Streams, derived_seed, global_states, restore_global_states, seeded_globals


def draw_everywhere():
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), np.random.randn(), random.random(), random.gauss(0, 1)


def test_global_states_survive_json_and_bring_back_the_same_numbers():
    with seeded_globals(1):
        draw_everywhere()  # leaves half a pair of normals in numpy and Python
        states = json.loads(json.dumps(global_states()))
        first = draw_everywhere()
        restore_global_states(states)
        assert draw_everywhere() == first


def test_seeding_inside_leaves_the_caller_s_generators_alone():
    before = json.dumps(global_states())
    with seeded_globals(7):
        inside = draw_everywhere()
    assert json.dumps(global_states()) == before
    with seeded_globals(7):
        assert draw_everywhere() == inside


def test_streams_survive_json():
    streams = Streams.seeded(5)
    torch.rand(4, generator=streams.codes)
    states = json.loads(json.dumps(streams.to_json()))
    first = torch.rand(4, generator=streams.codes), torch.rand(4, generator=streams.noise)
    other = Streams.seeded(6)
    other.restore(states)
    assert torch.equal(torch.rand(4, generator=other.codes), first[0])
    assert torch.equal(torch.rand(4, generator=other.noise), first[1])


def test_every_purpose_and_index_has_its_own_seed():
    seeds = {
        derived_seed(seed, purpose, index)
        for seed in range(20)
        for purpose in ("codes", "noise", "globals", "order", "samples")
        for index in range(20)
    }
    assert len(seeds) == 20 * 5 * 20
    assert max(seeds) < 2**63
