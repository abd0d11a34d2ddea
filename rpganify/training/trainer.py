"""The trainer: a generator against a discriminator on real images, with a run's folder to show for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import is_dataclass
from pathlib import Path

import torch
from torch import nn

from rpganify.data.images import ImageData, sample_rate_of
from rpganify.errors import TrainingError
from rpganify.training.audience import Audience
from rpganify.training.callbacks import Alarm, Callback, StepMetrics, TrainResult, TrainStart
from rpganify.training.config import TrainConfig
from rpganify.training.interrupt import FinishOnInterrupt
from rpganify.training.losses import Loss
from rpganify.training.mechanics import Mechanics
from rpganify.training.networks import ImageGenerator, network_tensors, training_mode
from rpganify.training.preflight import check_objects
from rpganify.training.processes import Processes
from rpganify.training.randomness import derived_seed, seeded_globals
from rpganify.training.recording.quality import QualityMetric
from rpganify.training.run import (
    RunDirectory,
    RunRecord,
    claimed,
    describe_network,
    read_record,
    refuse_differences,
    write_record,
)
from rpganify.training.saving.checkpoint import (
    ModelWriter,
    checkpoint_directory,
    newest_intact,
    read_checkpoint,
    remove_leftovers,
)
from rpganify.training.saving.keeper import StateKeeper
from rpganify.training.state import TrainingState
from rpganify.training.steps import NotFinite
from rpganify.training.training_step import TrainingStep
from rpganify.training.watching.observer import Observer

log = logging.getLogger(__name__)


class Trainer:
    """Trains both networks in place; the same for a converted generator and a standard one.

    Started by a launcher such as `accelerate launch`, it trains together with the processes beside it, each on its share
    of a batch of `batch_size` times their number; the first of them writes and tells.

    Example:
        Trainer(generator, discriminator, Hinge(), data, TrainConfig(steps=500), run=Path("runs/first")).run()

    Args:
        generator: draws codes and makes images of them; converted or standard.
        discriminator: images `(N, C, H, W)` in [-1, 1] to scores `(N,)` or `(N, 1)`, unbounded. One with an attribute
            `num_classes` above 0 is called with labels, int64 `(N,)`, behind the images; it may return a tuple of scores
            and class logits `(N, num_classes)`.
        loss: the adversarial loss.
        data: real images, of the generator's shape.
        config: the settings.
        run: folder of the training; made if missing.
        callbacks: told of every step, after the run's own writers.
        save_generator: writes the generator of each checkpoint as a model of its own, e.g. `rpganify.save`; without
            it a checkpoint can be resumed but not opened as a model. Checkpoints in the background give it a copy on
            the CPU, in a thread of their own. It must draw no random numbers.
        device: where both networks are moved and trained.
        provenance: free text for the run's record, such as how the user named the model.
        needs: what the loss needs of the discriminator, as its `LossEntry` says; what is missing is warned of.
        quality: measured every `quality_every` steps, of the moving average if there is one; the best generator's
            checkpoint is kept.
        overrides: names of settings and facts in which a resumed training may differ from what the run has.
    Raises:
        TrainingError: what is given cannot be trained together.
    """

    def __init__(
        self,
        generator: ImageGenerator,
        discriminator: nn.Module,
        loss: Loss,
        data: ImageData,
        config: TrainConfig | None = None,
        *,
        run: Path,
        callbacks: Sequence[Callback] = (),
        save_generator: ModelWriter | None = None,
        device: torch.device | str = "cpu",
        provenance: Mapping[str, str] | None = None,
        needs: Sequence[str] = (),
        quality: QualityMetric | None = None,
        overrides: Collection[str] = (),
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.data = data
        self.config = config or TrainConfig()
        self.run_directory = RunDirectory(Path(run))
        self.callbacks = tuple(callbacks)
        self.processes = Processes.joined(device)
        self.device = self.processes.device
        self._mechanics = Mechanics(self.config.precision, self.processes)
        self._total = self.config.total_steps(self.processes.count)
        self._save_generator = save_generator
        self._provenance = dict(provenance or {})
        self._quality = quality
        self._overrides = frozenset(overrides)
        generator.to(self.device)
        discriminator.to(self.device)
        if self.config.channels_last:
            discriminator.to(memory_format=torch.channels_last)
        check_objects(generator, discriminator, data, self.device, needs)
        self._step = TrainingStep(loss, data, self.config, self._mechanics)

    def run(self) -> TrainResult:
        """Train from the first step.

        Ctrl-C, or SIGTERM, finishes the step, saves, and returns a result that says so.

        Raises:
            TrainingError: the folder holds a training already, a loss is no longer finite and going back did not help, or
                a checkpoint cannot be written.
        """
        if self.processes.is_main and self.run_directory.is_used:
            raise TrainingError(
                f"{self.run_directory.path} holds a training already. Go on with it by --resume, or choose another "
                "folder."
            )
        with self._claimed():
            self._write_record(self._record())
            return self._train_from_the_start()

    def resume(self) -> TrainResult:
        """Go on from the newest intact checkpoint, to the same weights as if there had been no stop.

        A training that was stopped before its first checkpoint begins anew.

        Raises:
            TrainingError: no checkpoint is intact, settings or objects differ from the run's (each is named), or as in
                `run`.
        """
        before = read_record(self.run_directory)
        with self._claimed():
            return self._resume(before)

    def _resume(self, before: RunRecord) -> TrainResult:
        record = self._record(before.provenance)
        refuse_differences(self.run_directory, before, record, self._overrides)
        if not self.run_directory.is_used:
            self._write_record(record)
            return self._train_from_the_start()
        directory = newest_intact(self.run_directory.checkpoints)
        if directory is None:
            raise TrainingError(
                f"{self.run_directory.path} has no intact checkpoint to go on from. Start without --resume, in another "
                "folder."
            )
        with self._own_randomness():
            state = self._initial_state()
            read_checkpoint(directory, state, self.processes.rank)
            if self._total is not None and state.step > self._total:
                raise TrainingError(
                    f"{directory} is beyond the {self._total} steps that were asked for. Ask for {state.step} or more."
                )
            # Only now: what is refused leaves the run as it was. What may differ may have, such as the number of steps.
            self._write_record(record)
            return self._train(state)

    def _claimed(self) -> AbstractContextManager[None]:
        return claimed(self.run_directory) if self.processes.is_main else nullcontext()

    def _train_from_the_start(self) -> TrainResult:
        with self._own_randomness():
            state = self._initial_state()
            for network in (self.generator, self.discriminator):
                self.processes.agree(list(network_tensors(network).values()))
            return self._train(state)

    def _own_randomness(self) -> AbstractContextManager[None]:
        return seeded_globals(derived_seed(self.config.seed, "globals", self.processes.rank))

    def _initial_state(self) -> TrainingState:
        return TrainingState.initial(self.generator, self.discriminator, self.config, self._mechanics)

    def _train(self, state: TrainingState) -> TrainResult:
        started = time.perf_counter()
        metrics: StepMetrics | None = None
        is_saved = self._is_on_disk(state)
        if self.processes.is_main:
            remove_leftovers(self.run_directory.checkpoints)
        with ExitStack() as stack:
            stack.enter_context(training_mode(self.generator, self.discriminator))
            if (
                self.config.only_new
            ):  # norms that old paths use go by their statistics; a step has new blocks gather theirs
                self.generator.train(False)
            stack.enter_context(closing(self._step))
            stop = stack.enter_context(FinishOnInterrupt())
            observer = self._observer(state)
            audience = stack.enter_context(closing(observer.audience))
            keeper = stack.enter_context(self._keeper(state, audience))
            with self._file_errors(state, keeper):
                audience.on_start(self._start(state))
            keeper.remember(state)
            while not (is_stopped := self.processes.any(stop.is_requested)) and not self._is_over(state):
                try:
                    metrics, is_saved = self._step(state), False
                    with self._file_errors(state, keeper):
                        metrics = observer.inspect(state, metrics)
                        is_best = False
                        if observer.is_measuring(state.step, is_last=self._is_over(state)):
                            keeper.require_finite(state)
                            is_best = observer.measure(state)
                    keeper.tell()
                    if is_best or state.step % self.config.checkpoint_every == 0 or self._is_over(state):
                        keeper.save(state)
                        is_saved = True
                except NotFinite as error:
                    is_saved = self._roll_back(state, error, keeper, audience)
            if not is_saved:
                self._save_at_last(state, keeper, audience)
            keeper.finish()
            signals = self.processes.gather(None if stop.signal is None else int(stop.signal))
            result = TrainResult(
                run=self.run_directory.path,
                step=state.step,
                steps=self._total,
                checkpoint=checkpoint_directory(self.run_directory.checkpoints, state.step),
                is_interrupted=is_stopped,
                duration_s=time.perf_counter() - started,
                metrics=metrics,
                signal=next((number for number in signals if number is not None), None),
            )
            with self._file_errors(state, keeper):
                audience.on_end(result)
        return result

    def _is_over(self, state: TrainingState) -> bool:
        if self._total is not None:
            return state.step >= self._total
        assert self.config.minutes is not None
        return self.processes.any(self.processes.is_main and state.elapsed_s >= 60 * self.config.minutes)

    def _save_at_last(self, state: TrainingState, keeper: StateKeeper, audience: Audience) -> None:
        """Save where the training was stopped, or where it goes back to if that broke the weights."""
        try:
            keeper.save(state)
        except NotFinite as error:
            if not self._roll_back(state, error, keeper, audience):
                keeper.save(state)

    def _roll_back(self, state: TrainingState, error: NotFinite, keeper: StateKeeper, audience: Audience) -> bool:
        """Go back to the last good state; whether there is a checkpoint of it.

        One that is there stays: a training that goes on from it comes to the same end, by way of the same rollback.
        """
        failed = state.step
        told = keeper.roll_back(state, error)
        with self._file_errors(state, keeper):
            audience.on_rollback(self._start(state))
            if self.processes.is_main:
                log.warning("%s", told)
                audience.on_alarm(Alarm(failed, "rollback", told))
        return self._is_on_disk(state)

    def _is_on_disk(self, state: TrainingState) -> bool:
        checkpoint = checkpoint_directory(self.run_directory.checkpoints, state.step)
        return self.processes.any(self.processes.is_main and checkpoint.exists())

    def _start(self, state: TrainingState) -> TrainStart:
        return TrainStart(self.run_directory.path, state.step, self._total, self.config.minutes)

    def _observer(self, state: TrainingState) -> Observer:
        return Observer(
            self.run_directory, state, self.data, self.config, self.processes, self._quality, self.callbacks
        )

    def _keeper(self, state: TrainingState, audience: Audience) -> StateKeeper:
        def on_written(step: int, directory: Path) -> None:
            with self._file_errors(state, keeper):
                audience.on_checkpoint(step, directory)

        keeper = StateKeeper(self.run_directory, self.config, self.processes, self._save_generator, on_written)
        return keeper

    def _write_record(self, record: RunRecord) -> None:
        if self.processes.is_main:
            write_record(self.run_directory, record)
        self.processes.wait()

    def _record(self, provenance: Mapping[str, str] | None = None) -> RunRecord:
        """What this trainer would train, to be written or compared."""
        facts = {
            "data": f"{self.data.name}, {len(self.data)} images",
            "loss object": repr(self.loss) if is_dataclass(self.loss) else type(self.loss).__qualname__,
            "generator": describe_network(self.generator),
            "discriminator": describe_network(self.discriminator),
            "processes": str(self.processes.count),
        }
        own = {**self._provenance, "torch": torch.__version__, "device": str(self.device)}
        if (sample_rate := sample_rate_of(self.data)) is not None:
            own["sample rate"] = str(sample_rate)
        return RunRecord(self.config, facts, provenance or own)

    @contextmanager
    def _file_errors(self, state: TrainingState, keeper: StateKeeper) -> Iterator[None]:
        """Turns a failure to write metrics, samples or the like into a refusal that says what is safe."""
        try:
            yield
        except OSError as error:
            keeper.settle()  # the newest checkpoint may be on its way to the disk
            raise TrainingError(
                f"Step {state.step}: writing into {self.run_directory.path} failed: {error}. {keeper.words}"
            ) from error
