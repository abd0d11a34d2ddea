"""Where a training's state is safe: checkpoints on the disk, and a copy in memory to go back to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from rpganify.training.config import TrainConfig
from rpganify.training.processes import Processes
from rpganify.training.randomness import Streams
from rpganify.training.run import RunDirectory
from rpganify.training.saving.checkpoint import (
    ModelWriter,
    keep_newest,
    list_checkpoints,
    newest_intact,
    point_to,
    read_checkpoint,
    remove_later,
    step_of,
)
from rpganify.training.saving.snapshot import Snapshot, SnapshotMemory, restore
from rpganify.training.saving.writer import CheckpointWriter
from rpganify.training.state import TrainingState
from rpganify.training.steps import NotFinite

log = logging.getLogger(__name__)

# What the learning rates are multiplied by each time that a training goes back.
RATE_FACTOR = 0.5


class StateKeeper:
    """Keeps the states of one training, of all its processes; the main one writes.

    Args:
        run: where.
        config: how often, how many, whether in the background, and how many times the training may go back.
        processes: those that train together; `remember`, `save` and `roll_back` are called in all of them.
        save_generator: as of `checkpoint.write_snapshot`.
        on_written: told step and folder of each checkpoint that is on the disk, in the main process.
    """

    def __init__(
        self,
        run: RunDirectory,
        config: TrainConfig,
        processes: Processes,
        save_generator: ModelWriter | None,
        on_written: Callable[[int, Path], None],
    ) -> None:
        self._run = run
        self._config = config
        self._processes = processes
        self._on_written = on_written
        is_writing = processes.is_main
        memory = SnapshotMemory(keeps_models=is_writing and save_generator is not None)
        self._memory = memory if config.background_checkpoints else None
        self._writer: CheckpointWriter | None = None
        if is_writing:
            self._writer = CheckpointWriter(run.checkpoints, save_generator, self._memory, self._written)
        self._remembered: Snapshot | None = None
        self._best: int | None = None
        self._stack = ExitStack()

    @property
    def words(self) -> str:
        """What is safe, in a sentence, for somebody whose training ends now."""
        kept = list_checkpoints(self._run.checkpoints)
        if not kept:
            return "No checkpoint has been written yet."
        return f"The newest checkpoint is {kept[-1]}; --resume goes on from there."

    def remember(self, state: TrainingState) -> None:
        """Take this state for good without writing it."""
        self._best = None if state.best is None else state.best.step
        kept = list_checkpoints(self._run.checkpoints)
        if self._writer is not None and kept and step_of(kept[-1]) == state.step:
            self._tidy(kept[-1])  # a kill may have come between the last checkpoint and this
        if self._memory is not None:
            self._remembered = self._memory.take(state, self._processes.gather(state.random_states()))

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, or begin to; the training may go on as soon as this returns.

        Raises:
            NotFinite: a weight is NaN or infinite; the checkpoints before are what is good.
            TrainingError: this one, or in the background the one before, could not be written.
        """
        self.require_finite(state)
        random_states = self._processes.gather(state.random_states())
        if self._writer is None:
            self._remembered = None if self._memory is None else self._memory.take(state, random_states)
            return
        self._writer.finish()
        self._best = None if state.best is None else state.best.step
        self._remembered = None  # while it is overwritten
        self._remembered = self._writer.begin(state, random_states)

    def require_finite(self, state: TrainingState) -> None:
        """Refuse a state that is not to be kept.

        Raises:
            NotFinite: a weight of either network is NaN or infinite, in any process.
        """
        if self._processes.any(not state.is_finite()):
            raise NotFinite(f"Step {state.step}: a weight became NaN or infinite.")

    def roll_back(self, state: TrainingState, reason: NotFinite) -> str:
        """Go back to the last good state, with other draws and at a lower learning rate; says so in a sentence.

        Raises:
            NotFinite: there is none, or the training has gone back as often as it may.
        """
        failed, count, rate = state.step, state.num_rollbacks + 1, state.rate * RATE_FACTOR
        position, elapsed_s = state.position, state.elapsed_s
        if count > self._config.max_rollbacks:
            again = f" The training has gone back {count - 1} times already." if count > 1 else ""
            raise NotFinite(f"{reason}{again}") from reason
        self.settle()
        if self._remembered is not None:
            restore(self._remembered, state, self._processes.rank)
        else:
            directory = newest_intact(self._run.checkpoints)
            if directory is None:
                raise NotFinite(f"{reason} There is no checkpoint to go back to yet.") from reason
            read_checkpoint(directory, state, self._processes.rank)
        self._best = None if state.best is None else state.best.step
        state.num_rollbacks, state.rate, state.elapsed_s = count, rate, elapsed_s
        # The same draws on the same images would most likely end in the same way.
        state.position = position
        state.streams = Streams.seeded(self._config.seed, self._processes.rank, count)
        return (
            f"{reason} Back to step {state.step} (from {failed}), with other draws and learning rates at {rate:g} of the "
            f"settings; rollback {count} of {self._config.max_rollbacks}."
        )

    def tell(self) -> None:
        """Tell of a checkpoint that has come to its end meanwhile."""
        if self._writer is not None:
            self._writer.tell()

    def finish(self) -> None:
        """Wait for what is being written, and tell of it."""
        if self._writer is not None:
            self._writer.finish()

    def settle(self) -> None:
        """Wait until nothing is being written; tells nobody, and raises nothing."""
        if self._writer is not None:
            self._writer.settle()

    def __enter__(self) -> StateKeeper:
        if self._writer is not None:
            self._stack.enter_context(self._writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _written(self, step: int, directory: Path) -> None:
        self._tidy(directory)
        self._on_written(step, directory)

    def _tidy(self, newest: Path) -> None:
        """Let the links point where they should, and remove what is not to be kept beside this checkpoint."""
        checkpoints, step = self._run.checkpoints, step_of(newest)
        point_to(checkpoints, "latest", newest)
        if step == self._best:
            point_to(checkpoints, "best", newest)
        remove_later(checkpoints, step)
        keep_newest(checkpoints, self._config.keep, () if self._best is None else (self._best,))
