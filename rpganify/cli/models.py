"""What commands may call a model: one on disk, a run, or a SOURCE, whose generator is then taken as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rpganify.cli.files import source_name
from rpganify.cli.sources import SourceOptions, describe_source
from rpganify.conversion.converting import standard
from rpganify.entries import Architecture
from rpganify.errors import ModelFileError, closest
from rpganify.modelfile import Model, load_model
from rpganify.modelfinding import find_model
from rpganify.registry import default_registry
from rpganify.source.references import parse_reference


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model, and what it is in the user's words.

    Args:
        model: converted or standard, in eval mode, on the CPU.
        name: a short one, for headings and files: `first` of `runs/first`.
        told: what was opened, as lines for the user: which checkpoint, how the source was built.
        run: the folder of its training, None if it is no run's.
        step: of the checkpoint, None if it is no run's.
        weights: which weights they are, in words; empty where there is no choice.
    """

    model: Model
    name: str
    told: tuple[str, ...]
    run: Path | None = None
    step: int | None = None
    weights: str = ""


def is_on_disk(text: str) -> bool:
    """Whether the text names a model on disk or a run, rather than a SOURCE: it is a folder."""
    return Path(text).is_dir()


def open_model(options: SourceOptions, *, trusts_source: bool = False, is_raw: bool = False) -> OpenedModel:
    """The model that the user names: a converted one, a run's newest, or a SOURCE as a standard generator.

    Args:
        options: what was typed; all but the name belong to a SOURCE.
        trusts_source: whether a model on disk may import functions of its own source.
        is_raw: of a run, take the weights themselves even where it has their moving average.
    Raises:
        ModelFileError: there is no such model, or it is on disk and came with options of a SOURCE.
        SourceError, ConversionError: the source cannot be read, built or traced.
    """
    text = options.source
    if is_on_disk(text):
        if options != SourceOptions(text, seed=options.seed):
            raise ModelFileError(
                f"{text} is built already: options such as --arg, --weights and --latent belong to a SOURCE. Leave them out."
            )
        return open_on_disk(Path(text), trusts_source=trusts_source, is_raw=is_raw)
    _check_is_source(text)
    source = options.load()
    generator = standard(
        options.build(source),
        latent=options.latent,
        example_inputs=options.example_inputs(),
        image=options.image,
        image_shape=options.parsed_image_shape(),
        freeze_noise=options.freezes_noise,
    )
    name = source_name(source.origin)
    weights = f"weights of {options.weights}" if options.weights else "untrained: --weights FILE brings trained weights"
    told = (f"{text} as it is, a standard generator with random z; {weights}", *describe_source(source))
    return OpenedModel(generator.eval(), name, told, weights=options.weights.name if options.weights else "untrained")


def open_on_disk(directory: Path, *, trusts_source: bool = False, is_raw: bool = False) -> OpenedModel:
    """The model in a folder, or the newest intact one of a run; arguments and errors as of `open_model`."""
    found = find_model(directory, is_raw=is_raw)
    model = load_model(found.directory, trust_source=trusts_source)
    name = directory.resolve().name.removesuffix(".rpgan")
    told = (f"{directory}: {found.words or found.directory.name}",) if found.directory != directory else ()
    is_run = found.step is not None and (directory / "checkpoints").is_dir()
    return OpenedModel(model, name, told, directory if is_run else None, found.step, found.words)


def _check_is_source(text: str) -> None:
    """Refuses what is neither a file of Python nor a module nor an architecture, in words about models."""
    reference = parse_reference(text)
    place = reference.place
    if reference.kind == "file" and not place.endswith(".py"):
        is_source, near = False, ""
    elif reference.kind == "name":
        known = default_registry().all(Architecture)
        is_module = "." in place and place.replace(".", "").isidentifier() and not place.endswith(".rpgan")
        is_source, near = place in known or is_module, closest(place, tuple(known))
    else:
        is_source, near = True, ""
    if not is_source:
        raise ModelFileError(
            f"There is no model at {text}.{near} `rpganify convert my_gan.py` makes one, `rpganify train` a run; a SOURCE "
            "such as my_gan.py:Generator, or an architecture of `rpganify plugins`, is taken as it is."
        )
