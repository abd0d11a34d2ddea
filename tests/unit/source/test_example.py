"""`examples/my_gan.py` is what people have; what it would do to a folder is not done."""

from pathlib import Path

import pytest
import torch

from rpganify.source import load_class, load_source

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "my_gan.py"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def test_its_generator_makes_grey_images_of_32_by_32():
    source = load_source(str(EXAMPLE))
    assert source.qualname == "Generator"
    images = source.build(0)(torch.randn(5, 64))
    assert images.shape == (5, 1, 32, 32)
    assert images.abs().max() <= 1


def test_its_own_initialisation_is_used():
    source = load_source(str(EXAMPLE))
    assert source.initialiser is not None and source.initialiser.startswith("generator.apply(weights_init_normal)")
    assert source.build(0).to_image.weight.std().item() == pytest.approx(0.02, rel=0.15)


def test_its_discriminator_gives_one_score_per_image():
    discriminator = load_class(str(EXAMPLE), role="discriminator").build(0)
    assert discriminator(torch.randn(5, 1, 32, 32)).shape == (5,)


def test_its_options_can_be_given():
    generator = load_source(str(EXAMPLE), argv=["--img-size", "64", "--channels", "3"]).build(0)
    assert generator(torch.randn(2, 64)).shape == (2, 3, 64, 64)


def test_it_has_five_stages_and_about_as_many_weights_as_it_should():
    generator = load_source(str(EXAMPLE)).build(0)
    parametric = [name for name, child in generator.named_children() if any(p.dim() > 1 for p in child.parameters())]
    assert len(parametric) == 5
    assert 100_000 < sum(p.numel() for p in generator.parameters()) < 500_000
