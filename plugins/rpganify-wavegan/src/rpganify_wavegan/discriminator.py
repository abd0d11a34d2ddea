"""WaveGAN's discriminator: strided convolutions whose activations are shifted at random, so that phase is no tell.

Source: Donahue et al., "Adversarial Audio Synthesis", 2019, section 3.3 and appendix D.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rpganify_wavegan.generator import KERNEL, STRIDE

# floor((length + 2 * 11 - 25) / 4) + 1 = length / 4
_PADDING = 11
_MIN_LENGTH = 64


class PhaseShuffle(nn.Module):
    """Shifts each sample of a batch by a random number of steps in training mode, mirrored where it runs out.

    Args:
        most: largest shift either way; 0 for none.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, L)` -> `(N, C, L)`, L larger than the largest shift."""
        if not self.training or self.most == 0:
            return x
        length = x.shape[2]
        # Drawn on the CPU: one seed gives the same shifts on every device.
        shifts = torch.randint(-self.most, self.most + 1, (x.shape[0], 1)).to(x.device)
        places = (torch.arange(length, device=x.device) + shifts).abs()  # (N, L), mirrored at the first
        places = length - 1 - (length - 1 - places).abs()  # and at the last
        return x.gather(2, places[:, None].expand(-1, x.shape[1], -1))

    def extra_repr(self) -> str:
        """The largest shift."""
        return f"most={self.most}"


class WaveGANDiscriminator(nn.Module):
    """Sound to scores: convolutions of stride 4 with leaky ReLU and phase shuffle, then one linear layer.

    No batch norm: it mixes the samples of a batch, and a gradient penalty is per sample.

    Args:
        shape: `(channels, length)` of the sound.
        widths: channels after each convolution.
        shuffle: largest shift of the phase shuffle, which follows every convolution but the last.
    """

    def __init__(self, shape: tuple[int, int], widths: tuple[int, ...], shuffle: int) -> None:
        super().__init__()
        in_channels, length = shape
        layers: list[nn.Module] = []
        for step, out_channels in enumerate(widths, 1):
            convolution = nn.Conv1d(in_channels, out_channels, KERNEL, STRIDE, _PADDING)
            layers += [convolution, nn.LeakyReLU(0.2)]
            if step < len(widths):
                layers.append(PhaseShuffle(shuffle))
            in_channels, length = out_channels, (length + 2 * _PADDING - KERNEL) // STRIDE + 1
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Linear(in_channels * length, 1)

    def forward(self, sound: Tensor) -> Tensor:
        """Sound `(N, channels, length)` in [-1, 1] -> scores `(N,)`."""
        scores: Tensor = self.linear(self.convolutions(sound).flatten(1))
        return scores.squeeze(1)


def wavegan_discriminator(
    *, image_shape: tuple[int, ...], spectral_norm: bool, channels: int = 256, shuffle: int = 2
) -> WaveGANDiscriminator:
    """A WaveGAN discriminator for sound of that shape.

    Args:
        image_shape: `(channels, length)`; length at least 64.
        spectral_norm: on every convolution and on the linear layer. The paper's has none, and goes with wgan-gp.
        channels: width of the last convolution; half with each one before it.
        shuffle: largest shift of the phase shuffle; 0 for none.
    Raises:
        ValueError: this is no sound, or too short; `channels` cannot be halved as often as the layout needs.
    """
    if len(image_shape) != 2 or image_shape[1] < _MIN_LENGTH:
        raise ValueError(
            f"The wavegan discriminator judges sound, (channels, length) of {_MIN_LENGTH} samples or more; the generator "
            f"makes {image_shape}. Take another discriminator."
        )
    if shuffle < 0:
        raise ValueError(f"shuffle is at least 0, got {shuffle}.")
    num_convolutions = 1
    while image_shape[1] > 16 * STRIDE**num_convolutions:  # down to 16 steps or fewer
        num_convolutions += 1
    step = 2 ** (num_convolutions - 1)
    if channels < 1 or channels % step:
        raise ValueError(
            f"channels={channels} is halved {num_convolutions - 1} times; give a positive multiple of {step}."
        )
    widths = tuple(channels // 2 ** (num_convolutions - 1 - i) for i in range(num_convolutions))
    module = WaveGANDiscriminator((image_shape[0], image_shape[1]), widths, shuffle)
    if spectral_norm:
        for layer in list(module.modules()):
            if isinstance(layer, (nn.Conv1d, nn.Linear)):
                parametrizations.spectral_norm(layer)
    return module
