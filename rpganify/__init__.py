"""Convert a GAN generator into a random path GAN, and see what its layers do."""

from rpganify.hookspecs import hookimpl

__all__ = ["hookimpl"]
