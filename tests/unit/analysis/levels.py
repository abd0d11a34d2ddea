"""A generator whose blocks do what is written here: one is dead, two are nearly the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan


class LevelsGenerator(nn.Module):
    """Pictures whose grey level is 128 plus what each bucket's block adds; a stripe on the left is always black.

    Block 0 of bucket 1 is dead: with it, the picture is flat grey of level 100, whatever the other buckets do. In bucket 2,
    blocks 1 and 3 add nearly the same. Bucket 3 adds a slope as well. All levels are whole, so that nothing is rounded.
    """

    codes = "paths"
    conditions = ()
    image_shape = (1, 6, 10)
    levels = ((0, -40, 0, 30, 15), (-30, 12, 20, 13), (-20, 6, 20))

    def __init__(self) -> None:
        super().__init__()
        self.plan = Plan(
            tuple(
                BucketSpec(name, (f"layer_{name}",), len(of_bucket))
                for name, of_bucket in zip(("one", "two", "three"), self.levels, strict=True)
            )
        )
        self.scale = nn.Parameter(torch.ones(()))

    @property
    def paths(self) -> PathSpace:
        return self.plan.paths

    def images(self, codes: Tensor) -> Tensor:
        made = []
        for one, two, three in codes.tolist():
            level = 128 + self.levels[0][one] + self.levels[1][two] + self.levels[2][three]
            image = torch.full(self.image_shape, float(level)) + (three - 1) * torch.arange(10.0)
            image[:, :, :2] = 0
            made.append(image if one else torch.full(self.image_shape, 100.0))
        return self.scale * (torch.stack(made) / 127.5 - 1)
