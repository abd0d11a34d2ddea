import itertools

import pytest
import torch

from rpganify.analysis.controls.choices import Choice, path_choices, set_choices, weaker_latent_choices
from rpganify.analysis.controls.sequential import grow_set, measure_singles
from tests.unit.analysis.controls.planted import A_BLOCKS, B_BLOCKS, A, B, code_judge, latent_subject, path_subject


def chance():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def latent():
    subject = latent_subject()
    codes = subject.draw(200, chance())
    return subject.judge, codes, measure_singles(subject.judge, codes, subject.choices)


@pytest.fixture(scope="module")
def paths():
    subject = path_subject()
    codes = subject.draw(400, chance())
    return subject.judge, codes, measure_singles(subject.judge, codes, subject.choices)


def dimensions(steps):
    return {choice.coordinate for choice in steps[-1].choices}


@pytest.mark.parametrize(("concept", "planted"), [(A, {3}), (B, {5, 8})])
@pytest.mark.parametrize("num_candidates", [6, 100], ids=["short list", "all"])
def test_the_planted_dimensions_are_found_exactly(latent, concept, planted, num_candidates):
    steps = grow_set(*latent[:2], concept, latent[2], num_candidates=num_candidates, is_differentiable=True)
    assert dimensions(steps) == planted
    assert all(choice.value > 0 for choice in steps[-1].choices)
    assert steps[-1].probability > 0.95


@pytest.mark.parametrize(("concept", "planted"), [(A, A_BLOCKS), (B, B_BLOCKS)])
def test_the_planted_blocks_are_found_exactly(paths, concept, planted):
    steps = grow_set(*paths[:2], concept, paths[2], beam=4)
    assert set(steps[-1].choices) == set(planted)


def test_a_block_that_lowers_is_any_but_the_planted_one(paths):
    judge, codes, singles = paths
    steps = grow_set(judge, codes, A, singles, is_raised=False)
    assert [choice.coordinate for choice in steps[-1].choices] == [0] and steps[-1].choices[0].value != 2
    assert steps[-1].probability < float(singles.before[A])
    assert steps[0].gain == pytest.approx(float(singles.before[A]) - steps[0].probability)


def test_singles_are_the_mean_probabilities_under_each_choice(paths):
    judge, codes, singles = paths
    for index in (0, 9, 31):
        alone = judge.probabilities(set_choices(codes, [singles.choices[index]])).mean(dim=0)
        torch.testing.assert_close(singles.after[index], alone)
    assert singles.better(0, A) == A_BLOCKS[0]


def test_each_step_says_the_probability_under_its_set_and_the_gain_over_the_step_before(latent):
    judge, codes, singles = latent
    before = float(singles.before[B])
    for step in grow_set(judge, codes, B, singles, is_differentiable=True):
        under = float(judge.probabilities(set_choices(codes, step.choices))[:, B].mean())
        assert step.probability == pytest.approx(under)
        assert step.gain == pytest.approx(under - before)
        before = under


def test_the_search_ends_at_its_size_and_where_the_gain_is_too_small(latent):
    judge, codes, singles = latent
    assert len(grow_set(judge, codes, B, singles, max_size=1)) == 1
    assert grow_set(judge, codes, B, singles, min_gain=0.5) == ()
    every = grow_set(judge, codes, B, singles, min_gain=1e-9, is_differentiable=True)
    assert len(every) > 2  # lowering A helps a little, which the usual gain leaves out


def test_a_less_extreme_value_is_taken_where_it_is_better():
    # A bump around 2: at 3 the concept has gone again.
    judge = code_judge(lambda z: torch.stack([1 + 0 * z[:, 0], 9 - 6 * (z[:, 0] - 2).abs()], dim=1))
    codes = torch.randn(50, 2, generator=chance())
    choices = [Choice(index, sign * 3.0) for index in range(2) for sign in (1.0, -1.0)]
    singles = measure_singles(judge, codes, choices)
    steps = grow_set(judge, codes, 1, singles, weaker=weaker_latent_choices)
    assert steps[-1].choices == (Choice(0, 2.0),)


def pair_judge(num_blocks):
    """Block 0 of bucket 1 alone does something; blocks 1 and 1 together do everything, and alone less."""

    def logits(paths):
        one, two = paths.T
        raised = torch.where(
            (one == 1) & (two == 1), 9.0, torch.where(one == 0, 1.5, torch.where(one == 1, -1.0, -9.0))
        )
        return torch.stack([torch.zeros_like(raised), raised], dim=1)

    return code_judge(logits)


def test_a_beam_finds_what_belongs_together_where_the_best_next_block_leads_astray():
    judge, space = pair_judge(9), (9, 9)
    codes = torch.tensor(list(itertools.product(range(9), range(9))))
    singles = measure_singles(judge, codes, path_choices(space))
    greedy = grow_set(judge, codes, 1, singles, beam=1, num_candidates=100)
    kept = grow_set(judge, codes, 1, singles, beam=4, num_candidates=100)
    assert greedy[-1].choices == (Choice(0, 0),)
    assert set(kept[-1].choices) == {Choice(0, 1), Choice(1, 1)}


def test_with_all_choices_tried_pairs_are_the_best_of_all_pairs():
    generator = torch.Generator().manual_seed(5)
    table = torch.randn(4, 4, 4, generator=generator)
    random_judge = code_judge(
        lambda codes: torch.stack([torch.zeros(len(codes)), 2 * table[tuple(codes.long().T)]], dim=1),
    )
    codes = torch.tensor(list(itertools.product(range(4), repeat=3)))
    choices = path_choices((4, 4, 4))
    singles = measure_singles(random_judge, codes, choices)
    steps = grow_set(random_judge, codes, 1, singles, beam=len(choices), num_candidates=100, max_size=2, min_gain=1e-6)
    pairs = [pair for pair in itertools.combinations(choices, 2) if pair[0].coordinate != pair[1].coordinate]
    best = max(pairs, key=lambda pair: float(random_judge.probabilities(set_choices(codes, pair))[:, 1].mean()))
    assert set(steps[1].choices) == set(best)
