"""`rpganify analyze` and `rpganify report`: what runs, what is kept, what is left out and why."""

import json
import re

import pytest
import torch

from rpganify.analysis.variations.analyzer import Variations

SMALL = ["--paths", "3", "--device", "cpu"]

# Takes any model; tells what it was given.
NEEDY = """
from rpganify.hookspecs import AnalyzerEntry, hookimpl


class Needy:
    name = "needy"

    def analyze(self, model, context):
        from rpganify.analysis.provenance import model_sha256, provenance
        from rpganify.report.report import Report

        told = {"twin": model_sha256(context.twin), "images": context.num_images, "names": dict(context.names)}
        return Report("needy", "Needy", "What it was given.", provenance=provenance(model, context, told))


@hookimpl
def rpganify_analyzers():
    return [AnalyzerEntry("needy", "needs a twin", Needy, needs=("twin",))]
"""


@pytest.fixture
def needy(converted):
    (converted.directory / "plugins").mkdir()
    # A module is imported once in a process, so each test's has its own name.
    converted.write(f"plugins/needy_{abs(hash(converted.directory))}.py", NEEDY)
    return converted


def with_needy(*arguments):
    return ["--plugins-dir", "plugins", *arguments]


def save_weights(shell, name="g.pt", seed=5):
    """Weights of the tiny generator, as a training script would have saved them."""
    torch.manual_seed(seed)
    state = {
        "l1.weight": torch.randn(64, 6), "l1.bias": torch.randn(64), "conv1.weight": torch.randn(4, 4, 3, 3),
        "conv1.bias": torch.randn(4), "norm.weight": torch.ones(4), "norm.bias": torch.zeros(4),
        "norm.running_mean": torch.zeros(4), "norm.running_var": torch.ones(4),
        "norm.num_batches_tracked": torch.tensor(1), "conv2.weight": torch.randn(1, 4, 3, 3), "conv2.bias": torch.zeros(1),
    }  # fmt: skip
    torch.save(state, shell.directory / name)


def reports_of(shell, folder="report"):
    return {path.name: path.read_bytes() for path in (shell.directory / folder).iterdir() if path.is_file()}


def test_it_is_said_first_what_will_run_and_for_how_long_and_what_is_left_out(needy):
    told = needy.succeeds(*with_needy("analyze", "tiny_gan.rpgan", *SMALL)).stderr.splitlines()
    lacks = next(line for line in told if line.startswith("left out: ") and "needy" in line)
    assert lacks.endswith(
        "a standard generator to compare with: --twin RUN, or --twin my_gan.py:Generator --weights FILE"
    )
    plan = next(line for line in told if "running" in line)
    assert re.match(r"tiny_gan: running .*diversity.*variations; about \d+ s", plan), plan
    assert "(3 paths, 1000 images for distributions)" in plan
    assert (
        told.index(lacks) < told.index(plan) < min(i for i, line in enumerate(told) if re.match(r"variations \d", line))
    )


def test_a_repeated_analysis_is_read_and_gives_the_same_files(converted):
    run = ["analyze", "tiny_gan.rpgan", "variations", "diversity", *SMALL]
    first = converted.succeeds(*run)
    files = reports_of(converted)
    second = converted.succeeds(*run)
    assert "kept from before: variations, diversity (--fresh computes them again)" in second.stderr
    assert "running" not in second.stderr and second.stdout == first.stdout
    assert reports_of(converted) == files
    assert "running variations, diversity" in converted.succeeds(*run, "--fresh").stderr
    assert reports_of(converted) == files


def test_what_does_not_change_an_analysis_does_not_undo_it(converted):
    converted.succeeds("analyze", "tiny_gan.rpgan", "variations", *SMALL)
    other = ["--num-images", "7", "--data", "digits", "--paths", "9"]
    assert (
        "kept from before: variations" in converted.succeeds("analyze", "tiny_gan.rpgan", "variations", *other).stderr
    )
    seed = converted.succeeds("analyze", "tiny_gan.rpgan", "variations", *SMALL, "--seed", "1").stderr
    assert "running variations" in seed


def test_an_interrupted_analysis_goes_on_where_it_was(converted, monkeypatch):
    def interrupted(self, model, context):
        raise KeyboardInterrupt

    run = ["analyze", "tiny_gan.rpgan", "diversity", "variations", *SMALL]
    with monkeypatch.context() as patch:
        patch.setattr(Variations, "analyze", interrupted)
        result = converted(*run)
    assert result.exit_code == 130
    assert "what is done is kept in report/cache; the same command goes on from there" in result.stderr
    again = converted.succeeds(*run).stderr
    assert "kept from before: diversity" in again and "running variations;" in again


def test_a_damaged_cache_is_computed_again(converted):
    run = ["analyze", "tiny_gan.rpgan", "variations", *SMALL]
    converted.succeeds(*run)
    files = reports_of(converted)
    (entry,) = (converted.directory / "report" / "cache").glob("variations-*/report.json")
    entry.write_text(entry.read_text()[:100])
    again = converted.succeeds(*run)
    assert "is damaged" in again.stderr and "running variations" in again.stderr
    assert reports_of(converted) == files


def test_sizes_are_made_smaller_for_the_time_and_this_is_said_and_kept(converted):
    run = ["analyze", "tiny_gan.rpgan", "diversity", "variations", "--within", "0", "--device", "cpu"]
    told = converted.succeeds(*run).stderr
    assert "(10 paths, 200 images for distributions)" in told
    assert "sizes are made for 0 s: --paths 100 --num-images 1000 takes them in full" in told
    assert "running" not in converted.succeeds(*run).stderr
    given = converted.succeeds(*run, "--paths", "12").stderr
    assert "(12 paths, 200 images for distributions)" in given


def test_a_source_with_trained_weights_is_a_twin(needy):
    save_weights(needy)
    run = with_needy("analyze", "tiny_gan.rpgan", "needy", *SMALL, "--json")
    one = needy.succeeds(*run, "--twin", "tiny_gan.py", "--weights", "g.pt", "--num-images", "77")
    assert "twin: tiny_gan.py as it is, a standard generator with random z; weights of g.pt" in one.stderr
    (told,) = json.loads(one.stdout)
    assert told["provenance"]["images"] == 77 and told["provenance"]["names"]["twin"] == "tiny_gan.py"
    save_weights(needy, "h.pt", seed=6)
    (other,) = json.loads(needy.succeeds(*run, "--twin", "tiny_gan.py", "--weights", "h.pt").stdout)
    assert other["provenance"]["twin"] != told["provenance"]["twin"]
    message = needy.refuses(*with_needy("analyze", "tiny_gan.rpgan", "needy"))
    assert "needy needs a standard generator to compare with: --twin RUN" in message


def test_a_source_is_analyzed_as_the_standard_generator_that_it_is(needy):
    save_weights(needy)
    told = needy.succeeds(
        *with_needy("analyze", "tiny_gan.py:Generator", "--weights", "g.pt", "--twin", "tiny_gan.py:Generator", *SMALL)
    ).stderr
    assert "tiny_gan.py:Generator as it is, a standard generator with random z; weights of g.pt" in told
    assert re.search("left out: .*diversity.* need a model with buckets, which `rpganify convert` makes", told)
    bare = needy.succeeds(*with_needy("analyze", "tiny_gan.py", "needy", "--twin", "tiny_gan.py", *SMALL)).stderr
    assert "untrained: --weights FILE brings trained weights" in bare


@pytest.mark.parametrize("arguments", [["tiny_gan.rpgan"], ["tiny_gan.py", "--twin", "tiny_gan.py:Generator"]])
def test_options_of_a_source_go_with_one_source(converted, arguments):
    save_weights(converted)
    result = converted("analyze", *arguments, "--weights", "g.pt")
    assert result.exit_code == 2
    assert "belong to one SOURCE" in " ".join(re.sub(r"[│╭╰╮╯─]", " ", result.stderr).split())


def test_the_folder_of_the_reports_is_no_file(converted):
    result = converted("report", "tiny_gan.rpgan", "-o", "tiny_gan.py")
    assert result.exit_code == 2 and "is a file" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["analyze", "tiny_gan.rpgan", "--classifier", "none.safetensors"], r"none\.safetensors cannot be read"),
        (["analyze", "tiny_gan.rpgan", "--extractor", "inception:none.pt"], r"none\.pt"),
        (["analyze", "tiny_gan.rpgan", "--twin", "runs/none"], "There is no model at runs/none.*rpganify convert"),
        (["analyze", "tiny_gann.py"], r"tiny_gann\.py does not exist.*Did you mean 'tiny_gan\.py'"),
        (["analyze", "sngan23"], "There is no model at sngan23.*Did you mean 'sngan32'"),
        (["report", "tiny_gan.py", "--analyzer", "diversity"], "diversity compares buckets.*rpganify convert"),
    ],
)
def test_what_is_missing_is_refused_before_anything_is_done(converted, arguments, says):
    assert re.search(says, converted.refuses(*arguments))


def test_a_report_holds_models_side_by_side_with_their_trainings(converted):
    train = ["--data", "digits", "--batch-size", "8", "--checkpoint-every", "4", "--device", "cpu", "--steps", "4"]
    converted.succeeds("train", "tiny_gan.rpgan", *train, "-o", "runs/first")
    converted.succeeds("train", "tiny_gan.py", "--standard", *train, "-o", "runs/plain")
    run = ["report", "runs/first", "runs/plain", "--data", "digits", "--num-images", "100", *SMALL, "-o", "page"]
    result = converted.succeeds(*run)
    assert result.stdout == "page/index.html\n"
    assert "plain is the twin of first (--twin names another)" in result.stderr
    assert "runs/first: the weights of step 4" in result.stderr
    page = converted.directory / "page"
    data = json.loads((page / "report.json").read_text())
    assert list(data["models"]) == ["first", "plain"]
    first, plain = data["models"].values()
    assert "trained for 4 steps on digits, 1\u202f797 images" in first["is"] and "standard generator" in plain["is"]
    assert first["facts"]["Weights"] == "the weights of step 4"
    assert first["facts"]["Coverage"] == "0.0150 per image" and first["facts"]["Paths"] == "27"
    assert {"plan", "training", "variations", "diversity"} <= set(first["reports"])
    assert "training" in plain["reports"] and "diversity" not in plain["reports"]
    assert [card["name"] for card in first["buckets"]] == ["l1", "conv1", "conv2"] and plain["buckets"] == []
    assert (page / "first" / "training-curves.csv").is_file() and list((page / "plain").glob("training-*.png"))
    assert all(card["words"] for card in first["buckets"])
    again = converted.succeeds(*run)
    assert "running" not in again.stderr


def test_a_report_on_an_untrained_source_still_shows_what_there_is(tiny):
    told = tiny.succeeds("report", "tiny_gan.py", *SMALL, "--title", "A <tiny> one")
    assert re.search("left out: .*diversity.* need a model with buckets", told.stderr)
    data = json.loads((tiny.directory / "report" / "report.json").read_text())
    assert data["title"] == "A <tiny> one" and "plan" in data["models"]["tiny_gan"]["reports"]
    assert "A &lt;tiny&gt; one" in (tiny.directory / "report" / "index.html").read_text()
