"""A generator as an ONNX file, and what a written program draws, for comparison."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from rpganify.errors import ConversionError, RpganifyError
from rpganify.surgery.export import Writer

_NEEDED = ("onnx", "onnxscript")
_HOW = "`pip install 'rpganify[onnx]'` brings what ONNX files need"


def onnx_writer() -> Writer:
    """The built-in format `onnx`: for any number of latents, or of paths, int64 `(N, num_buckets)`.

    The input has the name of the module's first argument (`z`, `paths`), the first output is called `images`.
    """

    def write(module: nn.Module, latent: Tensor, target: Path) -> None:
        _require(_NEEDED)
        name = next(iter(inspect.signature(module.forward).parameters))
        # The exporter takes a size of 1 for a constant, so it is shown two.
        latents = latent.expand(2, *latent.shape[1:]).contiguous()
        try:
            with _silent():
                program = torch.onnx.export(
                    module,
                    (latents,),
                    dynamo=True,
                    dynamic_shapes=({0: torch.export.Dim("batch")},),
                    input_names=[name],
                    output_names=["images"],
                    verbose=False,
                )
                assert program is not None
                program.save(str(target), external_data=False)
        except (OSError, RpganifyError):
            raise
        except Exception as error:
            reason = _innermost(error)
            raise ConversionError(
                f"ONNX cannot hold this generator: {reason} … `--format pt2` writes a program for torch; `--format "
                "safetensors` the weights, which the original class loads."
            ) from error

    return write


def onnx_images(file: Path, inputs: Tensor) -> Tensor:
    """What onnxruntime draws by an ONNX file of one input; the first output.

    Raises:
        ConversionError: onnxruntime is not there, or refuses the file.
    """
    _require(("onnxruntime",))
    import onnxruntime  # type: ignore[import-untyped]

    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        values = session.run(None, {session.get_inputs()[0].name: inputs.cpu().numpy()})[0]
    except Exception as error:
        raise ConversionError(
            f"onnxruntime does not run {file.name}: {_innermost(error)} … `--format pt2` writes a program for torch."
        ) from error
    return torch.from_numpy(values)


def pt2_images(file: Path, inputs: Tensor) -> Tensor:
    """What the program in a pt2 file draws; the first output."""
    with _silent():  # torch.export.load reads through a deprecated part of its own
        found = torch.export.load(str(file)).module()(inputs)
    value = torch.utils._pytree.tree_leaves(found)[0]
    assert isinstance(value, Tensor)
    return value


def _require(names: tuple[str, ...]) -> None:
    from importlib.util import find_spec

    if missing := [name for name in names if find_spec(name) is None]:
        raise ConversionError(f"{' and '.join(missing)} cannot be imported. {_HOW}.")


def _innermost(error: BaseException) -> str:
    """The cause that says most: exporters wrap theirs in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextmanager
def _silent() -> Iterator[None]:
    """Inside, the exporter keeps its advice to itself; what fails is raised."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
