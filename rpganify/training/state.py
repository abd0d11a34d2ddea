"""Everything that the next step of a training depends on, in memory, and to and from plain tensors and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from rpganify.errors import TrainingError
from rpganify.training.block_adam import BlockAdam
from rpganify.training.config import TrainConfig
from rpganify.training.diversity import HasBuckets
from rpganify.training.ema import MovingAverage
from rpganify.training.mechanics import Mechanics, parameters_of
from rpganify.training.networks import ImageGenerator, laid_out_like, network_tensors
from rpganify.training.new_blocks import NewBlocksAdam, trainable_rows
from rpganify.training.randomness import Streams, global_states, restore_global_states
from rpganify.training.steps import Descent


@dataclass(frozen=True, slots=True)
class Best:
    """The best quality that was measured so far, and after which step."""

    value: float
    step: int


@dataclass(slots=True)
class TrainingState:
    """What changes while a training runs; a checkpoint holds all of it, and the global generators' states.

    Args:
        generator, discriminator: the networks, on one device.
        generator_descent, discriminator_descent: their optimizers and scalers.
        streams: the trainer's own random generators.
        average: the moving average of the generator, if one is kept.
        step: generator steps that are done.
        position: real images that have been drawn, by all processes.
        elapsed_s: time in training so far.
        rate: what the learning rates were lowered to by rollbacks; 1 without any.
        num_rollbacks: how many there were.
        best: the best quality so far.
    """

    generator: ImageGenerator
    discriminator: nn.Module
    generator_descent: Descent
    discriminator_descent: Descent
    streams: Streams
    average: MovingAverage | None = None
    step: int = 0
    position: int = 0
    elapsed_s: float = 0.0
    rate: float = 1.0
    num_rollbacks: int = 0
    best: Best | None = None

    @classmethod
    def initial(
        cls,
        generator: ImageGenerator,
        discriminator: nn.Module,
        config: TrainConfig,
        mechanics: Mechanics | None = None,
    ) -> TrainingState:
        """The state before the first step, of networks that are on their device already."""
        mechanics = mechanics or Mechanics(config.precision)
        untrained = None if config.Z == "learned" else getattr(generator, "Z", None)
        of_generator = [p for _, p in generator.named_parameters() if p.requires_grad and p is not untrained]
        of_discriminator = [p for p in discriminator.parameters() if p.requires_grad]
        for name, parameters in (("generator", of_generator), ("discriminator", of_discriminator)):
            if not parameters:
                raise TrainingError(f"The {name} has no trainable parameter, so there is nothing to train.")
        optimizer: torch.optim.Optimizer
        if config.only_new:
            optimizer = _new_blocks_adam(generator, of_generator, config)
        elif config.sparse_adam and generator.codes == "paths":
            optimizer = _block_adam(generator, of_generator, config)
        else:
            optimizer = adam(of_generator, config.generator_lr, config.betas)
        return cls(
            generator,
            discriminator,
            Descent(optimizer, mechanics.make_scaler()),
            Descent(adam(of_discriminator, config.discriminator_lr, config.betas), mechanics.make_scaler()),
            Streams.seeded(config.seed, mechanics.processes.rank),
            MovingAverage(generator, config.ema) if config.ema else None,
        )

    @property
    def shown_generator(self) -> ImageGenerator:
        """What a person is shown, and quality is measured of: the moving average, if there is one."""
        return self.generator if self.average is None else self.average.generator

    def networks(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of `generator`, `discriminator` and, if there is one, its average `ema`."""
        named = {"generator": network_tensors(self.generator), "discriminator": network_tensors(self.discriminator)}
        if self.average is not None:
            named["ema"] = self.average.tensors()
        return named

    def is_finite(self) -> bool:
        """Whether no parameter of either network holds NaN or infinity, and no buffer NaN; a buffer may mask by infinity."""
        networks = (self.generator, self.discriminator)
        parameters = [p for network in networks for _, p in network.named_parameters()]
        buffers = [b for network in networks for _, b in network.named_buffers()]
        return bool(_largest(parameters).isfinite().all()) and not bool(_largest(buffers).isnan().any())

    def random_states(self) -> dict[str, Any]:
        """The random generators' states of this process, as plain data."""
        return {"streams": self.streams.to_json(), "global_generators": global_states()}

    def to_json(self, random_states: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """The part that is not tensors.

        Args:
            random_states: of every process, by rank; None for this process alone.
        """
        scalers = [None if scaler is None else scaler.state_dict() for scaler in self._scalers()]
        return {
            "step": self.step,
            "position": self.position,
            "elapsed_s": self.elapsed_s,
            "rate": self.rate,
            "num_rollbacks": self.num_rollbacks,
            "best": None if self.best is None else {"value": self.best.value, "step": self.best.step},
            "scalers": scalers,
            "random_states": list(random_states or [self.random_states()]),
        }

    def restore_json(self, data: Mapping[str, Any], rank: int = 0) -> None:
        """Take over what `to_json` gave; sets the global generators too."""
        self.step = int(data["step"])
        self.position = int(data["position"])
        self.elapsed_s = float(data["elapsed_s"])
        self.rate = float(data["rate"])
        self.num_rollbacks = int(data["num_rollbacks"])
        best = data["best"]
        self.best = None if best is None else Best(float(best["value"]), int(best["step"]))
        for scaler, values in zip(self._scalers(), data["scalers"], strict=True):
            if scaler is not None and values:
                scaler.load_state_dict(values)
        every = data["random_states"]
        # A process that has joined since draws the codes that all draw, and what is each one's own as if it were new.
        self.streams.restore({**self.streams.to_json(), "codes": every[0]["streams"]["codes"]})
        if rank < len(every):
            self.streams.restore(every[rank]["streams"])
            restore_global_states(every[rank]["global_generators"])

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Both optimizers' tensors, named `generator.<parameter's place>.<name>`, e.g. `generator.3.exp_avg`."""
        return {
            f"{network}.{place}.{name}": value
            for network, descent in self._descents()
            for place, values in descent.optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }

    def restore_optimizers(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `optimizer_tensors` gave."""
        for network, descent in self._descents():
            parameters = parameters_of(descent.optimizer)
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, place, name = key.split(".", 2)
                if owner == network:
                    state.setdefault(int(place), {})[name] = laid_out_like(parameters[int(place)], value)
            descent.optimizer.load_state_dict({**descent.optimizer.state_dict(), "state": state})

    def _descents(self) -> tuple[tuple[str, Descent], ...]:
        return ("generator", self.generator_descent), ("discriminator", self.discriminator_descent)

    def _scalers(self) -> tuple[torch.amp.GradScaler | None, ...]:
        return tuple(descent.scaler for _, descent in self._descents())


@torch.no_grad()
def _largest(tensors: Sequence[Tensor]) -> Tensor:
    """The largest magnitude in each tensor of numbers, NaN where one is; `(num_tensors,)`."""
    found = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    return torch.stack([norm.float() for norm in torch._foreach_norm(found, torch.inf)]) if found else torch.empty(0)


def adam(parameters: list[nn.Parameter], lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam by its fused kernel: on 23 million CPU parameters a fifth of the time of the loop over tensors."""
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True if _is_fusable(parameters) else None)


def _block_adam(generator: ImageGenerator, parameters: list[nn.Parameter], config: TrainConfig) -> BlockAdam:
    model = cast(HasBuckets, generator)
    bucket_of = {
        id(parameter): index
        for index in range(model.plan.num_buckets)
        for parameter in model.bucket_parameters(index).values()
    }
    buckets = [bucket_of.get(id(parameter)) for parameter in parameters]
    return BlockAdam(parameters, buckets, config.generator_lr, config.betas, _is_fusable(parameters))


def _new_blocks_adam(generator: ImageGenerator, parameters: list[nn.Parameter], config: TrainConfig) -> NewBlocksAdam:
    rows, trained = trainable_rows(generator), {id(parameter) for parameter in parameters}
    named = {name: p for name, p in generator.named_parameters() if name in rows and id(p) in trained}
    if not named:
        raise TrainingError(
            "The new blocks of this generator have no trainable parameter, so there is nothing to train."
        )
    chosen = list(named.values())
    return NewBlocksAdam(chosen, [rows[name] for name in named], config.generator_lr, config.betas, _is_fusable(chosen))


def _is_fusable(parameters: list[nn.Parameter]) -> bool:
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
