"""One fixed input Z, several as a bucket, or a latent of its own for each sample."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

import rpganify
from rpganify.conversion.converting import convert, inspect_generator
from rpganify.errors import ConversionError, PathError, PlanError
from rpganify.plan import BucketSpec, Plan
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.export import plain_generator

LATENT, WIDTH = 4, 24


class Picture(nn.Module):
    """A dense layer, a shared batch norm, convolutions whose segment is long enough to be cut, a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.fc = nn.Linear(LATENT, WIDTH * 16)
        self.norm = nn.BatchNorm2d(WIDTH)
        self.c1, self.c2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.to_rgb = nn.Conv2d(WIDTH, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = nn.functional.interpolate(self.fc(z).view(-1, WIDTH, 4, 4), scale_factor=4)
        x = self.norm(x)
        return torch.tanh(self.to_rgb(x + self.c2(torch.relu(self.c1(x)))))


class Concatenating(nn.Module):
    """The latent comes in again before the last layer, which another bucket holds."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.fc, self.out = nn.Linear(LATENT, 6), nn.Linear(6 + LATENT, 12)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(torch.cat([torch.relu(self.fc(z)), z], 1))).view(-1, 3, 2, 2)


class Named(nn.Module):
    """A latent of another name, and a condition that is called `z`."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.fc = nn.Linear(LATENT + 3, 12)

    def forward(self, noise: Tensor, z: Tensor) -> Tensor:
        return torch.tanh(self.fc(torch.cat([noise, z], 1))).view(-1, 3, 2, 2)


BUCKETS = {Picture: ["fc", "c1,c2", "to_rgb"], Concatenating: ["fc", "out"]}


def wrapped(kind: type[nn.Module], num_Z: int = 1, **options: object) -> RandomPathGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = kind()
    return rpganify.wrap(generator, buckets=BUCKETS[kind], blocks=3, num_Z=num_Z, init="jitter", **options).eval()  # type: ignore[arg-type]


def latents(num: int) -> Tensor:
    return torch.randn(num, LATENT, generator=torch.Generator().manual_seed(9))


def drawn(model: RandomPathGenerator, num: int) -> Tensor:
    return model.paths.sample(num, generator=torch.Generator().manual_seed(8))


def by_extraction(model: RandomPathGenerator, paths: Tensor, z: Tensor) -> Tensor:
    """The oracle: each path's plain generator on its own latent."""
    return torch.cat([rpganify.extract(model, path)(one[None]) for path, one in zip(paths, z, strict=True)])


def close(found: Tensor, expected: Tensor) -> None:
    # float32 sums of at most 216 products in another order.
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", BUCKETS)
def test_each_sample_may_have_a_latent_of_its_own(kind: type[nn.Module]) -> None:
    model, z = wrapped(kind), latents(7)
    paths = drawn(model, 7)
    close(model(paths, z=z), by_extraction(model, paths, z))


@pytest.mark.parametrize("kind", BUCKETS)
@pytest.mark.parametrize("is_training", [False, True])
def test_z_for_every_sample_gives_what_no_latent_gives(kind: type[nn.Module], is_training: bool) -> None:
    model = wrapped(kind).train(is_training)
    paths, alone = drawn(model, 7), copy.deepcopy(wrapped(kind).train(is_training))
    close(model(paths, z=model.Z.expand(7, -1)), alone(paths))
    for (name, buffer), (_, expected) in zip(model.named_buffers(), alone.named_buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, msg=name)  # the running statistics of the shared norm moved alike


def test_gradients_reach_the_given_latents_and_the_blocks_but_not_z() -> None:
    model, z = wrapped(Picture), latents(4).requires_grad_()
    paths = torch.tensor([[0, 1, 2], [0, 0, 2], [2, 1, 2], [0, 1, 2]])
    model(paths, z=z).square().sum().backward()
    assert z.grad is not None and (z.grad.abs().sum(1) > 0).all()
    assert model.Z.grad is None
    gradient = model.get_parameter("fc.weight").grad
    assert gradient is not None and gradient[0].any() and not gradient[1].any()


def test_images_draw_and_sample_take_latents_too() -> None:
    model, z = wrapped(Picture), latents(5)
    images = model.images(drawn(model, 5), z=z)
    assert images.shape == (5, 3, 16, 16)
    assert torch.equal(model.sample(5, torch.Generator().manual_seed(8), z=z), images)


def test_a_model_that_has_taken_latents_can_be_copied_moved_saved_and_called_functionally(tmp_path: Path) -> None:
    model, z = wrapped(Picture), latents(3)
    paths = drawn(model, 3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = [name for name, _ in model.named_modules()]
    expected = model(paths, z=z)
    assert list(model.state_dict()) == list(before) and [name for name, _ in model.named_modules()] == names
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(copied(paths, z=z), expected)  # its own tensors, not those of the model that it was copied from
    assert not torch.equal(model(paths, z=z), expected)  # and this one follows its tensors
    assert torch.equal(functional_call(model, before, (paths,), {"z": z}), expected)
    close(copied.double()(paths, z=z.double()).float(), expected)
    again = rpganify.load(rpganify.save(copied.float(), tmp_path / "model.rpgan"))
    close(again(paths, z=z), expected)


def test_a_condition_that_is_called_z_stays_one() -> None:
    inputs = {"noise": torch.randn(2, LATENT), "z": torch.randn(2, 3)}
    model = rpganify.wrap(Named(), buckets=1, blocks=2, latent="noise", example_inputs=inputs).eval()
    paths, condition = drawn(model, 3), torch.randn(3, 3)
    images = model(paths, z=condition)
    close(
        images, torch.cat([rpganify.extract(model, p)(model.Z, c[None]) for p, c in zip(paths, condition, strict=True)])
    )


@pytest.mark.parametrize(
    ("z", "found"),
    [
        (torch.zeros(2, LATENT), r"\(2, 4\)"),
        (torch.zeros(3, 5), r"\(3, 5\)"),
        (torch.zeros(LATENT), r"\(4,\)"),
        ([0.0], r"\[0\.0\]"),
    ],
)
def test_latents_of_another_shape_or_number_are_refused(z: object, found: str) -> None:
    model = wrapped(Picture)
    with pytest.raises(
        ConversionError, match=rf"a latent for each of 3 paths, \(3, 4\); got {found}.*torch\.randn\(3, 4\)"
    ):
        model(drawn(model, 3), z=z)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", BUCKETS)
def test_several_z_are_the_first_bucket_and_a_path_chooses_one(kind: type[nn.Module]) -> None:
    model, one = wrapped(kind, num_Z=5), wrapped(kind)
    assert model.plan.buckets[0] == BucketSpec("Z", ("Z",), 5)
    assert model.plan.buckets[1:] == one.plan.buckets
    assert model.paths.cardinality == 5 * one.paths.cardinality
    assert model.Z.shape == (5, LATENT) and dict(model.bucket_parameters(0)) == {"Z": model.Z}
    paths = drawn(model, 9)
    assert len(paths[:, 0].unique()) > 2
    close(model(paths), by_extraction(model, paths, model.Z[paths[:, 0]]))


def test_varying_the_first_bucket_shows_what_z_decides() -> None:
    model = wrapped(Picture, num_Z=4)
    path = torch.tensor([0, 2, 1, 0])
    images = model(model.paths.vary(path, bucket=0))
    assert len({tuple(image.flatten().tolist()) for image in images}) == 4
    close(images, rpganify.extract(model, path)(model.Z))  # the blocks stay as they are


def test_several_z_are_drawn_from_the_normal_distribution_and_by_the_seed() -> None:
    model, again, other = (wrapped(Concatenating, num_Z=4000, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(model.Z, again.Z) and not torch.equal(model.Z, other.Z)
    # 16000 draws: the mean is known to 0.008, the standard deviation to 0.0056.
    assert abs(model.Z.mean().item()) < 0.04 and abs(model.Z.std().item() - 1) < 0.03


def test_one_z_makes_no_bucket_and_the_model_is_what_it_was() -> None:
    model = wrapped(Picture, num_Z=1)
    assert model.plan.num_blocks == (3, 3, 3) and model.Z.shape == (1, LATENT)
    assert "Z" not in [layer.name for layer in model.blueprint.layers]
    assert torch.equal(model.latent_of([0, 1, 2]), model.Z)


def test_only_the_z_that_a_batch_goes_out_from_get_a_gradient() -> None:
    model = wrapped(Picture, num_Z=4)
    model(torch.tensor([[3, 0, 0, 0], [1, 2, 0, 1], [3, 1, 1, 1]])).square().sum().backward()
    assert model.Z.grad is not None
    assert [bool(row.any()) for row in model.Z.grad] == [False, True, False, True]


def test_several_z_are_saved_opened_and_extracted_row_by_row(tmp_path: Path) -> None:
    model = wrapped(Picture, num_Z=4)
    path = rpganify.save(model, tmp_path / "model.rpgan")
    graph = json.loads((path / "graph.json").read_text())
    assert graph["plan"]["buckets"][0] == {"name": "Z", "layers": ["Z"], "num_blocks": 4}
    again = rpganify.load(path)
    assert isinstance(again, RandomPathGenerator) and again.plan == model.plan
    paths = drawn(model, 6)
    assert torch.equal(again(paths), model(paths)) and torch.equal(again.Z, model.Z)
    for chosen in paths:
        plain, latent = plain_generator(again, again.paths.format(chosen))
        assert torch.equal(latent, model.Z[chosen[0]][None])
        close(plain(latent), model(chosen[None]))
    with pytest.raises(PathError, match=r"Bucket 1 \(Z\) has blocks 0 to 3; there is no block 4"):
        again.latent_of([4, 0, 0, 0])


def test_a_plan_may_let_z_share_a_bucket_with_layers() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Picture()
    plan = Plan((BucketSpec("start", ("Z", "fc"), 3), BucketSpec("end", ("to_rgb",), 2)), ("norm", "c1", "c2"))
    model = convert(generator, plan=Plan.from_json(plan.to_json())).model.eval()
    assert set(model.bucket_parameters(0)) == {"Z", "fc.weight", "fc.bias"}
    paths = torch.tensor([[2, 1], [0, 0], [2, 0]])
    close(model(paths), by_extraction(model, paths, model.Z[paths[:, 0]]))


def test_with_several_z_latents_of_ones_own_are_refused() -> None:
    model = wrapped(Picture, num_Z=4)
    with pytest.raises(
        ConversionError, match=r"paths of this model choose one of its 4 Z \(bucket 1, Z\).*Leave z out"
    ):
        model(drawn(model, 2), z=latents(2))


@pytest.mark.parametrize("num", [0, -1, 2.0, True])
def test_what_is_no_number_of_z_is_refused(num: object) -> None:
    with pytest.raises(PlanError, match=r"num_Z=.* is no number of fixed inputs"):
        inspect_generator(Picture()).plan(num_Z=num)  # type: ignore[arg-type]


def test_a_printed_model_tells_of_its_z() -> None:
    assert "Z × 4" in repr(wrapped(Picture, num_Z=4))


def test_a_state_dict_with_several_z_goes_through_a_file() -> None:
    model, file = wrapped(Picture, num_Z=3), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = wrapped(Picture, num_Z=3, seed=5)
    other.load_state_dict(torch.load(file))
    assert torch.equal(other(drawn(model, 3)), model(drawn(model, 3)))
