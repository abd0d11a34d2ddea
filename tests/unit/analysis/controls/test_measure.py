"""The whole measurement on planted generators, without models; and success by size, which is made of it."""

import math
from dataclasses import replace

import pytest
import torch

from rpganify.analysis.controls.choices import Choice, path_choices
from rpganify.analysis.controls.found import OPTIMISED, SEQUENTIAL, Sizes
from rpganify.analysis.controls.growth import MAX_POINTS, image_growth, point_for, set_growth
from rpganify.analysis.controls.measure import measure_controls
from rpganify.analysis.controls.scoring import reached
from rpganify.errors import AnalysisError
from tests.unit.analysis.controls.planted import (
    B_BLOCKS,
    A,
    B,
    draw_latents,
    draw_paths,
    judge_of,
    latent_images,
    latent_subject,
    path_images,
    path_subject,
    planted_judge,
)

SIZES = Sizes(num_search=80, num_held=160, num_random=40, num_draws=10, num_fewest=6)
# Among 200 paths two or three are of class B by themselves, too few to be worth a block against them.
PATH_SIZES = replace(SIZES, num_search=200, num_held=300)


def chance():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def paths():
    return path_subject(), measure_controls(path_subject(), 3, PATH_SIZES)


@pytest.fixture(scope="module")
def latent():
    return latent_subject(), measure_controls(latent_subject(), 3, SIZES)


def test_what_is_reported_is_measured_on_the_held_out_codes(paths):
    subject, found = paths
    before = subject.judge.probabilities(found.held)
    assert torch.equal(found.held_classes, before.argmax(dim=1)) and len(found.held) == 300
    for one in found.sets:
        after = subject.judge.probabilities(one.control.apply(found.held) if one.size else found.held)
        success = float(reached(before, after, one.concept).nanmean())
        assert one.outcome.success is not None and one.outcome.success.value == pytest.approx(success)
        for point in one.curve:
            assert len(point.reached) == len(found.curve_classes) == PATH_SIZES.num_search


def test_a_latent_has_sets_of_both_ways_and_paths_of_one(paths, latent):
    assert {one.method for one in paths[1].sets} == {SEQUENTIAL}
    assert [one.method for one in latent[1].sets] == 3 * [SEQUENTIAL, OPTIMISED]
    assert all(one.everything is None for one in paths[1].sets)
    assert all(one.everything is not None for one in latent[1].sets)
    only = measure_controls(latent_subject(), 3, SIZES, is_optimised=False)
    assert {one.method for one in only.sets} == {SEQUENTIAL}


def test_the_better_set_is_the_one_of_higher_success_where_ways_are_compared_not_where_they_are_reported(latent):
    _, found = latent
    for concept in range(3):
        mine = [one for one in found.sets if one.concept == concept]
        best = found.better(concept)
        assert best.chosen_by == max(one.chosen_by or 0.0 for one in mine)
        assert all(one.size >= best.size for one in mine if one.chosen_by == best.chosen_by)


def test_translation_is_that_of_the_better_sets(paths):
    subject, found = paths
    after = subject.judge.probabilities(found.better(A).control.apply(found.held)).argmax(dim=1)
    sources = found.held_classes
    for source in range(3):
        rate = found.translation.rates[source][A]
        assert rate is None or rate.value == pytest.approx(float((after[sources == source] == A).double().mean()))


def test_a_block_that_breaks_images_controls_nothing_however_sure_the_classifier_is():
    # Block 5 of bucket 4 makes images like no others, which the classifier takes for B.
    def images(paths):
        broken = 40 * (paths[:, 3:] == 5) * (1 + paths[:, :2])
        return path_images(paths) + broken[:, None, None]

    subject = replace(path_subject(), judge=planted_judge(images))
    generator = chance()
    real = torch.randint(2, (300, 2), generator=generator) + 0.01 * torch.randn(300, 2, generator=generator)
    found = measure_controls(subject, 3, PATH_SIZES, real=real)
    assert found.is_real and found.broken == (Choice(3, 5.0),)
    assert set(B_BLOCKS) <= set(found.better(B).control.choices)
    assert all(choice.coordinate != 3 or choice.value != 5 for one in found.sets for choice in one.control.choices)
    # Without real images nothing is left out, and it is said how few of the images under the set are ordinary.
    without = measure_controls(subject, 3, PATH_SIZES)
    assert not without.is_real and without.broken == ()
    assert Choice(3, 5.0) in without.better(B).control.choices
    assert without.better(B).ordinary is not None and without.base_ordinary is not None
    assert without.better(B).ordinary < 0.8 * without.base_ordinary


def test_real_images_of_another_kind_are_refused():
    # Half of the paths make images like these, and any fixed block of bucket 1 makes only those that do not.
    def images(paths):
        is_like = paths[:, :2].eq(paths[:, :1]).all(dim=1, keepdim=True)
        return (path_images(paths).flatten(1) + 40 * ~is_like)[:, None, None]

    def draw(n, generator):
        paths = draw_paths(n, generator)
        paths[:, 1] = paths[:, 0]
        return paths

    subject = replace(path_subject(), judge=planted_judge(images), draw=draw, choices=path_choices((8, 1, 1, 1)))
    generator = chance()
    real = torch.randint(2, (300, 2), generator=generator) + 0.01 * torch.randn(300, 2, generator=generator)
    with pytest.raises(AnalysisError, match="Every single change of a block makes most images unlike the real ones"):
        measure_controls(subject, 3, SIZES, real=real)


def test_a_dimension_of_which_both_extremes_break_images_can_be_shifted_all_the_same():
    def images(latents):
        return latent_images(latents) + 40 * (latents[:, 11].abs() > 2.5)[:, None, None, None]

    real = latent_images(draw_latents(300, chance())).flatten(1)
    found = measure_controls(replace(latent_subject(), judge=planted_judge(images)), 3, SIZES, real=real)
    assert set(found.broken) == {Choice(11, 3.0), Choice(11, -3.0)}
    assert len(found.of_method(OPTIMISED)) == 3


def test_equal_seeds_give_equal_sets_and_the_counted_images_are_those_made(paths):
    _, found = paths
    subject = path_subject()
    again = measure_controls(subject, 3, PATH_SIZES)
    assert subject.judge.num_images == again.num_images
    assert [one.control for one in again.sets] == [one.control for one in found.sets]
    assert again.num_images == found.num_images


def test_growth_goes_on_with_the_last_set_of_a_concept_that_has_no_larger_one(paths):
    _, found = paths
    growth = set_growth(found, SEQUENTIAL, chance())
    (of_a,) = [one for one in found.sets if one.concept == A]
    (of_b,) = [one for one in found.sets if one.concept == B]
    assert of_a.size == 1 and of_b.size == 2
    by_hand = []
    for one in found.sets:
        last = [point for point in one.curve if point.size <= 2][-1]
        by_hand.append(float(last.reached.nanmean()))
    at_two = growth.success[growth.sizes.index(2)]
    assert at_two is not None and at_two.value == pytest.approx(sum(by_hand) / 3)
    assert at_two.low <= at_two.value <= at_two.high


def test_before_its_smallest_set_a_concept_counts_as_unmoved(latent):
    _, found = latent
    without_a_first = replace(
        found, sets=tuple(replace(one, curve=one.curve[1:]) if one.concept == B else one for one in found.sets)
    )
    one, other = (set_growth(measured, SEQUENTIAL, chance()).success[0] for measured in (found, without_a_first))
    (of_b,) = [each for each in found.of_method(SEQUENTIAL) if each.concept == B]
    assert one is not None and other is not None
    assert one.value - other.value == pytest.approx(float(of_b.curve[0].reached.nanmean()) / 3)


def test_the_size_for_a_success_is_the_first_that_has_it(paths):
    _, found = paths
    (of_b,) = [one for one in found.sets if one.concept == B]
    one, two = of_b.curve
    rates = [float(point.reached.nanmean()) for point in of_b.curve]
    assert point_for(of_b, rates[0]) is one and point_for(of_b, rates[1]) is two
    assert point_for(of_b, rates[0] + 0.01) is two
    assert point_for(of_b, 1.01) is None


def test_variety_is_what_is_left_of_the_class_s_own_variance():
    # The first coordinate says the class; the second is what images of a class differ in.
    def images(paths):
        return torch.stack([paths[:, 0].float(), paths[:, 1].float()], dim=1)[:, None, None]

    def logits(images):
        is_one = (images[:, 0, 0, 0] == 1).float()
        return 9 * torch.stack([1 - is_one, is_one], dim=1)

    subject = replace(path_subject(), judge=judge_of(images, logits), concepts=("other", "one"))
    (found,) = [one for one in measure_controls(subject, 0, PATH_SIZES).sets if one.concept == 1]
    assert found.control.choices == (Choice(0, 1.0),)
    assert found.variety == pytest.approx(1, abs=0.25)


def test_image_growth_rises_to_all_that_was_brought_over(paths):
    _, found = paths
    growth = image_growth(found, chance())
    values = [one.value for one in growth.success if one is not None]
    assert growth.sizes == (1, 2, 3, 4) and values == sorted(values) and values[-1] == 1
    assert found.fewest is not None
    shares = [float(found.fewest.within(1)[:, concept].nanmean()) for concept in range(3)]
    known = [one for one in shares if not math.isnan(one)]
    assert values[0] == pytest.approx(sum(known) / len(known))
    without = measure_controls(path_subject(), 3, Sizes(20, 20, 10, 2, 0))
    assert without.fewest is None and image_growth(without, chance()).sizes == ()


def test_a_curve_has_few_points_from_the_smallest_size_to_the_largest(latent):
    growth = set_growth(latent[1], OPTIMISED, chance())
    sizes = sorted({point.size for one in latent[1].of_method(OPTIMISED) for point in one.curve})
    assert len(growth.sizes) <= MAX_POINTS
    assert (growth.sizes[0], growth.sizes[-1]) == (sizes[0], sizes[-1])
