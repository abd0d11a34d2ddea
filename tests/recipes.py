"""What the tests of examples/reproducing share: rpganify run in this process, and a data root with a little of everything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from PIL import Image
from typer.testing import CliRunner

from examples.reproducing.processes import Ended
from examples.reproducing.recipe import Converted, Merged, Model, Recipe
from rpganify.analysis.resnet56 import ResNet56
from rpganify.cli.app import app
from tests.unit.data.files import write_cifar10, write_mnist

NUM_IMAGES = 240


@dataclass(slots=True)
class InProcess:
    """Runs commands in this process, which saves each of them the seconds in which torch is imported.

    Args:
        fails_at: words that make a command fail, to see what happens then.
    """

    fails_at: str = ""
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, words: Sequence[str], log: Path) -> Ended:
        """Run a command to its end."""
        self.ran.append(tuple(words))
        if self.fails_at and self.fails_at in " ".join(words):
            log.write_text("it began\nerror: planted\n")
            return Ended(1, "", 1.0, 0.5)
        start, used = time.monotonic(), time.process_time()
        result = CliRunner().invoke(app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        log.write_text(result.stderr)
        return Ended(result.exit_code, result.stdout, time.monotonic() - start, time.process_time() - used)

    def stop(self, number: int) -> None:
        """Nothing runs beside this."""


def tiny(recipe: Recipe) -> Recipe:
    """The same experiment with narrow networks, few blocks and small batches: seconds instead of an hour."""

    def shrunk(model: Model) -> Model:
        origin = model.origin
        if isinstance(origin, Converted):
            blocks = tuple(min(count, 3) for count in origin.blocks)
            origin = replace(origin, arguments={**origin.arguments, "channels": 16}, blocks=blocks)
        elif isinstance(origin, Merged):
            origin = replace(origin, blocks=8)
        return replace(model, origin=origin)

    training = {**recipe.training, "batch_size": 8, "discriminator_arg": {"channels": 16}, "num_workers": 0}
    return replace(recipe, models=tuple(shrunk(model) for model in recipe.models), training=training)


def write_data_root(root: Path) -> Path:
    """Noise in the published form of every data set that the recipes name but LSUN, and a classifier with random weights."""
    for prefix in ("train", "t10k"):
        write_mnist(root / "MNIST" / "raw", NUM_IMAGES, prefix)
    write_cifar10(root / "cifar-10-batches-py", NUM_IMAGES // 5)
    for folder, size in (("anime_faces", (64, 64)), ("img_align_celeba", (178, 218))):
        (root / folder).mkdir()
        for index in range(128):
            Image.effect_noise(size, 2.0 * index).convert("RGB").save(root / folder / f"{index:03}.png")
    (root / "cifar10_classifier").mkdir()
    weights = {f"module.{name}": tensor for name, tensor in ResNet56().state_dict().items()}
    torch.save({"state_dict": weights}, root / "cifar10_classifier" / "resnet56-4bfd9763.th")
    return root
