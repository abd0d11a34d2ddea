"""Class labels of a training: where they come from, and which input of a generator takes them."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import torch
from torch import Tensor

from rpganify.data.images import ImageData
from rpganify.errors import TrainingError
from rpganify.training.randomness import seeded_globals


class TakesConditions(Protocol):
    """What of a generator is read here."""

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Inputs beside the codes; each has a name, a shape without the batch axis, and a dtype."""

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` random codes."""

    def images(self, codes: Tensor, /, **inputs: Tensor) -> Tensor:
        """Images of these codes."""


class LabelSource:
    """Labels that occur as often as among the images of a data set.

    Args:
        data: a set with labels.
    Raises:
        TrainingError: it has none.
    """

    def __init__(self, data: ImageData) -> None:
        if data.labels is None:
            raise TrainingError(
                f"The images of {data.name} have no labels, which class-conditional training needs. Take a data set with "
                "labels, such as mnist, cifar10 or folder:DIR with a folder per class, or networks without classes."
            )
        self._labels = data.labels
        self._num_known = data.num_classes

    @property
    def num_classes(self) -> int:
        """How many labels the data set knows; those that its filter leaves out are counted too."""
        return self._num_known or self.largest + 1

    @property
    def largest(self) -> int:
        """The largest label that occurs."""
        return int(self._labels.max())

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The labels of `n` images that are drawn at random, with replacement: int64 `(n,)`, on the CPU.

        Args:
            n: how many, >= 0.
            generator: a CPU generator.
        """
        return self._labels[torch.randint(len(self._labels), (n,), generator=generator)]


def label_condition(generator: TakesConditions, data: ImageData) -> str | None:
    """Name of the input that takes a class label; None for a generator that takes its codes only.

    The generator is tried with the data's largest label, a copy of it on the CPU: it is not changed, and an index out of
    range does no harm there.

    Args:
        generator: converted or standard.
        data: real images, whose labels it is to be trained with.
    Raises:
        TrainingError: it takes something else than one label, the data has no labels, or it knows fewer classes.
    """
    if not generator.conditions:
        return None
    name = _label_of(generator.conditions)
    largest = LabelSource(data).largest
    num_known = _count_classes(generator, name, largest)
    if num_known <= largest:
        raise TrainingError(
            f"The images of {data.name} have labels up to {largest}, but the generator's {name!r} takes those up to "
            f"{num_known - 1} only. Build it for {largest + 1} classes or more (often --arg num_classes={largest + 1}), "
            f"or choose classes of the data: --data '{data.name.partition('[')[0]}[0-{num_known - 1}]'."
        )
    return name


def _label_of(conditions: tuple[Any, ...]) -> str:
    """Name of the one input, if it can be a label."""
    if len(conditions) > 1:
        names = ", ".join(str(condition.name) for condition in conditions)
        raise TrainingError(
            f"The generator needs {len(conditions)} inputs beside its codes: {names}. A training gives it one, the class "
            "label. Bind the others to constants when converting (--const NAME=VALUE)."
        )
    (condition,) = conditions
    name, shape, dtype = str(condition.name), tuple(condition.shape), condition.dtype
    if shape or dtype not in (torch.int64, torch.int32):
        raise TrainingError(
            f"The generator's input {name!r} is {dtype} of shape {('N', *shape)}, which is no class label: a training gives "
            f"int64 (N,). Look the label up inside of the generator (nn.Embedding, functional.one_hot), or bind {name!r} to "
            f"a constant when converting (--const {name}=VALUE)."
        )
    return name


def _count_classes(generator: TakesConditions, name: str, largest: int) -> int:
    """How many labels from 0 on the generator takes; not more than `largest + 1` are tried."""
    tried = _copy_on_cpu(generator)
    codes = generator.draw(1, torch.Generator().manual_seed(0))
    first = _failure(tried, codes, name, 0)
    if first is not None:
        raise TrainingError(
            f"The generator fails when its input {name!r} is the label 0: {type(first).__name__}: {first}. Sample it with "
            f"--condition {name}=0 to see that it works."
        ) from first
    if _failure(tried, codes, name, largest) is None:
        return largest + 1
    works, fails = 0, largest
    while fails - works > 1:
        middle = (works + fails) // 2
        if _failure(tried, codes, name, middle) is None:
            works = middle
        else:
            fails = middle
    return fails


def _failure(generator: TakesConditions, codes: Tensor, name: str, label: int) -> Exception | None:
    """What the generator raises for a label."""
    try:
        with torch.no_grad(), seeded_globals(0):
            generator.images(codes, **{name: torch.tensor([label])})
    except (IndexError, RuntimeError, ValueError) as error:
        return error
    return None


def _copy_on_cpu(generator: TakesConditions) -> Any:
    """A copy in eval mode. Whatever running statistics or the like it has may change."""
    try:
        copied: Any = copy.deepcopy(generator)
    except Exception as error:
        raise TrainingError(
            f"{type(generator).__name__} cannot be copied ({type(error).__name__}: {error}), and labels are tried on a copy. "
            "Remove that attribute from the generator."
        ) from error
    copied.to(torch.device("cpu"))
    copied.train(False)
    return copied
