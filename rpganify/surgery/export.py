"""A plain generator, such as one path of a converted model, into one file that needs no rpganify."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from rpganify.errors import ConversionError, ModelFileError, PathError, RpganifyError
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from rpganify.surgery.extract import extract, unwrap
from rpganify.surgery.gathered import gathered

Writer = Callable[[nn.Module, Tensor, Path], None]


def plain_generator(
    model: RandomPathGenerator | StandardGenerator, path: Tensor | Sequence[int] | str | None, seed: int = 0
) -> tuple[nn.Module, Tensor]:
    """What is exported: a generator without buckets in eval mode, and a latent that it takes.

    Args:
        model: converted or standard; put into eval mode.
        path: one block per bucket of a converted model, `3-17-0-22-5` as text; None for a standard one.
        seed: of the latent of a standard one; a converted model's is the `Z` of the path.
    Returns:
        The module, and the latent `(1, *shape)`, on one device.
    Raises:
        PathError: a path for a model that has none, none for one that has, or no such path.
    """
    model.eval()
    if isinstance(model, RandomPathGenerator):
        if isinstance(path, str):
            path = model.paths.parse(path)
        if path is None:
            raise PathError(
                f"This model has {model.paths.cardinality:,} paths, and one of them is a plain generator. "
                f"Choose it: --path {model.paths.format([0] * model.plan.num_buckets)}"
            )
        return extract(model, path), model.latent_of(path).detach().clone()
    if path is not None:
        raise PathError("This is a standard generator with a random latent, so it has no paths. Leave --path out.")
    plain = unwrap(model)
    device = next((tensor.device for tensor in (*plain.parameters(), *plain.buffers())), torch.device("cpu"))
    return plain, model.draw(1, torch.Generator().manual_seed(seed)).to(device)


def routed_generator(
    model: RandomPathGenerator | StandardGenerator, path: Tensor | Sequence[int] | str | None = None
) -> tuple[nn.Module, Tensor]:
    """What is exported of a whole converted model: a module that takes paths, and a path.

    Args:
        model: put into eval mode.
        path: the example; None takes the first.
    Returns:
        The module (`gathered.gathered`), and the path, int64 `(1, num_buckets)`, on one device.
    Raises:
        PathError: the model has no paths, or not this one.
        ConversionError: it cannot be written as one program.
    """
    if not isinstance(model, RandomPathGenerator):
        raise PathError(
            "This is a standard generator with a random latent, so it has no paths to take. Leave --routed out."
        )
    if isinstance(path, str):
        path = model.paths.parse(path)
    chosen = torch.zeros(model.plan.num_buckets, dtype=torch.int64) if path is None else torch.as_tensor(path)
    return gathered(model.eval()), model.paths.check(chosen[None]).to(model.Z.device)


def export(module: nn.Module, latent: Tensor, target: Path, write: Writer, *, overwrite: bool = False) -> None:
    """Writes a plain generator into one file: aside first, then renamed.

    Args:
        module: as `plain_generator` gives it.
        latent: one that it takes, `(1, *shape)`.
        target: the file.
        write: the format.
        overwrite: replace a file that is there.
    Raises:
        ModelFileError: there is a file, it cannot be written, or the format leaves none.
        ConversionError: the format cannot hold this generator.
    """
    if target.exists() and not overwrite:
        raise ModelFileError(f"{target} exists already. --force replaces it; -o names another file.")
    aside: Path | None = None
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.absolute().parent))
        write(module, latent, aside / target.name)
        if not (aside / target.name).is_file():
            raise ModelFileError(f"The export format wrote no file {target.name}. Correct the plugin that offers it.")
        os.replace(aside / target.name, target)
    except OSError as error:
        raise ModelFileError(
            f"{target} could not be written: {error}. Free some space or choose another place, and export again."
        ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def safetensors_writer() -> Writer:
    """The built-in format `safetensors`: the state dict under the original's names, for `load_state_dict`."""

    def write(module: nn.Module, latent: Tensor, target: Path) -> None:
        from safetensors.torch import save_file

        # Tied weights are one tensor under two names, which the format refuses; the original loads both.
        state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in module.state_dict().items()}
        save_file(state, target, metadata={"format": "pt"})

    return write


def latent_writer() -> Writer:
    """Writes the latent alone, as `z` `(1, *shape)` of a safetensors file."""

    def write(module: nn.Module, latent: Tensor, target: Path) -> None:
        from safetensors.torch import save_file

        save_file({"z": latent.detach().cpu().contiguous()}, target, metadata={"format": "pt"})

    return write


def pt2_writer() -> Writer:
    """The built-in format `pt2`: a program for `torch.export.load`, for any number of latents, or of paths."""

    def write(module: nn.Module, latent: Tensor, target: Path) -> None:
        batch = torch.export.Dim("batch")
        # torch.export takes a size of 1 for a constant, so it is shown two latents.
        latents = latent.expand(2, *latent.shape[1:]).contiguous()
        try:
            program = torch.export.export(module, (latents,), dynamic_shapes=({0: batch},))
            with target.open("wb") as file:  # a path would have to end in .pt2
                torch.export.save(program, file)
        except (OSError, RpganifyError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ConversionError(
                f"torch.export cannot hold this generator: {type(error).__name__}: {reason} … "
                "`--format safetensors` writes its weights, which the original class loads."
            ) from error

    return write
