"""What people write to choose layers, and what they are told when it chooses none."""

from __future__ import annotations

import pytest

from rpganify.conversion.selection import select_layers
from rpganify.errors import PlanError
from rpganify.plan import NormMode
from rpganify.routing.blueprint import Layer

KINDS = {
    "l1": "Linear",
    "block2.c1": "Conv2d",
    "block2.c2": "Conv2d",
    "block3.up": "ConvTranspose2d",
    "block3.bn": "BatchNorm2d",
    "block3.c2": "Conv2d",
    "main.0": "Conv2d",
    "main.1": "BatchNorm2d",
    "main.3": "Conv2d",
    "main.10": "Conv2d",
    "b5": "BatchNorm2d",
    "c5": "Conv2d",
}
LAYERS = [Layer(name, kind, (f"{name}.weight",), 10, (), kind == "BatchNorm2d") for name, kind in KINDS.items()]
STAGES = [("l1",), ("block2.c1", "block2.c2"), ("block3.up", "block3.c2"), ("main.0", "main.3", "main.10"), ("c5",)]


def select(entry: str, norm: NormMode = "shared") -> tuple[str, ...]:
    return select_layers(entry, LAYERS, STAGES, norm)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("l1", ("l1",)),
        ("block2", ("block2.c1", "block2.c2")),
        ("block2.c1", ("block2.c1",)),
        ("block3", ("block3.up", "block3.c2")),
        ("block*.c2", ("block2.c2", "block3.c2")),
        ("block?.c?", ("block2.c1", "block2.c2", "block3.c2")),
        ("main.[01]", ("main.0",)),
        ("main.1*", ("main.10",)),
        ("re:block[23]", ("block2.c1", "block2.c2", "block3.up", "block3.c2")),
        (r"re:c\d$", ("block2.c1", "block2.c2", "block3.c2", "c5")),
        ("type:ConvTranspose2d", ("block3.up",)),
        ("type:Conv*", ("block2.c1", "block2.c2", "block3.up", "block3.c2", "main.0", "main.3", "main.10", "c5")),
        ("block2..block3", ("block2.c1", "block2.c2", "block3.up", "block3.c2")),
        ("main.0..main.10", ("main.0", "main.3", "main.10")),
        ("block2.c2 .. main.0", ("block2.c2", "block3.up", "block3.c2", "main.0")),
        ("main.0..block3", ("block3.up", "block3.c2", "main.0")),
        ("stage:1", ("l1",)),
        ("stage:4", ("main.0", "main.3", "main.10")),
        ("b5,c5", None),
        ("c5,l1", ("l1", "c5")),
        (" block2 , stage:1 ", ("l1", "block2.c1", "block2.c2")),
        ("block2,block2.c1", ("block2.c1", "block2.c2")),
        ("*", ("l1", "block2.c1", "block2.c2", "block3.up", "block3.c2", "main.0", "main.3", "main.10", "c5")),
    ],
)
def test_names_globs_expressions_types_ranges_and_stages_choose_layers_in_order(
    entry: str, expected: tuple[str, ...] | None
) -> None:
    if expected is None:
        with pytest.raises(PlanError, match="'b5' selects norm layers only"):
            select(entry)
    else:
        assert select(entry) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("block3", ("block3.up", "block3.bn", "block3.c2")),
        ("b5,c5", ("b5", "c5")),
        ("type:BatchNorm2d", ("block3.bn", "main.1", "b5")),
        ("main.0..main.3", ("main.0", "main.1", "main.3")),
    ],
)
def test_with_norms_per_block_norm_layers_are_chosen_too(entry: str, expected: tuple[str, ...]) -> None:
    assert select(entry, "per-block") == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("blok2", r"No layer of this generator matches 'blok2'\. Did you mean 'block2'.*`rpganify inspect`.*12 layers"),
        ("c6", r"No layer of this generator matches 'c6'\. Did you mean 'c5'"),
        ("l1,zebra", r"matches 'zebra'\. `rpganify inspect` lists all 12 layers"),
        ("block", r"No layer of this generator matches 'block'\. Did you mean 'block[23]'"),
        ("re:^block9", r"No layer of this generator matches 're:\^block9'"),
        ("re:block[", r"'block\[' is no regular expression: unterminated character set"),
        ("type:Conv3d", r"No layer of type 'Conv3d'; this generator has BatchNorm2d, Conv2d.* Did you mean 'Conv2d'"),
        ("stage:0", r"There is no stage '0': this generator has stages 1 to 5\."),
        ("stage:6", r"There is no stage '6': this generator has stages 1 to 5\."),
        ("stage:last", r"There is no stage 'last'"),
        ("stage:²", r"There is no stage '²'"),
        ("l1..c9", r"No layer of this generator matches 'c9'\. Did you mean 'c5'"),
        ("b5", r"'b5' selects norm layers only, and norm layers are shared by all paths.*norm=\"per-block\""),
        ("type:BatchNorm2d", r"selects norm layers only.*`--norm per-block`"),
        ("", r"matches ''"),
        ("l1,,c5", r"matches ''"),
        ("re:", r"matches 're:'"),
        ("main.1", r"'main\.1' selects norm layers only"),
    ],
)
def test_what_chooses_nothing_is_refused_with_the_nearest_names(entry: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        select(entry)
