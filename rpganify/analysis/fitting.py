"""Fitting images to what a network was trained on: channels and size, and saying so."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# ITU-R BT.601, the weights that Pillow's "L" mode uses.
LUMA = (0.299, 0.587, 0.114)


Network = TypeVar("Network", bound=nn.Module)


def cast_to(network: Network, dtype: torch.dtype) -> Network:
    """The network, if its floating-point tensors are of that type; else a copy of it that is."""
    tensors = chain(network.parameters(), network.buffers())
    if all(tensor.dtype == dtype for tensor in tensors if tensor.is_floating_point()):
        return network
    return copy.deepcopy(network).to(dtype)


def fit_images(images: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    """Images with the channels and size of `image_shape`: grey is repeated, colour weighed to grey, then resized.

    Args:
        images: float `(N, C, H, W)`, C 1 or 3.
        image_shape: channels, height, width that are wanted.
    """
    channels, height, width = image_shape
    if images.shape[1] == 1 and channels == 3:
        images = images.expand(-1, 3, -1, -1)
    elif images.shape[1] == 3 and channels == 1:
        images = (images * torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if tuple(images.shape[2:]) != (height, width):
        images = F.interpolate(images, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return images


def describe_fit(from_shape: tuple[int, ...], to_shape: tuple[int, int, int]) -> str:
    """What `fit_images` does to images of `from_shape`, in words; empty if nothing."""
    steps = []
    if from_shape[0] != to_shape[0]:
        steps.append("grey repeated to RGB" if to_shape[0] == 3 else "RGB weighed to grey (BT.601)")
    if tuple(from_shape[1:]) != to_shape[1:]:
        steps.append(
            f"resized from {from_shape[1]}×{from_shape[2]} to {to_shape[1]}×{to_shape[2]} (bilinear, antialiased)"
        )
    return ", ".join(steps)
