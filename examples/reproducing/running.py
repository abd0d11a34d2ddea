"""Runs the stages of an experiment, skips what is done, and goes on with what was stopped."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rpganify.cli.formatting import format_duration

from .errors import StageError
from .processes import Ended, Execute
from .stages import Places, Stage

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What is kept of a stage that is done.

    Args:
        command: without this machine's folders.
        chain: of the stage.
        stdout: what it printed as data.
        wall_s, cpu_s: of all attempts together.
    """

    command: str
    chain: str
    stdout: str
    wall_s: float
    cpu_s: float


class Stopped(Exception):
    """The user stopped the program; what was under way is saved. `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped with {code}")
        self.code = code


def read_done(stage: Stage) -> Done | None:
    """What is kept of a stage, None if it is not done.

    Raises:
        StageError: what is there was made in another way, and is too dear to be made anew unasked.
    """
    if not stage.marker.is_file() or not stage.output.exists():
        return None
    kept: dict[str, Any] = json.loads(stage.marker.read_text(encoding="utf-8"))
    done = Done(**kept)
    if done.chain == stage.chain:
        return done
    if stage.kind == "analyze":
        return None
    raise StageError(
        f"{stage.output} was made in another way than the recipe says now: {done.command}, or what came before it, differs. "
        f"Put the recipe back, take another folder with --runs, or remove {stage.marker} and {stage.output} to make it anew."
    )


def run_stages(stages: Sequence[Stage], places: Places, execute: Execute, say: Say, *, num_jobs: int = 1) -> None:
    """Runs what is not done, in an order in which everything has what it needs.

    Args:
        stages: all of an experiment.
        places: where things are.
        execute: runs a command.
        say: told what begins and ends.
        num_jobs: how many stages run side by side.
    Raises:
        StageError: a stage failed; what ran beside it is finished first.
        Stopped: the user stopped it, with Ctrl-C or SIGTERM; trainings have saved.
    """
    done = {stage.name for stage in stages if read_done(stage) is not None}
    due = [stage for stage in stages if stage.name not in done]
    if done:
        say(f"{len(done)} of {len(stages)} stages are done already")
    running: dict[Future[None], Stage] = {}
    failed: list[BaseException] = []
    numbers = {stage.name: number for number, stage in enumerate(stages, 1)}

    def run(stage: Stage) -> None:
        say(f"[{numbers[stage.name]}/{len(stages)}] {stage.name}\n    rpganify {shlex.join(stage.words)}")
        _run_stage(stage, places, execute, say)

    with _stopping(execute, say) as stopped, ThreadPoolExecutor(num_jobs) as pool:
        while running or (due and not failed and not stopped):
            ready = [stage for stage in due if set(stage.needs) <= done]
            while ready and len(running) < num_jobs and not failed and not stopped:
                stage = ready.pop(0)
                due.remove(stage)
                running[pool.submit(run, stage)] = stage
            if not running:
                break
            ended, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in ended:
                stage = running.pop(future)
                error = future.exception()
                if error is None:
                    done.add(stage.name)
                else:
                    failed.append(error)
    if stopped:
        raise Stopped(128 + stopped[0])
    if failed:
        raise failed[0]


def _run_stage(stage: Stage, places: Places, execute: Execute, say: Say) -> None:
    stage.marker.parent.mkdir(parents=True, exist_ok=True)
    words = list(stage.words)
    if stage.settings:
        stage.settings_file.write_text(stage.settings, encoding="utf-8")
    if stage.kind == "train" and (stage.output / "checkpoints").is_dir():
        words.append("--resume")
        if "discriminator_from" in stage.settings:
            # It has its own by now; the folder that it began with may lie elsewhere, as where the whole was moved.
            words += ["--override", "discriminator_from"]
    elif stage.kind in ("make", "classifier", "train") and stage.output.exists():
        words.append("--force")  # begun, and not done: nothing in there is worth keeping
    log = stage.marker.with_suffix(".log")
    ended = execute(words, log)
    before = _spent(stage)
    total = Ended(ended.code, ended.stdout, before.wall_s + ended.wall_s, before.cpu_s + ended.cpu_s)
    if ended.code:
        _spent_file(stage).write_text(json.dumps(asdict(total)), encoding="utf-8")
        raise StageError(
            f"{stage.name} ended with exit code {ended.code}: {_last_line(log)} Repeat the same command to go on from here."
        )
    command = places.plain(f"rpganify {shlex.join(stage.words)}")
    kept = Done(command, stage.chain, ended.stdout, total.wall_s, total.cpu_s)
    aside = stage.marker.with_suffix(".aside")
    aside.write_text(json.dumps(asdict(kept), indent=1, ensure_ascii=False), encoding="utf-8")
    aside.replace(stage.marker)
    _spent_file(stage).unlink(missing_ok=True)
    say(f"done: {stage.name}, {format_duration(ended.wall_s)}")


@contextmanager
def _stopping(execute: Execute, say: Say) -> Iterator[list[int]]:
    """Inside, Ctrl-C and SIGTERM ask what runs to stop, once; the list then holds the signal's number."""
    stopped: list[int] = []

    def stop(number: int, frame: object) -> None:
        if not stopped:
            say("stopping: what runs finishes its step and saves; once more stops at once")
        stopped.append(number)
        execute.stop(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _spent_file(stage: Stage) -> Path:
    return stage.marker.with_suffix(".spent")


def _spent(stage: Stage) -> Ended:
    """The time of earlier attempts that did not come to an end."""
    file = _spent_file(stage)
    return Ended(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else Ended(0, "", 0.0, 0.0)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    said = [line.strip() for line in lines if line.strip()]
    return f"{said[-1]} ({log} has all it said.)" if said else "what it said stands above."
