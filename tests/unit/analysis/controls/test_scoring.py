import pytest
import torch

from rpganify.analysis.controls.scoring import mean_over_concepts, reached, score_outcome, share


def chance():
    return torch.Generator().manual_seed(0)


def probabilities(classes, sure=0.8):
    """Rows whose likeliest class is the one given; the other two share the rest."""
    rows = torch.full((len(classes), 3), (1 - sure) / 2, dtype=torch.float64)
    rows[torch.arange(len(classes)), torch.tensor(classes)] = sure
    return rows


BEFORE = probabilities([0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
AFTER = probabilities([0, 1, 0, 0, 1, 0, 0, 1, 2, 1])


def test_success_counts_images_of_other_classes_only():
    outcome = score_outcome(BEFORE, AFTER, 0, chance())
    assert outcome.success is not None
    assert outcome.success.value == pytest.approx(4 / 8)
    assert outcome.success.low < 0.5 < outcome.success.high
    assert outcome.stays == pytest.approx(1 / 2)
    assert outcome.elsewhere == pytest.approx(2 / 8)  # two of class 2 ended in class 1
    assert outcome.before == pytest.approx(float(BEFORE[:, 0].mean()))
    assert outcome.probability.value == pytest.approx(float(AFTER[:, 0].mean()))


def test_side_effects_are_mean_changes_over_images_of_other_classes_and_add_up_to_nothing():
    outcome = score_outcome(BEFORE, AFTER, 0, chance())
    expected = (AFTER - BEFORE)[2:].mean(dim=0)
    torch.testing.assert_close(torch.tensor([one.value for one in outcome.changes]).double(), expected)
    assert sum(one.value for one in outcome.changes) == pytest.approx(0, abs=1e-12)


def test_where_all_images_are_of_the_class_there_is_no_success_to_speak_of():
    outcome = score_outcome(BEFORE[:2], AFTER[:2], 0, chance())
    assert outcome.success is None and outcome.elsewhere is None and outcome.changes == ()
    assert outcome.stays == pytest.approx(1 / 2)
    assert score_outcome(BEFORE[2:], AFTER[2:], 0, chance()).stays is None
    assert share(reached(BEFORE[:2], AFTER[:2], 0)) is None


def test_codes_that_were_of_the_class_count_neither_way():
    found = reached(BEFORE, AFTER, 0)
    assert found.isnan().tolist() == [True, True] + 8 * [False]
    assert found[2:].tolist() == [1, 1, 0, 1, 1, 0, 0, 0]
    assert share(found) == pytest.approx(4 / 8)


def test_a_mean_over_concepts_gives_each_concept_the_same_weight():
    columns = torch.stack([reached(BEFORE, AFTER, 0), torch.full((10,), torch.nan), reached(BEFORE, AFTER, 1)], dim=1)
    mean = mean_over_concepts(columns.double(), chance())
    assert mean is not None
    assert mean.value == pytest.approx((4 / 8 + 3 / 7) / 2)
    assert mean.low < mean.value < mean.high
    assert mean_over_concepts(torch.full((3, 2), torch.nan).double(), chance()) is None
