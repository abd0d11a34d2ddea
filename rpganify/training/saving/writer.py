"""When checkpoints are written: in place while the training waits, or from snapshots by a thread beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any

from rpganify.errors import TrainingError
from rpganify.training.saving.checkpoint import ModelWriter, write_snapshot
from rpganify.training.saving.snapshot import Snapshot, SnapshotMemory, view
from rpganify.training.state import TrainingState

log = logging.getLogger(__name__)


class CheckpointWriter:
    """Writes one checkpoint after the other; nothing is under way any more once its `with` block is left.

    All methods belong to the training's thread, and `on_written` is called in it.

    Args:
        checkpoints: folder of all checkpoints.
        save_generator: as of `write_checkpoint`.
        memory: takes the snapshots; None to write in place.
        on_written: told step and folder of each checkpoint once it is on the disk, in the order of the steps.
    """

    def __init__(
        self,
        checkpoints: Path,
        save_generator: ModelWriter | None,
        memory: SnapshotMemory | None,
        on_written: Callable[[int, Path], None],
    ) -> None:
        self._checkpoints = checkpoints
        self._save_generator = save_generator
        self._memory = memory
        self._on_written = on_written
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: tuple[int, Future[Path]] | None = None
        self._newest: Path | None = None

    @property
    def newest(self) -> Path | None:
        """The last checkpoint that was told of; None before the first."""
        return self._newest

    def begin(self, state: TrainingState, random_states: Sequence[Mapping[str, Any]] | None = None) -> Snapshot | None:
        """Finish the checkpoint before, and start to write this state; it may go on as soon as this returns.

        Args:
            random_states: as of `TrainingState.to_json`.
        Returns:
            What is being written; None in place.
        Raises:
            TrainingError: the checkpoint before could not be written, or, in place, this one.
        """
        self.finish()
        if self._memory is None:
            snapshot = view(state, random_states)
            self._tell(state.step, write_snapshot(self._checkpoints, snapshot, self._save_generator))
            return None
        snapshot = self._memory.take(state, random_states)
        future = self._pool.submit(write_snapshot, self._checkpoints, snapshot, self._save_generator)
        self._pending = state.step, future
        return snapshot

    def tell(self) -> None:
        """Tell of a checkpoint that has come to its end meanwhile; does not wait for one.

        Raises:
            TrainingError: it could not be written.
        """
        if self._pending is not None and self._pending[1].done():
            self.finish()

    def finish(self) -> None:
        """Wait for the checkpoint that is being written, if any, and tell of it.

        Raises:
            TrainingError: it could not be written.
        """
        self.settle()
        if self._pending is not None:
            (step, future), self._pending = self._pending, None
            self._tell(step, future.result())

    def settle(self) -> None:
        """Wait until nothing is being written; tells nobody, and raises nothing."""
        if self._pending is not None:
            wait([self._pending[1]])

    def _tell(self, step: int, directory: Path) -> None:
        self._newest = directory
        self._on_written(step, directory)

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        except Exception as another:
            if error is None:
                raise
            if isinstance(error, TrainingError) and isinstance(another, TrainingError):
                raise TrainingError(f"{error} {another}") from error
            # What ended the training is what the caller is told; this must not take its place.
            log.error("%s", another, exc_info=None if isinstance(another, TrainingError) else another)
        finally:
            # Still pending: Ctrl-C again while waiting. Then only the end of the process waits.
            self._pool.shutdown(wait=self._pending is None)
