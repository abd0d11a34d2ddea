"""Reads `examples/recipes/*.toml`, in full or, with the table [small] laid over it, for two processor cores."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rpganify.errors import closest

from .commands import options_of
from .errors import RecipeError
from .fields import Fields
from .panels import OF_A_MODEL, OF_ALL
from .recipe import (
    FINDINGS,
    Analysis,
    Classifier,
    Converted,
    Grown,
    Linearized,
    Merged,
    Model,
    Origin,
    Recipe,
    Statement,
    Twin,
    in_order,
)

RECIPES = Path(__file__).resolve().parents[1] / "recipes"

# What the runner says itself, and what would make two trainings differ in more than their model.
_NOT_SHARED = (
    "model data data_root output seed config resume override force standard arg argv latent input const image "
    "image_shape freeze_noise weights only_new discriminator_from help"
).split()
# In these a model's training may differ: of which blocks, in what they compute, and from where it starts.
_OWN = ("only_new", "sampling", "precision", "discriminator_from")
_NOT_EVALUATED = "model output seed data data_root twin classifier extractor analyzers json help".split()
_ORIGINS = ("source", "twin_of", "grow", "linearize", "merge")


def recipe_names(folder: Path = RECIPES) -> tuple[str, ...]:
    """The names of all recipes."""
    return tuple(sorted(file.stem for file in folder.glob("*.toml")))


def read_recipe(name: str, *, is_small: bool, folder: Path = RECIPES) -> Recipe:
    """The recipe of that name.

    Args:
        name: of its file, without `.toml`.
        is_small: whether its table [small] is laid over the rest.
        folder: where recipes are.
    Raises:
        RecipeError: there is none, it cannot be read, or it says something that has no meaning.
    """
    file = folder / f"{name}.toml"
    if not file.is_file():
        names = recipe_names(folder)
        raise RecipeError(f"There is no experiment {name!r}.{closest(name, names)} There are: {', '.join(names)}.")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{file.name} cannot be read: {error}.") from error
    small = content.pop("small", None)
    if is_small:
        if not isinstance(small, dict):
            raise RecipeError(f"{file.name} has no small variant: it has no table [small].")
        _check_overlay(content, small, f"{file.name}, [small]")
        content = _overlaid(content, small)
    return _recipe(Fields(content, file.name), name, is_small, folder)


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are laid over tables, key by key; everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _overlaid(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _check_overlay(below: Mapping[str, Any], above: Mapping[str, Any], place: str) -> None:
    """A model that only the small variant has would be compared with nothing."""
    models, own = below.get("models", {}), above.get("models", {})
    for name in own:
        if name not in models:
            raise RecipeError(f"{place}: there is no model {name!r} above.{closest(name, list(models))}")


def _recipe(fields: Fields, name: str, is_small: bool, folder: Path) -> Recipe:
    data, lender = fields.text("data"), None
    training = _options(fields, "training", "train", _NOT_SHARED)
    if of := fields.text("models_of", ""):
        if training:
            raise fields.refuse(
                f"it takes the models of {of!r}, models_of, and what it adds is trained as they are: without a table "
                "[training] of its own."
            )
        lender = read_recipe(of, is_small=is_small, folder=folder)
        training = lender.training
    models = _models(fields, name, data, lender.models if lender else ())
    if not models:
        raise fields.refuse("it has no model; [models.rpgan] or models_of is missing.")
    names = tuple(model.name for model in models)
    recipe = Recipe(
        name=name,
        is_small=is_small,
        title=fields.text("title"),
        purpose=fields.text("purpose"),
        paper=fields.text("paper"),
        cost=fields.text("cost"),
        needs=fields.text("needs", ""),
        scale=fields.text("scale"),
        caption=fields.text("caption"),
        seeds=fields.wholes("seeds", lender.seeds if lender else None),
        data=data,
        training=training,
        models=models,
        classifier=_classifier(fields.fields("classifier")) if fields.has("classifier") else None,
        evaluation=_options(fields, "evaluation", "analyze", _NOT_EVALUATED),
        analyses=tuple(_analysis(one, names) for one in fields.tables("analyses")),
        statements=tuple(_statement(one, names) for one in fields.tables("statements")),
        picture=_picture(fields, names),
    )
    fields.fields("classifier")  # asked for, also where it is absent
    if not recipe.seeds or len(set(recipe.seeds)) < len(recipe.seeds):
        raise fields.refuse(f"seeds = {list(recipe.seeds)}: give at least one, each once.")
    fields.finish()
    return recipe


def _options(fields: Fields, name: str, command: str, excluded: Sequence[str]) -> Mapping[str, Any]:
    """A table that is handed on to a command, with names that it has."""
    options = fields.table(name)
    known = [option for option in options_of(command) if option not in excluded]
    for option in options:
        if option in excluded:
            raise fields.refuse(
                f"[{name}] cannot set {option!r}: the recipe says it elsewhere, or it is not its to say."
            )
        if option not in known:
            raise fields.refuse(f"[{name}]: `rpganify {command}` has no option {option!r}.{closest(option, known)}")
    return options


def _models(fields: Fields, home: str, data: str, lent: tuple[Model, ...]) -> tuple[Model, ...]:
    """The models of another recipe, and the recipe's own, which may be made of them."""
    tables = fields.fields("models")
    own = list(fields.table("models"))
    for model in lent:
        if model.name in own:
            raise tables.refuse(f"{model.name!r} is a model of {model.home!r}, models_of; give this one another name.")
    models = (*lent, *(_model(tables.fields(name), name, home, data) for name in own))
    names = [model.name for model in models]
    for model in models:
        parent = None if isinstance(model.origin, Converted) else model.origin.of
        if parent is not None and parent not in names:
            raise tables.refuse(f"{model.name!r} is made of {parent!r}, and there is none.{closest(parent, names)}")
        if isinstance(model.origin, Twin) and not isinstance(
            next(one.origin for one in models if one.name == parent), Converted
        ):
            raise tables.refuse(f"{model.name!r} is the twin of {parent!r}, which is not made of a source itself.")
    for model in models:
        rival = model.training.get("discriminator_from")
        if rival is not None and rival not in model.ancestors(models):
            raise tables.refuse(
                f"{model.name!r} begins with the discriminator of {rival!r}, which it does not come from."
            )
    ordered = in_order(models)
    if len(ordered) < len(models):
        circle = [name for name in names if name not in {model.name for model in ordered}]
        raise tables.refuse(f"{', '.join(circle)} are made of one another.")
    return ordered


def _model(fields: Fields, name: str, home: str, data: str) -> Model:
    given = [origin for origin in _ORIGINS if fields.has(origin)]
    if len(given) != 1:
        raise fields.refuse(f"a model has one origin of {', '.join(_ORIGINS)}; this has {', '.join(given) or 'none'}.")
    own = fields.table("training")
    for option in own:
        if option not in _OWN:
            raise fields.refuse(
                f"its training cannot differ in {option!r}. All models are trained under the one table [training], so that "
                f"they are compared under one budget; they may differ in data, {', '.join(_OWN[:-1])} and {_OWN[-1]}."
            )
    origin = _origin(fields, given[0])
    model = Model(
        name=name,
        title=fields.text("title"),
        origin=origin,
        is_trained=fields.flag("is_trained", not isinstance(origin, Merged)),
        training=own,
        data=fields.text("data", data),
        home=home,
    )
    if " " in name or "/" in name:
        raise fields.refuse("a model's name becomes that of a folder: letters, digits and hyphens.")
    fields.finish()
    return model


def _origin(fields: Fields, kind: str) -> Origin:
    of = fields.text(kind)
    match kind:
        case "source":
            return Converted(
                of,
                fields.table("arguments"),
                fields.texts("buckets", ()),
                fields.wholes("blocks"),
                fields.text("norm", "shared"),
                fields.text("init", "fresh"),
            )
        case "twin_of":
            return Twin(of)
        case "grow":
            return Grown(of, fields.wholes("add"))
        case "linearize":
            return Linearized(of)
    blocks = fields.whole("blocks")
    if blocks is None:
        raise fields.refuse("'blocks' is missing: how many products are made.")
    return Merged(of, fields.text("buckets"), blocks)


def _classifier(fields: Fields) -> Classifier:
    options = _options(
        fields, "options", "classifier", ("output", "data", "data_root", "seed", "force", "json", "help")
    )
    made = Classifier(fields.text("file", ""), fields.text("data", ""), options, fields.flag("has_classes", True))
    if bool(made.file) == bool(made.data):
        raise fields.refuse("it takes `file`, below the data root, or `data`, to train one on.")
    fields.finish()
    return made


def _analysis(fields: Fields, names: Sequence[str]) -> Analysis:
    own = _options(fields, "evaluation", "analyze", _NOT_EVALUATED)
    made = Analysis(fields.texts("models"), fields.texts("analyzers"), fields.text("twin", ""), own)
    _check_models(fields, [*made.models, *([made.twin] if made.twin else [])], names)
    if not made.analyzers or not made.models:
        raise fields.refuse("it takes at least one model and one analyzer.")
    fields.finish()
    return made


def _statement(fields: Fields, names: Sequence[str]) -> Statement:
    finding = fields.text("finding")
    if finding not in FINDINGS:
        raise fields.refuse(
            f"no finding {finding!r}.{closest(finding, list(FINDINGS))} There are: {', '.join(FINDINGS)}."
        )
    made = Statement(
        finding,
        fields.text("claim"),
        fields.text("paper"),
        fields.text("number"),
        fields.text("over", ""),
        fields.number("at_least"),
        fields.number("at_most"),
    )
    if (made.at_least is None) == (made.at_most is None):
        raise fields.refuse("it takes one bound, at_least or at_most.")
    _check_models(fields, made.models, names)
    fields.finish()
    return made


def _picture(fields: Fields, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    rows = fields.rows("picture")
    for panel in (panel for row in rows for panel in row):
        kind, _, model = panel.partition(" ")
        known = OF_A_MODEL if model else OF_ALL
        if kind not in known:
            raise fields.refuse(
                f"picture: there is no panel {panel!r}.{closest(kind, [*OF_A_MODEL, *OF_ALL])} There are "
                f"{', '.join(f'{one} MODEL' for one in OF_A_MODEL)}, {', '.join(OF_ALL)}."
            )
        if model:
            _check_models(fields, [model], names)
    return rows


def _check_models(fields: Fields, asked: Sequence[str], names: Sequence[str]) -> None:
    for name in asked:
        if name not in names:
            raise fields.refuse(
                f"there is no model {name!r}.{closest(name, list(names))} There are: {', '.join(names)}."
            )
