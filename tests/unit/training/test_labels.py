import pytest
import torch
from torch import nn

import rpganify
from rpganify.data.images import MemoryImages
from rpganify.data.labels import select_labels
from rpganify.errors import TrainingError
from rpganify.routing.generator import Condition
from rpganify.training.labels import LabelSource, label_condition
from tests.unit.training.fakes import TinyLabelled, TinyPaths, digits, labelled_digits, seeded


def uneven(labels):
    pixels = torch.zeros(len(labels), 1, 8, 8, dtype=torch.uint8)
    return MemoryImages("uneven", pixels, torch.tensor(labels), ("a", "b", "c", "d"))


def test_labels_are_drawn_as_often_as_the_data_has_them():
    source = LabelSource(uneven([0] * 1 + [2] * 3 + [3] * 4))
    labels = source.draw(8000, torch.Generator().manual_seed(0))
    assert labels.dtype == torch.int64 and labels.shape == (8000,)
    counts = torch.bincount(labels, minlength=4).tolist()
    # The largest standard deviation of the four counts, that of one half of 8000, is 44.7.
    assert counts == pytest.approx([1000, 0, 3000, 4000], abs=4 * 44.7)


def test_one_seed_draws_the_same_labels_and_nothing_else_is_drawn():
    before = torch.get_rng_state()
    source = LabelSource(labelled_digits())
    one, again, other = (source.draw(50, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_filter_keeps_the_classes_and_leaves_out_labels():
    source = LabelSource(select_labels(labelled_digits(), "0-6"))
    assert (source.num_classes, source.largest) == (10, 6)
    assert set(source.draw(500).tolist()) == set(range(7))


def test_data_without_labels_has_no_source():
    with pytest.raises(TrainingError, match=r"images of digits have no labels.*mnist, cifar10 or folder:DIR"):
        LabelSource(digits(5))


def test_a_generator_that_takes_codes_only_has_no_label_and_needs_none():
    assert label_condition(seeded(TinyPaths), digits(5)) is None


def test_the_one_scalar_integer_input_is_the_label():
    assert label_condition(seeded(TinyLabelled), labelled_digits()) == "labels"


class OneHot(nn.Module):
    """Labels through one_hot, which fails by another error than an embedding."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.fc = nn.Linear(8 + num_classes, 64)
        self.num_classes = num_classes

    def forward(self, z, y):
        joined = torch.cat([z, nn.functional.one_hot(y, self.num_classes).float()], 1)
        return torch.tanh(self.fc(joined)).view(-1, 1, 8, 8)


def convert(module):
    inputs = {"z": torch.zeros(2, 8), "y": torch.tensor([0, 0])}
    return rpganify.wrap(module, buckets=1, blocks=2, example_inputs=inputs, latent="z")


def test_a_converted_generator_s_label_is_found_by_its_own_name():
    module = seeded(OneHot)
    assert label_condition(convert(module), labelled_digits()) == "y"
    assert label_condition(rpganify.standard(module, latent="z:8"), labelled_digits()) == "y"


@pytest.mark.parametrize("num_known", [1, 5, 9])
@pytest.mark.parametrize("build", [TinyLabelled, OneHot])
def test_a_generator_that_knows_fewer_classes_than_the_data_is_refused_with_both_numbers(build, num_known):
    generator = seeded(build, num_classes=num_known)
    if build is OneHot:
        generator = convert(generator)
    expected = (
        rf"labels up to 9, but the generator's '(labels|y)' takes those up to {num_known - 1} only.*num_classes=10"
    )
    with pytest.raises(TrainingError, match=expected) as refusal:
        label_condition(generator, labelled_digits())
    assert f"--data 'digits[0-{num_known - 1}]'" in str(refusal.value)


def test_the_classes_that_a_filter_leaves_are_enough():
    assert label_condition(seeded(TinyLabelled, num_classes=7), select_labels(labelled_digits(), "0-6")) == "labels"


def test_looking_for_the_label_changes_nothing():
    generator = convert(seeded(OneHot))
    generator.train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    random_state = torch.get_rng_state()
    label_condition(generator, labelled_digits())
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert generator.training


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            [("a", (), torch.int64), ("b", (), torch.int64)],
            r"needs 2 inputs beside its codes: a, b\..*--const NAME=VALUE",
        ),
        ([("y", (10,), torch.float32)], r"'y' is torch.float32 of shape \('N', 10\), which is no class label.*one_hot"),
        ([("noise", (1,), torch.int64)], r"'noise' is torch.int64 of shape \('N', 1\), which is no class label"),
        ([("scale", (), torch.float32)], r"'scale' is torch.float32 of shape \('N',\), which is no class label"),
    ],
)
def test_inputs_that_are_no_label_are_refused(conditions, message):
    generator = seeded(TinyLabelled)
    generator.conditions = tuple(Condition(*each) for each in conditions)
    with pytest.raises(TrainingError, match=message):
        label_condition(generator, labelled_digits())


def test_a_generator_of_labels_is_refused_data_without_any():
    with pytest.raises(TrainingError, match=r"images of digits have no labels"):
        label_condition(seeded(TinyLabelled), digits(5))


def test_a_generator_that_takes_no_label_at_all_is_refused_with_what_it_says():
    generator = seeded(TinyLabelled)

    def images(codes, *, labels):
        raise RuntimeError("sizes do not match")

    generator.images = images
    with pytest.raises(
        TrainingError, match=r"fails when its input 'labels' is the label 0: RuntimeError: sizes do not"
    ):
        label_condition(generator, labelled_digits())


def test_a_generator_that_cannot_be_copied_is_refused():
    generator = seeded(TinyLabelled)
    generator.words = (word for word in "ab")
    with pytest.raises(TrainingError, match=r"TinyLabelled cannot be copied \(TypeError: .*Remove that attribute"):
        label_condition(generator, labelled_digits())
