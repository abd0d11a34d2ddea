"""Sources: what a user names as the generator, and how to build it without running the rest of the script."""

from rpganify.source.loading import Source, from_object, load_class, load_source

__all__ = ["Source", "from_object", "load_class", "load_source"]
