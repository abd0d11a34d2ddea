"""In which order the numbers of stacked weights lie in memory.

A convolution of channels-last pictures reads its weights with the input channels last, and would copy them for every call
of every block. So the weights of routed convolutions lie so from the start; their shapes are as ever, and what is saved
is in the order of the shape.
"""

from __future__ import annotations

import math

from torch import Tensor

from rpganify.routing.blueprint import LayerConfig

# Convolutions from or to so few channels are no product of large matrices, and run by the kernel `project`.
FEW_CHANNELS = 4


def laid_out(stack: Tensor, layer: LayerConfig) -> Tensor:
    """The stack in the order in which its layer reads it: itself where it lies so, else new memory, filled likewise.

    Args:
        stack: one tensor of a layer, `(num_blocks, ...)`.
        layer: kind and constructor values.
    """
    if layer.kind not in ("Conv2d", "ConvTranspose2d") or stack.dim() != 5:
        return stack
    if math.prod(stack.shape[3:]) == 1 or min(stack.shape[1:3]) <= FEW_CHANNELS or is_channels_last(stack):
        return stack
    return stack.movedim(2, -1).contiguous().movedim(-1, 2)


def is_channels_last(stack: Tensor) -> bool:
    """Whether a stack of convolutions' weights, `(num_blocks, A, B, height, width)`, lies with B last."""
    return stack.dim() == 5 and not stack.is_contiguous() and stack.movedim(2, -1).is_contiguous()


def in_memory_order(stack: Tensor) -> Tensor:
    """A view whose axes are in the order in which they lie: `(num_blocks, A, height, width, B)` for channels last."""
    return stack.movedim(2, -1) if is_channels_last(stack) else stack


def row_of(stack: Tensor, block: int) -> Tensor:
    """One block's own tensor, a view; its gradient becomes one tensor that lies like the stack."""
    return stack.movedim(2, -1)[block].movedim(-1, 1) if is_channels_last(stack) else stack[block]


def unbound(stack: Tensor) -> tuple[Tensor, ...]:
    """Every block's own tensor, a view; their gradients together become one tensor that lies like the stack."""
    if not is_channels_last(stack):
        return stack.unbind(0)
    return tuple(row.movedim(-1, 1) for row in stack.movedim(2, -1).unbind(0))


def rows_chosen(stack: Tensor, blocks: Tensor) -> Tensor:
    """The rows of a stack with these indices, in memory like the stack: `(m, ...)` -> `(N, ...)`."""
    if not is_channels_last(stack):
        return stack.index_select(0, blocks)
    return stack.movedim(2, -1).index_select(0, blocks).movedim(-1, 2)
