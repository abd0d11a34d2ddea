"""Tokens: attention, transformers, recurrence, einsum, folded batches, pixel shuffles."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generators.case import LATENT, Case, image

WIDTH = 4


class _Tokens(nn.Module):
    """Latents to 16 tokens of 4 numbers, `(N, 16, 4)`; images from them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 16 * WIDTH), nn.Linear(WIDTH, 3)

    def tokens(self, z: Tensor) -> Tensor:
        return self.fc(z).view(-1, 16, WIDTH)

    def pictures(self, tokens: Tensor) -> Tensor:
        return torch.tanh(self.out(tokens).transpose(1, 2).reshape(-1, 3, 4, 4))


class AttendsBatchFirst(_Tokens):
    """nn.MultiheadAttention on `(N, T, C)`."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z)
        return self.pictures(t + self.attention(t, t, t, need_weights=False)[0])


class AttendsSequenceFirst(_Tokens):
    """nn.MultiheadAttention on `(T, N, C)`, its weights used as well."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2)

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z).transpose(0, 1)
        attended, weights = self.attention(t, t, t)
        return self.pictures((t + attended).transpose(0, 1) + weights.mean(2, keepdim=True))


class TransformerBatchFirst(_Tokens):
    """nn.TransformerEncoderLayer, norm first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 8, dropout=0.0, batch_first=True, norm_first=True)

    def forward(self, z: Tensor) -> Tensor:
        return self.pictures(self.layer(self.tokens(z)))


class TransformerSequenceFirst(_Tokens):
    """nn.TransformerEncoder of two layers on `(T, N, C)`, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 8, dropout=0.2, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.pictures(self.encoder(self.tokens(z).permute(1, 0, 2)).permute(1, 0, 2))


class FoldsTokensIntoTheBatch(_Tokens):
    """A layer that sees `(N * T, C)`, another that sees `(T, N, C)`, a norm over both."""

    def __init__(self) -> None:
        super().__init__()
        self.folded, self.first, self.norm = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z)
        batch, length, width = t.shape
        h = torch.relu(self.folded(t.reshape(batch * length, width))).view(batch, length, width)
        return self.pictures(h + self.norm(self.first(t.transpose(0, 1))).transpose(0, 1))


class FoldsTheBatchInside(_Tokens):
    """`(T * N, C)` with the samples of one token together."""

    def __init__(self) -> None:
        super().__init__()
        self.folded = nn.Linear(WIDTH, WIDTH)

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z).transpose(0, 1)
        length, batch, width = t.shape
        return self.pictures(self.folded(t.reshape(-1, width)).view(length, batch, width).transpose(0, 1))


class FoldsByJoining(nn.Module):
    """Batches of 2N and 3N made by cat, stack and repeat_interleave, through layers and bare parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.two, self.three, self.four = (nn.Linear(LATENT, LATENT) for _ in range(3))
        self.gain, self.out = nn.Parameter(torch.rand(LATENT) + 0.5), nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        n = z.size(0)
        one, other = (self.two(torch.cat([z, -z])) * self.gain).chunk(2)
        stacked = self.three(torch.stack([one, other, one * other]).flatten(0, 1)).view(3, n, LATENT)
        repeated = self.four(stacked.sin().sum(0).repeat_interleave(2, dim=0)).view(n, 2, LATENT)
        return image(self.out(repeated[:, 0] - repeated[:, 1].square()))


class FoldsByRepeating(nn.Module):
    """A batch of 3N by `repeat`, each copy with a phase of its own: the samples count fastest."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, LATENT), nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        phase = torch.arange(3.0, dtype=z.dtype).repeat_interleave(len(z))[:, None]
        h = torch.sin(self.fc(z.repeat(3, 1)) + phase)
        return image(self.out(h.view(3, len(z), LATENT).sum(0)))


class FoldsImages(nn.Module):
    """Two views of each sample as a batch of 2N images, as point and video generators do."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.conv = nn.Linear(LATENT, 2 * 32), nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, z: Tensor) -> Tensor:
        views = self.fc(z).view(-1, 2, 2, 4, 4)
        x = self.conv(self.norm(views.flatten(0, 1)))
        return torch.tanh(x.view(views.shape[0], 2, 3, 4, 4).sum(1))


class RearrangesByHand(_Tokens):
    """What einops' rearrange does, heads by einsum, windows."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z)
        n = t.shape[0]
        qkv = self.qkv(t).reshape(n, 16, 3, 2, WIDTH // 2).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        attention = torch.einsum("bhic,bhjc->bhij", q, k).softmax(-1)
        out = torch.einsum("bhij,bhjc->bhic", attention, v).transpose(1, 2).flatten(2)
        out = out + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, 16, -1)
        windows = out.view(n, 2, 2, 2, 2, WIDTH).permute(0, 1, 3, 2, 4, 5).reshape(n * 4, 4, WIDTH)
        back = (windows - windows.mean(1, keepdim=True)).view(n, 2, 2, 2, 2, WIDTH).permute(0, 1, 3, 2, 4, 5)
        return self.pictures(t + back.reshape(n, 16, WIDTH))


class ShufflesPixels(nn.Module):
    """Sub-pixel upsampling by layer, function and hand."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.conv = nn.Linear(LATENT, 16), nn.Conv2d(4, 12, 3, padding=1)
        self.up = nn.PixelShuffle(2)

    def forward(self, z: Tensor) -> Tensor:
        x = F.pixel_shuffle(self.fc(z).view(-1, 16, 1, 1), 2)
        return torch.tanh(self.up(self.conv(x)))


class Recurs(_Tokens):
    """A GRU over the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, z: Tensor) -> Tensor:
        out, _ = self.cell(self.tokens(z))
        return self.pictures(out)


class RecursInCells(_Tokens):
    """An LSTM cell in a Python loop."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(WIDTH, WIDTH)

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z)
        h = c = t.new_zeros(t.size(0), WIDTH)
        states: list[Tensor] = []
        for step in range(4):
            h, c = self.cell(t[:, step], (h, c))
            states.append(h)
        return self.pictures(torch.stack(states, 1).repeat(1, 4, 1))


class RecursByHand(_Tokens):
    """A GRU cell of linear layers, unrolled in Python over a fixed length."""

    def __init__(self) -> None:
        super().__init__()
        self.reset, self.update, self.new = (nn.Linear(2 * WIDTH, WIDTH) for _ in range(3))

    def forward(self, z: Tensor) -> Tensor:
        t = self.tokens(z)
        h = torch.zeros(t.size(0), WIDTH)
        states: list[Tensor] = []
        for step in range(4):
            x = t[:, step]
            both = torch.cat([x, h], 1)
            r, u = torch.sigmoid(self.reset(both)), torch.sigmoid(self.update(both))
            h = (1 - u) * torch.tanh(self.new(torch.cat([x, r * h], 1))) + u * h
            states.append(h)
        return self.pictures(torch.stack(states, 1).repeat_interleave(4, 1))


class SamplesAGrid(nn.Module):
    """affine_grid, grid_sample, unfold and fold."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.theta = nn.Linear(LATENT, 48), nn.Linear(LATENT, 6)

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z).view(-1, 3, 4, 4)
        grid = F.affine_grid(torch.tanh(self.theta(z)).view(-1, 2, 3), list(x.size()), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        patches = F.unfold(x, 2, stride=2)
        return torch.tanh(F.fold(patches * 0.5, (4, 4), 2, stride=2))


TOKENS: tuple[Any, ...] = (
    AttendsBatchFirst,
    AttendsSequenceFirst,
    TransformerBatchFirst,
    FoldsTokensIntoTheBatch,
    FoldsTheBatchInside,
    FoldsByJoining,
    FoldsByRepeating,
    RearrangesByHand,
    ShufflesPixels,
    Recurs,
    RecursInCells,
    RecursByHand,
    SamplesAGrid,
)
CASES = (
    *(Case(make) for make in TOKENS),
    Case(TransformerSequenceFirst, draws_noise=("train",)),
    Case(FoldsImages, mixes=("train",)),
)
