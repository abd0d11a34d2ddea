"""Jacobian-vector products."""

import torch

from rpganify.analysis.forward_mode import pushed_forward
from tests.unit.analysis.linear_maps import curved, planted


def test_each_row_is_the_jacobian_of_that_row_times_its_velocity():
    space = curved(planted(torch.tensor([2.0, 1.0, 0.5])))
    latents, velocities = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    moved = pushed_forward(space.images, latents, velocities)
    for row in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda z: space.images(z[None])[0], latents[row])
        assert torch.allclose(moved[row], jacobian @ velocities[row])
    assert not moved.requires_grad


def test_an_operator_without_a_forward_derivative_is_gone_through_all_the_same():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values):
            ctx.save_for_backward(values)
            return values**3

        @staticmethod
        def backward(ctx, cotangent):
            (values,) = ctx.saved_tensors
            return 3 * values**2 * cotangent

    latents, velocities = torch.randn(4, 3), torch.randn(4, 3)
    assert torch.allclose(pushed_forward(Cube.apply, latents, velocities), 3 * latents**2 * velocities)
