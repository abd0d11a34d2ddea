"""`rpganify plugins new`: writes a plugin package that works and passes its test, to be changed into one's own."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.completion import complete_kind

if TYPE_CHECKING:
    from rpganify.registry import Kind

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the texts of one kind need beside the name.

    Args:
        call: the entry as the hook lists it.
        usage: a command that uses it.
    """

    call: str
    usage: str


RECIPES = {
    "architecture": Recipe(
        'Architecture(\n            "$name",\n            "a dense layer and four convolutions, 32x32",\n'
        '            "$package.$module:$class",\n            latent=(64,),\n'
        '            buckets=("project", "up1", "up2", "up3", "to_image"),\n            discriminator="dcgan",\n        )',
        "rpganify convert $name",
    ),
    "loss": Recipe(
        'LossEntry("$name", "margin on the scores", "$package.$module:$class")',
        "rpganify train MODEL --data digits --loss $name",
    ),
    "discriminator": Recipe(
        'DiscriminatorEntry("$name", "three convolutions", "$package.$module:build")',
        "rpganify train MODEL --data digits --discriminator $name",
    ),
    "dataset": Recipe(
        'DataSetEntry("$name", "16 pictures of stripes, 32x32 grey", "$package.$module:open_data")',
        "rpganify train MODEL --data $name",
    ),
    "routed-layer": Recipe(
        'RoutedLayerEntry(\n            "$name", "a gain per channel", "$package.$module:$class", '
        '"$package.$module:Routed$class"\n        )',
        'Architecture(…, leaves=("$name",))',
    ),
    "replication": Recipe(
        'ReplicationEntry(\n            "$name", "copies times a random number", "$package.$module:replication", '
        "builds_anew=False\n        )",
        "rpganify convert SOURCE --init $name",
    ),
    "distance": Recipe(
        'DistanceEntry("$name", "difference of the mean pixel", "$package.$module:open_distance")',
        "rpganify analyze MODEL diversity --distance $name",
    ),
    "extractor": Recipe(
        'ExtractorEntry("$name", "the picture at 4x4 pixels", "$package.$module:open_extractor")',
        "rpganify analyze MODEL --extractor $name",
    ),
    "analyzer": Recipe(
        'AnalyzerEntry("$name", "brightness by the first bucket", "$package.$module:$class")',
        "rpganify analyze MODEL $name",
    ),
    "callback": Recipe(
        'CallbackEntry("$name", "writes the best step into the run", "$package.$module:open_callback")',
        "rpganify train MODEL --data digits --callback $name",
    ),
    "export": Recipe(
        'ExportEntry("$name", "names and shapes as JSON", "$package.$module:writer")',
        "rpganify export MODEL --path 0-0-0 --format $name -o generator.json",
    ),
}


def new(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", autocompletion=complete_kind, help="loss, dataset, analyzer, …")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What users will type, such as least-squares.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="The folder to make; rpganify-NAME if left out."),
    ] = None,
) -> None:
    """Begin a plugin: a package that works, with a test.

    KIND is architecture, loss, discriminator, dataset, routed-layer, replication, distance, extractor, analyzer, callback
    or export.
    """
    from rpganify.cli.console import say, show
    from rpganify.errors import closest
    from rpganify.registry import KINDS

    chosen = next((one for one in KINDS if one.word == kind), None)
    if chosen is None:
        words = [one.word for one in KINDS]
        raise typer.BadParameter(f"{kind!r} is none.{closest(kind, words)} The kinds are: {', '.join(words)}.")
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"{name!r} cannot name a package: write small letters, digits and '-', as least-squares."
        )
    folder = output or Path(f"rpganify-{name}")
    written = write_package(chosen, name, folder)
    for path in written:
        show(str(path))
    say(f"next: pip install -e {folder} && rpganify plugins doctor {name}")


def write_package(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Writes the package, all of it or, where something is in the way, nothing.

    Args:
        kind: what it offers.
        name: under which name.
        folder: becomes the package; it must not exist.
    Returns:
        The files.
    Raises:
        RegistryError: the folder exists.
    """
    from rpganify.errors import RegistryError

    if folder.exists():
        raise RegistryError(f"{folder} exists already, and nothing in it is replaced. Choose another name or -o DIR.")
    contents = {folder / place: text for place, text in package_files(kind, name).items()}
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(contents)


def package_files(kind: Kind, name: str) -> dict[str, str]:
    """Every file of the package: its place in the folder and its text."""
    snake = name.replace("-", "_")
    module = f"{snake}_" if keyword.iskeyword(snake) or snake == "plugin" else snake
    title = " ".join(part.capitalize() for part in re.split("[-_]", name))
    suffix = {"architecture": "Generator", "routed-layer": "Layer"}.get(kind.word, kind.word.capitalize())
    joined = title.replace(" ", "")
    values = {
        "name": name,
        "title": title,
        "class": joined if joined.removesuffix(suffix) not in ("", joined) else f"{joined}{suffix}",
        "distribution": f"rpganify-{name}".replace("_", "-"),
        "package": f"rpganify_{snake}",
        "module": module,
        "entry_point": name,
        "version": version("rpganify"),
        "one": kind.one,
        "many": kind.many,
        "article_one": f"{'An' if kind.one[0] in 'aeiou' else 'A'} {kind.one}",
        "entry": kind.entry.__name__,
        "hook": kind.hook,
    }
    values["call"] = Template(RECIPES[kind.word].call).substitute(values)
    values["usage"] = Template(RECIPES[kind.word].usage).substitute(values)
    package = f"src/{values['package']}"
    return {
        "pyproject.toml": _filled("pyproject.toml", values),
        "README.md": _filled("README.md", values),
        f"{package}/__init__.py": f'"""{values["article_one"]} for rpganify."""\n',
        f"{package}/plugin.py": _filled("plugin.py", values),
        f"{package}/{module}.py": _filled(f"{kind.word}/implementation.py", values),
        f"tests/test_{snake}.py": _filled(f"{kind.word}/test.py", values),
    }


def _filled(template: str, values: dict[str, str]) -> str:
    text = files("rpganify.cli").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)
