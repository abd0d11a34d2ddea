"""Only the new blocks of a grown model are trained; everything else keeps every bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

import rpganify
from rpganify.conversion.replication import tensors_by_name
from rpganify.errors import PathError, TrainingError
from rpganify.modelfile import load_model, save_model
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.routes import route_samples
from rpganify.surgery.new_paths import is_new
from rpganify.surgery.restack import new_rows
from rpganify.surgery.retention import compare_old
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.new_blocks import NewBlocksAdam, NewStatistics
from rpganify.training.state import TrainingState
from rpganify.training.trainer import Trainer
from rpganify.training.training_step import TrainingStep
from tests.unit.surgery.models import build, converted
from tests.unit.training.fakes import Critic, digits, seeded

CONFIG = TrainConfig(
    steps=6, batch_size=8, checkpoint_every=3, sample_every=6, num_samples=4, only_new=True, generator_lr=1e-2
)


def grown(norm: str = "shared", num_Z: int = 1) -> RandomPathGenerator:
    add = (2, 1, 0) if num_Z == 1 else (1, 2, 1, 0)
    return rpganify.grow(converted(norm=norm, num_Z=num_Z), add, factory=build)


def train(run: Path, config: TrainConfig, model: RandomPathGenerator | None = None) -> RandomPathGenerator:
    model = model or grown()
    trainer = Trainer(model, seeded(Critic, 1), Hinge(), digits(50), config, run=run, save_generator=save_model)
    trainer.run()
    return model


@pytest.mark.parametrize(
    ("norm", "num_Z", "settings"),
    [
        ("shared", 1, {}),
        ("shared", 1, {"ema": 0.9, "diversity_weight": 1.0}),
        ("per-block", 1, {"diversity": "margin", "diversity_margin": 100.0, "sampling": "new"}),
        ("per-block", 2, {"sampling": "equal", "accumulate": 2}),
        ("shared", 2, {"Z": "fixed", "precision": "bf16"}),
    ],
)
def test_old_blocks_shared_norms_their_statistics_and_Z_keep_every_bit(
    tmp_path: Path, norm: str, num_Z: int, settings: dict[str, object]
) -> None:
    before = grown(norm, num_Z)
    model = train(tmp_path / "run", TrainConfig.from_json({**CONFIG.to_json(), **settings}), grown(norm, num_Z))
    first, values = new_rows(before), tensors_by_name(before)
    for name, tensor in tensors_by_name(model).items():
        rows = first.get(name, len(tensor) if tensor.dim() else None)
        assert torch.equal(
            tensor[:rows] if tensor.dim() else tensor, values[name][:rows] if tensor.dim() else values[name]
        )
    trained = [
        name for name in first if name in dict(model.named_parameters()) and (name != "Z" or "Z" not in settings)
    ]
    for name in trained:
        new, was = tensors_by_name(model)[name][first[name] :], values[name][first[name] :]
        assert not torch.equal(new, was), name
    statistics = [name for name in first if name not in dict(model.named_parameters())]
    assert len(statistics) == (3 if norm == "per-block" else 0)
    for name in statistics:
        assert not torch.equal(tensors_by_name(model)[name][first[name] :], values[name][first[name] :]), name
    for kind in ("generator", "ema"):
        checkpoint = tmp_path / "run" / "checkpoints" / "step-000006" / f"{kind}.rpgan"
        if checkpoint.exists():
            opened = load_model(checkpoint)
            assert isinstance(opened, RandomPathGenerator)
            found = compare_old(before, opened, is_average=kind == "ema")
            assert found.changed == () and found.num_new_changed > 0
            assert sorted(found.gathered) == sorted(statistics)
    with torch.no_grad():
        old = before.draw(20) % torch.tensor([2, 3, 2, 2][-before.plan.num_buckets :])
        assert torch.equal(model.eval()(old), before(old))


def test_new_blocks_move_as_adam_on_their_own_parameters_would_move_them(tmp_path: Path) -> None:
    """The oracle: torch's Adam, its gradients set to zero for old rows, which leaves rows without moments alone."""
    torch.manual_seed(1)
    start, gradients = torch.randn(5, 4, 3), [torch.randn(5, 4, 3) for _ in range(5)]
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizer = NewBlocksAdam([ours], [3], 1e-2, (0.5, 0.999), is_fused=True)
    oracle = torch.optim.Adam([theirs], lr=1e-2, betas=(0.5, 0.999))
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        theirs.grad[:3] = 0
        optimizer.step()
        oracle.step()
    assert torch.equal(ours[:3], start[:3])
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    assert optimizer.state[ours]["exp_avg"].shape == (2, 4, 3)


def test_new_blocks_of_a_norm_go_by_their_batch_and_old_ones_by_their_statistics() -> None:
    """The oracle: a plain norm per block, in train mode where the block is new and in eval mode where it is old."""
    torch.manual_seed(0)
    num_blocks, first = 4, 2
    plain = [torch.nn.BatchNorm1d(5) for _ in range(num_blocks)]
    for norm in plain:
        norm(torch.randn(9, 5) * 2 + 1)
        torch.nn.init.normal_(norm.weight)
    stacks = {
        name: torch.stack([norm.state_dict()[name] for norm in plain])
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    config = {"num_features": 5, "eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
    tensors = {name: stack.clone() for name, stack in stacks.items()}
    tensors |= {name: torch.nn.Parameter(tensors[name]) for name in ("weight", "bias")}
    layer = RoutedLayer(LayerConfig("BatchNorm1d", config), num_blocks, tensors).eval()
    blocks = torch.tensor([0, 3, 1, 3, 2, 3, 0, 2])
    ours, theirs = (torch.randn(8, 5, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2))
    with NewStatistics(((layer, first),)).gathered():
        result = layer(route_samples(blocks[:, None], 0, num_blocks), ours)
    expected = torch.empty(8, 5)
    for block, norm in enumerate(plain):
        expected = expected.index_copy(
            0, (blocks == block).nonzero()[:, 0], norm.train(block >= first)(theirs[blocks == block])
        )
    torch.testing.assert_close(result, expected)
    result.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        after = layer.get_buffer(name)
        torch.testing.assert_close(after, torch.stack([norm.state_dict()[name] for norm in plain]))
        assert torch.equal(after[:first], stacks[name][:first])
        assert not torch.equal(after[first:], stacks[name][first:])
    assert not layer.training and layer.first_trained == 0


def test_pictures_and_measurements_in_between_do_not_gather(tmp_path: Path) -> None:
    rarely = train(tmp_path / "rarely", dataclasses.replace(CONFIG, watch_every=50), grown("per-block"))
    often = dataclasses.replace(CONFIG, sample_every=1, watch_every=1, ema=0.9)
    model = train(tmp_path / "often", often, grown("per-block"))
    expected = tensors_by_name(rarely)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors_by_name(model).items())


def test_norms_that_all_paths_share_gather_nothing() -> None:
    assert NewStatistics.of(grown("shared")).layers == ()
    ((layer, first),) = NewStatistics.of(grown("per-block")).layers
    assert layer.layer.kind == "BatchNorm1d" and first == 3 and layer.num_blocks == 5


def test_what_a_generator_s_own_code_keeps_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def normalised(seed: int) -> torch.nn.Module:
        made = build(seed)
        torch.nn.utils.parametrizations.spectral_norm(made.l2)
        return made

    model = rpganify.wrap(normalised(0), buckets=["l1", "l2", "l3"], blocks=2, factory=normalised, latent="z:8")
    grown_model = rpganify.grow(model, (0, 1, 0), factory=normalised)
    assert NewStatistics.of(grown_model).layers == ()
    assert "stays, for new blocks too, as it was born: l2.parametrizations.weight.0._u" in caplog.text


@pytest.mark.parametrize("norm", ["shared", "per-block"])
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path, norm: str) -> None:
    straight = train(tmp_path / "straight", CONFIG, grown(norm))
    train(tmp_path / "stopped", dataclasses.replace(CONFIG, steps=3), grown(norm))
    model = grown(norm)
    Trainer(
        model, seeded(Critic, 1), Hinge(), digits(50), CONFIG, run=tmp_path / "stopped", save_generator=save_model
    ).resume()
    expected = tensors_by_name(straight)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors_by_name(model).items())


def test_a_batch_of_new_paths_holds_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model = grown()
    drawn: list[Tensor] = []
    original = model.images

    def images(codes: Tensor, **inputs: Tensor) -> Tensor:
        drawn.append(codes)
        return original(codes, **inputs)

    monkeypatch.setattr(model, "images", images)
    config = dataclasses.replace(CONFIG, sampling="new", d_steps=2)
    state = TrainingState.initial(model, seeded(Critic, 1), config)
    TrainingStep(Hinge(), digits(50), config)(state)
    assert len(drawn) == 3 and all(is_new(model, codes).all() for codes in drawn)


def test_without_new_blocks_there_is_nothing_to_train_alone(tmp_path: Path) -> None:
    for model in (converted(), rpganify.standard(build(), latent="z:8")):
        with pytest.raises(
            TrainingError, match=r"no new blocks.*`rpganify grow MODEL --add.*without --only-new and --samp"
        ):
            TrainingState.initial(model, seeded(Critic, 1), CONFIG)
    with pytest.raises(PathError, match="has no new blocks"):
        train(tmp_path / "run", dataclasses.replace(CONFIG, only_new=False, sampling="new"), converted())


def test_new_blocks_that_the_author_does_not_train_are_refused() -> None:
    model = grown()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.get_parameter("l3.weight").requires_grad_(True)
    with pytest.raises(TrainingError, match="new blocks of this generator have no trainable parameter"):
        TrainingState.initial(model, seeded(Critic, 1), CONFIG)


def test_the_two_ways_of_training_some_blocks_exclude_each_other() -> None:
    with pytest.raises(TrainingError, match=r"only_new trains the new blocks by Adam, sparse_adam.*Leave one out"):
        TrainConfig(only_new=True, sparse_adam=True)


def test_a_single_old_bit_that_changed_is_found() -> None:
    before, after = grown(), grown()
    assert compare_old(before, after).changed == ()
    with torch.no_grad():
        after.get_parameter("l2.weight")[1, 0, 0] += 1e-7
        after.get_buffer("norm.running_mean")[0] += 1
        after.get_parameter("l1.weight")[3:] += 1  # new
        after.Z[0, 0] = -after.Z[0, 0]
    found = compare_old(before, after)
    assert sorted(found.changed) == ["Z", "l2.weight", "norm.running_mean"]
    assert found.num_new_changed == 2 * 16 * 8
