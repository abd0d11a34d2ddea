import pytest
import torch

from rpganify.analysis.geometry.homogeneity import Homogeneity
from rpganify.analysis.geometry.measure import Series
from rpganify.analysis.geometry.points import Point, Points
from rpganify.analysis.geometry.shared_blocks import Sharing, sharing, sharing_sentence, sharing_table
from tests.unit.analysis.geometry.spaces import space_of


def series(paths: list[list[int]] | None, linear: torch.Tensor, log: torch.Tensor) -> Series:
    space = space_of(lambda z: z.view(-1, 1, 1, 2), 2)
    points = tuple(
        Point(str(index), space, torch.zeros(2), None if paths is None else torch.tensor(paths[index]))
        for index in range(len(linear))
    )
    agreement = Homogeneity(linear, log, 1e-10, 0, 1, torch.zeros(0), torch.zeros(0))
    return Series("model", Points(points, "", "", ""), (), (None,) * len(linear), agreement)  # type: ignore[arg-type]


LINEAR = torch.tensor([[1.0, 0.9, 0.2], [0.9, 1.0, 0.4], [0.2, 0.4, 1.0]], dtype=torch.float64)
PATHS = [[0, 1], [0, 2], [3, 2]]


def test_pairs_that_share_a_block_are_parted_from_the_others():
    one, two = sharing(series(PATHS, LINEAR, LINEAR / 2), ["first", "second"])

    assert (one.num_same, one.num_other) == (1, 2) == (two.num_same, two.num_other)
    assert one.same == pytest.approx((0.9, 0.45)) and one.other == pytest.approx((0.3, 0.15))
    assert two.same == pytest.approx((0.4, 0.2)) and two.other == pytest.approx((0.55, 0.275))
    assert sharing_table((one, two)).rows[1] == pytest.approx((2, "second", 1, 0.4, 0.55, 0.2, 0.275))


def test_a_bucket_that_no_two_paths_share_has_no_number():
    (_, second) = sharing(series([[0, 1], [0, 2], [3, 3]], LINEAR, LINEAR), ["first", "second"])

    assert second.same == (None, None)
    assert sharing_sentence(2, second) == "Bucket 2 (second): no two of the paths share its block."


def test_the_sentence_says_both_agreements():
    told = sharing_sentence(1, Sharing("first", 21, 414, (0.98, 0.972), (0.92, 0.456)))

    assert told == (
        "Bucket 1 (first): two paths through one block of it agree on the axes of the latent to 0.97, others to 0.46 "
        "(logarithms, 21 and 414 pairs)."
    )


def test_positions_that_are_no_paths_share_nothing():
    assert sharing(series(None, LINEAR, LINEAR), []) == ()
