"""Small converted generators, and the explorer of one on a real socket."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import rpganify
from rpganify.explorer.app import build_app
from rpganify.explorer.conditions import Field
from rpganify.explorer.describing import Naming
from rpganify.explorer.painting import Painter
from rpganify.explorer.serving import address, make_server, open_socket
from rpganify.routing.generator import RandomPathGenerator


class Pictures(nn.Module):
    """Colour pictures of 6x4 from three layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 3 * 6 * 4)

    def forward(self, z):
        return torch.tanh(self.last(self.second(self.first(z).relu()).relu())).view(-1, 3, 6, 4)


class Labelled(Pictures):
    """Pictures of one of four labels, at some strength."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = nn.Embedding(4, 5)

    def forward(self, z, label, strength):
        return super().forward(z + self.labels(label)) * strength[:, None, None, None]


class Noisy(Pictures):
    """Pictures under noise that is drawn at each call."""

    def forward(self, z):
        pictures = super().forward(z)
        return pictures + 0.2 * torch.randn_like(pictures)


BUCKETS = ["first", "second", "last"]
NUM_BLOCKS = [4, 1, 70]


@pytest.fixture(scope="session")
def pictures() -> RandomPathGenerator:
    torch.manual_seed(0)
    return rpganify.wrap(Pictures(), buckets=BUCKETS, blocks=NUM_BLOCKS).eval()


@pytest.fixture(scope="session")
def labelled() -> RandomPathGenerator:
    torch.manual_seed(0)
    examples = {"z": torch.randn(2, 5), "label": torch.zeros(2, dtype=torch.int64), "strength": torch.ones(2)}
    return rpganify.wrap(Labelled(), buckets=BUCKETS, blocks=NUM_BLOCKS, latent="z", example_inputs=examples).eval()


@pytest.fixture(scope="session")
def noisy() -> RandomPathGenerator:
    torch.manual_seed(0)
    return rpganify.wrap(Noisy(), buckets=BUCKETS, blocks=NUM_BLOCKS).eval()


@dataclass(frozen=True)
class Site:
    """A served explorer, asked as a browser would."""

    url: str

    def ask(self, place: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with lower-case names, and body."""
        request = urllib.request.Request(self.url + place, headers={k.replace("_", "-"): v for k, v in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


@contextmanager
def served(model: RandomPathGenerator, fields: tuple[Field, ...] = (), name: str = "m.rpgan") -> Iterator[Site]:
    """The explorer of a model, on a socket of 127.0.0.1."""
    painter = Painter(model, {field.name: field.initial for field in fields})
    with open_socket(0) as opened, ThreadPoolExecutor(1) as executor:
        naming = Naming(name, ("--raw",), "the weights of step 7")
        server = make_server(build_app(painter, fields, naming, executor))
        thread = threading.Thread(target=lambda: server.run(sockets=[opened]))
        url = address(opened)
        thread.start()
        try:
            yield Site(url)
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def site(pictures: RandomPathGenerator) -> Iterator[Site]:
    with served(pictures) as one:
        yield one
