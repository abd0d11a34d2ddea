"""Recipes: what they may say, and the small variant laid over the full one."""

from pathlib import Path

import pytest

from examples.reproducing.errors import RecipeError
from examples.reproducing.reading import read_recipe, recipe_names
from examples.reproducing.recipe import Converted, Grown, Merged, Twin
from examples.reproducing.stages import Places, stages_of

RECIPE = """
title = "t"
purpose = "p"
paper = "s"
cost = "c"
scale = "d"
caption = "e"
seeds = [0, 1]
data = "digits"
picture = [["samples rpgan"], ["diversity rpgan", "blocks"]]

[training]
steps = 100
discriminator_arg = { channels = 64 }

[models.twin]
title = "twin"
twin_of = "rpgan"

[models.merged]
title = "merged"
merge = "rpgan"
buckets = "2-3"
blocks = 9

[models.rpgan]
title = "RPGAN"
source = "mlp28"
arguments = { channels = 32 }
blocks = [4, 3, 3, 2, 2]

[evaluation]
num_images = 500

[[analyses]]
models = ["rpgan", "twin"]
analyzers = ["quality"]

[[statements]]
finding = "quality"
claim = "x"
paper = "y"
number = "rpgan frechet"
over = "twin frechet"
at_most = 1

[small]
cost = "little"
[small.training]
steps = 10
[small.models.rpgan]
arguments = { linear = true }
blocks = 2
"""


def read(folder: Path, text: str = RECIPE, *, is_small: bool = False):
    (folder / "mine.toml").write_text(text)
    return read_recipe("mine", is_small=is_small, folder=folder)


def changed(old: str, new: str) -> str:
    assert old in RECIPE
    return RECIPE.replace(old, new, 1)


def test_a_recipe_is_read_as_it_stands(tmp_path: Path) -> None:
    recipe = read(tmp_path)
    assert (recipe.name, recipe.label, recipe.seeds) == ("mine", "mine", (0, 1))
    assert [model.name for model in recipe.models] == ["twin", "rpgan", "merged"], "each behind what it is made of"
    rpgan, twin, merged = (recipe.model(name) for name in ("rpgan", "twin", "merged"))
    assert rpgan.origin == Converted("mlp28", {"channels": 32}, (), (4, 3, 3, 2, 2), "shared", "fresh")
    assert twin.origin == Twin("rpgan") and twin.parent is None and recipe.converted("merged") == rpgan.origin
    assert merged.origin == Merged("rpgan", "2-3", 9) and merged.parent == "rpgan"
    assert (rpgan.is_trained, twin.is_trained, merged.is_trained) == (True, True, False)
    assert recipe.picture == (("samples rpgan",), ("diversity rpgan", "blocks"))


def test_small_is_laid_over_the_rest_key_by_key(tmp_path: Path) -> None:
    recipe = read(tmp_path, is_small=True)
    assert (recipe.label, recipe.cost, recipe.title) == ("mine-small", "little", "t")
    assert recipe.training == {"steps": 10, "discriminator_arg": {"channels": 64}}
    origin = recipe.model("rpgan").origin
    assert (
        isinstance(origin, Converted) and origin.arguments == {"channels": 32, "linear": True} and origin.blocks == (2,)
    )


def test_an_analysis_may_be_measured_with_options_of_its_own(tmp_path: Path) -> None:
    own = changed('analyzers = ["quality"]', 'analyzers = ["quality"]\nevaluation = { paths = 30, num_images = 9 }')
    recipe = read(tmp_path, own)
    places = Places(tmp_path, tmp_path)
    words = [stage.words for stage in stages_of(recipe, places, (0,)) if stage.kind == "analyze"]
    assert len(words) == 2
    for line in words:
        assert line[line.index("--paths") + 1] == "30"
        assert line.count("--num-images") == 1 and line[line.index("--num-images") + 1] == "9"
    with pytest.raises(RecipeError, match=r"\[evaluation\]: `rpganify analyze` has no option 'path_count'"):
        read(tmp_path, own.replace("paths = 30", "path_count = 30"))


def test_models_may_be_anothers(tmp_path: Path) -> None:
    read(tmp_path)
    head = RECIPE[: RECIPE.index("[training]")].replace("seeds = [0, 1]\n", 'models_of = "mine"\n')
    (tmp_path / "other.toml").write_text(head)
    other = read_recipe("other", is_small=False, folder=tmp_path)
    assert (other.label, other.seeds) == ("other", (0, 1))
    assert other.models == read(tmp_path).models and other.training["steps"] == 100
    (tmp_path / "other.toml").write_text(head + "[training]\nsteps = 3\n")
    with pytest.raises(
        RecipeError, match=r"takes the models of 'mine', models_of, and what it adds is trained as they"
    ):
        read_recipe("other", is_small=False, folder=tmp_path)


def test_models_may_be_made_of_anothers(tmp_path: Path) -> None:
    lent = stages_of(read(tmp_path), Places(tmp_path, tmp_path), (0,))
    head = RECIPE[: RECIPE.index("[training]")].replace("seeds = [0, 1]\n", 'models_of = "mine"\n')
    own = '[models.straight]\ntitle = "s"\nlinearize = "rpgan"\n'
    (tmp_path / "other.toml").write_text(head + own)
    other = read_recipe("other", is_small=False, folder=tmp_path)
    stages = {stage.name: stage for stage in stages_of(other, Places(tmp_path, tmp_path), (0,))}
    for stage in lent:
        if stage.kind in ("make", "train"):
            assert stages[stage.name] == stage
    assert stages["seed 0: straight: make"].words[1] == str(tmp_path / "mine" / "seed-0" / "rpgan")
    assert stages["seed 0: straight: make"].output == tmp_path / "other" / "seed-0" / "straight.rpgan"
    assert "steps = 100" in stages["seed 0: straight: train"].settings
    (tmp_path / "other.toml").write_text(head + own.replace("straight", "rpgan"))
    with pytest.raises(RecipeError, match=r"'rpgan' is a model of 'mine', models_of; give this one another name"):
        read_recipe("other", is_small=False, folder=tmp_path)


def test_what_a_grown_model_is_trained_on_may_differ_and_nothing_that_costs(tmp_path: Path) -> None:
    grown = '[models.grown]\ntitle = "g"\ngrow = "rpgan"\nadd = [1, 0, 0, 0, 0]\ndata = "digits[0-3]"\n'
    own = "training = {{ only_new = true, {} }}\n"
    recipe = read(tmp_path, RECIPE + grown + own.format('discriminator_from = "rpgan"'))
    model = recipe.model("grown")
    assert (model.origin, model.data) == (Grown("rpgan", (1, 0, 0, 0, 0)), "digits[0-3]")
    with pytest.raises(RecipeError, match=r"cannot differ in 'steps'\. All models are trained under the one table"):
        read(tmp_path, RECIPE + grown + own.format("steps = 7"))
    with pytest.raises(
        RecipeError, match=r"'grown' begins with the discriminator of 'twin', which it does not come from"
    ):
        read(tmp_path, RECIPE + grown + own.format('discriminator_from = "twin"'))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "t"', 'titel = "t"', r"^mine\.toml: 'title' is missing.*Did you mean 'titel'"),
        ('data = "digits"', 'data = "digits"\ncolour = 1', r"no setting 'colour' here"),
        ("steps = 100", "stepz = 100", r"\[training\]: `rpganify train` has no option 'stepz'\. Did you mean 'steps'"),
        ("steps = 100", "seed = 3", r"\[training\] cannot set 'seed'"),
        (
            "num_images = 500",
            "num_image = 5",
            r"`rpganify analyze` has no option 'num_image'\. Did you mean 'num_images'",
        ),
        (
            'twin_of = "rpgan"',
            'twin_of = "rpgam"',
            r"'twin' is made of 'rpgam', and there is none\. Did you mean 'rpgan'",
        ),
        ('twin_of = "rpgan"', 'twin_of = "merged"', r"twin of 'merged', which is not made of a source itself"),
        ('source = "mlp28"', 'source = "mlp28"\ngrow = "twin"', r"has source, grow"),
        (
            'source = "mlp28"',
            'merge = "merged"\nbuckets = "1-2"',
            r"no setting 'arguments' here|'blocks' is a whole number",
        ),
        ("blocks = 9\n", "", r"'blocks' is missing: how many products"),
        ('models = ["rpgan", "twin"]', 'models = ["rpgan", "twins"]', r"no model 'twins'\. Did you mean 'twin'"),
        ('analyzers = ["quality"]', "analyzers = []", r"at least one model and one analyzer"),
        ('over = "twin frechet"', 'over = "tvin frechet"', r"no model 'tvin'"),
        ("at_most = 1", "at_most = 1\nat_least = 2", r"one bound, at_least or at_most"),
        ("at_most = 1", "", r"one bound, at_least or at_most"),
        ('finding = "quality"', 'finding = "qualty"', r"no finding 'qualty'\. Did you mean 'quality'"),
        ('"samples rpgan"', '"sample rpgan"', r"no panel 'sample rpgan'\. Did you mean 'samples'"),
        ('"samples rpgan"', '"samples"', r"no panel 'samples'"),
        ('"samples rpgan"', '"samples rp"', r"no model 'rp'"),
        ("seeds = [0, 1]", "seeds = [1, 1]", r"seeds = \[1, 1\]: give at least one, each once"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, changed(old, new))


def test_models_that_are_made_of_one_another_are_refused(tmp_path: Path) -> None:
    circle = '[models.{0}]\ntitle = "{0}"\ngrow = "{1}"\nadd = [1]\n'
    with pytest.raises(RecipeError, match=r"a, b are made of one another"):
        read(tmp_path, RECIPE + circle.format("a", "b") + circle.format("b", "a"))


def test_a_classifier_is_read_or_trained_and_not_both(tmp_path: Path) -> None:
    recipe = read(tmp_path, RECIPE + '\n[classifier]\ndata = "digits"\noptions = { size = 16 }\n')
    assert recipe.classifier is not None and recipe.classifier.options == {"size": 16}
    with pytest.raises(RecipeError, match=r"takes `file`, below the data root, or `data`"):
        read(tmp_path, RECIPE + '\n[classifier]\nfile = "x"\ndata = "digits"\n')
    with pytest.raises(RecipeError, match=r"`rpganify classifier` has no option 'sise'\. Did you mean 'size'"):
        read(tmp_path, RECIPE + '\n[classifier]\ndata = "digits"\noptions = { sise = 16 }\n')


def test_a_small_variant_has_no_models_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"\[small\]: there is no model 'rpgam' above\. Did you mean 'rpgan'"):
        read(tmp_path, changed("[small.models.rpgan]", "[small.models.rpgam]"), is_small=True)


def test_a_recipe_that_is_not_there_or_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("title =")
    assert recipe_names(tmp_path) == ("mine",)
    with pytest.raises(RecipeError, match=r"no experiment 'mime'\. Did you mean 'mine'\? There are: mine\."):
        read_recipe("mime", is_small=False, folder=tmp_path)
    with pytest.raises(RecipeError, match=r"^mine\.toml cannot be read: "):
        read_recipe("mine", is_small=False, folder=tmp_path)
    with pytest.raises(RecipeError, match=r"mine\.toml has no small variant"):
        read(tmp_path, RECIPE[: RECIPE.index("[small]")], is_small=True)
