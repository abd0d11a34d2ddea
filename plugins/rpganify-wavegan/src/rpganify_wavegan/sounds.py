"""Sounds of different lengths as a data set of one length."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.errors import DataError

DEFAULT_LENGTH = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """Sounds in memory, cut to windows of one length when drawn; silence fills what is too short.

    Args:
        name: as the user would write it.
        sounds: int16 `(samples,)` each, at least one sample.
        sample_rate: samples per second, of all of them.
        sound_labels: a label per sound; empty without labels.
        class_names: one per label.
        note: what was done to the sounds on reading.
        length: samples in a window.
        is_cut_once: take only the beginning of each sound; otherwise windows follow one another through it, the last one
            if half of it is sound.
    """

    name: str
    sounds: tuple[Tensor, ...]
    sample_rate: int
    sound_labels: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    note: str = ""
    length: int = DEFAULT_LENGTH
    is_cut_once: bool = False
    labels: Tensor | None = field(init=False)
    _places: Tensor = field(init=False)  # int64 (windows, 2): which sound, and where in it

    def __post_init__(self) -> None:
        places = [(index, start) for index, sound in enumerate(self.sounds) for start in self._starts(len(sound))]
        object.__setattr__(self, "_places", torch.tensor(places))
        labels = torch.tensor(self.sound_labels)[self._places[:, 0]] if self.sound_labels else None
        object.__setattr__(self, "labels", labels)

    @property
    def image_shape(self) -> tuple[int, int]:
        """`(1, length)` of every window."""
        return 1, self.length

    @property
    def num_classes(self) -> int | None:
        """How many labels there are; None without labels."""
        return len(self.class_names) or None

    def __len__(self) -> int:
        return len(self._places)

    def images(self, indices: Tensor) -> Tensor:
        """The windows at int64 `(B,)` indices: int16 `(B, 1, length)`."""
        windows = torch.zeros(len(indices), 1, self.length, dtype=torch.int16)
        for row, (index, start) in enumerate(self._places[indices].tolist()):
            part = self.sounds[index][start : start + self.length]
            windows[row, 0, : len(part)] = part
        return windows

    def fitted(self, shape: tuple[int, ...]) -> tuple[Sounds, str]:
        """The same sounds in windows of another length, and what that means.

        Raises:
            DataError: the shape is not that of mono sound.
        """
        if len(shape) != 2 or shape[0] != 1 or shape[1] < 1:
            raise DataError(
                f"{self.name} holds mono sound, (1, length), and the generator makes {shape}. Take a generator of sound, such "
                "as wavegan-4096, or other data."
            )
        cut = dataclasses.replace(self, length=shape[1])
        return cut, f"{self.note} {cut.description}".strip()

    @property
    def description(self) -> str:
        """One sentence on the windows."""
        milliseconds = round(1000 * self.length / self.sample_rate)
        each = f"{self.length:,} samples ({milliseconds:,} ms at {self.sample_rate:,} Hz)"
        num_short = sum(len(sound) < self.length for sound in self.sounds)
        padded = f"; {num_short:,} shorter ones are filled up with silence" if num_short else ""
        if self.is_cut_once:
            return f"{self.name}: the first {each} of each sound{padded}."
        return f"{self.name}: {len(self.sounds):,} sounds cut to {len(self):,} windows of {each}{padded}."

    def _starts(self, num_samples: int) -> range:
        if self.is_cut_once:
            return range(1)
        rest = num_samples % self.length
        num_windows = num_samples // self.length + (2 * rest >= self.length)
        return range(0, max(1, num_windows) * self.length, self.length)
