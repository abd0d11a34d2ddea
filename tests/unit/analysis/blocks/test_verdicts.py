import pytest
import torch

from rpganify.analysis.blocks.alike import similarity_order
from rpganify.analysis.blocks.effects import BucketEffects, Effects
from rpganify.analysis.blocks.tables import rank_correlation
from rpganify.analysis.blocks.verdicts import BlocksOfBucket, judge
from rpganify.analysis.blocks.weights import BucketWeights
from rpganify.analysis.blocks.words import bucket_sentence
from rpganify.analysis.bootstrap import Estimate


def effects_of(distances: list[list[float]], spreads: list[float]) -> BucketEffects:
    m = len(spreads)
    still = Estimate(0.0, 0.0, 0.0)

    return BucketEffects(
        bucket=0,
        contexts=torch.zeros(8, 2, dtype=torch.int64),
        effects=(Effects("brightness", "grey levels", 1.0, (still,) * m),),
        distances=torch.tensor(distances, dtype=torch.float64),
        spreads=torch.tensor(spreads, dtype=torch.float64),
        strip=torch.zeros(m, 2, 1, 4, 4, dtype=torch.uint8),
    )


def apart(pairs: dict[tuple[int, int], float], m: int, usual: float = 50.0) -> list[list[float]]:
    return [[0.0 if i == j else pairs.get((min(i, j), max(i, j)), usual) for j in range(m)] for i in range(m)]


def test_blocks_a_fifth_as_far_apart_as_usual_are_the_same_and_chains_of_them_make_one_group():
    pairs = {(0, 2): 10.0, (2, 3): 9.0, (1, 5): 10.01}
    verdicts = judge(effects_of(apart(pairs, 7), [30.0] * 7), None, noise=0.0)
    assert verdicts.median_distance == 50 and verdicts.duplicate_limit == pytest.approx(10)
    assert verdicts.duplicates == ((0, 2, 3),) and verdicts.dead == ()
    two = judge(effects_of(apart({(0, 1): 1.0, (4, 6): 2.0, (1, 6): 50.0}, 7), [30.0] * 7), None, 0.0)
    assert two.duplicates == ((0, 1), (4, 6))


def test_blocks_no_farther_apart_than_the_same_path_twice_are_the_same():
    verdicts = judge(effects_of(apart({(0, 1): 14.9, (2, 3): 15.1}, 5, 40.0), [90.0] * 5), None, noise=12.0)
    assert verdicts.duplicate_limit == pytest.approx(15) and verdicts.duplicates == ((0, 1),)


def test_blocks_that_are_all_alike_are_one_group_of_duplicates_not_none():
    found = effects_of(apart({}, 4, 0.0), [30.0] * 4)
    verdicts = judge(found, None, noise=0.0)
    assert verdicts.duplicates == ((0, 1, 2, 3),)
    sentence = bucket_sentence(BlocksOfBucket(found, None, verdicts), "l1")
    assert sentence == "Bucket 1 (l1), of 4 blocks: all of them make the same images."


def test_a_block_whose_image_stays_whatever_the_others_do_is_dead_unless_all_of_them_stay():
    verdicts = judge(effects_of(apart({}, 5), [30.0, 3.0, 31.0, 30.0, 3.1]), None, 0.0)
    assert verdicts.constant == (1,) == verdicts.dead and verdicts.constant_limit == pytest.approx(3)
    decisive = judge(effects_of(apart({}, 5), [0.0] * 5), None, 0.0)  # no other bucket does anything
    assert decisive.constant == () and decisive.constant_limit is None
    noisy = judge(effects_of(apart({}, 5), [2.4, 2.6, 30.0, 30.0, 30.0]), None, 2.0)
    assert noisy.constant == (0, 1)  # a tenth is 3; and 1.25 times the noise, 2.5, is less


def test_a_block_with_weights_a_tenth_as_large_as_usual_is_dead():
    weights = BucketWeights(torch.ones(4, 4), torch.tensor([1.0, 0.1, 0.11, 1.2]))
    verdicts = judge(effects_of(apart({}, 4), [30.0, 30.0, 30.0, 3.0]), weights, 0.0)
    # The median is that of torch, the lower of the two in the middle: 0.11.
    assert verdicts.silent == () and verdicts.dead == (3,)
    weights = BucketWeights(torch.ones(4, 4), torch.tensor([1.0, 0.1, 1.1, 1.2]))
    assert judge(effects_of(apart({}, 4), [30.0] * 4), weights, 0.0).silent == (1,)


def test_blocks_with_like_images_stand_side_by_side():
    values = torch.tensor([0.0, 10.0, 1.0, 11.0, 2.0])
    order = similarity_order((values[:, None] - values[None]).abs())
    places = [order.index(block) for block in (0, 2, 4)]
    assert sorted(order) == list(range(5)) and max(places) - min(places) == 2
    assert similarity_order(torch.zeros(2, 2)) == [0, 1]


def test_the_rank_correlation_of_images_and_weights_is_over_pairs():
    found = effects_of(apart({(0, 1): 10.0, (0, 2): 30.0, (1, 2): 20.0}, 3), [9.0] * 3)
    verdicts = judge(found, None, 0.0)
    weights = torch.tensor(apart({(0, 1): 0.1, (0, 2): 0.9, (1, 2): 0.2}, 3))
    assert rank_correlation(BlocksOfBucket(found, BucketWeights(weights, torch.ones(3)), verdicts)) == pytest.approx(1)
    assert rank_correlation(BlocksOfBucket(found, BucketWeights(-weights, torch.ones(3)), verdicts)) == pytest.approx(
        -1
    )
    assert rank_correlation(BlocksOfBucket(found, BucketWeights(torch.ones(3, 3), torch.ones(3)), verdicts)) is None
    assert rank_correlation(BlocksOfBucket(found, None, verdicts)) is None
