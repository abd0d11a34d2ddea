import pytest
import torch

from rpganify.analysis.controls.choices import set_choices
from rpganify.analysis.controls.random_sets import random_choices, random_shift, score_random
from rpganify.analysis.controls.sequential import measure_singles
from tests.unit.analysis.controls.planted import CONCEPTS, A, B, latent_subject, path_subject


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_random_dimensions_go_where_each_alone_raises_the_concept_more():
    subject = latent_subject()
    singles = measure_singles(subject.judge, subject.draw(100, chance()), subject.choices)
    seen = set()
    for seed in range(20):
        drawn = random_choices(singles, 3, B, chance(seed), is_latent=True)
        assert len({choice.coordinate for choice in drawn}) == 3
        for choice in drawn:
            assert choice == singles.better(choice.coordinate, B)
            seen.add(choice.coordinate)
    assert seen == set(range(12))
    assert singles.better(5, B).value == 3 and singles.better(3, A).value == 3


def test_random_blocks_are_any_blocks():
    subject = path_subject()
    singles = measure_singles(subject.judge, subject.draw(100, chance()), subject.choices)
    drawn = [random_choices(singles, 2, B, chance(seed), is_latent=False) for seed in range(60)]
    assert all(len({choice.coordinate for choice in one}) == 2 for one in drawn)
    assert {int(choice.value) for one in drawn for choice in one} == set(range(8))


def test_a_random_shift_has_the_sizes_of_the_one_it_stands_beside():
    subject = latent_subject()
    singles = measure_singles(subject.judge, subject.draw(100, chance()), subject.choices)
    shift = torch.zeros(12, dtype=torch.float64)
    shift[3], shift[7] = 2.5, -0.5
    for seed in range(10):
        drawn = random_shift(singles, shift, A, chance(seed))
        assert sorted(drawn.abs().tolist()) == sorted(shift.abs().tolist())
        if drawn[3] != 0:
            assert drawn[3] > 0


def test_the_planted_set_does_what_no_random_set_of_its_size_does():
    subject = path_subject()
    codes = subject.draw(200, chance())
    singles = measure_singles(subject.judge, codes, subject.choices)
    before = subject.judge.probabilities(codes)
    generator = chance(1)

    def draw():
        drawn = random_choices(singles, 2, B, generator, is_latent=False)
        return lambda here: set_choices(here, drawn)

    found = score_random(subject.judge, codes, before, B, draw, num_draws=40)
    assert found is not None
    # One of the two planted blocks is among two random ones in 1/8 of the sets, and then 1/8 of the paths have the other.
    assert found.value == pytest.approx(1 / 64, abs=0.02)
    assert found.low == 0 and found.high < 0.3


def test_without_an_image_of_another_class_random_sets_have_no_success():
    subject = path_subject()
    codes = subject.draw(5, chance())
    before = torch.zeros(5, len(CONCEPTS), dtype=torch.float64)
    before[:, A] = 1
    assert score_random(subject.judge, codes, before, A, lambda: torch.clone, 3) is None
