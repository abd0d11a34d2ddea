"""Finding out what a generator takes: its latent, the latent's shape, its labels; and what is said when that fails."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.conversion.inputs import make_example
from rpganify.conversion.probing import LatentChoice, find_example
from rpganify.errors import ConversionError
from tests.generators import CASES
from tests.generators.case import LATENT, image


class Takes(nn.Module):
    """A dense layer behind whatever forward a test gives it."""

    def __init__(self, num_in: int = LATENT, **attributes: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(num_in, 48)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z))


@pytest.mark.parametrize(
    ("text", "name", "shape"),
    [
        (None, None, None),
        ("z", "z", None),
        ("128", None, (128,)),
        ("100x1x1", None, (100, 1, 1)),
        ("z:128", "z", (128,)),
        ("styles[0]:4x2", "styles[0]", (4, 2)),
        ("batch['z']", "batch['z']", None),
    ],
)
def test_a_latent_is_given_by_name_by_shape_or_by_both(
    text: str | None, name: str | None, shape: tuple[int, ...] | None
) -> None:
    assert LatentChoice.parse(text) == LatentChoice(name, shape)


@pytest.mark.parametrize("text", ["", ":", "z:", ":128", "z:12x", "z:axb", "z:1,2", "z:-3"])
def test_text_that_is_no_latent_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConversionError, match=r"is no latent; write its name, its shape, or both: z, 100x1x1, z:128\."):
        LatentChoice.parse(text)


def test_a_latent_of_no_numbers_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"z:0|shape"):
        find_example(Takes(), latent="z:0")


def test_the_latents_shape_is_found_from_the_first_layer() -> None:
    assert find_example(Takes()).latent.shape == (LATENT,)
    assert find_example(CASES["SpatialLatent"].build()).latent.shape == (LATENT, 1, 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_latent_has_the_precision_of_the_generators_parameters(dtype: torch.dtype) -> None:
    spec = find_example(Takes().to(dtype)).latent
    assert (spec.shape, spec.dtype) == ((LATENT,), dtype)


class Reshapes(Takes):
    def forward(self, noise: Tensor) -> Tensor:
        return image(self.fc(noise.view(noise.size(0), self.z_dim).repeat(1, 2)))


def test_the_latents_shape_is_found_from_an_attribute_where_the_first_layer_misleads() -> None:
    spec = find_example(Reshapes(2 * LATENT, z_dim=LATENT)).latent
    assert (spec.name, spec.shape) == ("noise", (LATENT,))


@pytest.mark.parametrize("name", ["ClassLabels", "MakesOneHot", "ConditionalNormByEmbedding"])
def test_class_labels_are_found_by_their_name_and_stay_an_input(name: str) -> None:
    example = find_example(CASES[name].build())
    label = next(spec for spec in example.specs if not spec.is_latent)
    assert (label.shape, label.dtype) == ((), torch.int64)
    assert example.latent.name == "z"


class OneHot(Takes):
    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return image(self.fc(torch.cat([z, labels], 1)))


def test_one_hot_labels_are_found_where_an_attribute_says_how_many_classes_there_are() -> None:
    example = find_example(OneHot(LATENT + 5, n_classes=5, latent_dim=LATENT))
    assert [(spec.name, spec.shape) for spec in example.specs] == [("z", (LATENT,)), ("labels", (5,))]


class Optional(Takes):
    def forward(self, z: Tensor, labels: Tensor | None = None, alpha: float = 1.0) -> Tensor:
        return image(self.fc(z) * alpha)


def test_arguments_with_a_default_keep_it() -> None:
    assert [spec.name for spec in find_example(Optional()).specs] == ["z"]


class TwoLatents(Takes):
    def forward(self, z_one: Tensor, z_two: Tensor) -> Tensor:
        return image(self.fc(z_one + z_two))


def test_an_argument_of_which_nothing_is_known_is_asked_for_with_an_example_of_the_option() -> None:
    class Posed(Takes):
        def forward(self, z: Tensor, pose: Tensor) -> Tensor:
            return image(self.fc(z + pose))

    with pytest.raises(
        ConversionError,
        match=r"forward of Posed also requires 'pose', of which nothing is known.*'pose': …\}.*`--input pose=SHAPE`",
    ):
        find_example(Posed())


def test_among_several_latents_the_one_that_was_named_is_taken() -> None:
    examples = {"z_one": torch.randn(2, LATENT), "z_two": torch.randn(2, LATENT)}
    assert find_example(TwoLatents(), "z_two", examples).latent.name == "z_two"
    with pytest.raises(
        ConversionError, match=r"Several inputs could be the latent: z_one, z_two\. Name one: latent='z_one'"
    ):
        find_example(TwoLatents(), None, examples)


def test_a_shape_that_the_generator_does_not_take_is_refused_with_what_it_said() -> None:
    with pytest.raises(
        ConversionError,
        match=r"Takes accepts no latent 'z' of shape 7\. The first attempt said: RuntimeError: .*2x7 and 6x48",
    ):
        find_example(Takes(), latent="z:7")


def test_where_no_shape_works_those_that_were_tried_are_listed() -> None:
    class Hidden(Takes):
        def forward(self, z: Tensor) -> Tensor:
            assert z.shape[1] == 999, "wrong size"
            return image(self.fc(z[:, :LATENT]))

    with pytest.raises(
        ConversionError, match=r"Hidden accepts no latent 'z' of shape 6.*AssertionError: wrong size.*`--latent z:128`"
    ):
        find_example(Hidden())
    assert find_example(Hidden(), latent="999").latent.shape == (999,)


def test_a_name_that_forward_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConversionError, match=r"forward of TwoLatents takes z_one, z_two; there is no 'z_tow'.*Did you mean 'z_two'"
    ):
        find_example(TwoLatents(), latent="z_tow")


def test_constants_among_the_examples_are_bound_and_the_latent_is_still_found() -> None:
    class Flagged(Takes):
        def forward(self, z: Tensor, step: int, is_mixed: bool) -> Tensor:
            assert step == 3 and is_mixed is False
            return image(self.fc(z))

    example = find_example(Flagged(), None, {"step": 3, "is_mixed": False})
    assert [spec.name for spec in example.specs] == ["z"]
    assert example.arguments["step"] == 3


def test_finding_out_does_not_touch_the_generator_or_any_random_state() -> None:
    original = Takes(12).train()
    state, version = torch.random.get_rng_state(), original.fc.weight._version
    find_example(original)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert original.training and original.fc.weight._version == version and original.fc.weight.grad is None


def test_examples_become_inputs_and_the_rest_constants() -> None:
    example = make_example({"z": torch.randn(2, 6), "maps": [torch.zeros(2, 3), None], "psi": 0.7}, None)
    assert [(s.name, s.argument, s.location, s.shape, s.is_latent) for s in example.specs] == [
        ("z", "z", (), (6,), True),
        ("maps[0]", "maps", (0,), (3,), False),
    ]
    bigger = example.at_batch(5)
    assert bigger["z"].shape == (5, 6) and bigger["maps"][0].shape == (5, 3)
    assert bigger["maps"][1] is None and bigger["psi"] == 0.7


@pytest.mark.parametrize(
    ("arguments", "latent", "message"),
    [
        ({}, None, r"The example inputs hold no tensor, so there is no latent to replace"),
        ({"psi": 0.5}, None, r"hold no tensor.*example_inputs=\{\"z\": torch\.randn\(2, 128\)\}"),
        ({"z": torch.tensor(1.0)}, None, r"'z' is a tensor without a batch axis.*pass a constant as a Python number"),
        ({"z": torch.zeros(2, 3)}, "w", r"There is no input 'w' to be the latent; the tensors are z\."),
        ({"y": torch.zeros(2, dtype=torch.int64)}, None, r"Several inputs could be the latent: y\. Name one"),
        ({"one": torch.zeros(2, 3), "two": torch.zeros(2, 3)}, None, r"Several inputs could be the latent: one, two\."),
    ],
)
def test_examples_without_one_latent_are_refused(arguments: dict[str, Any], latent: str | None, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        make_example(arguments, latent)


def test_a_latent_of_integers_is_refused() -> None:
    """`Z` is learned, so it must be of numbers that can move."""

    class Looks(Takes):
        def forward(self, z: Tensor) -> Tensor:
            return image(self.fc(z.to(self.fc.weight.dtype)))

    with pytest.raises(ConversionError, match=r"'z'.*int64"):
        rpganify.wrap(Looks(), latent="z", example_inputs={"z": torch.zeros(2, LATENT, dtype=torch.int64)})


def test_examples_of_different_batch_sizes_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"2.*3"):
        make_example({"z": torch.zeros(2, 6), "w": torch.zeros(3, 6)}, "z")
