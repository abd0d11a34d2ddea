import itertools

import pytest
import torch

from rpganify.analysis.controls.choices import latent_choices, path_choices
from rpganify.analysis.controls.fewest import Fewest, find_fewest
from tests.unit.analysis.controls.planted import A, B, code_judge, path_subject


def random_judge(num_blocks=4, num_concepts=3, seed=0):
    """Scores without any structure: what is fewest can be found by looking at all paths only."""
    table = 2 * torch.randn(
        num_blocks, num_blocks, num_blocks, num_concepts, generator=torch.Generator().manual_seed(seed)
    )
    return code_judge(lambda codes: table[codes[:, 0], codes[:, 1], codes[:, 2]])


def fewest_of_all(judge, code, concept, num_blocks=4):
    """By looking at every path."""
    every = torch.tensor(list(itertools.product(range(num_blocks), repeat=3)))
    classes = judge.probabilities(every).argmax(dim=1)
    changes = (every != code).sum(dim=1)[classes == concept]
    return int(changes.min()) if len(changes) else -1


@pytest.mark.parametrize("seed", range(3))
def test_with_all_tried_the_fewest_changes_are_those_of_a_look_at_every_path(seed):
    judge = random_judge(seed=seed)
    codes = torch.randint(4, (6, 3), generator=torch.Generator().manual_seed(seed))
    found = find_fewest(judge, codes, path_choices((4, 4, 4)), 3, num_tried=1000, beam=1000, max_pairs=0)
    for row, code in enumerate(codes):
        assert found.num_changes[row].tolist() == [fewest_of_all(judge, code, concept) for concept in range(3)]


def test_a_short_list_never_finds_less_than_there_is_and_all_single_changes():
    judge = random_judge(seed=7)
    codes = torch.randint(4, (8, 3), generator=torch.Generator().manual_seed(0))
    found = find_fewest(judge, codes, path_choices((4, 4, 4)), 3, num_tried=2, beam=1, max_pairs=0)
    for row, code in enumerate(codes):
        for concept in range(3):
            truth, number = fewest_of_all(judge, code, concept), int(found.num_changes[row, concept])
            assert number >= truth or number == -1
            if truth <= 1:
                assert number == truth


def test_the_changed_codes_are_of_the_class_and_differ_in_as_many_coordinates():
    subject = path_subject()
    codes = subject.draw(10, torch.Generator().manual_seed(0))
    found = find_fewest(subject.judge, codes, subject.choices, 4)
    for row, code in enumerate(codes):
        for concept in range(3):
            made = found.codes[row, concept]
            assert int((made != code).sum()) == int(found.num_changes[row, concept])
            assert int(subject.judge.probabilities(made[None]).argmax()) == concept


def test_the_planted_path_needs_one_block_for_one_class_and_two_for_the_other():
    subject = path_subject()
    neither = torch.tensor([[0, 0, 0, 0]])
    found = find_fewest(subject.judge, neither, subject.choices, 4, num_tried=2000, beam=1000, max_pairs=0)
    assert found.num_changes.tolist() == [[0, 1, 2]]
    half = torch.tensor([[0, 1, 0, 0]])
    assert find_fewest(subject.judge, half, subject.choices, 4).num_changes.tolist() == [[0, 1, 1]]


def test_pairs_of_which_neither_does_anything_alone_are_found_where_all_pairs_are_tried():
    subject, neither = path_subject(), torch.tensor([[0, 0, 0, 0]])
    all_pairs = find_fewest(subject.judge, neither, subject.choices, 4, num_tried=1, beam=1)
    assert all_pairs.num_changes.tolist() == [[0, 1, 2]]
    few = find_fewest(subject.judge, neither, subject.choices, 2, num_tried=1, beam=1, max_pairs=6 * 49 - 1)
    assert few.num_changes.tolist() == [[0, 1, -1]]
    assert find_fewest(
        subject.judge, neither, subject.choices, 2, num_tried=1, beam=1, max_pairs=6 * 49
    ).num_changes.tolist() == [[0, 1, 2]]


def test_slopes_show_what_does_nothing_alone_and_much_beside_another_change():
    # Dimension 2 counts only where dimension 1 is up; each of the many others does a little by itself.
    def logits(z):
        raised = 0.5 * z[:, 1] * (1 + z[:, 2]) + 0.02 * z[:, 3:].sum(dim=1)
        return torch.stack([torch.full_like(raised, 3.0), raised], dim=1)

    judge, codes = code_judge(logits), torch.zeros(1, 30)
    blind = find_fewest(judge, codes, latent_choices(30), 2, num_tried=8, max_pairs=0)
    seeing = find_fewest(judge, codes, latent_choices(30), 2, num_tried=8, max_pairs=0, is_differentiable=True)
    assert blind.num_changes.tolist() == [[0, -1]]
    assert seeing.num_changes.tolist() == [[0, 2]]
    assert seeing.codes[0, 1].nonzero()[:, 0].tolist() == [1, 2]


def test_what_no_change_brings_about_is_said_so():
    judge = code_judge(lambda codes: torch.stack([torch.ones(len(codes)), torch.zeros(len(codes))], dim=1))
    found = find_fewest(judge, torch.tensor([[0, 0]]), path_choices((2, 2)), 2)
    assert found.num_changes.tolist() == [[0, -1]]


def test_the_share_within_a_number_of_changes_leaves_out_what_is_of_the_class_already():
    found = Fewest(torch.tensor([[0, 1, 2], [1, 0, -1]]), torch.zeros(2, 3, 4), 3)
    assert found.within(1)[:, A].tolist()[0] == 1 and found.within(1)[:, A].isnan().tolist() == [False, True]
    assert found.within(1)[:, B].tolist() == [0, 0]
    assert found.within(2)[:, B].tolist() == [1, 0]
