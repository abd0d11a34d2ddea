"""Which model a folder stands for: itself, or of a run the newest intact checkpoint's generator or moving average."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from rpganify.errors import ModelFileError
from rpganify.manifest import MANIFEST, find_damage

log = logging.getLogger(__name__)

GRAPH = "graph.json"
RAW, AVERAGE = "generator.rpgan", "ema.rpgan"


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model on disk.

    Args:
        directory: of the model itself.
        step: of the checkpoint that it is in; None if it is in none.
        is_average: whether it is a generator's moving average rather than its weights after that step; None where a
            training kept no average.
    """

    directory: Path
    step: int | None = None
    is_average: bool | None = None

    @property
    def words(self) -> str:
        """Which weights these are, for a line of talk; empty for a model that is in no checkpoint."""
        if self.step is None:
            return ""
        match self.is_average:
            case True:
                return f"the moving average after step {self.step} (--raw takes the weights of that step)"
            case False:
                return f"the weights of step {self.step}, not their moving average (as --raw says)"
        return f"the weights of step {self.step}"


def find_model(directory: Path, *, is_raw: bool = False) -> FoundModel:
    """The model that a folder stands for: itself, a checkpoint's, or the newest intact checkpoint's of a run.

    Args:
        directory: a model, a checkpoint (also `checkpoints/best`), or a run.
        is_raw: take a checkpoint's own weights even where it has their moving average.
    Raises:
        ModelFileError: there is none, or none is intact.
    """
    if not directory.exists():
        raise ModelFileError(f"There is no model at {directory}. `rpganify convert my_gan.py` makes one.")
    if (directory / GRAPH).is_file():
        _refuse_damage(directory.resolve().parent, directory)
        return _described(directory)
    if _is_checkpoint(directory):
        model = _model_in(directory, is_raw)
        _refuse_damage(directory, model)
        if (model / GRAPH).is_file():
            return _described(model)
    damaged = ""
    for checkpoint in reversed(sorted(directory.glob("checkpoints/step-*"), key=_step_of)):
        model = _model_in(checkpoint, is_raw)
        damage = find_damage(checkpoint, under=model.name)
        if damage is None and (model / GRAPH).is_file():
            return _described(model)
        if damage is not None:
            damaged = f"{checkpoint} is damaged ({damage})"
            log.warning("The checkpoint %s, so the one before it is used.", damaged)
    for model in sorted(directory.glob("*.rpgan")):
        if (model / GRAPH).is_file():
            return FoundModel(model)
    if damaged:
        raise ModelFileError(f"{directory} has no intact model: {damaged}. Take another copy of it, or train again.")
    raise ModelFileError(
        f"{directory} is neither an rpganify model (it holds no {GRAPH}) nor a run with a checkpoint. `rpganify convert` "
        "and `rpganify train` make them."
    )


def _is_checkpoint(directory: Path) -> bool:
    return re.fullmatch(r"step-\d+", directory.resolve().name) is not None


def _model_in(checkpoint: Path, is_raw: bool) -> Path:
    """Where the wanted model of a checkpoint lies, if it has one."""
    return checkpoint / (RAW if is_raw or not (checkpoint / AVERAGE).exists() else AVERAGE)


def _refuse_damage(checkpoint: Path, model: Path) -> None:
    """Refuse a model that the user names, where it is in a checkpoint and not as it was written.

    Raises:
        ModelFileError: it is not.
    """
    has_manifest = _is_checkpoint(checkpoint) and (checkpoint / MANIFEST).exists()  # a copy may have left it behind
    damage = find_damage(checkpoint, under=model.resolve().name) if has_manifest else None
    if damage is not None:
        raise ModelFileError(
            f"The checkpoint {checkpoint} is damaged ({damage}). Name its run instead, of which the newest intact one is "
            "opened, or take another copy."
        )


def _described(model: Path) -> FoundModel:
    checkpoint = model.resolve().parent
    if not _is_checkpoint(checkpoint) or model.name not in (RAW, AVERAGE):
        return FoundModel(model)
    has_average = (checkpoint / AVERAGE / GRAPH).is_file()
    return FoundModel(model, _step_of(checkpoint), model.name == AVERAGE if has_average else None)


def _step_of(checkpoint: Path) -> int:
    return int(re.sub(r"\D", "", checkpoint.name) or 0)
