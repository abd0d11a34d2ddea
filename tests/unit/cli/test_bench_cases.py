"""What `rpganify bench` measures, from what the user asks for."""

import pytest
import torch

from rpganify.cli.bench_cases import BUILT_IN, Wishes, find_candidates
from rpganify.cli.sources import SourceOptions
from rpganify.entries import Architecture
from rpganify.errors import PlanError
from rpganify.modelfile import save_model
from rpganify.registry import default_registry
from tests.unit.bench.generators import converted

TINY = SourceOptions("dcgan32", arguments=["channels=4"])


def test_a_source_becomes_a_candidate_for_each_number_of_blocks():
    one, two = find_candidates(TINY, Wishes(batch_sizes=[2, 3], blocks=[1, (3, 2, 2, 1)]))
    assert (one.name, one.architecture, one.batch_sizes) == ("dcgan32 channels=4", "dcgan32", (2, 3))
    assert list(one.open().plan.num_blocks) == [1, 1, 1, 1]
    model = two.open()
    assert list(model.plan.num_blocks) == [3, 2, 2, 1]
    # Each block gives other images, so that a wrong one would show.
    vary = model.paths.vary(torch.zeros(4, dtype=torch.int64), 0)
    images = model.eval().images(vary)
    assert not torch.allclose(images[0], images[1]) and not torch.allclose(images[1], images[2])


def test_without_a_wish_a_source_has_40_blocks_and_a_batch_of_64():
    (only,) = find_candidates(TINY, Wishes(buckets=2))
    assert only.batch_sizes == (64,)
    assert list(only.open().plan.num_blocks) == [40, 40]


def test_the_built_in_settings_are_registered_architectures_with_the_papers_blocks():
    known = default_registry().all(Architecture)
    for setting in BUILT_IN:
        blocks = setting.blocks
        assert isinstance(blocks, int) or len(blocks) == len(known[setting.architecture].buckets)
    assert [one.architecture for one in BUILT_IN] == ["sngan32", "dcgan32", "mlp28"]


def test_blocks_and_batches_that_the_user_asks_for_hold_for_the_built_in_settings_too():
    found = find_candidates(SourceOptions(""), Wishes(batch_sizes=[8], blocks=[1, 2]))
    assert [one.name for one in found] == ["sngan32 channels=64"] * 2 + ["dcgan32"] * 2 + ["mlp28"] * 2
    assert {one.batch_sizes for one in found} == {(8,)}
    assert [one.batch_sizes for one in find_candidates(SourceOptions(""), Wishes())] == [(64,), (64,), (256,)]


def test_a_converted_model_is_measured_as_it_is(tmp_path):
    save_model(converted((3, 1, 2)), tmp_path / "small.rpgan")
    text = str(tmp_path / "small.rpgan")
    (only,) = find_candidates(SourceOptions(text), Wishes(batch_sizes=[4]))
    assert (only.name, only.architecture, only.batch_sizes) == ("small", None, (4,))
    assert list(only.open().plan.num_blocks) == [3, 1, 2]
    with pytest.raises(
        PlanError, match=r"has its blocks already \(3 1 2\), and --blocks asks for others. Leave it out"
    ):
        find_candidates(SourceOptions(text), Wishes(blocks=[40]))
    for options, wishes in (
        (SourceOptions(text, arguments=["channels=4"]), Wishes()),
        (SourceOptions(text), Wishes(buckets=2)),
        (SourceOptions(text), Wishes(norm="per-block")),
    ):
        with pytest.raises(PlanError, match="is converted already: options such as --arg, --buckets and --norm"):
            find_candidates(options, wishes)


def test_a_model_without_blocks_is_refused(tmp_path):
    from rpganify.bench.subjects import plain_twin

    save_model(plain_twin(converted(2)), tmp_path / "plain.rpgan")
    with pytest.raises(
        PlanError, match=r"is a standard generator without blocks. Convert its source, or bench the source"
    ):
        find_candidates(SourceOptions(str(tmp_path / "plain.rpgan")), Wishes())
