"""WaveGAN's generator: sound as DCGAN makes images, flattened to one axis.

Source: Donahue et al., "Adversarial Audio Synthesis", 2019, section 3.1 and appendix D: kernels of 25 samples, each layer
four times as long as the one before.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

KERNEL = 25
STRIDE = 4
FIRST = 16
# (length - 1) * 4 - 2 * 11 + 25 + 1 = 4 * length
PADDING, OUTPUT_PADDING = 11, 1


class WaveGANGenerator(nn.Module):
    """Latents to sound in [-1, 1].

    Children: `linear`, `stage1`, `stage2`, …; each stage a transposed convolution that makes its input four times as
    long. There is no batch norm, as in the paper.

    Args:
        num_stages: the sound has 16 · 4^num_stages samples.
        latent_dim: numbers in one latent.
        channels: of the first layer's output; half with each stage.
        audio_channels: 1 for mono, 2 for stereo.
    """

    def __init__(self, num_stages: int, latent_dim: int, channels: int, audio_channels: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.linear = nn.Linear(latent_dim, channels * FIRST)
        self.names = tuple(f"stage{step}" for step in range(1, num_stages + 1))
        in_channels = channels
        for step, name in enumerate(self.names, 1):
            out_channels = audio_channels if step == num_stages else channels // 2**step
            stage = nn.ConvTranspose1d(in_channels, out_channels, KERNEL, STRIDE, PADDING, OUTPUT_PADDING)
            self.add_module(name, stage)
            in_channels = out_channels
        self.apply(_initialise)
        with torch.no_grad():  # real sound is mostly quiet; at full gain the tanh begins saturated
            stage.weight.mul_(0.1)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> sound `(N, audio_channels, length)`."""
        x = self.linear(z).view(z.shape[0], -1, FIRST)  # (N, channels, 16)
        for name in self.names:
            x = self.get_submodule(name)(torch.relu(x))
        return torch.tanh(x)


def _initialise(module: nn.Module) -> None:
    """He's initialisation for the inputs that meet in one output: of 25 taps in steps of 4, six and a quarter."""
    if isinstance(module, nn.ConvTranspose1d):
        nn.init.normal_(module.weight, 0.0, math.sqrt(2 * STRIDE / (KERNEL * module.in_channels)))
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, math.sqrt(1 / module.in_features))
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def wavegan_4096(*, latent_dim: int = 100, channels: int = 256, audio_channels: int = 1) -> WaveGANGenerator:
    """4,096 samples, a quarter of a second at 16 kHz, in four stages.

    Args:
        latent_dim: numbers in one latent.
        channels: of the first layer's output, a multiple of 8. The paper's models for 16,384 samples have 1,024.
        audio_channels: 1 for mono, 2 for stereo.
    """
    return _generator(4, latent_dim, channels, audio_channels)


def wavegan_16384(*, latent_dim: int = 100, channels: int = 256, audio_channels: int = 1) -> WaveGANGenerator:
    """16,384 samples, a second at 16 kHz, in five stages; `channels` is a multiple of 16, all else as in `wavegan_4096`."""
    return _generator(5, latent_dim, channels, audio_channels)


def _generator(num_stages: int, latent_dim: int, channels: int, audio_channels: int) -> WaveGANGenerator:
    step = 2 ** (num_stages - 1)
    if channels < 1 or channels % step:
        raise ValueError(f"channels={channels} is halved {num_stages - 1} times; give a positive multiple of {step}.")
    if latent_dim < 1 or audio_channels < 1:
        raise ValueError(f"latent_dim and audio_channels are at least 1, got {latent_dim} and {audio_channels}.")
    return WaveGANGenerator(num_stages, latent_dim, channels, audio_channels)
