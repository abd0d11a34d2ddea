from collections import namedtuple

import pytest
import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.diversity.analyzer import Diversity
from rpganify.analysis.generation import ImageMaker, evaluating, to_float, to_uint8
from rpganify.analysis.variations.analyzer import Variations
from rpganify.errors import AnalysisError
from tests.unit.analysis.synthetic import SyntheticGenerator


def make(model: SyntheticGenerator, num_images: int = 3, **settings: object) -> tuple[Tensor, ImageMaker]:
    with evaluating(model, 0):
        maker = ImageMaker(model, AnalysisContext(**settings))  # type: ignore[arg-type]
        return maker(model.paths.sample(num_images, generator=torch.Generator().manual_seed(0))), maker


@pytest.mark.parametrize("analyzer", [Variations(), Diversity()])
def test_an_analyzer_leaves_weights_training_flags_gradients_and_random_states_as_they_were(
    analyzer: Variations | Diversity,
):
    model = SyntheticGenerator().train()
    model.noise[0].eval()
    flags = [module.training for module in model.modules()]
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    analyzer.analyze(model, AnalysisContext(num_paths=3))
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()


def test_a_model_in_training_mode_is_analyzed_in_eval_mode():
    training, evaluated = SyntheticGenerator().train(), SyntheticGenerator().eval()
    context = AnalysisContext(num_paths=5)
    assert Diversity().analyze(training, context).tables == Diversity().analyze(evaluated, context).tables


def test_training_flags_come_back_after_an_error():
    model = SyntheticGenerator().train()
    with pytest.raises(RuntimeError, match="stop"), evaluating(model, 0):
        assert not model.training and not torch.is_grad_enabled()
        raise RuntimeError("stop")
    assert all(module.training for module in model.modules()) and torch.is_grad_enabled()


def test_noise_that_a_generator_draws_itself_comes_from_the_seed():
    class Noisy(SyntheticGenerator):
        def images(self, codes: Tensor) -> Tensor:
            return torch.rand(len(codes), *self.image_shape)

    torch.manual_seed(5)
    one, _ = make(Noisy())
    torch.rand(3)
    again, _ = make(Noisy())
    assert torch.equal(one, again)


def test_batches_stay_below_the_bound_of_pixels():
    sizes: list[int] = []

    class Counting(SyntheticGenerator):
        def images(self, codes: Tensor) -> Tensor:
            sizes.append(len(codes))
            return super().images(codes)

    make(Counting(image_shape=(3, 8, 8)), num_images=10, batch_pixels=4 * 64 + 63)
    assert sizes == [4, 4, 2]
    make(Counting(image_shape=(3, 8, 8)), num_images=2, batch_pixels=1)
    assert sizes[3:] == [1, 1]


def test_no_paths_make_no_images():
    images, _ = make(SyntheticGenerator(), num_images=0)
    assert images.shape == (0, 3, 16, 16) and images.dtype == torch.uint8


def test_images_become_the_8_bit_values_that_a_file_holds_and_back():
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_float(values)), values)
    assert to_uint8(torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])).tolist() == [0, 0, 128, 255, 255]


def test_values_outside_the_range_are_clipped_and_the_report_says_how_many():
    class Loud(SyntheticGenerator):
        def images(self, codes: Tensor) -> Tensor:
            images = torch.zeros(len(codes), *self.image_shape)
            images[:, :, 0] = 1.5  # one row of sixteen
            return images

    _, maker = make(Loud())
    assert maker.notes() == (
        "6.2 % of all pixel values were outside [-1, 1] and were clipped, as saving the images would. "
        "A generator that ends in tanh has none.",
    )
    assert make(SyntheticGenerator())[1].notes() == ()


def test_images_that_are_not_finite_are_refused():
    class Diverged(SyntheticGenerator):
        def images(self, codes: Tensor) -> Tensor:
            return super().images(codes) * torch.nan

    with pytest.raises(AnalysisError, match=r"NaN or infinity.*analyze an earlier checkpoint"):
        make(Diverged())


def test_images_of_another_shape_than_the_model_says_are_refused():
    model = SyntheticGenerator()
    model.images = lambda codes: torch.zeros(len(codes), 3, 4, 4)  # type: ignore[method-assign]
    with pytest.raises(AnalysisError, match=r"shape \(3, 3, 4, 4\) where \(3, 3, 16, 16\) was due"):
        make(model)


def test_a_condition_of_the_generator_is_given_to_every_image_and_a_missing_one_refused():
    seen: list[Tensor] = []

    class Conditional(SyntheticGenerator):
        conditions = (namedtuple("Condition", "name shape dtype")("label", (), torch.int64),)

        def images(self, codes: Tensor, label: Tensor) -> Tensor:
            seen.append(label)
            return super().images(codes)

    make(Conditional(), conditions={"label": torch.tensor(7)})
    assert seen[0].tolist() == [7, 7, 7]
    with pytest.raises(
        AnalysisError, match=r"also needs label for each image.*conditions={'label': torch.tensor\(0\)}"
    ):
        make(Conditional())


@pytest.mark.parametrize("size", ["num_paths", "num_images", "batch_pixels"])
def test_a_context_of_no_size_is_refused(size):
    with pytest.raises(AnalysisError, match=f"^{size} is 0, and they count from 1"):
        AnalysisContext(**{size: 0})


def test_values_come_neither_rounded_nor_clipped_and_of_any_shape():
    class Wave(SyntheticGenerator):
        def images(self, codes: Tensor) -> Tensor:
            return torch.linspace(-2, 2, 5000).expand(len(codes), 1, -1)

    model = Wave()
    model.image_shape = (1, 5000)
    with evaluating(model, 0):
        maker = ImageMaker(model, AnalysisContext(batch_pixels=9000))
        values = maker.values(model.paths.sample(3))
    assert maker.batch_size == 1
    assert torch.equal(values, torch.linspace(-2, 2, 5000).expand(3, 1, -1))
    assert maker.values(model.paths.sample(3)[:0]).shape == (0, 1, 5000)
