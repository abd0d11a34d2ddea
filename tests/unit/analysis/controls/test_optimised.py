import pytest
import torch

from rpganify.analysis.controls.optimised import Shift, best_by_size, choose_size, cut_shifts, descend, optimise_shifts
from tests.unit.analysis.controls.planted import A, B, code_judge, latent_subject


def chance():
    return torch.Generator().manual_seed(0)


def drawing(subject, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return lambda n: subject.draw(n, generator)


@pytest.mark.parametrize(("concept", "planted"), [(A, (3,)), (B, (5, 8))])
def test_the_planted_dimensions_are_the_nonzero_entries_of_the_shift_that_is_chosen(concept, planted):
    subject = latent_subject()
    generator = chance()
    shifts = optimise_shifts(subject.judge, drawing(subject), concept)
    choosing, held = (subject.draw(200, generator) for _ in range(2))

    def success(shift, latents):
        return float((subject.judge.probabilities(latents + shift.float()).argmax(dim=1) == concept).double().mean())

    candidates = cut_shifts(shifts[:-1])
    rates = [success(candidate, choosing) for candidate in candidates]
    best = best_by_size(candidates, rates)
    chosen = candidates[best[choose_size({size: rates[index] for size, index in best.items()}, len(choosing))]]
    assert tuple(chosen.nonzero()[:, 0].tolist()) == planted
    assert bool((chosen[list(planted)] > 0).all())
    assert success(chosen, held) > 0.8
    assert success(chosen.roll(1), held) < 0.3


def test_the_first_penalty_is_half_the_one_that_leaves_no_shift_optimal():
    subject = latent_subject()
    shifts = optimise_shifts(subject.judge, drawing(subject), A, num_penalties=2, batch_size=25)
    slope = subject.judge.log_probability(drawing(subject)(100), A)[1].mean(dim=0)
    assert shifts[0].penalty == pytest.approx(float(slope.abs().max()) / 2, rel=1e-5)
    assert [shift.penalty for shift in shifts[1:]] == [shifts[0].penalty / 2, 0.0]


def test_a_concept_without_any_slope_has_no_shift():
    judge = code_judge(lambda z: torch.zeros(len(z), 2) + 0 * z[:, :2])
    assert optimise_shifts(judge, lambda n: torch.randn(n, 3), 0) == ()


def test_falling_penalties_end_where_the_caller_has_enough():
    subject = latent_subject()
    shifts = optimise_shifts(subject.judge, drawing(subject), A, is_enough=lambda shift: True)
    assert len(shifts) == 2 and shifts[1].penalty == 0


WANTED, WEIGHTS = torch.tensor([2.0, -0.5, 0.1, 9.0]).double(), torch.tensor([1.0, 2.0, 1.0, 0.5]).double()


def slope(shift):
    """Of half the squared distance to a point, stretched; the minimum under an L1 penalty is known entry by entry."""
    return WEIGHTS * (shift - WANTED)


def test_the_penalised_minimum_of_a_quadratic_is_the_shrunk_one_within_the_bound():
    start, free = torch.zeros(4).double(), torch.ones(4, dtype=torch.bool)
    found = descend(slope, start, penalty=0.4, bound=3.0, size=1.0, num_steps=300, free=free)
    # soft threshold by penalty / weight: 2 − 0.4, −(0.5 − 0.2), 0, and 9 − 0.8 cut to 3
    torch.testing.assert_close(found, torch.tensor([1.6, -0.3, 0.0, 3.0]).double(), atol=1e-4, rtol=0)
    assert float(found[2]) == 0


def test_noise_in_the_slopes_is_averaged_out():
    start, free = torch.zeros(4).double(), torch.ones(4, dtype=torch.bool)
    generator = chance()

    def noisy(shift):
        return slope(shift) + 0.5 * torch.randn(4, generator=generator).double()

    found = descend(noisy, start, penalty=0.4, bound=3.0, size=1.0, num_steps=600, free=free)
    torch.testing.assert_close(found, torch.tensor([1.6, -0.3, 0.0, 3.0]).double(), atol=0.2, rtol=0)


def test_a_shift_that_is_optimal_under_the_penalty_stays_at_nothing():
    start, free = torch.zeros(4).double(), torch.ones(4, dtype=torch.bool)
    largest = float(slope(start).abs().max())
    assert not descend(slope, start, largest, 3.0, 1.0, 50, free).any()
    assert descend(slope, start, 0.9 * largest, 3.0, 1.0, 50, free).nonzero().tolist() == [[3]]


def test_entries_that_are_not_free_stay_where_they_are():
    start = torch.tensor([0.0, 1.0, 0.0, 0.0]).double()
    free = torch.tensor([True, False, False, True])
    found = descend(slope, start, 0.0, 3.0, 1.0, 300, free)
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0, 0.0, 3.0]).double(), atol=1e-4, rtol=0)


def test_the_smallest_size_within_one_standard_error_of_the_best_is_taken():
    # One standard error of 90 % of 100, with one success and one failure added, is 3.1 points.
    assert choose_size({1: 0.5, 3: 0.86, 5: 0.88, 9: 0.9}, 100) == 5
    assert choose_size({1: 0.5, 3: 0.88, 5: 0.89, 9: 0.9}, 100) == 3
    assert choose_size({1: 0.5, 3: 0.86, 5: 0.88, 9: 0.9}, 10_000) == 9
    assert choose_size({1: 0.991, 3: 1.0, 5: 1.0}, 100) == 1
    assert choose_size({1: 0.97, 3: 1.0, 5: 1.0}, 100) == 3


def test_shifts_are_cut_to_their_largest_entries():
    entries = torch.tensor([0.5, 0.0, -3.0, 2.0, 0.25, 1.0]).double()
    cut = cut_shifts([Shift(1.0, entries, entries), Shift(0.5, entries, torch.zeros(6).double())])
    assert [one.tolist() for one in cut] == [
        [0, 0, -3, 0, 0, 0],
        [0, 0, -3, 2, 0, 0],
        [0, 0, -3, 2, 0, 1],
        [0.5, 0, -3, 2, 0, 1],
        [0.5, 0, -3, 2, 0.25, 1],
    ]


def test_of_each_size_the_candidate_of_the_highest_rate_is_kept():
    one, two, other = torch.tensor([[0.0, 1], [2, 1], [3, 0]]).double()
    assert best_by_size([two, one, other], [0.9, 0.2, 0.3]) == {1: 2, 2: 0}
