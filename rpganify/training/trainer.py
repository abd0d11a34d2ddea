"""The trainer: a generator against a discriminator on real images, with a run's folder to show for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import is_dataclass
from pathlib import Path

import torch
from torch import nn

from rpganify.data.images import ImageData, sample_rate_of
from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback, StepMetrics, TrainResult, TrainStart
from rpganify.training.checkpoint import (
    ModelWriter,
    checkpoint_directory,
    keep_newest,
    list_checkpoints,
    newest_intact,
    read_checkpoint,
    remove_leftovers,
)
from rpganify.training.checkpoint_writer import CheckpointWriter
from rpganify.training.config import TrainConfig
from rpganify.training.interrupt import FinishOnInterrupt
from rpganify.training.losses import Loss
from rpganify.training.preflight import check_objects
from rpganify.training.randomness import derived_seed, seeded_globals
from rpganify.training.run import RunDirectory, RunRecord, describe_network, read_record, write_record
from rpganify.training.snapshot import SnapshotMemory
from rpganify.training.state import TrainingState
from rpganify.training.steps import ImageGenerator
from rpganify.training.training_step import TrainingStep
from rpganify.training.writers import MetricsWriter, SampleGridWriter


class Trainer:
    """Trains both networks in place; the same for a converted generator and a standard one.

    Example:
        Trainer(generator, discriminator, Hinge(), data, TrainConfig(steps=500), run=Path("runs/first")).run()

    Args:
        generator: draws codes and makes images of them; converted or standard.
        discriminator: images `(N, C, H, W)` in [-1, 1] to scores `(N,)` or `(N, 1)`, unbounded.
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
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.data = data
        self.config = config or TrainConfig()
        self.run_directory = RunDirectory(Path(run))
        self.callbacks = tuple(callbacks)
        self.device = torch.device(device)
        self._save_generator = save_generator
        self._provenance = dict(provenance or {})
        generator.to(self.device)
        discriminator.to(self.device)
        self._step = TrainingStep(loss, data, self.config, self.device)
        check_objects(generator, discriminator, data, self.device, needs)

    def run(self) -> TrainResult:
        """Train from the first step.

        Ctrl-C finishes the step, saves, and returns a result that says so.

        Raises:
            TrainingError: the folder holds a training already, a loss is no longer finite, or a checkpoint cannot be
                written.
        """
        if self.run_directory.is_used:
            raise TrainingError(
                f"{self.run_directory.path} holds a training already. Go on with it by --resume, or choose another "
                "folder."
            )
        write_record(self.run_directory, self._record())
        with seeded_globals(derived_seed(self.config.seed, "globals")):
            return self._train(TrainingState.initial(self.generator, self.discriminator, self.config))

    def resume(self) -> TrainResult:
        """Go on from the newest intact checkpoint, to the same weights as if there had been no stop.

        Raises:
            TrainingError: there is no intact checkpoint, settings or objects differ from the run's (each is named), or
                as in `run`.
        """
        before = read_record(self.run_directory)
        differences = before.differences(self._record())
        if differences:
            raise TrainingError(
                f"{self.run_directory.path} was started with other settings: {'; '.join(differences)}. "
                "Resume it with its own, or start a new run in another folder."
            )
        directory = newest_intact(self.run_directory.checkpoints)
        if directory is None:
            raise TrainingError(
                f"{self.run_directory.path} has no intact checkpoint to go on from. Start without --resume"
                f"{', in another folder' if self.run_directory.is_used else ''}."
            )
        with seeded_globals(0):
            state = TrainingState.initial(self.generator, self.discriminator, self.config)
            read_checkpoint(directory, state)
            if state.step > self.config.steps:
                raise TrainingError(
                    f"{directory} is beyond the {self.config.steps} steps that were asked for. "
                    f"Ask for {state.step} or more."
                )
            # The number of steps may have grown.
            write_record(self.run_directory, self._record(before.provenance))
            return self._train(state)

    def _train(self, state: TrainingState) -> TrainResult:
        started = time.perf_counter()
        metrics: StepMetrics | None = None
        saved = checkpoint_directory(self.run_directory.checkpoints, state.step)
        is_saved = saved.exists()
        remove_leftovers(self.run_directory.checkpoints)
        with ExitStack() as stack:
            stack.enter_context(self._training_mode())
            stop = stack.enter_context(FinishOnInterrupt())
            writer = stack.enter_context(closing(MetricsWriter(self.run_directory.metrics)))
            callbacks = (writer, self._sample_writer(), *self.callbacks)
            saving = stack.enter_context(self._checkpoint_writer(state, callbacks))
            start = TrainStart(self.run_directory.path, state.step, self.config.steps)
            with self._file_errors(state, saving):
                for callback in callbacks:
                    callback.on_start(start)
            while state.step < self.config.steps and not stop.is_requested:
                metrics, is_saved = self._step(state), False
                with self._file_errors(state, saving):
                    for callback in callbacks:
                        callback.on_step(metrics)
                saving.tell()
                if state.step % self.config.checkpoint_every == 0:
                    saving.begin(state)
                    is_saved = True
            if not is_saved:
                saving.begin(state)
            saving.finish()
            result = TrainResult(
                run=self.run_directory.path,
                step=state.step,
                steps=self.config.steps,
                checkpoint=saving.newest or saved,
                is_interrupted=state.step < self.config.steps,
                duration_s=time.perf_counter() - started,
                metrics=metrics,
            )
            with self._file_errors(state, saving):
                for callback in callbacks:
                    callback.on_end(result)
        return result

    def _checkpoint_writer(self, state: TrainingState, callbacks: Sequence[Callback]) -> CheckpointWriter:
        def on_written(step: int, directory: Path) -> None:
            with self._file_errors(state, writer):
                keep_newest(self.run_directory.checkpoints, self.config.keep)
                for callback in callbacks:
                    callback.on_checkpoint(step, directory)

        memory: SnapshotMemory | None = None
        if self.config.background_checkpoints:
            memory = SnapshotMemory(self.generator, keeps_model=self._save_generator is not None)
        writer = CheckpointWriter(self.run_directory.checkpoints, self._save_generator, memory, on_written)
        return writer

    def _sample_writer(self) -> SampleGridWriter:
        return SampleGridWriter(
            self.run_directory.samples,
            self.generator,
            every=self.config.sample_every,
            num_samples=self.config.num_samples,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            sample_rate=sample_rate_of(self.data),
        )

    def _record(self, provenance: Mapping[str, str] | None = None) -> RunRecord:
        """What this trainer would train, to be written or compared."""
        facts = {
            "data": f"{self.data.name}, {len(self.data)} images",
            "loss object": repr(self.loss) if is_dataclass(self.loss) else type(self.loss).__qualname__,
            "generator": describe_network(self.generator),
            "discriminator": describe_network(self.discriminator),
        }
        own = {**self._provenance, "torch": torch.__version__, "device": str(self.device)}
        if (sample_rate := sample_rate_of(self.data)) is not None:
            own["sample rate"] = str(sample_rate)
        return RunRecord(self.config, facts, provenance or own)

    @contextmanager
    def _training_mode(self) -> Iterator[None]:
        """Both networks in training mode inside; afterwards as they were."""
        before = self.generator.training, self.discriminator.training
        self.generator.train(True)
        self.discriminator.train(True)
        try:
            yield
        finally:
            self.generator.train(before[0])
            self.discriminator.train(before[1])

    @contextmanager
    def _file_errors(self, state: TrainingState, saving: CheckpointWriter) -> Iterator[None]:
        """Turns a failure to write metrics, samples or the like into a refusal that says what is safe."""
        try:
            yield
        except OSError as error:
            saving.settle()  # the newest checkpoint may be on its way to the disk
            raise TrainingError(
                f"Step {state.step}: writing into {self.run_directory.path} failed: {error}. {self._last_checkpoint()}"
            ) from error

    def _last_checkpoint(self) -> str:
        kept = list_checkpoints(self.run_directory.checkpoints)
        if not kept:
            return "No checkpoint has been written yet."
        return f"The newest checkpoint is {kept[-1]}; --resume goes on from there."
