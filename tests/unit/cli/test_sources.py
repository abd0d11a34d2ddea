"""A source's options as the library takes them."""

import pytest
import torch
import typer

from rpganify.cli.sources import SourceOptions, choose_plan, describe_source, provenance_of

LABELLED = """
import torch
import torch.nn as nn


def init(module):
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.weight, 0.25)


class Generator(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.embed = nn.Embedding(classes, 4)
        self.body = nn.Linear(4 + 3, 64)

    def forward(self, z, kind, alpha):
        h = torch.cat([z, self.embed(kind)], dim=1)
        return torch.tanh(self.body(h) * alpha).view(-1, 1, 8, 8)


net = Generator(7)
net.apply(init)
"""


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "labelled.py"
    path.write_text(LABELLED)
    return str(path)


def test_further_inputs_and_constants_of_forward_are_given_by_name(labelled):
    options = SourceOptions(labelled, latent="z:3", inputs=["kind=scalar:int"], constants=["alpha=0.5"])
    inspection = options.inspect(options.build(options.load()))
    inputs = [(spec.name, spec.shape, spec.dtype) for spec in inspection.blueprint.inputs]
    assert inputs == [("z", (3,), torch.float32), ("kind", (), torch.int64)]
    assert inspection.blueprint.image_shape == (1, 8, 8)


def test_the_scripts_own_arguments_and_initialisation_are_told_and_repeated(labelled):
    source = SourceOptions(labelled).load()
    assert describe_source(source) == [
        "built as in the script: Generator(7)  # line 22",
        "initialised as in the script: net.apply(init)  # line 23",
    ]
    generator = source.build(0)
    assert generator.embed.num_embeddings == 7
    torch.testing.assert_close(generator.body.weight, torch.full((64, 7), 0.25))


def test_the_scripts_initialisation_can_be_left_out(labelled):
    source = SourceOptions(labelled, is_initialised=False).load()
    assert source.build(0).body.weight.std() > 0


def test_provenance_holds_no_path_of_this_machine(labelled, tmp_path):
    told = provenance_of(SourceOptions(labelled, arguments=["classes=5"]).load(), tmp_path / "w.pt")
    assert told["source"] == "labelled.py"
    assert told["class"] == "Generator"
    assert told["weights"] == "w.pt"
    assert told["arguments"] == {"classes": "5"}
    assert len(told["sha256"]) == 64
    assert str(tmp_path) not in repr(told)


def test_an_architecture_gets_its_own_buckets_unless_others_are_asked_for():
    options = SourceOptions("sngan32", arguments=["channels=8"])
    source = options.load()
    inspection = options.inspect(options.build(source))
    assert [bucket.name for bucket in choose_plan(inspection, source).buckets] == [
        "l1",
        "block2",
        "block3",
        "block4",
        "c5",
    ]
    assert choose_plan(inspection, source, buckets=["l1", "block*"], blocks=[4, 2]).num_blocks == (4, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": ["kind=many"]}, "kind=many is no input: write its shape without the batch axis"),
        ({"inputs": ["kind=4x"]}, "kind=4x is no input"),
        ({"inputs": ["kind"]}, "is not name=value, such as label=scalar:int"),
        ({"constants": ["alpha"]}, r"is not name=value, such as alpha=1\.0"),
    ],
)
def test_examples_that_say_no_shape_or_value_are_wrong_usage(options, message):
    with pytest.raises(typer.BadParameter, match=message):
        SourceOptions("x.py", **options).example_inputs()


@pytest.mark.parametrize("text", ["28", "1x28x", "one"])
def test_an_image_shape_that_is_none_is_wrong_usage(text):
    with pytest.raises(typer.BadParameter, match="is no shape such as 1x28x28"):
        SourceOptions("x.py", image_shape=text).parsed_image_shape()


def test_examples_have_a_batch_axis_and_the_shape_and_kind_that_was_written():
    examples = SourceOptions("x.py", inputs=["w=4x4", "t=scalar", "y=3:int"], constants=["alpha=0.5"]).example_inputs()
    shapes = {name: (tuple(value.shape), value.dtype) for name, value in examples.items() if name != "alpha"}
    assert shapes == {"w": ((2, 4, 4), torch.float32), "t": ((2,), torch.float32), "y": ((2, 3), torch.int64)}
    assert examples["alpha"] == 0.5
