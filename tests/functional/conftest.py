"""Drives the command line in a working directory of its own."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rpganify.cli.app import app

# What people have: argparse and side effects at module level, a generator, a training loop at the bottom.
TINY_GAN = """
import argparse
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

os.makedirs("images", exist_ok=True)
parser = argparse.ArgumentParser()
parser.add_argument("--latent_dim", type=int, default=6)
opt = parser.parse_args()


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(opt.latent_dim, 4 * 4 * 4)
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, z):
        h = self.l1(z).view(-1, 4, 4, 4)
        h = F.relu(self.norm(self.conv1(F.interpolate(h, scale_factor=2))))
        return torch.tanh(self.conv2(h))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, image):
        return self.model(image)


raise SystemExit("the training loop was started")
"""


class Shell:
    """A working directory, and `rpganify` in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: str):
        """The command's result; any exception that got past the command line's boundary fails the test."""
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def succeeds(self, *arguments: str):
        """The result of a command that must end with 0."""
        result = self(*arguments)
        assert result.exit_code == 0, result.stderr
        return result

    def refuses(self, *arguments: str) -> str:
        """The message of a command that must end with 1, say so on one line, and leave the directory as it was."""
        before = self.files()
        result = self(*arguments)
        assert result.exit_code == 1, (result.exit_code, result.stdout, result.stderr)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, result.stderr
        assert result.stderr.splitlines()[-1] == errors[0]
        assert "Traceback" not in result.stderr
        assert "bug in rpganify" not in errors[0]
        assert result.stdout == ""
        assert self.files() == before
        return errors[0]

    def files(self) -> dict[str, bytes]:
        """Every file below the working directory with its content."""
        return {
            path.relative_to(self.directory).as_posix(): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.directory.rglob("*"))
        }

    def write(self, name: str, text: str) -> Path:
        """A file in the working directory."""
        path = self.directory / name
        path.write_text(text)
        return path


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Shell:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RPGANIFY_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    # What is installed beside rpganify is another's; tests of plugins name theirs.
    monkeypatch.setattr("rpganify.registry.finding.ENTRY_POINT_GROUP", "nobody")
    monkeypatch.setattr("rpganify.registry.default._loaded", None)
    for variable in ("RPGANIFY_PLUGINS_DIR", "RPGANIFY_LOAD_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)
    return Shell(tmp_path)


@pytest.fixture
def tiny(shell) -> Shell:
    """A working directory with `tiny_gan.py`."""
    shell.write("tiny_gan.py", TINY_GAN)
    return shell


@pytest.fixture
def converted(tiny) -> Shell:
    """A working directory with `tiny_gan.py` and `tiny_gan.rpgan`: buckets l1, conv1, conv2 of 3 blocks."""
    tiny.succeeds("convert", "tiny_gan.py", "--buckets", "l1 conv1 conv2", "--blocks", "3")
    return tiny
