import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.concepts.figure import shown_rows
from rpganify.analysis.concepts.interventions import (
    LatentInterventions,
    class_probabilities,
    correlations,
    intervene_on_blocks,
    intervene_on_latents,
    probabilities_of,
)
from rpganify.analysis.concepts.measured import Measured, correlate, measure_blocks, measure_latents
from rpganify.analysis.concepts.table import judge
from rpganify.analysis.generation import ImageMaker, evaluating

from .planted import CONTROLS_A, CONTROLS_B, DIM, PlantedBlocks, ReadsPixels, planted_map


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def found_in_latents() -> LatentInterventions:
    return intervene_on_latents(planted_map(), ReadsPixels(), 60, seeded(), deltas=(1, 3))


def measured_blocks() -> Measured:
    model = PlantedBlocks()
    with evaluating(model, 0):
        maker, contexts = ImageMaker(model, AnalysisContext()), model.draw(50, seeded())
        found = intervene_on_blocks(maker, model.paths.num_blocks, ReadsPixels(), contexts)
        observed = probabilities_of(ReadsPixels().scores(maker.values(contexts)))
    return measure_blocks(found, observed, ["one", "two", "three"], seed=0)


def test_every_row_is_named_after_what_it_sets_and_has_its_effects():
    found = found_in_latents()
    measured, doses = measure_latents(found, seed=0)
    row = measured.labels.index(f"z{CONTROLS_A} := +3")
    assert (
        measured.variables[row] == CONTROLS_A and measured.labels[0] == "z0 := −3" and len(measured.labels) == 2 * DIM
    )
    torch.testing.assert_close(measured.effects.mean[row], found.effects[1, 1, CONTROLS_A])
    assert [group.title for group in measured.groups] == ["z_i := +3", "z_i := −3"]
    assert sorted(row for group in measured.groups for row in group.rows) == list(range(2 * DIM))
    assert row in measured.groups[0].rows
    after = (found.base + found.changes[1, 1, :, CONTROLS_A]).amax(dim=1).mean()
    torch.testing.assert_close(measured.sureness[row], after)
    assert [dose.delta for dose in doses] == [1, 3] and doses[0].moved < doses[1].moved
    first = judge(found.changes[0].permute(1, 0, 2, 3).flatten(1, 2), seed=0)
    assert doses[0].num_told == int(first.is_significant.sum()) and abs(doses[0].largest) == first.mean.abs().max()


def test_the_strongest_intervention_for_a_concept_is_one_that_is_told():
    measured, _ = measure_latents(found_in_latents(), seed=0)
    up, down = measured.strongest(0, 1), measured.strongest(0, -1)
    assert up is not None and measured.labels[up] == f"z{CONTROLS_A} := +3"
    assert down is not None and measured.effects.mean[down, 0] < 0
    raises_b = measured.strongest(1, 1)
    assert raises_b is not None and measured.variables[raises_b] in CONTROLS_B
    nothing, _ = measure_latents(
        intervene_on_latents(planted_map(), ReadsPixels(), 2, seeded(), deltas=(0.01,)), seed=0
    )
    assert [nothing.strongest(concept, 1) for concept in range(4)] == [None] * 4


def test_correlations_of_drawn_latents_agree_with_the_interventions_on_what_controls_a_class():
    measured, _ = measure_latents(found_in_latents(), seed=0)
    latents = torch.randn(2000, DIM, generator=seeded(9))
    observed = class_probabilities(planted_map(), ReadsPixels(), latents)
    correlated = correlate(measured, latents, observed)
    assert correlated.num_observed == 2000 and torch.equal(correlated.values, correlations(latents, observed))
    assert int(correlated.values[:, 0].argmax()) == CONTROLS_A
    assert set(correlated.values[:, 1].topk(2).indices.tolist()) == set(CONTROLS_B)
    assert correlated.agreement is not None and correlated.agreement > 0.8
    opposed = correlate(measured, -latents, observed)
    assert opposed.agreement is not None and abs(opposed.agreement + correlated.agreement - 1) < 1e-9


def test_blocks_are_named_with_buckets_from_1_and_blocks_from_0():
    measured = measured_blocks()
    assert measured.labels[2] == "block 2 of bucket 1" and measured.names[5] == "2:0"
    assert [group.title for group in measured.groups] == ["1 one", "2 two", "3 three"]
    assert measured.strongest(0, 1) == 2
    assert int(measured.importance.order[0]) == 2


def test_what_changes_the_same_class_most_is_shown_side_by_side_and_the_idle_last():
    measured, _ = measure_latents(found_in_latents(), seed=0)
    up, down = ([measured.variables[row] for row in shown_rows(measured, group)] for group in measured.groups)
    assert up == down and sorted(up) == list(range(DIM))  # both panels have one order
    assert set(up[:3]) == {CONTROLS_A, *CONTROLS_B}
    blocks = measured_blocks()
    assert blocks.variables[shown_rows(blocks, blocks.groups[0])[0]] == 2
