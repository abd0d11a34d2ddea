"""The registry: one road for built-ins and strangers, and a clear word when a plugin is wrong."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

import rpganify
from rpganify import hookspecs
from rpganify.entries import (
    AnalyzerEntry,
    Architecture,
    CallbackEntry,
    DataSetEntry,
    DiscriminatorEntry,
    DistanceEntry,
    Entry,
    ExportEntry,
    ExtractorEntry,
    LossEntry,
    ReplicationEntry,
    RoutedLayerEntry,
)
from rpganify.errors import DataError, RegistryError
from rpganify.registry import KINDS, Kind, Registry, default_registry, resolve

ENTRIES: dict[str, Entry] = {
    "rpganify_architectures": Architecture("qqqq", "two layers", "builtins:dict", (4,), ("a", "b"), "mlp"),
    "rpganify_losses": LossEntry("qqqq", "a loss", "builtins:dict"),
    "rpganify_discriminators": DiscriminatorEntry("qqqq", "patches", "builtins:dict"),
    "rpganify_datasets": DataSetEntry("qqqq", "my birds", "builtins:dict"),
    "rpganify_routed_layers": RoutedLayerEntry("qqqq", "my layer", "torch.nn:Bilinear", "builtins:dict"),
    "rpganify_replications": ReplicationEntry("qqqq", "halved", "builtins:dict"),
    "rpganify_distances": DistanceEntry("qqqq", "in brightness", "builtins:dict"),
    "rpganify_extractors": ExtractorEntry("qqqq", "thumbnails", "builtins:dict"),
    "rpganify_analyzers": AnalyzerEntry("qqqq", "mean", "builtins:dict"),
    "rpganify_callbacks": CallbackEntry("qqqq", "writes", "builtins:dict"),
    "rpganify_exports": ExportEntry("qqqq", "as text", "builtins:dict"),
}


def plugin(name: str, **functions: Callable[..., Any]) -> types.ModuleType:
    """A module object with these functions, marked as hook implementations."""
    module = types.ModuleType(name)
    for attribute, function in functions.items():
        setattr(module, attribute, rpganify.hookimpl(function))
    return module


def loss(name: str) -> LossEntry:
    return LossEntry(name, "a loss", "builtins:dict")


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_the_built_ins_offer_what_the_readme_names(registry: Registry) -> None:
    assert list(registry.all(Architecture)) == [
        "dcgan32",
        "dcgan64",
        "mlp28",
        "sngan128",
        "sngan32",
        "sngan48",
        "sngan64",
    ]
    assert {"hinge", "wgan-gp", "non-saturating"} <= set(registry.all(LossEntry))
    assert {"sngan", "dcgan", "mlp"} <= set(registry.all(DiscriminatorEntry))
    assert {"digits", "mnist", "coloured-mnist", "fashion-mnist", "cifar10", "lsun", "folder"} <= set(
        registry.all(DataSetEntry)
    )
    assert {"variations", "diversity"} <= set(registry.all(AnalyzerEntry))


def test_every_built_in_factory_can_be_imported(registry: Registry) -> None:
    for entry in (entry for kind in KINDS for entry in registry.all(kind.entry).values()):
        assert callable(resolve(entry.factory)), entry.name


def test_every_architecture_names_a_discriminator_that_exists(registry: Registry) -> None:
    for architecture in registry.all(Architecture).values():
        assert architecture.discriminator in registry.all(DiscriminatorEntry), architecture.name


def test_listing_everything_imports_no_torch() -> None:
    code = (
        "import sys; from rpganify.registry import Registry; r = Registry(); "
        "from rpganify.registry import KINDS; [r.all(kind.entry) for kind in KINDS]; "
        "print(sorted({'torch', 'torchvision', 'sklearn', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_default_registry_is_built_once() -> None:
    assert default_registry() is default_registry()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_an_entry_of_every_kind_is_found_by_name_and_leads_back_to_its_plugin(registry: Registry, kind: Kind) -> None:
    entry = ENTRIES[kind.hook]
    registry.register(plugin("mine", **{kind.hook: lambda: [entry]}))
    assert registry.get(kind.entry, "qqqq") is entry
    assert str(registry.provider(entry)) == "mine"
    assert registry.plugins()[-1] == "mine"


def test_there_is_a_kind_for_every_hook() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("rpganify_")]
    assert [kind.hook for kind in KINDS] == hooks == list(ENTRIES)


def test_names_are_listed_sorted(registry: Registry) -> None:
    registry.register(plugin("mine", rpganify_losses=lambda: [loss("zebra"), loss("aardvark")]))
    assert list(registry.all(LossEntry)) == sorted(registry.all(LossEntry))


def test_an_object_can_be_a_plugin(registry: Registry) -> None:
    class Plugin:
        @rpganify.hookimpl
        def rpganify_losses(self) -> list[LossEntry]:
            return [loss("from-an-object")]

    registry.register(Plugin(), "an-object")
    assert str(registry.provider(registry.get(LossEntry, "from-an-object"))) == "an-object"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_an_unknown_name_is_refused_with_all_that_exist(registry: Registry, kind: Kind) -> None:
    registry.register(plugin("mine", **{kind.hook: lambda: [ENTRIES[kind.hook]]}))
    with pytest.raises(RegistryError, match=f"There is no {kind.one} 'zzzz'") as caught:
        registry.get(kind.entry, "zzzz")
    assert f"The {kind.many} are: {', '.join(registry.all(kind.entry))}." in str(caught.value)


def test_a_name_nearly_right_is_answered_with_the_right_one(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"There is no architecture 'sngan23'\. Did you mean .*'sngan32'"):
        registry.get(Architecture, "sngan23")


def test_one_name_from_two_plugins_is_refused_naming_both_and_leaves_nothing_behind(registry: Registry) -> None:
    registry.register(plugin("first", rpganify_losses=lambda: [loss("mine")]))
    second = plugin("second", rpganify_losses=lambda: [loss("other"), loss("mine")])
    with pytest.raises(RegistryError, match=r"Two losses are called 'mine': .*plugin first, .*plugin second"):
        registry.register(second)
    assert "other" not in registry.all(LossEntry)
    assert "second" not in registry.plugins()


def test_a_stranger_cannot_take_a_built_in_s_name(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"called 'hinge': .*rpganify\.training\.plugin.*stranger"):
        registry.register(plugin("stranger", rpganify_losses=lambda: [loss("hinge")]))


def test_one_name_twice_in_one_plugin_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="Two losses are called 'twice'"):
        registry.register(plugin("mine", rpganify_losses=lambda: [loss("twice"), loss("twice")]))


def test_one_name_may_stand_for_things_of_two_kinds(registry: Registry) -> None:
    architecture = Architecture("patch", "help", "builtins:dict", (4,), ("a",), "mlp")
    registry.register(
        plugin("mine", rpganify_losses=lambda: [loss("patch")], rpganify_architectures=lambda: [architecture])
    )
    assert registry.get(Architecture, "patch") is architecture


def test_a_misspelt_hook_is_refused_with_the_right_spelling(registry: Registry) -> None:
    with pytest.raises(
        RegistryError, match=r"plugin mine implements 'rpganify_loses'.*no such hook\. Did you mean 'rpganify_losses'"
    ):
        registry.register(plugin("mine", rpganify_loses=lambda: []))
    assert "mine" not in registry.plugins()


def test_a_function_of_any_name_marked_as_a_hook_is_refused_if_there_is_no_such_hook(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="implements 'losses', and there is no such hook"):
        registry.register(plugin("mine", losses=lambda: []))


def test_a_misspelt_hook_without_the_decorator_is_refused_too(registry: Registry) -> None:
    module = types.ModuleType("mine")
    module.rpganify_anlyzers = lambda: []  # type: ignore[attr-defined]
    with pytest.raises(RegistryError, match=r"no such hook\. Did you mean 'rpganify_analyzers'"):
        registry.register(module)


def test_a_hook_without_the_decorator_is_refused_rather_than_ignored(registry: Registry) -> None:
    module = types.ModuleType("mine")
    module.rpganify_losses = lambda: [loss("unseen")]  # type: ignore[attr-defined]
    with pytest.raises(RegistryError, match=r"defines 'rpganify_losses' without `@rpganify\.hookimpl`"):
        registry.register(module)


def test_an_imported_hook_specification_is_no_mistake(registry: Registry) -> None:
    module = plugin("mine", rpganify_losses=lambda: [loss("mine")])
    module.rpganify_datasets = hookspecs.rpganify_datasets  # type: ignore[attr-defined]
    registry.register(module)
    assert "mine" in registry.all(LossEntry)


def test_a_hook_with_an_argument_is_refused_naming_it(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"'mine' for hook 'rpganify_losses'.*'config'.*take no arguments"):
        registry.register(plugin("mine", rpganify_losses=lambda config: []))
    assert "mine" not in registry.plugins()


@pytest.mark.parametrize("listed", [None, "hinge", 3])
def test_a_hook_that_returns_no_list_is_refused(registry: Registry, listed: object) -> None:
    with pytest.raises(RegistryError, match=rf"plugin mine returned {listed!r}; it returns a list of LossEntry"):
        registry.register(plugin("mine", rpganify_losses=lambda: listed))


def test_an_entry_of_another_kind_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"rpganify_analyzers of the plugin mine listed LossEntry.*AnalyzerEntry"):
        registry.register(plugin("mine", rpganify_analyzers=lambda: [loss("x")]))


@pytest.mark.parametrize("name", ["", "my_gan.py", "a:b", "mnist[0]", "two words", "-x"])
def test_a_name_that_reads_as_something_else_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError, match="because people type it"):
        registry.register(plugin("mine", rpganify_losses=lambda: [loss(name)]))


def test_a_plugin_registered_twice_is_refused(registry: Registry) -> None:
    mine = plugin("mine", rpganify_losses=lambda: [loss("mine")])
    registry.register(mine)
    with pytest.raises(RegistryError, match="plugin mine is registered already"):
        registry.register(mine)
    assert "mine" in registry.all(LossEntry)


def test_a_factory_may_be_a_callable_or_text_that_is_imported_late() -> None:
    assert resolve(dict) is dict
    assert resolve("collections:OrderedDict.fromkeys")("ab") == {"a": None, "b": None}


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("collections.OrderedDict", "not of the form 'package.module:attribute'"),
        (":OrderedDict", "not of the form"),
        ("no_such_package.x:y", r"cannot be imported: ModuleNotFoundError.*Install what is missing"),
        ("collections:OrderdDict", r"no 'OrderdDict' in collections\. Did you mean 'OrderedDict'"),
        ("sys:maxsize", "is a int, not something to call"),
    ],
)
def test_a_factory_that_leads_nowhere_says_why(factory: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        resolve(factory)


def test_a_factory_that_cannot_be_imported_is_refused_naming_entry_plugin_and_cause(registry: Registry) -> None:
    registry.register(plugin("mine", rpganify_losses=lambda: [LossEntry("late", "a loss", "no_such_module:Loss")]))
    with pytest.raises(
        RegistryError, match=r"loss 'late' of the plugin mine cannot be loaded.*No module named 'no_such_module'"
    ):
        registry.make(registry.get(LossEntry, "late"))


def test_an_architecture_whose_layers_nobody_routes_is_refused_by_their_name(registry: Registry) -> None:
    entry = Architecture("styled", "a generator", "builtins:dict", (4,), ("a",), "mlp", leaves=("modulated",))
    registry.register(plugin("mine", rpganify_architectures=lambda: [entry]))
    with pytest.raises(
        RegistryError, match=r"'styled' of the plugin mine cannot be loaded\. .*routed layer 'modulated'"
    ):
        registry.make(entry)


def test_a_factory_that_fails_is_refused_naming_entry_plugin_arguments_and_cause(registry: Registry) -> None:
    def fails(**arguments: Any) -> None:
        raise KeyError("no such table")

    registry.register(plugin("mine", rpganify_datasets=lambda: [DataSetEntry("birds", "mine", fails)]))
    entry = registry.get(DataSetEntry, "birds")
    with pytest.raises(
        RegistryError,
        match=r"data set 'birds' of the plugin mine failed when it was called as factory\(root=None\): KeyError: 'no such",
    ):
        registry.make(entry, root=None)


def test_what_a_factory_refuses_itself_passes_through(registry: Registry) -> None:
    def refuses() -> None:
        raise DataError("Bring the files.")

    registry.register(plugin("mine", rpganify_datasets=lambda: [DataSetEntry("birds", "mine", refuses)]))
    with pytest.raises(DataError, match=r"^Bring the files\.$"):
        registry.make(registry.get(DataSetEntry, "birds"))
