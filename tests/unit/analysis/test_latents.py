"""Images as a function of a flat latent vector, all else held still."""

import math

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.inner_layers import layer_names
from rpganify.analysis.latents import LatentMap, at_layer, latent_of, latent_under_path, part_of
from rpganify.errors import AnalysisError, PathError
from rpganify.routing.generator import StandardGenerator
from tests.generators import CASES
from tests.unit.surgery.models import converted

CONTEXT = AnalysisContext()
# What torch computes in another order in a gradient or a batch differs by a few units in the last place.
ROUNDING = 1e-5


def standard(name: str) -> StandardGenerator:
    """The standard generator of one of the small ones."""
    case = CASES[name]
    examples = None if case.is_found else {**case.arguments(2), **dict(case.constants)}
    model = rpganify.standard(case.build(), latent=case.latent, example_inputs=examples)
    assert isinstance(model, StandardGenerator)
    return model.eval()


def context_of(model: StandardGenerator, seed: int = 0) -> AnalysisContext:
    """With a value for each further input."""
    draws = torch.Generator().manual_seed(7)
    given = {
        one.name: torch.randn(one.shape, generator=draws, dtype=one.dtype)
        if one.dtype.is_floating_point
        else torch.zeros(one.shape, dtype=one.dtype)
        for one in model.conditions
    }
    return AnalysisContext(conditions=given, seed=seed)


def drawn(space: LatentMap, count: int = 3, seed: int = 1) -> Tensor:
    return space.draw(count, torch.Generator().manual_seed(seed))


class Skips(nn.Module):
    """A layer whose output goes on together with what went into it, and noise between the two."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 16), nn.Linear(16, 16)
        self.last = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        h = torch.relu(self.first(z))
        h = h + self.second(h) + 0.3 * torch.randn_like(h)
        h = h.view(-1, 1, 4, 4) + label.view(-1, 1, 1, 1)
        return torch.tanh(self.last(h + torch.randn(h.shape[0], 1, 4, 4)))


@pytest.fixture
def skips() -> StandardGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Skips()
    examples = {"z": torch.zeros(2, 5), "label": torch.zeros(2)}
    model = rpganify.standard(made, example_inputs=examples)
    assert isinstance(model, StandardGenerator)
    return model.eval()


LABELLED = AnalysisContext(conditions={"label": torch.tensor(0.5)})


# One of each kind that a graph is run with care for; all others take half a minute.
CAREFUL = (
    "WorksInPlace NormalisesItsInputInPlace UsesModulesTwice SeveralLatents DictInput ClassLabels NestedOutputs FlatImages "
    "DropsOut CopiesIntoABuffer WritesThroughData HidesFromAutograd WritesParametersInPlace BatchNorms LearnedConstantRepeated "
    "ModulatedConvolutions AttendsBatchFirst FoldsTheBatchInside Recurs"
).split()
QUIET = [
    pytest.param(name, marks=() if name in CAREFUL else pytest.mark.slow)
    for name, case in CASES.items()
    if "eval" not in case.draws_noise
]


@pytest.mark.parametrize("name", QUIET)
def test_images_are_those_of_the_generator_in_eval_mode(name: str):
    model = standard(name).train()
    context = context_of(model)
    space = latent_of(model, context)
    latents = drawn(space)
    found = space.images(latents)
    assert all(module.training for module in model.modules() if module is not model._tensors)

    model.eval()
    given = {key: value.expand(3, *value.shape) for key, value in context.conditions.items()}
    wanted = model.images(latents.view(3, *space.shape), **given)

    torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=0)
    assert space.dim == math.prod(model.blueprint.latent.shape)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "eval" in case.draws_noise])
def test_noise_is_the_same_for_every_sample_call_and_batch_size_and_another_under_another_seed(name: str):
    model = standard(name)
    space = latent_of(model, context_of(model))
    latent = drawn(space, 1)

    images = space.images(latent.expand(4, -1))

    torch.testing.assert_close(images, images[:1].expand_as(images), atol=ROUNDING, rtol=0)
    torch.testing.assert_close(space.images(latent), images[:1], atol=ROUNDING, rtol=0)
    other = latent_of(model, context_of(model, seed=1)).images(latent)
    assert float((other - images[:1]).abs().max()) > 0.01


def test_held_noise_leaves_the_global_random_state_alone(skips: StandardGenerator):
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    space = latent_of(skips, LABELLED)
    space.images(drawn(space))

    assert torch.equal(torch.rand(2), wanted)


def test_a_copy_is_measured_that_later_changes_of_the_model_do_not_reach():
    model = converted()
    path = model.draw(1, torch.Generator().manual_seed(0))[0]
    space = latent_under_path(model, path, CONTEXT)
    assert space.home is not None
    before = space.images(space.home[None])

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()

    assert torch.equal(space.images(space.home[None]), before)


def test_under_a_path_home_is_z_and_gives_the_paths_image():
    model = converted(num_Z=2)
    for path in model.draw(4, torch.Generator().manual_seed(0)):
        space = latent_under_path(model, path, CONTEXT)
        assert space.home is not None and torch.equal(space.home, model.latent_of(path)[0])
        torch.testing.assert_close(space.images(space.home[None]), model.images(path[None]), atol=ROUNDING, rtol=0)


def test_under_a_path_other_vectors_give_what_the_model_gives_for_them():
    model = converted()
    path = torch.tensor([2, 1, 0])
    space = latent_under_path(model, path, CONTEXT)
    latents = drawn(space)

    wanted = model.images(path.expand(3, -1), z=latents)

    torch.testing.assert_close(space.images(latents), wanted, atol=ROUNDING, rtol=0)
    assert space.name == "Z under the path 2-1-0"


@pytest.mark.parametrize(
    "name", ["BranchesOnShapes", "ModulatedConvolutions", "InjectsNoise", "AttendsBatchFirst", "DrawsNoise"]
)
def test_double_precision_is_double_all_the_way(name: str):
    model = standard(name)
    space = latent_of(model, context_of(model), dtype=torch.float64)
    latents = drawn(space)
    assert latents.dtype == torch.float64

    images = space.images(latents)

    assert images.dtype == torch.float64
    assert float((images - images.float()).abs().max()) > 0, "its last digits are not those of single precision"
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@pytest.mark.parametrize("name", ["BranchesOnShapes", "WorksInPlace", "ClassLabels", "NestedOutputs"])
def test_images_have_the_derivative_that_differences_have(name: str):
    model = standard(name)
    space = latent_of(model, context_of(model), dtype=torch.float64)
    at, along = drawn(space, 2)
    step = 1e-6

    moved = torch.func.jvp(space.images, (at[None],), (along[None],))[1]

    apart = space.images(torch.stack([at + step * along, at - step * along]))
    torch.testing.assert_close(moved[0], (apart[0] - apart[1]) / (2 * step), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["UsesModulesTwice", "WorksInPlace", "CopiesIntoABuffer", "BatchNorms", "ModulatedConvolutions", "GatedSelfAttention",
     "InjectsNoise", "AttendsSequenceFirst", "ClassLabels", "FoldsTokensIntoTheBatch", "SpatialLatent", "TiesWeights"],
)  # fmt: skip
def test_a_layers_output_at_a_latent_gives_that_latents_image(name: str):
    model = standard(name)
    context = context_of(model)
    whole = latent_of(model, context)
    for seed in (0, 5):
        latent = drawn(whole, 1, seed)
        wanted = whole.images(latent)
        for layer in layer_names(model.blueprint):
            space = at_layer(model, layer, context, z=latent[0])
            assert space.home is not None and space.home.shape == (space.dim,)
            found = space.images(space.home.expand(3, -1))
            torch.testing.assert_close(found, wanted.expand_as(found), atol=ROUNDING, rtol=0)


def test_values_that_go_past_a_layer_stay_as_they_are_at_the_latent(skips: StandardGenerator):
    whole = latent_of(skips, LABELLED)
    latent = drawn(whole, 1)
    space = at_layer(skips, "second", LABELLED, z=latent[0])
    assert space.home is not None and space.shape == (16,)

    # At 0 in the layer's place only the skip is left: the same as with a layer that gives nothing.
    silent = rpganify.standard(_without_second(skips), example_inputs={"z": torch.zeros(2, 5), "label": torch.zeros(2)})
    wanted = latent_of(silent.eval(), LABELLED).images(latent)
    torch.testing.assert_close(space.images(torch.zeros(1, 16)), wanted, atol=ROUNDING, rtol=0)


def _without_second(model: StandardGenerator) -> Skips:
    made = Skips()
    made.load_state_dict(model.state_dict())
    with torch.no_grad():
        made.second.weight.zero_()
        made.second.bias.zero_()
    return made


def test_a_layers_draws_are_its_outputs_at_random_latents(skips: StandardGenerator):
    whole = latent_of(skips, LABELLED)
    latents = drawn(whole, 4, seed=9)
    space = at_layer(skips, "second", LABELLED)

    found = space.draw(4, torch.Generator().manual_seed(9))

    wanted = skips.second(torch.relu(skips.first(latents)))
    torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=0)


def test_a_layer_under_a_path_is_met_at_z():
    model = converted()
    path = torch.tensor([1, 0, 1])

    space = at_layer(model, "l2", CONTEXT, path=path)

    assert space.home is not None
    torch.testing.assert_close(space.images(space.home[None]), model.images(path[None]), atol=ROUNDING, rtol=0)
    assert space.name == "the output of l2 under the path 1-0-1"


def test_a_part_moves_its_inputs_and_holds_the_others():
    model = standard("BranchesOnShapes")
    whole = latent_of(model, CONTEXT)
    position, other = drawn(whole, 2)

    part = part_of(whole, [4, 0, 1], position)

    mixed = position.clone()
    mixed[[4, 0, 1]] = other[[4, 0, 1]]
    torch.testing.assert_close(part.images(other[[4, 0, 1]][None]), whole.images(mixed[None]), atol=0, rtol=0)
    assert part.home is not None and torch.equal(part.home, position[[4, 0, 1]])
    assert part.dim == 3 and part.name == "z[4,0-1]"
    assert torch.equal(drawn(part), drawn(whole)[:, [4, 0, 1]])


@pytest.mark.parametrize(
    ("indices", "words"),
    [([], "none named"), ([0, 6], "no input 6"), ([-1], "no input -1"), ([2, 2], "one of them twice")],
)
def test_a_part_of_inputs_that_are_not_there_is_refused(indices: list[int], words: str):
    whole = latent_of(standard("BranchesOnShapes"), CONTEXT)

    with pytest.raises(AnalysisError, match=rf"some of its 6 inputs, 0 to 5, each once; here: {words}"):
        part_of(whole, indices, drawn(whole, 1)[0])


def test_a_part_around_a_position_of_another_length_is_refused():
    whole = latent_of(standard("BranchesOnShapes"), CONTEXT)

    with pytest.raises(AnalysisError, match=r"position of z, 6 numbers; got shape \(5,\)"):
        part_of(whole, [0], torch.zeros(5))


def test_a_layer_that_does_not_exist_is_refused_with_those_that_do():
    model = standard("BatchNorms")
    (*_, known) = layer_names(model.blueprint)

    with pytest.raises(
        AnalysisError, match=rf"no layer '{known}x' that gives .* Did you mean .*--layer takes one of: "
    ):
        at_layer(model, f"{known}x", CONTEXT)


def test_a_layer_that_is_called_twice_is_refused():
    model = standard("UsesOneModuleUnderTwoNames")

    with pytest.raises(AnalysisError, match=r"hands on 2 tensors, or is called that many times"):
        at_layer(model, "layer" if "layer" in str(model.blueprint.layers) else model.blueprint.layers[0].name, CONTEXT)


def test_a_latent_of_another_size_at_a_layer_is_refused(skips: StandardGenerator):
    with pytest.raises(AnalysisError, match=r"has 5 numbers; got z of shape \(4,\)"):
        at_layer(skips, "second", LABELLED, z=torch.zeros(4))


def test_a_random_z_of_a_converted_generator_is_refused_as_it_has_none():
    with pytest.raises(AnalysisError, match=r"this is a RandomPathGenerator: its latent is the path.*`--path`"):
        latent_of(converted(), CONTEXT)


def test_a_path_of_a_standard_generator_is_refused_as_it_has_none():
    with pytest.raises(AnalysisError, match=r"this is a StandardGenerator\. Leave the path out"):
        latent_under_path(standard("BatchNorms"), [0, 0], CONTEXT)


def test_a_layer_of_a_converted_generator_without_a_path_is_refused():
    with pytest.raises(AnalysisError, match=r"only under a path: name one"):
        at_layer(converted(), "l2", CONTEXT)


def test_a_path_that_does_not_exist_is_refused():
    with pytest.raises(PathError):
        latent_under_path(converted(), [0, 5, 0], CONTEXT)


def test_a_missing_condition_is_named(skips: StandardGenerator):
    with pytest.raises(AnalysisError, match=r"also needs label for each image.*`--condition label=0`"):
        latent_of(skips, CONTEXT)


class DrawsByProbability(nn.Module):
    """What is drawn depends on the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 16)

    def forward(self, z: Tensor) -> Tensor:
        return (torch.bernoulli(torch.sigmoid(self.layer(z))) * self.layer(z)).view(-1, 1, 4, 4)


def test_noise_that_depends_on_the_latent_is_refused_with_its_line():
    model = rpganify.standard(DrawsByProbability(), latent="z:4")

    with pytest.raises(
        AnalysisError, match=r"draws by bernoulli \(test_latents\.py:\d+: .*mean \+ std \* torch\.randn_like"
    ):
        latent_of(model, CONTEXT)


def test_alterations_change_the_copy_alone():
    model = standard("BatchNorms")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def silence(module: nn.Module) -> None:
        for parameter in module.parameters():
            parameter.data.zero_()

    space = latent_of(model, CONTEXT, alter=silence)

    images = space.images(drawn(space))
    assert float((images - images.flatten()[0]).abs().max()) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
