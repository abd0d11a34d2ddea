"""Model files that are truncated, foreign, newer, forged: each a refusal, and nothing of them is run."""

from __future__ import annotations

import builtins
import copy
import json
import os
import pickle
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import rpganify
from rpganify.errors import ModelFileError, RpganifyError
from rpganify.modelfile import load_model, save_model
from tests.unit.models_on_disk import Varied, examples


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = rpganify.wrap(Varied(), blocks=2, init="jitter", latent="z", example_inputs=examples(2))
    return save_model(model, tmp_path_factory.mktemp("intact") / "m.rpgan")


@pytest.fixture
def damaged(intact: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(intact, tmp_path / "m.rpgan")
    return tmp_path / "m.rpgan"


@pytest.fixture
def graph(intact: Path) -> Any:
    return json.loads((intact / "graph.json").read_text())


def rewrite(model: Path, graph: Any) -> Path:
    (model / "graph.json").write_text(json.dumps(graph))
    return model


def nodes(graph: Any, op: str) -> list[dict[str, Any]]:
    return [node for node in graph["graphs"][0] if node["op"] == op]


# Tensors.


@pytest.mark.parametrize("length", [0, 4, 100, -1, -100])
def test_a_truncated_tensor_file_is_refused_with_what_to_do(damaged: Path, length: int) -> None:
    file = damaged / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(
        ModelFileError, match=r"generator\.safetensors is damaged or missing .*another copy of the model"
    ):
        load_model(damaged)


def test_a_missing_tensor_file_is_refused(damaged: Path) -> None:
    (damaged / "generator.safetensors").unlink()
    with pytest.raises(ModelFileError, match="damaged or missing"):
        load_model(damaged)


def test_a_pickle_in_place_of_the_tensors_is_not_opened(damaged: Path) -> None:
    (damaged / "generator.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match="damaged or missing"):
        load_model(damaged)


class Bomb:
    def __reduce__(self) -> Any:
        return os._exit, (3,)


@pytest.mark.parametrize("change", ["lacks", "adds", "reshapes", "retypes"])
def test_tensors_that_do_not_fit_the_graph_are_named(damaged: Path, change: str) -> None:
    file = damaged / "generator.safetensors"
    tensors = load_file(file)
    if change == "lacks":
        del tensors["fc.weight"]
    elif change == "adds":
        tensors["fc.more"] = torch.zeros(1)
    elif change == "reshapes":
        tensors["fc.weight"] = tensors["fc.weight"][:1].clone()
    else:
        tensors["fc.weight"] = tensors["fc.weight"].half()
    save_file(tensors, file)
    expected = {
        "lacks": r"'fc\.weight' is in one of them only",
        "adds": r"'fc\.more' is in one of them only",
        "reshapes": r"'fc\.weight' is torch\.float32 \(1, 16, 6\) instead of torch\.float32 \(2, 16, 6\)",
        "retypes": r"'fc\.weight' is torch\.float16 \(2, 16, 6\) instead of torch\.float32",
    }
    with pytest.raises(ModelFileError, match=rf"does not fit its graph\.json: {expected[change]}"):
        load_model(damaged)


# The graph as a file.


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"text"', "\ufeff{}", "{}"])
def test_a_graph_that_is_no_json_or_not_ours_is_refused(damaged: Path, text: str) -> None:
    (damaged / "graph.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"graph\.json (cannot be read|is not of an rpganify model)"):
        load_model(damaged)


def test_a_graph_truncated_anywhere_is_refused(damaged: Path) -> None:
    whole = (damaged / "graph.json").read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        (damaged / "graph.json").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelFileError, match=r"graph\.json cannot be read: .*Take another copy"):
            load_model(damaged)


def test_bytes_that_are_no_text_are_refused(damaged: Path) -> None:
    (damaged / "graph.json").write_bytes(b"\xff\xfe\x00\x80" * 10)
    with pytest.raises(ModelFileError, match=r"graph\.json cannot be read"):
        load_model(damaged)


def test_brackets_without_end_are_refused(damaged: Path) -> None:
    (damaged / "graph.json").write_text("[" * 200_000)
    with pytest.raises(ModelFileError, match=r"graph\.json cannot be read"):
        load_model(damaged)


def test_a_foreign_format_is_refused_by_its_name(damaged: Path, graph: Any) -> None:
    with pytest.raises(ModelFileError, match="is not of an rpganify model: its format is 'onnx'"):
        load_model(rewrite(damaged, {**graph, "format": "onnx"}))


@pytest.mark.parametrize("version", [2, 99, "1", None, 1.5])
def test_a_newer_or_odd_format_version_is_refused_with_both_versions(damaged: Path, graph: Any, version: Any) -> None:
    with pytest.raises(ModelFileError, match=rf"of format version {version}, and this rpganify reads up to 1"):
        load_model(rewrite(damaged, {**graph, "format_version": version}))


@pytest.mark.parametrize("key", ["inputs", "graphs", "layers", "layer_configs", "tensors", "image", "plan", "name"])
def test_a_graph_without_one_of_its_parts_is_refused(damaged: Path, graph: Any, key: str) -> None:
    del graph[key]
    with pytest.raises(ModelFileError, match=rf"graph\.json is damaged: KeyError: '{key}'"):
        load_model(rewrite(damaged, graph))


# Operators and identifiers.

FORGED = [
    ("function", "os.system"),
    ("function", "builtins.eval"),
    ("function", "builtins.exec"),
    ("function", "builtins.__import__"),
    ("function", "torch.load"),
    ("function", "torch.save"),
    ("function", "torch.hub.load"),
    ("function", "torch.utils.cpp_extension.load"),
    ("function", "torch.nn.functional.__builtins__"),
    ("function", "operator.methodcaller"),
    ("function", "operator.attrgetter"),
    ("function", "getattr"),
    ("method", "__class__"),
    ("method", "__reduce_ex__"),
    ("method", "numpy"),
    ("method", "apply_"),
    ("method", "register_hook"),
    ("method", "set_"),
    ("method", "__getattribute__"),
    ("property", "__class__"),
    ("property", "__dict__"),
    ("property", "grad_fn"),
    ("layer", "__class__"),
    ("layer", "fc.weight"),
    ("tensor", "__init__.__globals__"),
    ("tensor", "nowhere"),
    ("python", "import os"),
]


@pytest.mark.parametrize(("op", "target"), FORGED)
def test_an_operator_outside_the_closed_list_is_refused_by_name(
    damaged: Path, graph: Any, op: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(os, "system", ran.append)
    monkeypatch.setattr(torch, "load", ran.append)
    place = nodes(graph, "method")[0]
    place["op"], place["target"], place["args"] = op, target, ["echo forged > forged"]
    place.pop("kwargs", None)
    with pytest.raises(ModelFileError, match=rf"asks for the {op} '.*', which is not among the operators"):
        load_model(rewrite(damaged, graph))
    assert not ran


CODE = ["__import__('os').system('echo')", "x; import os", "x\n    import os", "x'", 'x"', "lambda", "", "a.b", "x=1"]


@pytest.mark.parametrize("code", CODE)
@pytest.mark.parametrize("place", ["node name", "input", "keyword", "argument", "class name", "option"])
def test_code_where_an_identifier_belongs_is_refused(damaged: Path, graph: Any, place: str, code: str) -> None:
    if place == "node name":
        nodes(graph, "method")[0]["name"] = code
    elif place == "input":
        nodes(graph, "input")[0]["target"] = code
    elif place == "keyword":
        nodes(graph, "function")[0].setdefault("kwargs", {})[code] = 1
    elif place == "argument":
        graph["inputs"][0]["argument"] = code
    elif place == "class name":
        graph["name"] = code
    else:
        graph["layer_configs"]["fc"]["config"][code] = 1
    with pytest.raises(ModelFileError, match=r"graph\.json holds .* where a name is needed"):
        load_model(rewrite(damaged, graph))


@pytest.mark.parametrize("code", [one for one in CODE if one not in ("lambda", "a.b")] + ["a..b", ".a", "a.", "a b"])
@pytest.mark.parametrize("place", ["tensors", "layer_configs", "aliases"])
def test_code_where_a_dotted_name_belongs_is_refused(damaged: Path, graph: Any, place: str, code: str) -> None:
    graph[place][code] = next(iter(graph[place].values()), "fc.weight")
    with pytest.raises(ModelFileError, match=r"where the name of a layer or tensor is needed"):
        load_model(rewrite(damaged, graph))


@pytest.mark.parametrize("name", ["__class__.x", "forward.weight", "_modules.x", "training", "fc.weight.more", "Z"])
def test_a_tensor_with_a_name_that_a_module_needs_itself_is_refused(damaged: Path, graph: Any, name: str) -> None:
    graph["tensors"][name] = {"role": "parameter", "shape": [1], "dtype": "float32", "is_trainable": True}
    with pytest.raises(RpganifyError):
        load_model(rewrite(damaged, graph))


@pytest.mark.parametrize("text", ["'); import os; ('", '"""', "{0.__class__}", "\\", "\n", "\x00"])
def test_texts_among_the_arguments_stay_texts(damaged: Path, graph: Any, text: str) -> None:
    """An argument may be any text (a padding mode); it reaches the operator as it is, or is refused there."""
    interpolate = next(n for n in nodes(graph, "function") if n["target"].endswith("interpolate"))
    interpolate["kwargs"]["mode"] = text
    model = load_model(rewrite(damaged, graph))
    with pytest.raises(NotImplementedError, match=re.escape(f"(got {text})")):
        model(model.draw(2), y=examples(2)["y"])


def test_values_of_an_unknown_kind_are_refused(damaged: Path, graph: Any) -> None:
    nodes(graph, "method")[0]["args"] = [{"code": "os.system('echo')"}]
    with pytest.raises(ModelFileError, match="holds a value of unknown kind 'code'"):
        load_model(rewrite(damaged, graph))


def test_a_type_that_no_model_holds_is_refused(damaged: Path, graph: Any) -> None:
    graph["tensors"]["fc.weight"]["dtype"] = "object"
    with pytest.raises(ModelFileError, match="names a type 'object', which a model cannot hold"):
        load_model(rewrite(damaged, graph))


def test_a_layer_that_is_not_built_in_is_refused(damaged: Path, graph: Any) -> None:
    graph["layer_configs"]["fc"]["kind"] = "Sequential"
    with pytest.raises(ModelFileError, match="asks for a layer 'Sequential', which is neither built in nor"):
        load_model(rewrite(damaged, graph))


def test_a_shape_beyond_all_memory_is_refused_before_memory_is_taken(damaged: Path, graph: Any) -> None:
    graph["tensors"]["shift"]["shape"] = [10**14]
    with pytest.raises(ModelFileError, match="'shift'"):
        load_model(rewrite(damaged, graph))


# Whatever else may stand there.


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(data, (dict, list)) and data:
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from leaves(data[key], (*path, key))
    yield path


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    result = copy.copy(data)
    result[path[0]] = replaced(data[path[0]], path[1:], value)
    return result


ODD_VALUES: list[Any] = [
    None,
    -1,
    3,
    2.5,
    True,
    "",
    "fc",
    "size",
    "__class__",
    [],
    [1, "x"],
    {},
    {"node": "z"},
    "é",
    [[]],
]


def test_any_one_value_replaced_gives_a_model_or_a_refusal_and_never_a_traceback(damaged: Path, graph: Any) -> None:
    draws = random.Random(0)
    places = [path for path in leaves(graph) if path and path[0] != "provenance" and path[-1] not in ("place", "scope")]
    refused = 0
    for path in draws.sample(places, 400):
        value = draws.choice(ODD_VALUES)
        try:
            load_model(rewrite(damaged, replaced(graph, path, value)))
        except RpganifyError as error:
            refused += 1
            assert "\n" not in str(error), (path, value, str(error))
        except Exception as error:
            raise AssertionError(f"{path} = {value!r} ends in {type(error).__name__}: {error}") from error
    assert refused > 100, "hardly anything was refused: nothing was tested"


def test_opening_calls_neither_eval_nor_import_of_what_the_file_names(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"eval was called on {args}")

    monkeypatch.setattr(builtins, "eval", never)
    assert load_model(damaged).image_shape == (3, 4, 4)
