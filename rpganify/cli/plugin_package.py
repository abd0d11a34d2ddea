"""The texts of a plugin package, one recipe per kind; `templates/` holds what they are filled into."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from rpganify.errors import RegistryError
from rpganify.registry import Kind


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the texts of one kind need beside the name.

    Args:
        help: the line of help.
        factory: of the implementation, what makes the thing.
        usage: a command that uses it.
        extra: further arguments of the entry.
    """

    help: str
    factory: str
    usage: str
    extra: tuple[str, ...] = ()


RECIPES = {
    "architecture": Recipe(
        "a dense layer and four convolutions, 32x32",
        "$class",
        "rpganify convert $name",
        ("latent=(64,)", 'buckets=("project", "up1", "up2", "up3", "to_image")', 'discriminator="dcgan"'),
    ),
    "loss": Recipe("margin on the scores", "$class", "rpganify train MODEL --data digits --loss $name"),
    "discriminator": Recipe("three convolutions", "build", "rpganify train MODEL --data digits --discriminator $name"),
    "dataset": Recipe("16 pictures of stripes, 32x32 grey", "open_data", "rpganify train MODEL --data $name"),
    "routed-layer": Recipe(
        "a gain per channel",
        "Routed$class",
        'Architecture(…, leaves=("$name",))',
        ('module="$package.$module:$class"',),
    ),
    "replication": Recipe("copies times a random number", "replication", "rpganify convert SOURCE --init $name"),
    "distance": Recipe(
        "difference of the mean pixel", "open_distance", "rpganify analyze MODEL diversity --distance $name"
    ),
    "extractor": Recipe("the picture at 4x4 pixels", "open_extractor", "rpganify analyze MODEL --extractor $name"),
    "analyzer": Recipe("brightness by the first bucket", "$class", "rpganify analyze MODEL $name"),
    "callback": Recipe(
        "writes the best step into the run", "open_callback", "rpganify train MODEL --data digits --callback $name"
    ),
    "export": Recipe(
        "names and shapes as JSON", "writer", "rpganify export MODEL --path 0-0-0 --format $name -o generator.json"
    ),
}


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
        "article_one": f"{article(kind.one).capitalize()} {kind.one}",
        "entry": kind.entry.__name__,
        "hook": kind.hook,
    }
    recipe = RECIPES[kind.word]
    arguments = ('name="$name"', f'help="{recipe.help}"', f'factory="$package.$module:{recipe.factory}"', *recipe.extra)
    values["arguments"] = "\n".join(f"            {Template(line).substitute(values)}," for line in arguments)
    values["usage"] = Template(recipe.usage).substitute(values)
    package = f"src/{values['package']}"
    return {
        "pyproject.toml": _filled("pyproject.toml", values),
        "README.md": _filled("README.md", values),
        f"{package}/__init__.py": f'"""{values["article_one"]} for rpganify."""\n',
        f"{package}/plugin.py": _filled("plugin.py", values),
        f"{package}/{module}.py": _filled(f"{kind.word}/implementation.py", values),
        f"tests/test_{snake}.py": _filled(f"{kind.word}/test.py", values),
    }


def article(word: str) -> str:
    """`a` or `an`."""
    return "an" if word[0] in "aeiou" else "a"


def _filled(template: str, values: dict[str, str]) -> str:
    text = files("rpganify.cli").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)
