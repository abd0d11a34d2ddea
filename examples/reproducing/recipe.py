"""An experiment: which models are made and trained, how they are measured, and what the paper says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Converted:
    """A generator that becomes an RPGAN: `rpganify convert`.

    Args:
        source: of `convert`.
        arguments: its `--arg`.
        buckets: its `--buckets`; empty for the architecture's own.
        blocks: one number for all buckets, or one each.
        norm, init: of `convert`.
    """

    source: str
    arguments: Mapping[str, Any]
    buckets: tuple[str, ...]
    blocks: tuple[int, ...]
    norm: str
    init: str


@dataclass(frozen=True, slots=True)
class Twin:
    """The standard generator that another model was converted from, with a random z; `of` names that model."""

    of: str


@dataclass(frozen=True, slots=True)
class Grown:
    """Another model with more blocks, `add` of each bucket: `rpganify grow`."""

    of: str
    add: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Linearized:
    """Another model without its activations: `rpganify linearize`."""

    of: str


@dataclass(frozen=True, slots=True)
class Merged:
    """Another model with linear buckets multiplied into one of `blocks`: `rpganify merge`."""

    of: str
    buckets: str
    blocks: int


Origin = Converted | Twin | Grown | Linearized | Merged


@dataclass(frozen=True, slots=True)
class Model:
    """A model of an experiment.

    Args:
        name: in the recipe, and of its folders.
        title: for people.
        origin: what it is made of.
        is_trained: whether the experiment trains it.
        training: where its training differs from the table that all share.
        data: what it is trained on.
        home: name of the recipe that makes it, in whose folder it stands.
    """

    name: str
    title: str
    origin: Origin
    is_trained: bool
    training: Mapping[str, Any]
    data: str
    home: str

    @property
    def parent(self) -> str | None:
        """The model that it is made of, if that has to be there first."""
        return None if isinstance(self.origin, Converted | Twin) else self.origin.of

    def ancestors(self, models: Sequence[Model]) -> tuple[str, ...]:
        """The models that it comes from, the nearest first; of a circle, each once."""
        parents = {model.name: model.parent for model in models}
        found: list[str] = []
        parent = self.parent
        while parent is not None and parent not in found:
            found.append(parent)
            parent = parents.get(parent)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Classifier:
    """What tells classes apart, and whose features distances are taken of.

    Args:
        file: a weight file below the data root; empty to train one.
        data: what one is trained on.
        options: of `rpganify classifier`, which trains it.
        has_classes: whether its classes mean anything here; its features are used in any case.
    """

    file: str
    data: str
    options: Mapping[str, Any]
    has_classes: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """Analyzers that are run on each of some models.

    Args:
        models, analyzers: by name.
        twin: another of the models, which they are given as theirs; empty for none.
        evaluation: options of `rpganify analyze` in place of the recipe's own.
    """

    models: tuple[str, ...]
    analyzers: tuple[str, ...]
    twin: str
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def label(self, model: str) -> str:
        """A name for what is measured of one model, good for a folder."""
        return f"{model}-{'-'.join(self.analyzers)}"


# What the papers found, each by the word that a recipe's statements name it with.
FINDINGS = {
    "quality": "RPGAN's images are as good as the standard generator's",
    "coverage": "RPGAN's images cover the real ones as well as its (not in the paper)",
    "semantics": "Semantics are the middle buckets' matter, not the last ones'",
    "colour": "Colours are the late buckets' matter",
    "noise": "Noise on weights spoils images, other blocks do not",
    "growth": "New blocks alone learn new data, and nothing old changes",
    "linear": "Random paths through linear maps are enough",
    "merging": "Merged linear buckets are faster and as good",
    "blocks": "Too few blocks are worse, and too many",
    "bf16": "Trained in bf16, RPGAN is as good (not in the paper)",
    "geometry": "Images change along few directions, the same everywhere (Wang and Ponce)",
    "concepts": "Single numbers of z make concepts",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that the paper says, and the number here that it is held against.

    Args:
        finding: what it belongs to, of `FINDINGS`.
        claim: in plain words.
        paper: with the paper's own numbers, or where it shows it.
        number: `MODEL MEASURE`, as in the results.
        over: what it is divided by; empty for nothing.
        at_least, at_most: the bound that makes the claim hold; one of them is given.
    """

    finding: str
    claim: str
    paper: str
    number: str
    over: str
    at_least: float | None
    at_most: float | None

    @property
    def models(self) -> tuple[str, ...]:
        """The models whose numbers it is about."""
        return tuple(dict.fromkeys(text.split(" ")[0] for text in (self.number, self.over) if text))


@dataclass(frozen=True, slots=True)
class Recipe:
    """An experiment at one scale.

    Args:
        name: of its file.
        is_small: whether it is the variant for two processor cores.
        title, purpose, paper, cost, needs, scale, caption: for people; `needs` is data that has to be brought, empty if it
            comes with `--data-root`'s usual sets, `scale` what differs from the paper.
        seeds: one training of each model per seed.
        data: what models are trained on and compared with.
        training: options of `rpganify train` that all models share.
        models: in an order in which they can be made; some may be another recipe's.
        classifier: None to measure with pixels.
        evaluation: options of `rpganify analyze`.
        analyses: what is measured.
        statements: what is held against the paper.
        picture: rows of panels, `KIND` or `KIND MODEL`.
    """

    name: str
    is_small: bool
    title: str
    purpose: str
    paper: str
    cost: str
    needs: str
    scale: str
    caption: str
    seeds: tuple[int, ...]
    data: str
    training: Mapping[str, Any]
    models: tuple[Model, ...]
    classifier: Classifier | None
    evaluation: Mapping[str, Any]
    analyses: tuple[Analysis, ...]
    statements: tuple[Statement, ...]
    picture: tuple[tuple[str, ...], ...]

    @property
    def label(self) -> str:
        """Name and scale, for folders: `cifar10-small`."""
        return f"{self.name}-small" if self.is_small else self.name

    def model(self, name: str) -> Model:
        """The model of that name, which is known to be there."""
        return next(model for model in self.models if model.name == name)

    def converted(self, name: str) -> Converted:
        """How the model was converted that a model goes back to."""
        origin = self.model(name).origin
        return origin if isinstance(origin, Converted) else self.converted(origin.of)


def in_order(models: Sequence[Model]) -> tuple[Model, ...]:
    """The models, each behind the one that it is made of; a circle is left out."""
    done: list[Model] = []
    while True:
        names = {model.name for model in done}
        due = [model for model in models if model.name not in names and (model.parent is None or model.parent in names)]
        if not due:
            return tuple(done)
        done += due
