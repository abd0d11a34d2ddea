"""Every recipe of examples/recipes says something that can be done, in full and small."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from examples.reproducing.checking import check_commands, check_needs
from examples.reproducing.reading import RECIPES, read_recipe, recipe_names
from examples.reproducing.recipe import Converted, Recipe
from examples.reproducing.reports import numbers_of
from examples.reproducing.running import run_stages
from examples.reproducing.stages import Places, stages_of
from rpganify.cli.sources import SourceOptions, choose_plan
from rpganify.entries import AnalyzerEntry, Architecture
from rpganify.errors import DataError
from rpganify.registry import default_registry, resolve
from tests.recipes import InProcess, tiny, write_data_root

NAMES = recipe_names()
EXPERIMENTS_OF_THE_PAPER = {
    "cifar10",
    "anime-faces",
    "lsun-bedroom",
    "cifar10-linear",
    "cifar10-dcgan",
    "coloured-mnist-dcgan",
    "celeba-dcgan",
    "coloured-mnist-noise",
    "mnist-incremental",
    "mnist-linear",
    "cifar10-blocks",
}
both_scales = pytest.mark.parametrize("is_small", [False, True], ids=["full", "small"])
each_recipe = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_root(tmp_path_factory.mktemp("data"))


def sources(recipe: Recipe) -> Iterator[Converted]:
    return (model.origin for model in recipe.models if isinstance(model.origin, Converted))


def test_there_is_a_recipe_for_every_experiment_of_the_paper() -> None:
    assert set(NAMES) >= EXPERIMENTS_OF_THE_PAPER


@each_recipe
@both_scales
def test_every_command_of_a_recipe_is_one_that_rpganify_takes(name: str, is_small: bool, tmp_path: Path) -> None:
    recipe = read_recipe(name, is_small=is_small)
    stages = stages_of(recipe, Places(tmp_path, tmp_path), recipe.seeds)
    check_commands(stages)
    assert len({stage.name for stage in stages}) == len(stages) and len({stage.marker for stage in stages}) == len(
        stages
    )
    known = default_registry().all(AnalyzerEntry)
    assert {analyzer for analysis in recipe.analyses for analyzer in analysis.analyzers} <= set(known)
    assert recipe.statements and recipe.picture
    by_name = {stage.name: stage for stage in stages}
    assert numbers_of(recipe, Places(tmp_path, tmp_path), by_name, recipe.seeds[0]) == {}, "nothing is measured yet"


@each_recipe
@both_scales
def test_every_generator_takes_its_arguments_and_every_plan_fits_it(name: str, is_small: bool) -> None:
    registry = default_registry()
    for origin in sources(read_recipe(name, is_small=is_small)):
        factory = resolve(registry.get(Architecture, origin.source).factory)
        inspect.signature(factory).bind(**origin.arguments)
        # Neither buckets nor blocks depend on the width, and a narrow generator is traced in no time.
        texts = [f"{key}={value}" for key, value in {**origin.arguments, "channels": 16}.items()]
        options = SourceOptions(origin.source, arguments=texts)
        loaded = options.load()
        blocks = origin.blocks[0] if len(origin.blocks) == 1 else list(origin.blocks)
        plan = choose_plan(
            options.inspect(options.build(loaded)), loaded, buckets=list(origin.buckets) or None, blocks=blocks
        )
        expected = origin.blocks if len(origin.blocks) > 1 else origin.blocks * len(plan.buckets)
        assert plan.num_blocks == expected


trained_ones = pytest.mark.parametrize(
    "name", [name for name in NAMES if any(model.home == name for model in read_recipe(name, is_small=True).models)]
)


@trained_ones
def test_every_recipe_starts_with_narrow_networks(name: str, data_root: Path, tmp_path: Path) -> None:
    starts(tiny(read_recipe(name, is_small=True)), data_root, tmp_path)


@pytest.mark.slow
@trained_ones
def test_every_small_recipe_starts(name: str, data_root: Path, tmp_path: Path) -> None:
    starts(read_recipe(name, is_small=True), data_root, tmp_path)


def starts(recipe: Recipe, data_root: Path, folder: Path) -> None:
    """Makes all models and trains them for two steps."""
    if recipe.data.startswith("lsun"):
        # Its 256×256 photographs are another test's; drawn faces do to begin with.
        recipe = replace(recipe, data="folder:anime_faces")
        recipe = replace(recipe, models=tuple(replace(model, data=recipe.data) for model in recipe.models))
    places = Places(folder, data_root, trial_steps=2)
    check_needs(recipe, places)
    stages = [stage for stage in stages_of(recipe, places, recipe.seeds[:1]) if stage.kind in ("make", "train")]
    run_stages(stages, places, InProcess(), lambda line: None)
    trained = [stage for stage in stages if stage.kind == "train"]
    assert len(trained) == sum(model.is_trained for model in recipe.models)
    for stage in trained:
        assert len((stage.output / "metrics.jsonl").read_text().splitlines()) == 2


def test_what_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    recipe = read_recipe("lsun-bedroom", is_small=True)
    (tmp_path / "cifar10_classifier").mkdir()
    (tmp_path / "cifar10_classifier" / "resnet56-4bfd9763.th").touch()
    with pytest.raises(DataError, match=r"needs bedroom_train_lmdb/data\.mdb.*nothing is downloaded"):
        check_needs(recipe, Places(tmp_path / "runs", tmp_path))


def test_experiments_that_are_compared_under_one_budget_have_one_table_of_training() -> None:
    for file in RECIPES.glob("*.toml"):
        recipe = read_recipe(file.stem, is_small=True)
        assert all(
            set(model.training) <= {"only_new", "sampling", "precision", "discriminator_from"}
            for model in recipe.models
        )
