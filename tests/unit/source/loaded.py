"""What tests make of scripts."""

from torch import nn

from rpganify.source import load_source


def built(text: str, *args, **kwargs) -> nn.Module:
    """The module that a script's class makes; further arguments are those of `load_source`."""
    return load_source(text, *args, **kwargs).build(0)
