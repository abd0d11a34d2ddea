"""Trainings by the command line that are killed, or find the disk full, at random moments, and go on afterwards.

A script, so that it has a process without threads to fork from: torch is imported once, and an attempt begins in
milliseconds. `python crashes.py KIND COUNT SEED`, in a folder with a converted model, prints a report as JSON.
"""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sklearn.datasets
import torch
from safetensors.torch import load_file

import rpganify.bench.train
import rpganify.cli.choosing
import rpganify.cli.sources
import rpganify.cli.training
import rpganify.data.opening
import rpganify.registry
import rpganify.training.trainer
from rpganify.cli.app import app
from rpganify.manifest import find_damage
from rpganify.training.saving.checkpoint import list_checkpoints, step_of

# Imported before the forks, since a training imports it.
PARENTS = (sklearn.datasets, rpganify)

STEPS = 18
# Every stream of random numbers counts: paths, penalty, augmentation, the margin form's pairs.
TRAIN = (
    "train tiny_gan.rpgan --data digits --discriminator mlp --batch-size 8 --d-steps 2 --loss wgan-gp --ema 0.9 "
    "--augment translation,cutout --diversity margin --sample-every 7 --checkpoint-every 2 --keep 2"
).split()
WRITING = os.O_WRONLY | os.O_RDWR
FULL = OSError(errno.ENOSPC, "No space left on device")


@dataclass(frozen=True)
class Fault:
    """What goes wrong in an attempt, and when: after so many seconds, or before so many changes of files."""

    kind: str
    after_s: float | None = None
    change: int | None = None
    room: int = 0


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: its exit code (negative: by a signal), what it said, and how many files it changed."""

    code: int
    said: str
    changes: int
    duration_s: float


class Disk:
    """Counts the changes that this process makes to files, and at one of them does what the fault says."""

    def __init__(self, fault: Fault | None, tell: Callable[[int], None]) -> None:
        self.fault, self.tell, self.count, self.is_broken = fault, tell, 0, False
        self.fsync = os.fsync

    def install(self) -> None:
        sys.addaudithook(self.hear)
        os.fsync = self.sync

    def sync(self, handle: int) -> None:
        self.change()
        self.fsync(handle)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        is_change = event in ("os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir")
        if is_change or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            self.change(may_fail=event not in ("os.remove", "os.rmdir"))

    def change(self, may_fail: bool = True) -> None:
        self.count += 1
        self.tell(self.count)
        if self.fault is None or self.fault.change is None or self.count < self.fault.change:
            return
        match self.fault.kind:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "refuse" if may_fail and not self.is_broken:  # once: somebody makes room at once
                self.is_broken = True
                raise FULL
            case "limit" if not self.is_broken:  # from now on no file grows beyond it
                self.is_broken = True
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.fault.room, resource.RLIM_INFINITY))


def attempt(arguments: list[str], fault: Fault | None = None) -> Ending:
    """Run a command in a forked process."""
    started = time.monotonic()
    reading, writing = os.pipe()
    counting, counted = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading), os.close(counting)
        os.dup2(writing, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 70
        try:
            Disk(fault, lambda count: os.write(counted, b".")).install()
            app(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing), os.close(counted)
    said, changes = {reading: b"", counting: b""}, 0
    end = None if fault is None or fault.after_s is None else started + fault.after_s
    while said:
        left = None if end is None else max(0.0, end - time.monotonic())
        ready, _, _ = select.select(list(said), [], [], left)
        if not ready:
            os.kill(child, signal.SIGKILL)
            end = None
        for pipe in ready:
            part = os.read(pipe, 65536)
            if pipe == counting:
                changes += len(part)
            said[pipe] += part
            if not part:
                os.close(pipe)
                talk = said.pop(pipe)
                if pipe == reading:
                    words = talk.decode()
    _, status = os.waitpid(child, 0)
    return Ending(os.waitstatus_to_exitcode(status), words, changes, time.monotonic() - started)


def command(run: Path, *, waits: bool) -> list[str]:
    """What whoever watches over a training calls again: the start, until there is something to go on with."""
    if (run / "config.toml").exists():
        return ["train", str(run), "--resume"]
    waiting = ["--waiting-checkpoints"] if waits else []
    return [*TRAIN, "--steps", str(STEPS), "-o", str(run), *waiting]


def differences(run: Path, straight: Path) -> list[str]:
    """What a training left behind otherwise than another."""
    found = []
    one, other = (folder / "checkpoints" / f"step-{STEPS:06d}" for folder in (run, straight))
    names = sorted(path.relative_to(other).as_posix() for path in other.rglob("*.safetensors"))
    if [path for path in names if not (one / path).is_file()]:
        return [f"{run}: not all of {names} are there"]
    for name in names:
        a, b = load_file(one / name), load_file(other / name)
        found += [f"{run} {name} {key}" for key in b if key not in a or not torch.equal(a[key], b[key])]
    numbers = [json.loads((folder / "state.json").read_text()) for folder in (one, other)]
    found += [f"{run} {key}" for key in numbers[1] if key != "elapsed_s" and numbers[0].get(key) != numbers[1][key]]
    rows = [[json.loads(line) for line in (folder / "metrics.jsonl").open()] for folder in (run, straight)]
    losses = [[(row["step"], row["discriminator_loss"], row["generator_loss"]) for row in part] for part in rows]
    if losses[0] != losses[1]:
        found.append(f"{run} metrics.jsonl")
    for picture in (straight / "samples").iterdir():
        if (run / "samples" / picture.name).read_bytes() != picture.read_bytes():
            found.append(f"{run} {picture.name}")
    files = [sorted(path.name for path in (folder / "checkpoints").iterdir()) for folder in (run, straight)]
    if files[0] != files[1]:
        found.append(f"{run} checkpoints: {files[0]}, not {files[1]}")
    return found


def complaints(run: Path, ending: Ending, fault: Fault) -> list[str]:
    """What an attempt that found the disk full should have said, or left, otherwise."""
    found = []
    errors = [line for line in ending.said.splitlines() if line.startswith("error: ")]
    is_refused = ending.code == 1 and len(errors) == 1 and "bug in rpganify" not in errors[0]
    if not (ending.code == 0 or is_refused) or "Traceback" in ending.said:
        found.append(f"{run} ended by {ending.code} after {fault}: {ending.said}")
    if ending.code == 1 and list((run / "checkpoints").glob(".aside-*")):
        found.append(f"{run}: half a checkpoint is left after {fault}")
    return found


def losses(run: Path, newest: int) -> tuple[list[str], int]:
    """Checkpoints that are not whole, or fewer than there were; and the newest step that is safe."""
    kept = list_checkpoints(run / "checkpoints")
    found = [f"{path}: {damage}" for path in kept if (damage := find_damage(path)) is not None]
    now = step_of(kept[-1]) if kept else 0
    return found + ([f"{run} went from step {newest} back to {now}"] if now < newest else []), now


def faults(kind: str, chance: random.Random, whole: Ending) -> Fault:
    """A random moment of a training that would last as long as this one."""
    change = chance.randint(1, whole.changes)
    if kind == "kill":
        by_clock = Fault(kind, after_s=chance.uniform(0, whole.duration_s))
        return by_clock if chance.random() < 0.5 else Fault(kind, change=change)
    if chance.random() < 0.5:
        return Fault("refuse", change=change)
    return Fault("limit", change=change, room=int(10 ** chance.uniform(1, 4.5)))


def main(kind: str, count: int, seed: int) -> dict[str, object]:
    """Train until so many faults have struck; every training is brought to its end and compared."""
    chance = random.Random(seed)
    straight = Path("straight")
    whole = attempt(command(straight, waits=False))
    assert whole.code == 0, whole.said
    struck, trainings, problems, said = 0, 0, [], []
    while struck < count:
        run = Path(f"run{trainings}")
        code, newest = None, 0
        while code != 0:
            fault = faults(kind, chance, whole) if struck < count else None
            ending = attempt(command(run, waits=bool(trainings % 2)), fault)
            code = ending.code
            if fault is not None and code != 0:
                struck += 1
            if kind == "kill" and code not in (0, -signal.SIGKILL):
                problems.append(f"{run} ended by {code}: {ending.said}")
            elif kind != "kill":
                problems += complaints(run, ending, fault or Fault("none"))
                said += [line for line in ending.said.splitlines() if line.startswith("error: ")]
            lost, newest = losses(run, newest)
            problems += lost
            if len(problems) > 5:
                return {"struck": struck, "trainings": trainings, "problems": problems, "said": said}
        problems += differences(run, straight)
        trainings += 1
    return {"struck": struck, "trainings": trainings, "problems": problems, "said": said}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
