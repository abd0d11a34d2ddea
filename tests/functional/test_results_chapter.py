"""The README's chapter on results is what docs/results says, and claims nothing that is not there."""

import json
from pathlib import Path

import pytest

from examples.reproducing.reading import read_recipe, recipe_names
from examples.reproducing.results import FILE, PICTURE, read_results
from tests.results_chapter import BEGIN, END, README, REMARKS, RESULTS, chapter, rendered

KEPT = sorted(RESULTS.glob(f"*/{FILE}"))


def test_the_chapter_is_up_to_date() -> None:
    readme = README.read_text(encoding="utf-8")
    assert rendered(readme) == readme, "run `python -m tests.results_chapter`"


def statement(**changes: object) -> dict[str, object]:
    found = {"value": 1.05, "low": 1.0, "high": 1.1, "spread": "3 trainings", "num_trainings": 3}
    return {
        "claim": "RPGAN is as good", "paper": "1.11 times", "number": "rpgan frechet", "over": "twin frechet",
        "at_most": 1.11, "found": found, "verdict": "held", **changes,
    }  # fmt: skip


def write(folder: Path, name: str, *statements: dict[str, object], **changes: object) -> None:
    content = {
        "title": "A title", "purpose": "A question?", "paper": "section 4", "differs": "fewer steps", "scale": "small",
        "caption": "what is seen", "picture": PICTURE, "seeds": [0, 1, 2], "statements": statements,
        "settings": {"extractor": "trained on mnist"}, **changes,
    }  # fmt: skip
    (folder / name).mkdir(parents=True)
    (folder / name / FILE).write_text(json.dumps(content))


def test_nothing_is_claimed_where_nothing_was_run(tmp_path: Path) -> None:
    made = chapter(tmp_path)
    assert "None has been run yet." in made and "|" not in made and "held" not in made and "![" not in made
    for name in recipe_names():
        (line,) = (line for line in made.splitlines() if line.startswith(f"- `{name}`:"))
        assert "; small, " in line and "in full, " in line
    assert "- `lsun-bedroom`: needs LSUN's bedroom_train_lmdb (43 GB); in full, " in made


def test_an_experiment_shows_each_statement_with_number_interval_bound_and_verdict(tmp_path: Path) -> None:
    write(tmp_path, "mnist-dcgan-small", statement())
    made = chapter(tmp_path)
    row = next(line for line in made.splitlines() if line.startswith("| RPGAN is as good"))
    assert row == (
        "| RPGAN is as good | 1.11 times | `rpgan frechet` / `twin frechet` = 1.05 [1, 1.1] (3 trainings), due ≤ 1.11 | held |"
    )
    assert "**A title** (small): A question? Section 4. Scale: fewer steps; 3 trainings of each model." in made
    assert "Features: of a classifier trained on mnist." in made.replace("\n", " ")
    assert f"![what is seen](docs/results/mnist-dcgan-small/{PICTURE})" in made
    assert "Of 1 statements, 1 held." in made.replace("\n", " ")
    assert "- `mnist-dcgan`: in full, 2 × 3 trainings of 100,000 steps\n" in made, "the full one was not run"


def test_what_did_not_hold_or_is_open_says_so(tmp_path: Path) -> None:
    alone = {"value": 2.0, "num_trainings": 1}
    write(
        tmp_path,
        "mnist-dcgan",
        statement(verdict="did not hold"),
        statement(claim="A", verdict="open", found=None),
        statement(claim="B", verdict="open", found=alone),
        statement(claim="C", found={"value": 1.0, "spread": "exact"}),
        seeds=[0],
        scale="full",
        settings={"extractor": "x.th"},
    )
    made = chapter(tmp_path)
    assert "Of 4 statements, 1 held, 1 did not hold, 2 are open." in made.replace("\n", " ")
    rows = {line.split(" | ")[0]: line for line in made.splitlines() if line.startswith("| ")}
    assert rows["| RPGAN is as good"].endswith("| did not hold |")
    assert "= – (could not be taken), due ≤ 1.11 | is open |" in rows["| A"]
    assert "= 2, due ≤ 1.11 | is open |" in rows["| B"] and "= 1, exactly, due" in rows["| C"]
    assert "Fewer steps; one training of each model. Features: of the classifier x.th." in made.replace("\n", " ")


def test_findings_are_summed_up_over_experiments_before_each_is_told(tmp_path: Path) -> None:
    claim = read_recipe("mnist-dcgan", is_small=True).statements[0].claim
    write(tmp_path, "mnist-dcgan-small", statement(claim=claim))
    write(tmp_path, "coloured-mnist-dcgan-small", statement(claim=claim, verdict="open", found=None))
    before, _, _ = chapter(tmp_path).partition("**A title**")
    (row,) = (line for line in before.splitlines() if line.startswith("| RPGAN's images are as good"))
    assert row.split(" | ")[1:] == [
        "`mnist-dcgan` 1.05 [1, 1.1] (due ≤ 1.11)",
        "",
        "`coloured-mnist-dcgan` – (could not be taken) (due ≤ 1.11) |",
    ]
    assert len([line for line in before.splitlines() if line.startswith("| ")]) == 3, (
        "findings without results are left out"
    )


def test_what_its_authors_make_of_an_experiment_stands_behind_its_picture(tmp_path: Path) -> None:
    write(tmp_path, "mnist-dcgan-small", statement())
    (tmp_path / "mnist-dcgan-small" / REMARKS).write_text("What was tried\nto close it.\n")
    assert f"/{PICTURE})\n\nWhat was tried\nto close it.\n\nNot run:" in chapter(tmp_path)


def test_a_chapter_that_differs_is_replaced_and_the_rest_of_the_readme_kept(tmp_path: Path) -> None:
    readme = f"# mine\n{BEGIN}old text\n{END}the rest\n"
    made = rendered(readme, tmp_path)
    assert made.startswith(f"# mine\n{BEGIN}\n`python examples") and made.endswith(f"\n\n{END}the rest\n")
    assert "old text" not in made and rendered(made, tmp_path) == made


@pytest.mark.parametrize("readme", ["", BEGIN, END + BEGIN, f"{BEGIN}{END}{BEGIN}", f"{BEGIN}{END}{END}"])
def test_a_readme_without_its_marks_is_refused(readme: str) -> None:
    with pytest.raises(ValueError, match=r"README\.md holds .* once each, in this order"):
        rendered(readme)


@pytest.mark.parametrize("file", KEPT, ids=[file.parent.name for file in KEPT])
def test_what_is_kept_belongs_to_a_recipe_as_it_stands_and_tells_where_it_comes_from(file: Path) -> None:
    content = read_results(file.parent)
    assert content is not None
    recipe = read_recipe(content["experiment"], is_small=content["scale"] == "small")
    assert file.parent.name == recipe.label
    assert content["settings"]["training"] == json.loads(json.dumps(recipe.training)), "the recipe was changed since"
    assert [one["claim"] for one in content["statements"]] == [one.claim for one in recipe.statements]
    assert len(content["trainings"]) == len(content["seeds"]) * sum(model.is_trained for model in recipe.models)
    assert content["commands"] and content["versions"]["rpganify"]
    assert 1_000 < (file.parent / content["picture"]).stat().st_size < 300_000
