"""Plugins among the installed packages: found by entry point, named by distribution, left out when broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rpganify.entries import LossEntry
from rpganify.errors import RegistryError
from rpganify.registry import Registry, Selection

Install = Callable[..., None]

GOOD = """
from rpganify import hookimpl
from rpganify.hookspecs import LossEntry

@hookimpl
def rpganify_losses():
    return [LossEntry({name!r}, "a loss", "builtins:dict")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution of one module on sys.path, as pip would leave it."""
    import sys

    before = set(sys.modules)

    def put(distribution: str, module: str, code: str, version: str = "1.2") -> None:
        site = tmp_path / f"site-{distribution}-{len(list(tmp_path.iterdir()))}"
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[rpganify]\nmain = {module}\n")
        (site / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("stranger_"):
            del sys.modules[name]


def test_an_installed_plugin_is_found_and_named_by_its_distribution(install: Install) -> None:
    install("rpganify-extra", "stranger_a", GOOD.format(name="extra"))
    registry = Registry(Selection())
    assert str(registry.provider(registry.get(LossEntry, "extra"))) == "rpganify-extra 1.2 (main)"
    assert registry.failures == {}


def test_installed_plugins_can_be_left_out(install: Install) -> None:
    install("rpganify-extra", "stranger_b", GOOD.format(name="extra"))
    assert "extra" not in Registry().all(LossEntry)


def test_a_distribution_found_twice_on_the_path_is_one_plugin(install: Install) -> None:
    install("rpganify-extra", "stranger_c", GOOD.format(name="extra"))
    install("rpganify-extra", "stranger_c", GOOD.format(name="extra"))
    assert "extra" in Registry(Selection()).all(LossEntry)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import a_package_that_is_not_there", "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
        ("def broken(:", "SyntaxError"),
        (GOOD.format(name="x").replace("return", "raise OSError('no disk')\n    return"), "OSError: no disk"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_left_out_warned_of_and_remembered(
    install: Install, caplog: pytest.LogCaptureFixture, code: str, reason: str
) -> None:
    install("rpganify-broken", "stranger_d", code)
    with caplog.at_level(logging.WARNING, logger="rpganify.registry.catalog"):
        registry = Registry(Selection())
    assert "hinge" in registry.all(LossEntry)
    assert reason in {str(plugin): cause for plugin, cause in registry.failures.items()}["rpganify-broken 1.2 (main)"]
    assert "The plugin rpganify-broken 1.2 (main) is left out" in caplog.text
    with pytest.raises(
        RegistryError, match=rf"There is no loss 'theirs'.*rpganify-broken 1\.2 \(main\) could not be loaded.*{reason}"
    ):
        registry.get(LossEntry, "theirs")


def test_two_installed_plugins_with_one_name_are_refused_naming_both_distributions(install: Install) -> None:
    install("rpganify-one", "stranger_e", GOOD.format(name="same"))
    install("rpganify-two", "stranger_f", GOOD.format(name="same"), version="0.3")
    with pytest.raises(RegistryError, match="Two losses are called 'same'") as caught:
        Registry(Selection())
    assert "rpganify-one 1.2 (main)" in str(caught.value)
    assert "rpganify-two 0.3 (main)" in str(caught.value)


def test_an_installed_plugin_with_a_misspelt_hook_is_refused_with_the_way_out(install: Install) -> None:
    install("rpganify-wrong", "stranger_g", GOOD.format(name="x").replace("rpganify_losses", "rpganify_lossses"))
    with pytest.raises(RegistryError, match=r"rpganify_lossses.*Correct the plugin, uninstall rpganify-wrong 1\.2"):
        Registry(Selection())


def test_a_built_in_that_cannot_be_imported_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpganify.registry.catalog.BUILT_INS", ("rpganify.no_such_plugin",))
    with pytest.raises(RegistryError, match=r"rpganify\.no_such_plugin cannot be imported: ModuleNotFoundError"):
        Registry()
