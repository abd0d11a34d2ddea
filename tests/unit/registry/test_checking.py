"""What an entry must be, besides having a name."""

from __future__ import annotations

import types
from typing import Any

import pytest

from rpganify.entries import Architecture, LossEntry, RoutedLayerEntry
from rpganify.errors import RegistryError
from rpganify.hookspecs import hookimpl
from rpganify.registry import Registry


def register(hook: str, entry: Any) -> None:
    module = types.ModuleType("mine")
    setattr(module, hook, hookimpl(lambda: [entry]))
    Registry().register(module)


def architecture(**fields: Any) -> Architecture:
    usual = {"latent": (4,), "buckets": ("a",), "discriminator": "mlp"}
    return Architecture("x", "help", "builtins:dict", **{**usual, **fields})


@pytest.mark.parametrize(
    ("hook", "entry", "message"),
    [
        ("rpganify_losses", LossEntry("x", "", "a:b"), r"loss 'x' of the plugin mine has the help ''; it is one line"),
        ("rpganify_losses", LossEntry("x", "one\ntwo", "a:b"), "it is one line of text"),
        ("rpganify_losses", LossEntry("x", "help", 3), r"has the factory 3; it is a callable, or 'package\.module:"),  # type: ignore[arg-type]
        (
            "rpganify_losses",
            LossEntry("x", "help", "a:b", ("batch",)),
            r"needs \('batch',\).*spectral-norm, no-batch-norm",
        ),
        ("rpganify_losses", LossEntry("x", "help", "a:b", "spectral-norm"), r"needs 'spectral-norm'; .* is a tuple"),  # type: ignore[arg-type]
        (
            "rpganify_routed_layers",
            RoutedLayerEntry("x", "help", "torch.nn", "a:b"),
            r"module 'torch\.nn'; it is 'package",
        ),
        ("rpganify_architectures", architecture(latent="128"), r"has latent '128'; it is a tuple, such as \('128',\)"),
        ("rpganify_architectures", architecture(buckets="l1"), r"has buckets 'l1'; it is a tuple"),
        ("rpganify_architectures", architecture(leaves="mine"), r"has leaves 'mine'; it is a tuple"),
    ],
)
def test_an_entry_with_a_field_that_cannot_be_is_refused(hook: str, entry: Any, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        register(hook, entry)


def test_entries_with_all_their_fields_are_taken() -> None:
    register("rpganify_losses", LossEntry("x", "help", dict, ("spectral-norm", "no-batch-norm")))
    register("rpganify_architectures", architecture(leaves=("mine",)))


def test_a_hook_of_another_version_is_refused_naming_both_distributions() -> None:
    module = types.ModuleType("mine")
    module.rpganify_optimizers = hookimpl(lambda: [])  # type: ignore[attr-defined]
    with pytest.raises(RegistryError, match=r"plugin mine implements 'rpganify_optimizers'.*hooks of rpganify \d"):
        Registry().register(module)
