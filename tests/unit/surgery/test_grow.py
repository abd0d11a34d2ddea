"""More blocks for a model: old paths keep their images, new blocks are born as asked."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

import rpganify
from rpganify.conversion.replication import tensors_by_name
from rpganify.errors import ConversionError, PathError, PlanError, RegistryError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.drop import drop_blocks
from rpganify.surgery.new_paths import is_new, sample_new_paths, sample_old_paths
from rpganify.surgery.restack import history, new_rows, old_blocks
from tests.generators import CASES
from tests.unit.conversion.converted import conditions, model_copy, seeded
from tests.unit.surgery.models import Small, build, converted


def all_paths(num_blocks: tuple[int, ...]) -> Tensor:
    return torch.tensor(list(itertools.product(*map(range, num_blocks))))


@pytest.mark.parametrize("norm", ["shared", "per-block"])
@pytest.mark.parametrize("init", ["fresh", "copy", "jitter"])
def test_old_paths_keep_their_images_bit_for_bit_and_the_model_stays_as_it_was(norm: str, init: str) -> None:
    model = converted(norm=norm)
    before = {name: tensor.clone() for name, tensor in tensors_by_name(model).items()}
    paths = all_paths(model.plan.num_blocks)
    with torch.no_grad():
        images = model(paths)
        grown = rpganify.grow(model, (2, 0, 3), init=init, factory=build)
        assert grown.plan.num_blocks == (5, 2, 5) and not grown.training
        assert torch.equal(grown(paths), images)
        assert torch.equal(model(paths), images)
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors_by_name(model).items())
    assert model.plan.num_blocks == (3, 2, 2)


@pytest.mark.parametrize("name", sorted(CASES))
@torch.no_grad()
def test_every_kind_of_generator_grows_and_keeps_its_old_images(name: str) -> None:
    model = model_copy(name, 2, "eval")
    paths = model.draw(6, torch.Generator().manual_seed(1))
    others = conditions(model, CASES[name].arguments(6))
    grown = rpganify.grow(model, [1] * model.plan.num_buckets, init="copy")

    def images(rp: RandomPathGenerator) -> Tensor:
        images = seeded(lambda: rp.images(paths, **others))
        assert isinstance(images, Tensor)
        return images

    assert torch.equal(images(grown), images(model))
    newest = torch.tensor([model.plan.num_blocks])
    first = {name: value[:1] for name, value in others.items()}
    of_new = seeded(lambda: grown.images(newest, **first))
    of_copied = seeded(lambda: model.images(torch.zeros_like(newest), **first))
    torch.testing.assert_close(of_new, of_copied, rtol=0, atol=1e-5)  # born of block 0, by another batch's arithmetic


def test_fresh_blocks_are_the_class_built_anew_and_repeat_none_of_the_old() -> None:
    grown = rpganify.grow(converted(), (2, 0, 0), init="fresh", factory=build, seed=0)
    weights = grown.get_parameter("l1.weight")
    for block in (3, 4):
        assert torch.equal(weights[block], build(block).l1.weight)
    assert len({tuple(row.flatten().tolist()) for row in weights}) == 5


def test_without_a_way_to_build_it_fresh_blocks_hold_an_old_blocks_values_in_another_order() -> None:
    model = converted()
    grown = rpganify.grow(model, (4, 0, 0))
    weights = grown.get_parameter("l1.weight")
    for new, old in ((3, 0), (4, 1), (5, 2), (6, 0)):
        assert torch.equal(weights[new].flatten().sort().values, weights[old].flatten().sort().values)
        assert not torch.equal(weights[new], weights[old])


def test_copies_are_copies_by_turns_and_jittered_ones_a_tenth_of_the_spread_away() -> None:
    model = converted()
    copies = rpganify.grow(model, (4, 0, 0), init="copy").get_parameter("l1.weight")
    assert torch.equal(copies[3:], copies[[0, 1, 2, 0]])
    jittered = rpganify.grow(model, (4, 0, 0), init="jitter").get_parameter("l1.weight")
    share = (jittered[3:] - copies[3:]).std() / copies[:3].std()
    assert 0.08 < share.item() < 0.12


def test_a_seed_decides_the_new_blocks() -> None:
    model = converted()
    one, same, other = (rpganify.grow(model, (1, 1, 1), init="jitter", seed=seed) for seed in (4, 4, 5))
    assert torch.equal(one.get_parameter("l3.weight"), same.get_parameter("l3.weight"))
    assert not torch.equal(one.get_parameter("l3.weight"), other.get_parameter("l3.weight"))


def test_several_Z_grow_like_any_bucket() -> None:
    model = converted(num_Z=2)
    grown = rpganify.grow(model, (3, 0, 0, 0), init="fresh", factory=build)
    assert grown.Z.shape == (5, 8) and torch.equal(grown.Z[:2], model.Z)
    assert len({tuple(row.tolist()) for row in grown.Z.detach()}) == 5
    assert torch.equal(rpganify.grow(model, (1, 0, 0, 0), init="copy").Z[2], model.Z[0])


def test_taking_the_new_blocks_away_gives_the_first_model_back() -> None:
    model = converted(norm="per-block", num_Z=2)
    back = drop_blocks(rpganify.grow(model, (1, 2, 0, 1), factory=build), {0: [2], 1: [4, 3], 3: [2]})
    assert back.plan == model.plan and old_blocks(back) is None
    assert [record["operation"] for record in history(back)] == ["grow", "prune"]
    first, again = tensors_by_name(model), tensors_by_name(back)
    assert first.keys() == again.keys() and all(torch.equal(first[name], again[name]) for name in first)
    paths = model.draw(9)
    assert torch.equal(back(paths), model(paths))


def test_a_grown_model_survives_the_disk_and_still_knows_its_new_blocks(tmp_path: Path) -> None:
    grown = rpganify.grow(converted(), (2, 0, 1))
    rpganify.save(grown, tmp_path / "g.rpgan")
    again = rpganify.load(tmp_path / "g.rpgan")
    assert isinstance(again, RandomPathGenerator)
    assert old_blocks(again) == (3, 2, 2)
    assert new_rows(again) == {"l1.weight": 3, "l1.bias": 3, "l3.weight": 2, "l3.bias": 2}
    assert old_blocks(rpganify.grow(again, (0, 1, 0))) == (5, 2, 3)
    paths = grown.draw(5)
    assert torch.equal(again(paths), grown(paths))


def test_type_mode_and_what_is_trainable_are_kept() -> None:
    model = converted().double().train()
    model.get_parameter("l2.bias").requires_grad_(False)
    grown = rpganify.grow(model, (1, 1, 1), init="jitter")
    assert grown.training and grown.get_parameter("l1.weight").dtype == torch.float64
    assert {n for n, p in grown.named_parameters() if not p.requires_grad} == {"l2.bias"}


def test_old_paths_are_those_of_the_model_before_and_new_ones_all_others_alike() -> None:
    model = converted((2, 2, 1))
    grown = rpganify.grow(model, (1, 2, 0))
    old = sample_old_paths(grown, 500, torch.Generator().manual_seed(3))
    assert torch.equal(old, model.paths.sample(500, generator=torch.Generator().manual_seed(3)))
    new = sample_new_paths(grown, 40_000, torch.Generator().manual_seed(3))
    assert is_new(grown, new).all() and not is_new(grown, old).any()
    _, counts = new.unique(dim=0, return_counts=True)
    assert len(counts) == 3 * 4 - 2 * 2
    # Eight paths of 5,000 draws each: one standard deviation is 66.
    assert int(counts.min()) > 5_000 - 5 * 66 and int(counts.max()) < 5_000 + 5 * 66
    assert sample_new_paths(grown, 0).shape == (0, 3)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        ((5, 5), r"2 numbers of new blocks \(5,5\) for 3 buckets \(l1 × 3, .* one, 0 for none\. For example: 5,5,0\."),
        ((1, -1, 0), r"1,-1,0 are no numbers of new blocks: whole numbers, 0 or more.*`rpganify prune --drop`"),
        ((1.5, 0, 0), r"are no numbers of new blocks"),
        ((0, 0, 0), r"Nothing to add: 0,0,0 for l1 × 3"),
    ],
)
def test_growing_by_the_wrong_count_is_refused(add: tuple[int, ...], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        rpganify.grow(converted(), add)


def test_a_way_of_birth_that_nobody_knows_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"jiter.*Did you mean 'jitter'"):
        rpganify.grow(converted(), (1, 0, 0), init="jiter")


def test_a_factory_of_another_class_is_refused() -> None:
    def wrong(seed: int) -> Small:
        made = build(seed)
        made.l1 = torch.nn.Linear(9, 16)
        return made

    with pytest.raises(ConversionError, match=r"no tensor 'l1\.weight' of shape \(16, 8\).*init=\"copy\""):
        rpganify.grow(converted(), (1, 0, 0), factory=wrong)


def test_a_model_that_never_grew_has_no_new_paths() -> None:
    for sample in (sample_old_paths, sample_new_paths):
        with pytest.raises(PathError, match=r"has no new blocks.*`rpganify grow MODEL --add"):
            sample(converted(), 3)
