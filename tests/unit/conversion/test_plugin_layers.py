"""Layer types of plugins: kept whole, given blocks, written to disk by name and config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

import rpganify
from rpganify.entries import RoutedLayerEntry
from rpganify.errors import ConversionError, ModelFileError
from rpganify.hookspecs import hookimpl
from rpganify.registry import Registry, chosen_plugins, default
from tests.oracle import model_one_by_one

LATENT, SIDE = 6, 4


class Styled(nn.Module):
    """Two inputs, a module within, and a buffer."""

    def __init__(self, channels: int, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.to_style = nn.Linear(LATENT, channels)
        self.weight = nn.Parameter(torch.randn(channels, channels, 3, 3))
        self.register_buffer("blur", torch.ones(1) / 2)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        factors = self.to_style(style)[:, :, None, None] * self.gain
        return nn.functional.conv2d(x * factors, self.weight, padding=1) * self.blur


class StyledKind:
    def config(self, module: Styled) -> dict[str, Any]:
        return {"channels": len(module.weight), "gain": module.gain}

    def build(self, config: Mapping[str, Any]) -> nn.Module:
        return Styled(**config)

    def call(
        self, config: Mapping[str, Any], tensors: Mapping[str, Tensor], inputs: tuple[Any, ...], is_training: bool
    ) -> Tensor:
        return functional_call(self.build(config), dict(tensors), inputs)  # type: ignore[no-any-return]


class StyledGenerator(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, channels * SIDE * SIDE)
        self.styled = nn.ModuleList([Styled(channels), Styled(channels, gain=2.0)])

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z).view(-1, 3, SIDE, SIDE)
        for layer in self.styled:
            x = torch.relu(layer(x, z)) + x
        return torch.tanh(x)


class Plugin:
    @hookimpl
    def rpganify_routed_layers(self) -> list[RoutedLayerEntry]:
        return [RoutedLayerEntry("styled", "a styled convolution", f"{__name__}:Styled", StyledKind)]


def use(monkeypatch: pytest.MonkeyPatch, *plugins: object) -> None:
    """Makes the built-ins and these the plugins that there are."""
    registry = Registry(None)
    for plugin in plugins:
        registry.register(plugin, "styled-plugin")
    monkeypatch.setattr(default, "_loaded", (chosen_plugins(), registry))


@pytest.fixture
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Plugin())


@pytest.mark.usefixtures("_plugin")
def test_a_plugins_layer_is_one_layer_of_the_plan_and_every_sample_gets_its_own_blocks_tensors() -> None:
    model = rpganify.wrap(StyledGenerator(), buckets=["fc", "styled.0", "styled.1"], blocks=3, init="jitter").double()
    assert [layer.name for layer in model.blueprint.layers] == ["fc", "styled.0", "styled.1"]
    assert model.state_dict()["styled.0.to_style.weight"].shape == (3, 3, LATENT)
    assert model.state_dict()["styled.1.blur"].shape == (3, 1)
    paths = model.draw(7, torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(paths), torch.cat([model(path[None]) for path in paths]))
    plain = rpganify.extract(model, paths[0])
    torch.testing.assert_close(plain(model.Z), model(paths[:1]))
    singles = model_one_by_one(StyledGenerator, model, paths, lambda plain, index: plain(model.Z))
    torch.testing.assert_close(model(paths), torch.cat(singles))
    model(paths).sum().backward()
    gradient = model.get_parameter("styled.0.weight").grad
    assert gradient is not None and gradient.isfinite().all() and gradient.any()


@pytest.mark.usefixtures("_plugin")
def test_a_model_with_a_plugins_layer_is_opened_while_the_plugin_is_there_and_names_it_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = rpganify.wrap(StyledGenerator(), blocks=2)
    rpganify.save(model, tmp_path / "styled.rpgan")
    data = json.loads((tmp_path / "styled.rpgan" / "graph.json").read_text())
    assert data["layer_configs"]["styled.0"] == {"kind": "styled", "config": {"channels": 3, "gain": 1.0}}
    paths = model.draw(3)
    assert torch.equal(rpganify.load(tmp_path / "styled.rpgan")(paths), model(paths))
    use(monkeypatch)
    with pytest.raises(ModelFileError, match=r"asks for a layer 'styled', which is neither built in nor offered by a"):
        rpganify.load(tmp_path / "styled.rpgan")


@pytest.mark.usefixtures("_plugin")
def test_without_a_bucket_a_plugins_layer_is_called_as_it_is() -> None:
    plain = StyledGenerator()
    model = rpganify.wrap(plain, buckets=["fc"], blocks=3)
    assert type(model.get_submodule("styled.0")) is Styled
    z = torch.randn(5, LATENT)
    torch.testing.assert_close(rpganify.standard(plain)(z), plain(z))


@pytest.mark.usefixtures("_plugin")
def test_a_config_that_is_no_dict_is_refused_with_the_check_that_shows_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StyledKind, "config", lambda self, module: ["three"])
    with pytest.raises(ConversionError, match=r"layer 'styled' describes a Styled as \['three'\]; it has to be a dict"):
        rpganify.wrap(StyledGenerator(), blocks=2)


def test_without_the_plugin_the_same_generator_is_converted_operation_by_operation() -> None:
    model = rpganify.wrap(StyledGenerator(), blocks=3, init="jitter").double()
    assert "styled.0" not in model.blueprint.layer_configs
    paths = model.draw(4)
    torch.testing.assert_close(model(paths), torch.cat([model(path[None]) for path in paths]))
