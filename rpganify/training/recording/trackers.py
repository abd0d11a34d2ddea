"""Trackers of accelerate, such as TensorBoard, told of a training by a callback."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from rpganify.errors import TrainingError, closest
from rpganify.training.callbacks import Alarm, Callback, Quality, StepMetrics, TrainResult, TrainStart
from rpganify.training.randomness import global_states, restore_global_states
from rpganify.training.recording.grids import sample_grid_path, variation_grid_path

log = logging.getLogger(__name__)

PROJECT = "rpganify"
# Where a run keeps what its trackers need to go on in the same log.
_IDENTITIES = "trackers.json"
_SCALARS = {
    "loss/discriminator": "discriminator_loss",
    "loss/generator": "generator_loss",
    "loss/penalty": "penalty",
    "loss/diversity": "diversity",
    "score/real": "real_score",
    "score/fake": "fake_score",
    "time/data": "data_s",
    "time/discriminator": "discriminator_s",
    "time/generator": "generator_s",
    "time/other": "other_s",
    "images per second": "images_per_s",
}


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a tracker is opened with.

    Args:
        run: the run's folder.
        identity: of this run in the tracker's log, where the tracker has such; a resumed run keeps it.
        step: steps whose values stay.
    """

    run: Path
    identity: str
    step: int


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one of accelerate's trackers differs from the others.

    Args:
        package: what is installed to have it.
        options: keyword arguments beside its name.
        title: the name it is opened with.
        pictures: how it takes pictures; None where it takes none.
        takes_text: whether it takes texts as values.
        goes_on: whether a resumed training goes on in the same log, by these options.
        has_identity: whether it finds the log again by an identity.
    """

    package: str
    options: Callable[[_Opening], dict[str, Any]]
    title: str = PROJECT
    pictures: Callable[..., None] | None = None
    takes_text: bool = False
    goes_on: bool = False
    has_identity: bool = False


def _as_array(tracker: Any, name: str, picture: Image.Image, step: int) -> None:
    tracker.log_images({name: np.asarray(picture)[None]}, step=step, dataformats="NHWC")


def _as_list(tracker: Any, name: str, picture: Image.Image, step: int) -> None:
    tracker.log_images({name: [picture]}, step=step)


def _as_one(tracker: Any, name: str, picture: Image.Image, step: int) -> None:
    tracker.log_images({name: picture}, step=step)


_DIALECTS = {
    "tensorboard": _Dialect(
        "rpganify[tensorboard]",
        # What an earlier training wrote of later steps is hidden.
        lambda opening: {"logging_dir": str(opening.run), "purge_step": opening.step + 1 if opening.step else 0},
        title="tensorboard",  # its folder in the run
        pictures=_as_array,
        takes_text=True,
        goes_on=True,
    ),
    "wandb": _Dialect(
        "wandb",
        lambda opening: {
            "dir": str(opening.run),
            "name": opening.run.resolve().name,
            "id": opening.identity,
            "resume": "allow",
        },
        pictures=_as_list,
        takes_text=True,
        goes_on=True,
        has_identity=True,
    ),
    "dvclive": _Dialect(
        "dvclive",
        lambda opening: {
            "dir": str(opening.run / "dvclive"),
            "resume": opening.step > 0,
            "save_dvc_exp": False,
            "report": None,
        },
        goes_on=True,
    ),
    "aim": _Dialect("aim", lambda opening: {"logging_dir": str(opening.run)}, pictures=_as_one),
    "mlflow": _Dialect("mlflow", lambda opening: {"run_name": opening.run.resolve().name}),
    "swanlab": _Dialect("swanlab", lambda opening: {"logdir": str(opening.run / "swanlab")}, pictures=_as_list),
    "comet_ml": _Dialect("comet_ml", lambda opening: {}, takes_text=True),
    "clearml": _Dialect("clearml", lambda opening: {}),
    "trackio": _Dialect("trackio", lambda opening: {"name": opening.run.resolve().name}),
}


def open_tracker(name: str, settings: Mapping[str, Any], every: int = 10) -> TrackerLog:
    """The tracker that `--log` names.

    Args:
        name: as accelerate calls it: `tensorboard`, `wandb`, …
        settings: of the training; they are logged with it.
        every: steps between values, which are means over these steps.
    Raises:
        TrainingError: there is no such tracker, or it is not installed.
    """
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    names = sorted(set(LOGGER_TYPE_TO_CLASS) & set(_DIALECTS))
    if name not in names:
        raise TrainingError(
            f"There is no tracker {name!r}.{closest(name, names)} accelerate knows {', '.join(names)}; "
            "metrics.jsonl is written always."
        )
    if name not in {str(one) for one in get_available_trackers()}:
        raise TrainingError(
            f"--log {name} needs a package that is not installed: pip install '{_DIALECTS[name].package}'. Without it, "
            "metrics.jsonl and the pictures in samples/ hold the same."
        )
    return TrackerLog(name, LOGGER_TYPE_TO_CLASS[name], settings, every)


class TrackerLog(Callback):
    """Tells a tracker of a training: numbers, pictures, quality, alarms and settings.

    The log lies in the run's folder, where the tracker lets us choose. A resumed training goes on in the same log
    (TensorBoard, wandb, dvclive); the other trackers begin a new one. A tracker that fails while the training runs
    is left alone from then on, with a warning, since no training should end for its log.

    Args:
        name: of the tracker, for messages.
        make: its class; see `accelerate.tracking.GeneralTracker`.
        settings: of the training.
        every: steps between values, >= 1.
    """

    def __init__(self, name: str, make: Callable[..., Any], settings: Mapping[str, Any], every: int) -> None:
        self._name = name
        self._make = make
        self._dialect = _DIALECTS[name]
        self._settings = settings
        self._every = every
        self._tracker: Any = None
        self._samples = Path()
        self._recent: list[StepMetrics] = []
        self._pictured: int | None = None

    def on_start(self, start: TrainStart) -> None:
        """Open the log, or go on with it.

        Raises:
            TrainingError: the tracker cannot be started.
        """
        self._samples = start.run / "samples"
        identity = _identity(start.run, self._name, start.step > 0) if self._dialect.has_identity else ""
        try:
            with _unmoved_randomness():
                self._open(_Opening(start.run, identity, start.step))
        except Exception as error:
            self._tracker = None
            reason = f"{type(error).__name__}: {str(error).rstrip('.')}"
            raise TrainingError(
                f"--log {self._name} cannot be started: {reason}. Set it up as its own manual says, or leave --log out; "
                "metrics.jsonl holds the same."
            ) from error
        if start.step == 0:
            self._tell_pictures(0)

    def on_step(self, metrics: StepMetrics) -> None:
        """Log numbers and pictures if they are due."""
        self._recent.append(metrics)
        if metrics.step % self._every == 0:
            self._tell_numbers()
        if metrics.gradient_norms:
            norms = {f"gradient norm/{_plain(name)}": norm for name, norm in metrics.gradient_norms.items()}
            self._tell(lambda tracker: tracker.log(norms, step=metrics.step))
        self._tell_pictures(metrics.step)

    def on_quality(self, quality: Quality) -> None:
        """Log the value, under the metric's name as far as trackers take it."""
        values = {f"quality/{_plain(quality.name)}": quality.value}
        self._tell(lambda tracker: tracker.log(values, step=quality.step))

    def on_alarm(self, alarm: Alarm) -> None:
        """Log the alarm, where the tracker takes texts."""
        if self._dialect.takes_text:
            self._tell(lambda tracker: tracker.log({f"alarm/{alarm.kind}": alarm.message}, step=alarm.step))

    def on_rollback(self, start: TrainStart) -> None:
        """Go on behind the step that the training went back to."""
        self._recent.clear()
        self._pictured = None
        if self._tracker is not None and self._dialect.goes_on:
            self.close()
            self._tell_of_failure(lambda: self.on_start(start))

    def on_end(self, result: TrainResult) -> None:
        """Log what is left, and the last pictures."""
        self._tell_numbers()
        self._tell_pictures(result.step)
        self.close()

    def close(self) -> None:
        """Close the log; may be called twice."""
        self._tell(lambda tracker: tracker.finish())
        self._tracker = None

    def _open(self, opening: _Opening) -> None:
        from accelerate import PartialState

        PartialState()  # which the trackers ask whether they are in the main process
        tracker = self._make(self._dialect.title, **self._dialect.options(opening))
        tracker.start()
        self._tracker = tracker
        settings = {name: _plain_value(value) for name, value in self._settings.items()}
        if opening.step > 0:
            return
        if self._name == "tensorboard":
            # Its own way of keeping settings adds a second, empty run to the list.
            rows = "".join(f"| {name} | {value} |\n" for name, value in settings.items())
            tracker.log({"settings": f"| setting | value |\n| --- | --- |\n{rows}"}, step=0)
        else:
            tracker.store_init_configuration(settings)

    def _tell_numbers(self) -> None:
        if not self._recent:
            return
        values = {}
        for name, field in _SCALARS.items():
            found = [value for one in self._recent if (value := getattr(one, field)) is not None]
            if found:
                values[name] = fmean(found)
        step = self._recent[-1].step
        self._recent.clear()
        self._tell(lambda tracker: tracker.log(values, step=step))

    def _tell_pictures(self, step: int) -> None:
        """Log the pictures that the run's writers, who are told before us, made of this step."""
        if step == self._pictured:
            return
        paths = {"samples": sample_grid_path, "variations": variation_grid_path}
        show = self._dialect.pictures
        for name, path_of in paths.items():
            path = path_of(self._samples, step)
            if show is not None and path.exists():
                self._pictured = step
                with Image.open(path) as file:
                    picture = file.convert("RGB")
                self._tell(partial(show, name=name, picture=picture, step=step))

    def _tell(self, what: Callable[[Any], None]) -> None:
        if self._tracker is not None:
            self._tell_of_failure(lambda: what(self._tracker))

    def _tell_of_failure(self, what: Callable[[], None]) -> None:
        try:
            with _unmoved_randomness():
                what()
        except Exception as error:
            self._tracker = None
            log.warning(
                "The tracker %s failed and is told nothing more in this training (%s: %s). metrics.jsonl holds it all.",
                self._name,
                type(error).__name__,
                error,
            )


def _identity(run: Path, name: str, is_resumed: bool) -> str:
    """What the run is called in the tracker's log, kept in the run's folder."""
    path = run / _IDENTITIES
    try:
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if name not in known or not is_resumed:
        known[name] = uuid.uuid4().hex
        path.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return known[name]


def _plain(name: str) -> str:
    """A name that every tracker takes: no accents, brackets or commas."""
    decomposed = unicodedata.normalize("NFKD", name)
    return re.sub(r"[^A-Za-z0-9_. -]+", "_", "".join(one for one in decomposed if not unicodedata.combining(one)))


def _plain_value(value: Any) -> str | int | float | bool:
    return value if isinstance(value, (str, int, float, bool)) else str(value)


@contextmanager
def _unmoved_randomness() -> Iterator[None]:
    """Inside, somebody else's code may draw from the global generators; afterwards they are as before."""
    states = global_states()
    try:
        yield
    finally:
        restore_global_states(states)
