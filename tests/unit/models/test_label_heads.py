"""How discriminators judge labels: projection and auxiliary classifier against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rpganify.entries import DiscriminatorEntry
from rpganify.models.label_heads import AuxiliaryClassifier, Projection, judged, label_head
from rpganify.registry import Registry, resolve

NAMES = ("sngan", "dcgan", "mlp")
SHAPE = (3, 32, 32)


def discriminator(name: str, conditioning: str, spectral_norm: bool = False, num_classes: int = 4) -> nn.Module:
    factory = resolve(Registry().get(DiscriminatorEntry, name).factory)
    module = factory(
        image_shape=SHAPE, spectral_norm=spectral_norm, channels=16, num_classes=num_classes, conditioning=conditioning
    )
    assert isinstance(module, nn.Module)
    return module


def pictures(num: int) -> Tensor:
    return torch.rand(num, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def features_of(module: nn.Module, images: Tensor) -> Tensor:
    """What goes into the last linear layer."""
    seen: list[Tensor] = []
    handle = module.get_submodule("linear").register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    module(images)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_projection_adds_the_product_of_features_and_the_label_s_embedding(name: str) -> None:
    module, images, labels = discriminator(name, "projection").eval(), pictures(3), torch.tensor([0, 3, 1])
    features, alone = features_of(module, images), module(images)
    embedding = module.get_submodule("label_head.embedding").weight
    assert isinstance(embedding, Tensor)
    products = [feature @ embedding[label] for feature, label in zip(features, labels, strict=True)]
    # float32 sums of up to 1024 products in another order.
    assert torch.allclose(module(images, labels), alone + torch.stack(products), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_auxiliary_classifier_leaves_the_scores_and_names_each_class(name: str) -> None:
    module, images = discriminator(name, "auxiliary").eval(), pictures(3)
    scores, classes = module(images, torch.tensor([0, 3, 1]))
    assert torch.equal(scores, module(images)) and classes.shape == (3, 4)
    classifier = module.get_submodule("label_head.linear")
    assert torch.allclose(classes, classifier(features_of(module, images)))
    assert torch.equal(classes, module(images, torch.tensor([2, 2, 2]))[1])  # it does not look at the labels


@pytest.mark.parametrize("conditioning", ["projection", "auxiliary"])
@pytest.mark.parametrize("name", NAMES)
def test_with_labels_gradients_reach_images_and_every_parameter(name: str, conditioning: str) -> None:
    for spectral_norm in (False, True):
        module, images = discriminator(name, conditioning, spectral_norm), pictures(4).requires_grad_()
        outcome = module(images, torch.tensor([0, 1, 2, 3]))
        parts = outcome if isinstance(outcome, tuple) else (outcome,)
        sum((part * torch.randn_like(part)).sum() for part in parts).backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_spectral_norm_covers_the_embedding_and_the_classifier(name: str) -> None:
    for conditioning, layer in (("projection", "label_head.embedding"), ("auxiliary", "label_head.linear")):
        module = discriminator(name, conditioning, spectral_norm=True).eval()
        weight = module.get_submodule(layer).weight
        assert isinstance(weight, Tensor)
        # As of all layers: fifteen power iterations come close from below.
        assert 0.99 < torch.linalg.matrix_norm(weight.detach(), 2).item() < 1.25


@pytest.mark.parametrize("name", NAMES)
def test_classes_change_nothing_of_a_discriminator_without_them(name: str) -> None:
    def built(num_classes: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return discriminator(name, "projection", num_classes=num_classes).eval()

    without, with_classes = built(0), built(4)
    assert (without.num_classes, with_classes.num_classes) == (0, 4)
    assert not [key for key in without.state_dict() if "label_head" in key]
    missing = with_classes.load_state_dict(without.state_dict(), strict=False).missing_keys
    assert missing == ["label_head.embedding.weight"]
    assert torch.equal(without(pictures(2)), with_classes(pictures(2)))


def test_labels_for_a_discriminator_without_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has no classes; build it with num_classes="):
        judged(None, torch.zeros(2), torch.zeros(2, 3), torch.tensor([0, 1]))


def test_a_head_is_built_for_classes_only() -> None:
    assert label_head(8, 0, "projection") is None
    assert isinstance(label_head(8, 3, "projection"), Projection)
    assert isinstance(label_head(8, 3, "auxiliary"), AuxiliaryClassifier)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_number_of_classes_and_no_conditioning_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"num_classes is at least 0 \(no labels\), got -1"):
        discriminator(name, "projection", num_classes=-1)
    with pytest.raises(ValueError, match="conditioning is one of projection, auxiliary; got 'projektion'"):
        discriminator(name, "projektion")
