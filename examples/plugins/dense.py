"""A plugin in ten lines: `rpganify --plugins-dir examples/plugins convert dense`."""

from rpganify.hookspecs import Architecture, hookimpl


def build(width=256):
    from torch import nn

    to_image = (nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 784), *to_image)


@hookimpl
def rpganify_architectures():
    return [Architecture("dense", "two dense layers, 28x28", build, (64,), ("0", "2"), "mlp")]
