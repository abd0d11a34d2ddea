"""Images for analyzers: in batches that fit the memory, and with the model left as it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.errors import AnalysisError

MAX_BATCH = 64  # larger ones are no faster on a CPU: with random paths, a batch meets more blocks as it grows


@contextmanager
def evaluating(model: nn.Module, seed: int) -> Iterator[None]:
    """Inside, the model is in eval mode, gradients are off, and noise that it draws itself comes from `seed`.

    Afterwards every module's training flag and the global random states are what they were.
    """
    flags = [(module, module.training) for module in model.modules()]
    device = device_of(model)
    gpus = [device] if device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        if gpus:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        model.eval()
        try:
            yield
        finally:
            for module, flag in flags:
                module.training = flag


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer lies; the CPU if it has none."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


@dataclass(slots=True)
class ImageMaker:
    """Makes 8-bit images of paths, and keeps count of values that had to be clipped.

    `values` gives what the model makes as it is, of whatever shape.

    Args:
        model: already in eval mode; `evaluating` does that.
        context: device, conditions and batch size.
    """

    model: PathModel
    context: AnalysisContext
    num_values: int = 0
    num_clipped: int = 0

    @property
    def batch_size(self) -> int:
        """Images per forward pass."""
        num_pixels = math.prod(self.model.image_shape[1:])
        return max(1, min(MAX_BATCH, self.context.batch_pixels // num_pixels))

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        if self.context.device is not None:
            return self.context.device
        return device_of(self.model) if isinstance(self.model, nn.Module) else torch.device("cpu")

    def __call__(self, paths: Tensor, progress: Callable[[int], None] = lambda done: None) -> Tensor:
        """The images of `paths` as they would be saved: uint8 `(N, C, H, W)` on the CPU.

        Args:
            paths: int64 `(N, num_buckets)`.
            progress: called with the number of images done so far, after each batch.
        Raises:
            AnalysisError: a condition is missing, the images have another shape than the model says, or
                hold NaN or infinity.
        """
        made = [to_uint8(images) for images in self._batches(paths, progress)]
        return torch.cat(made) if made else torch.empty((0, *self.model.image_shape), dtype=torch.uint8)

    def values(self, paths: Tensor, progress: Callable[[int], None] = lambda done: None) -> Tensor:
        """What the model makes of `paths`, neither rounded nor clipped: float32 `(N, *image_shape)` on the CPU.

        Arguments and errors as when called.
        """
        made = list(self._batches(paths, progress))
        return torch.cat(made) if made else torch.empty((0, *self.model.image_shape))

    def _batches(self, paths: Tensor, progress: Callable[[int], None]) -> Iterator[Tensor]:
        for start in range(0, len(paths), self.batch_size):
            yield self._batch(paths[start : start + self.batch_size])
            progress(min(start + self.batch_size, len(paths)))

    def _batch(self, paths: Tensor) -> Tensor:
        device = self.device
        images = self.model.images(paths.to(device), **self._conditions(len(paths), device))
        expected = (len(paths), *self.model.image_shape)
        if tuple(images.shape) != expected:
            raise AnalysisError(f"The generator made images of shape {tuple(images.shape)} where {expected} was due.")
        if not torch.isfinite(images).all():
            raise AnalysisError(
                "The generator makes images that hold NaN or infinity; nothing can be measured on them. "
                "The training diverged: analyze an earlier checkpoint, or train with a lower learning rate."
            )
        self.num_values += images.numel()
        # Half a grey level is 1/255: what lies less than a quarter of that beyond ±1 is rounding, not overflow.
        self.num_clipped += int((images.abs() > 1 + 1e-3).sum())
        return images.float().cpu()

    def _conditions(self, num_images: int, device: torch.device) -> dict[str, Tensor]:
        wanted = [condition.name for condition in getattr(self.model, "conditions", ())]
        missing = [name for name in wanted if name not in self.context.conditions]
        if missing:
            raise AnalysisError(
                f"This generator also needs {', '.join(missing)} for each image, and the analysis was given none. "
                f"Name one value for all of them: `--condition {missing[0]}=0`, or in Python "
                f"AnalysisContext(conditions={{{missing[0]!r}: torch.tensor(0)}})."
            )
        given = {name: self.context.conditions[name].to(device) for name in wanted}
        return {name: value.expand(num_images, *value.shape) for name, value in given.items()}

    def notes(self) -> tuple[str, ...]:
        """A note if values outside [-1, 1] were clipped, else nothing."""
        if not self.num_clipped:
            return ()
        share = 100 * self.num_clipped / self.num_values
        return (
            f"{share:.2g} % of all pixel values were outside [-1, 1] and were clipped, as saving the images would. "
            "A generator that ends in tanh has none.",
        )


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] as the 8-bit values a picture file holds; outside values are clipped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """8-bit images as float32 in [-1, 1]."""
    return images.float() / 127.5 - 1
