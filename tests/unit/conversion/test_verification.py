"""The conversion's own proof notices what is wrong, says what it measured, and leaves the model as it was."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

import rpganify
from rpganify.conversion.converting import Inspection, convert, inspect_generator
from rpganify.conversion.verification import Verification, verify_recording, verify_routing
from rpganify.errors import ConversionError
from rpganify.routing import layers
from rpganify.routing.routes import BatchAxis, Route
from tests.generators import CASES
from tests.generators.case import LATENT, image


class Plain(nn.Module):
    """A norm, a buffer of its own, another program in train mode; images of any scale."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.fc, self.norm, self.out = nn.Linear(LATENT, 16), nn.BatchNorm1d(16), nn.Linear(16, 48)
        self.register_buffer("level", torch.zeros(1))
        self.scale = scale

    def forward(self, z: Tensor) -> Tensor:
        h = torch.relu(self.norm(self.fc(z)))
        if self.training:
            self.level.mul_(0.9).add_(h.detach().mean())
            h = h + 0.1 * torch.sin(h)
        return self.scale * image(self.out(h))


def inspected(generator: nn.Module) -> Inspection:
    return inspect_generator(generator)


def find(graph: fx.Graph, name: str) -> fx.Node:
    """The node that calls a function or method of that name."""
    return next(n for n in graph.nodes if name in (n.target, getattr(n.target, "__name__", None)))


def check(generator: nn.Module, inspection: Inspection) -> Verification:
    return verify_recording(generator, inspection.blueprint, inspection.source, inspection.example)


@pytest.fixture
def generator() -> Plain:
    torch.manual_seed(0)
    return Plain()


def test_a_true_recording_passes_and_its_differences_are_those_of_rounding(generator: Plain) -> None:
    found = check(generator, inspected(generator))
    measured = (found.eval_difference, found.train_difference, found.state_difference, found.gradient_difference)
    assert all(value is not None and 0 <= value < 1e-5 for value in measured)


def test_a_wrong_operation_in_eval_mode_is_noticed(generator: Plain) -> None:
    inspection = inspected(generator)
    find(inspection.blueprint.eval_graph, "relu").target = torch.sigmoid
    with pytest.raises(ConversionError, match=r"differs from the original by \d\.\de-\d\d in eval mode"):
        check(generator, inspection)


def test_a_wrong_operation_in_train_mode_is_noticed(generator: Plain) -> None:
    inspection = inspected(generator)
    find(inspection.blueprint.train_graph, "sin").target = torch.cos
    with pytest.raises(ConversionError, match=r"differs from the original by .* in train mode"):
        check(generator, inspection)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_a_wrong_operation_is_noticed_whatever_the_scale_of_the_images(scale: float) -> None:
    """Untrained generators often return images near zero; a share of the largest value is what counts."""
    torch.manual_seed(0)
    generator = Plain(scale)
    assert check(generator, inspected(generator)).eval_difference is not None
    inspection = inspected(generator)
    find(inspection.blueprint.eval_graph, "relu").target = torch.sigmoid
    with pytest.raises(ConversionError, match="in eval mode"):
        check(generator, inspection)


def test_a_wrong_tensor_is_noticed(generator: Plain) -> None:
    inspection = inspected(generator)
    source = {**inspection.source, "out.bias": inspection.source["out.bias"] + 0.1}
    with pytest.raises(ConversionError, match="differs from the original"):
        verify_recording(generator, inspection.blueprint, source, inspection.example)


def test_a_lost_write_to_a_buffer_is_noticed(generator: Plain) -> None:
    inspection = inspected(generator)
    graph = inspection.blueprint.train_graph
    graph.erase_node(find(graph, "add_"))
    with pytest.raises(ConversionError, match="After a pass in train mode a buffer differs from the original's"):
        check(generator, inspection)


def test_a_lost_gradient_is_noticed_by_the_parameters_name(generator: Plain) -> None:
    inspection = inspected(generator)
    graph = inspection.blueprint.train_graph
    layer = next(node for node in graph.nodes if node.target == "fc")
    with graph.inserting_after(layer):
        cut = graph.call_method("detach", (layer,))
    layer.replace_all_uses_with(cut, delete_user_cb=lambda user: user is not cut)
    with pytest.raises(
        ConversionError, match=r"The gradient of 'fc\.(weight|bias)' differs from the original's by 100%"
    ):
        check(generator, inspection)


def test_a_shape_that_is_wrong_is_noticed(generator: Plain) -> None:
    inspection = inspected(generator)
    graph = inspection.blueprint.eval_graph
    output = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(output):
        output.args = (graph.call_method("flatten", (output.args[0], 1)),)
    with pytest.raises(ConversionError, match=r"gives shape \(3, 48\) where the original gives \(3, 3, 4, 4\)"):
        check(generator, inspection)


def test_samples_that_meet_the_wrong_block_are_noticed(generator: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    model = rpganify.wrap(generator, blocks=4, init="jitter")
    example = inspected(generator).example
    assert verify_routing(generator, model, example) is not None
    right = layers.RoutedLayer.forward

    def wrong(layer: layers.RoutedLayer, route: Route, x: Tensor, *axes: BatchAxis) -> Tensor:
        everything = replace(route, present=route.present[:1], counts=(len(x),), order=None, inverse=None)
        return right(layer, everything, x, *axes)

    monkeypatch.setattr(layers.RoutedLayer, "forward", wrong)
    with pytest.raises(
        ConversionError, match=r"differs from the original by .* between a batch and its samples one by one"
    ):
        verify_routing(generator, model, example)


@pytest.mark.parametrize(
    ("name", "is_none"),
    [("WorksInPlace", False), ("DrawsNoise", True), ("MinibatchDeviation", True), ("DropsOut", False)],
)
def test_a_batch_is_compared_with_its_samples_unless_images_depend_on_chance_or_on_each_other(
    name: str, is_none: bool
) -> None:
    case = CASES[name]
    examples: Any = None if case.is_found else case.arguments(2)
    found = convert(case.build(), blocks=2, init="jitter", example_inputs=examples).verification
    assert (found.batch_difference is None) is is_none


class Amplifies(nn.Module):
    """Rounding of float32 grows to any size; buffers of several types."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 4096)
        self.out = nn.Linear(4096, 48)
        self.register_buffer("precise", torch.full((48,), 1 / 3, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(3))

    def forward(self, z: Tensor) -> Tensor:
        h = self.out(torch.sin(self.fc(z)))
        return image(torch.sin(1e6 * h) + self.precise.to(h.dtype))


def test_a_generator_that_amplifies_rounding_is_judged_in_float64_and_keeps_its_types() -> None:
    torch.manual_seed(0)
    original = Amplifies()
    model = rpganify.wrap(original, blocks=3, init="jitter")
    types = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    assert types == {"Z": torch.float32} | {name: tensor.dtype for name, tensor in original.state_dict().items()}
    assert torch.equal(model.get_buffer("precise"), original.precise)


def test_the_proof_leaves_the_models_mode_state_and_gradients_as_they_were(generator: Plain) -> None:
    model = rpganify.wrap(generator, blocks=2, init="jitter")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for is_training in (True, False):
        model.train(is_training)
        verify_routing(generator, model, inspected(generator).example)
        assert all(child.training is is_training for child in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_new_model_starts_from_the_generators_own_statistics(generator: Plain) -> None:
    """Neither recording nor proof leaves a trace in running means."""
    start = copy.deepcopy(generator.state_dict())
    model = rpganify.wrap(generator, blocks=2, init="copy")
    for name in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "level"):
        assert torch.equal(model.state_dict()[name], start[name]), name
