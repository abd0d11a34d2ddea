"""A command whose options may also stand in a TOML file; what is typed wins."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from rpganify.errors import closest

# A run's folder holds the options that it was started with.
SETTINGS = "config.toml"

# One of these, typed, takes the place of another in the file.
_ALTERNATIVES = ("steps", "images", "minutes")

# These say what to do with settings, or belong to one call only.
_UNSETTLED = ("config", "resume", "override", "force", "help")


class ConfiguredCommand(TyperCommand):
    """Takes defaults for its options from `--config FILE`, or with `--resume` from the run's own file.

    With `--resume`, the run may stand in the place of MODEL: `rpganify train runs/first --resume`.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the command line over what the file says."""
        typed, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        known = {option_name(param): param for param in self.params if param.name not in _UNSETTLED}
        config, is_resumed = typed.get("config"), bool(typed.get("resume"))
        run = _text(typed.get("output")) or _text(typed.get("model"))
        settings: dict[str, Any] = {}
        file = Path(config) if isinstance(config, str) else Path(run) / SETTINGS
        if isinstance(config, str):
            settings = read_settings(file, known)
        elif is_resumed and run and file.is_file():
            settings = {**read_settings(file, known), "output": run}
        if any(typed.get(name) is not None and isinstance(typed.get(name), str) for name in _ALTERNATIVES):
            settings = {name: value for name, value in settings.items() if name not in _ALTERNATIVES}
        ctx.default_map = {**(ctx.default_map or {}), **settings}
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            name = getattr(error.param, "name", None)
            if name in settings and typed.get(str(name)) is None:
                error.message = f"{error.message} ({option_name(error.param)} in {file})"
            raise
        if is_resumed and "model" in settings and _text(typed.get("model")) == settings.get("output"):
            ctx.params["model"] = settings["model"]
        return rest


def option_name(param: Any) -> str:
    """What a parameter of a command is called in a file: as on the command line, with underscores."""
    words = [word for word in param.opts if word.startswith("--")]
    return words[0][2:].replace("-", "_") if words else str(param.name)


def read_settings(file: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a TOML file, by parameter, as a command line would give them.

    Hyphens in their names are as good as underscores. An option that may be repeated takes a list, a single value, or a table
    (`[loss_arg]`); any other takes a list for values with commas between them.

    Args:
        file: to read.
        known: the command's parameters, by `option_name`.
    Raises:
        typer.BadParameter: it cannot be read, names an option that does not exist, or one twice.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}", param_hint="--config") from error
    except tomllib.TOMLDecodeError as error:
        raise typer.BadParameter(
            f"{file} is no TOML: {error}. An option is a line such as `steps = 500`, a text stands in quotes.",
            param_hint="--config",
        ) from error
    settings = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in known:
            raise typer.BadParameter(
                f"{file}: there is no option {key!r}.{closest(name, list(known))} Names are those of the command line, without "
                "the hyphens before them.",
                param_hint="--config",
            )
        param = known[name]
        if param.name in settings:
            raise typer.BadParameter(f"{file}: {name!r} is given twice, once with hyphens.", param_hint="--config")
        settings[param.name] = _as_typed(value, param)
    return settings


def _as_typed(value: Any, param: Any) -> Any:
    """A value of TOML as one that a command line could hold."""
    if isinstance(value, dict):
        value = [f"{part}={one}" for part, one in value.items()]
    if getattr(param, "multiple", False):
        return [str(one) for one in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    # A number that is true would be 1.
    return str(value) if isinstance(value, bool) and not getattr(param, "is_flag", False) else value


def render_settings(values: Mapping[str, Any], heading: str) -> str:
    """Options as a TOML file that `read_settings` reads; those that are not given are left out.

    Args:
        values: a parsed command line, by `option_name`.
        heading: a comment on top.
    """
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    for name, value in values.items():
        if name not in _UNSETTLED and value is not None and value not in ([], ()):
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int | float):
        return repr(value)
    # A JSON string is a basic string of TOML.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
