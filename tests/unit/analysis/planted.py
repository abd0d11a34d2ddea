"""A generator whose responsibilities are known in closed form: grey pictures of planted brightness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan


@dataclass(frozen=True)
class Truth:
    """Sobol indices in closed form."""

    first: tuple[float, ...]
    total: tuple[float, ...]
    pair: float  # of buckets 1 and 3; no other two interact


class PlantedGenerator(nn.Module):
    """Flat colour pictures. With s_i = ±1 for even and odd blocks of bucket i, their grey level is

        128 + 30 s_1 + 20 s_2 + 10 s_3 + 25 s_1 s_3

    in red, 128 + 40 s_2 in green, and 90 in blue. Of red's variance, 900 + 400 + 100 + 625, each part is one square.

    Args:
        num_blocks: of each of the buckets `one`, `two`, `three` and, without effect, `idle`; the first three even.
        noise: standard deviation, in grey levels, of noise that each image draws by itself.
    """

    codes = "paths"
    conditions = ()
    image_shape = (3, 4, 4)
    red = Truth((900 / 2025, 400 / 2025, 100 / 2025, 0), (1525 / 2025, 400 / 2025, 725 / 2025, 0), 625 / 2025)

    def __init__(self, num_blocks: tuple[int, ...] = (6, 8, 10, 7), noise: float = 0.0) -> None:
        super().__init__()
        names = ("one", "two", "three", "idle")
        self.plan = Plan(
            tuple(BucketSpec(name, (f"layer_{name}",), m) for name, m in zip(names, num_blocks, strict=True))
        )
        self.noise = noise
        self.weight = nn.Parameter(torch.tensor(1.0))

    @property
    def paths(self) -> PathSpace:
        return self.plan.paths

    def images(self, codes: Tensor) -> Tensor:
        one, two, three, _ = (1 - 2 * (codes % 2)).T.float()
        red = 128 + 30 * one + 20 * two + 10 * three + 25 * one * three
        green = 128 + 40 * two
        levels = torch.stack([red, green, torch.full_like(red, 90.0)], dim=1)[:, :, None, None].expand(-1, 3, 4, 4)
        if self.noise:
            levels = levels + self.noise * torch.randn(len(codes), 1, 1, 1)
        return self.weight * (levels / 127.5 - 1)
