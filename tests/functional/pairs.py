"""Trainings by two processes that are joined by gloo, beside the same by one; a script, for it forks.

`python pairs.py`, in an empty folder, prints what each scenario found as JSON.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, LeastSquares, NonSaturatingR1, WassersteinGP
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyLabelled, TinyLatent, digits, labelled_digits, seeded

# Where a batch is not mixed, two halves are the whole.
EQUAL = TrainConfig(steps=8, batch_size=64, d_steps=2, ema=0.9, channels_last=True, checkpoint_every=4)
SHORT = TrainConfig(steps=7, batch_size=8, d_steps=2, ema=0.9, checkpoint_every=3, augment="translation")


class Judge(nn.Module):
    """A discriminator of labels, by projection, with a convolution."""

    num_classes = 10

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 4, 3, padding=1)
        self.last = nn.Linear(4 * 64, 1)
        self.classes = nn.Embedding(10, 64)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        features = self.second(self.first(images).relu()).relu()
        return self.last(features.flatten(1)).squeeze(1) + (images.flatten(1) * self.classes(labels)).mean(1)


class Seen:
    """Data that writes down which images are asked for."""

    def __init__(self, data: Any) -> None:
        self._data, self.indices = data, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def __len__(self) -> int:
        return len(self._data)

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        self.indices.append(indices.tolist())
        return self._data.images(indices)


class Losses(Callback):
    def __init__(self) -> None:
        self.values: list[tuple[float, ...]] = []

    def on_step(self, metrics: Any) -> None:
        self.values.append((metrics.discriminator_loss, metrics.generator_loss, metrics.real_score))


class SignalAt:
    """Data that sends a signal to its own process, in one of two."""

    def __init__(self, rank: int, moment: int) -> None:
        self.rank, self.moment, self.data, self.count = rank, moment, digits(50), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)

    def __len__(self) -> int:
        return len(self.data)

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        self.count += 1
        if self.count == self.moment and int(os.environ.get("RANK", "0")) == self.rank:
            signal.raise_signal(signal.SIGTERM)
        return self.data.images(indices)


def together(work: Callable[[int], Any], count: int = 2) -> list[Any]:
    """What `work` gives in each of the processes, by rank; an error is given as its text."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    pipes = []
    for rank in range(count):
        reading, writing = os.pipe()
        if not os.fork():
            if count > 1:
                place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
                os.environ.update(place, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
            try:
                found = work(rank)
            except TrainingError as error:
                found = f"TrainingError: {error}"
            except BaseException:
                found = traceback.format_exc()
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(found, pipe)
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    results = []
    for reading in pipes:
        with os.fdopen(reading, "rb") as pipe:
            results.append(pickle.load(pipe))
    return results


def weights(trainer: Trainer) -> dict[str, list[float]]:
    named = {"g": trainer.generator, "d": trainer.discriminator}
    return {
        f"{owner}.{name}": value.flatten().tolist()
        for owner, network in named.items()
        for name, value in network.named_parameters()  # type: ignore[attr-defined]
    }


def equal() -> dict[str, Any]:
    """Losses, order of the data and final weights of one process with 64 images and of two with 32."""
    found = {}
    for name, loss in (("hinge", Hinge(wants_spectral_norm=False)), ("r1", NonSaturatingR1()), ("ls", LeastSquares())):

        def work(rank: int, count: int, name: str = name, loss: Any = loss) -> Any:
            data, losses = Seen(labelled_digits(300)), Losses()
            config = replace(EQUAL, batch_size=64 // count)
            # Each process is born with weights of its own; the main one's are what all take.
            generator, judge = seeded(TinyLabelled, rank), seeded(Judge, rank + 1)
            run = Path(f"{name}-{count}")
            trainer = Trainer(generator, judge, loss, data, config, run=run, callbacks=[losses])
            trainer.run()
            return data.indices[-16:], losses.values, weights(trainer)

        (order, losses, last), *_ = together(lambda rank: work(rank, 1), 1)
        both = together(lambda rank: work(rank, 2))
        first, second = both
        found[name] = {
            "order": order,
            "orders": [one + other for one, other in zip(first[0], second[0], strict=True)],
            "losses": [losses, first[1]],
            "told": len(second[1]),
            "largest_difference": max(
                abs(a - b) for key in last for a, b in zip(last[key], first[2][key], strict=True)
            ),
            "is_alike": first[2] == second[2],
            "ema_difference": max(
                float((value - load_file(f"{name}-2/checkpoints/latest/ema.safetensors")[key]).abs().max())
                for key, value in load_file(f"{name}-1/checkpoints/latest/ema.safetensors").items()
            ),
        }
    return found


def short(run: str, method: str, config: TrainConfig = SHORT, seed: int = 0, **arguments: Any) -> Callable[[int], Any]:
    """Random z with dropout, spectral norm and WGAN-GP: each process draws numbers of its own."""

    def work(rank: int) -> Any:
        data = arguments.get("data") or digits(50)
        loss = arguments.get("loss") or WassersteinGP()
        trainer = Trainer(
            seeded(TinyLatent, seed), seeded(Critic, seed + 1), loss, data, config, run=Path(run), overrides=OVERRIDES
        )
        result = getattr(trainer, method)()
        return {"step": result.step, "signal": result.signal, "stopped": result.is_interrupted, **weights(trainer)}

    return work


OVERRIDES: list[str] = []


def resumed() -> dict[str, Any]:
    """Two processes that go straight through, and two that stop after step 5; and one that goes on alone."""
    straight = together(short("straight", "run"))
    together(short("run", "run", replace(SHORT, steps=5)))
    again = together(short("run", "resume", seed=7))
    OVERRIDES.append("processes")
    alone = together(short("run", "resume", replace(SHORT, steps=9)), 1)
    joined = together(short("run", "resume", replace(SHORT, steps=11)))
    return {
        "is_equal": straight == again,
        "is_alike": straight[0] == straight[1],
        "steps": [again[0]["step"], alone[0]["step"], joined[0]["step"], joined[1]["step"]],
        "is_joined_alike": joined[0] == joined[1],
    }


def stopped() -> list[Any]:
    """SIGTERM to each of the processes in turn, in its third step."""
    found = []
    for rank in range(2):
        run = f"stop{rank}"
        ends = together(short(run, "run", data=SignalAt(rank, 6)))
        found.append([{key: end[key] for key in ("step", "signal", "stopped")} for end in ends])
    return found


def broken() -> dict[str, Any]:
    """A loss that is NaN in one process, once; and a process that ends by an error of its own."""

    class Once(WassersteinGP):
        count = 0

        def generator(self, fake_scores: torch.Tensor) -> torch.Tensor:
            Once.count += 1
            is_bad = Once.count == 5 and os.environ["RANK"] == "1"
            return super().generator(fake_scores) * (float("nan") if is_bad else 1)

    class Unreadable(SignalAt):
        def images(self, indices: torch.Tensor) -> torch.Tensor:
            self.count += 1
            if self.count == 6 and os.environ["RANK"] == "1":
                raise TrainingError("This image cannot be read.")
            return self.data.images(indices)

    ends = together(short("nan", "run", loss=Once()))
    state = json.loads(Path("nan/checkpoints/latest/state.json").read_text())
    return {
        "nan": [end["step"] for end in ends],
        "is_alike": ends[0] == ends[1],
        "num_rollbacks": state["num_rollbacks"],
        "gone": together(short("gone", "run", data=Unreadable(1, 0))),
    }


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    print(json.dumps({scenario.__name__: scenario() for scenario in (equal, resumed, stopped, broken)}))
