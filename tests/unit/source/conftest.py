"""Scripts written as strings; whatever a test loads may not leave anything in the folder it stands in."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WriteScript = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteScript]:
    """Writes files below the working directory; at the end nothing else may lie there, and no path may be left."""
    monkeypatch.chdir(tmp_path)
    written: set[Path] = set()
    path_before = list(sys.path)

    def write_file(text: str | bytes, name: str = "my_gan.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written.update({path, *path.parents})
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return name

    yield write_file
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} <= written
    assert sys.path == path_before


GENERATOR = """
import torch
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self, latent_dim=4, channels=1):
        super().__init__()
        self.fc = nn.Linear(latent_dim, channels * 4)
        self.channels = channels

    def forward(self, z):
        return self.fc(z).view(z.size(0), self.channels, 2, 2)
"""


@pytest.fixture(scope="session")
def generator_text() -> str:
    """A script that holds one small generator, `Generator(latent_dim=4, channels=1)`, and nothing else."""
    return GENERATOR
