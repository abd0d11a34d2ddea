"""Scripts and constructor calls with mistakes in them: each ends in a conversion that verifies, or in one line."""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path

import pytest

from rpganify.conversion.converting import convert
from rpganify.errors import RpganifyError
from rpganify.source import load_class

SCRIPT = """\
import argparse
import os
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--latent_dim", type=int, default=6)
parser.add_argument("--width", type=int, default=4)
opt = parser.parse_args()

SIZE = 4


def upsample(x):
    return F.interpolate(x, scale_factor=2)


class Block(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x):
        x = self.conv(upsample(x))
        x = self.norm(x)
        return F.relu(x)


class Generator(nn.Module):
    def __init__(self, width=opt.width):
        super().__init__()
        self.width = width
        self.fc = nn.Linear(opt.latent_dim, width * SIZE * SIZE)
        self.blocks = nn.Sequential(Block(width, width), Block(width, 3))
        self.out = nn.Conv2d(3, 1, 1)

    def forward(self, z):
        x = self.fc(z)
        x = x.view(x.shape[0], self.width, SIZE, SIZE)
        x = self.blocks(x)
        if x.shape[-1] != 4 * SIZE:
            raise ValueError("wrong size")
        return torch.tanh(self.out(x))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(256, 1)

    def forward(self, x):
        return self.fc(x.flatten(1))


os.makedirs("images", exist_ok=True)
generator = Generator()
for epoch in range(10**9):
    generator(torch.randn(64, opt.latent_dim))
"""

CALLS = (
    "Generator(width={})", "Generator({})", "Generator(widht={})", "Generator({}, {})", "Block({}, {})", "Block({})",
    "Generator(*[{}])", "Generator(width='{}')", "Discriminator()", "upsample({})", "Generator(", "{}", "Generator().out",
    "nn.Linear({}, 8)", "nn.Sequential(nn.Linear({}, 8), nn.Unflatten(1, (2, 2, 2)))", "Missing({})", "opt.width",
)  # fmt: skip
JUNK = (
    "x = x + y",
    "return",
    "    pass",
    "import nothing_like_this",
    ")",
    "x = x[:, :2]",
    "z = z.numpy()",
    "\ttab",
    "é = 1",
)


def mutated(draw: random.Random) -> tuple[str, str]:
    """A script with one to three mistakes, and what is asked of it."""
    lines = SCRIPT.split("\n")
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        kind = draw.choice(["delete", "swap", "junk", "number", "rename", "truncate", "indent"])
        if kind == "delete":
            del lines[at]
        elif kind == "swap":
            other = draw.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "junk":
            indent = re.match(r"\s*", lines[at])[0]  # type: ignore[index]
            lines.insert(at, indent + draw.choice(JUNK))
        elif kind == "number":
            lines[at] = re.sub(r"\d+", lambda _: str(draw.choice([0, 1, 2, 3, 5, 7, -1])), lines[at])
        elif kind == "rename":
            names = re.findall(r"[a-z_]{3,}", lines[at]) or ["self"]
            lines[at] = lines[at].replace(
                draw.choice(names), draw.choice(["self", "width", "torch", "other", "conv"]), 1
            )
        elif kind == "truncate":
            lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]
        else:
            lines[at] = draw.choice(["", "  ", "      "]) + lines[at].strip()
        lines = lines or [""]
    if draw.random() < 0.6:
        return "\n".join(lines), draw.choice(["", ":Generator"])
    call = draw.choice(CALLS)
    return SCRIPT, ":" + call.format(*(draw.choice([0, 1, 2, 4, -3, 10**12]) for _ in range(call.count("{}"))))


def outcome(seed: int, folder: Path) -> str:
    """What became of one mutation; anything that is neither proof nor refusal is raised."""
    script, asked = mutated(random.Random(seed))
    file = folder / f"gan{seed}.py"
    file.write_text(script)
    with warnings.catch_warnings():
        # torch warns of layers without elements and numpy of its own; neither is ours.
        warnings.simplefilter("ignore")
        try:
            source = load_class(f"{file}{asked}")
            convert(source.build(0), blocks=2, factory=source.build)
        except RpganifyError as error:
            assert str(error) and "\n" not in str(error), str(error)
            return "refused"
    return "verified"


def check(seeds: range, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    outcomes = [outcome(seed, folder) for seed in seeds]
    assert {path.suffix for path in folder.iterdir()} == {".py"}, "nothing of the scripts' own doing was run"
    # Both happen, or the mutations would be toothless.
    assert outcomes.count("verified") > len(seeds) // 10
    assert outcomes.count("refused") > len(seeds) // 10


def test_a_script_or_call_with_mistakes_is_converted_or_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(range(40), tmp_path, monkeypatch)


@pytest.mark.slow
def test_two_hundred_scripts_and_calls_with_mistakes_are_converted_or_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(range(1000, 1200), tmp_path, monkeypatch)
