"""Strangers' plugins: found, named, left out, checked and begun."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

# A new loss and a new architecture in one file, by somebody who has never seen this repository.
STRANGER = """
from rpganify.hookspecs import Architecture, LossEntry, hookimpl


class SquaredError:
    wants_spectral_norm = False

    def discriminator(self, real_scores, fake_scores):
        return (real_scores - 1).square().mean() + fake_scores.square().mean()

    def generator(self, fake_scores):
        return (fake_scores - 1).square().mean()

    def penalty(self, discriminator, real, fake, generator):
        return None


def build_small(width=8):
    from torch import nn

    layers = [nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))]
    return nn.Sequential(*layers)


@hookimpl
def rpganify_losses():
    return [LossEntry("squared-error", "squared error to 1 and 0", SquaredError)]


@hookimpl
def rpganify_architectures():
    return [Architecture("small", "two linear layers", build_small, (16,), ("0", "2"), "mlp")]
"""
LOSS = """
from rpganify.hookspecs import LossEntry, hookimpl

@hookimpl
def rpganify_losses():
    return [LossEntry("{name}", "a loss", "builtins:dict")]
"""
WRONG_SIGN = STRANGER.replace("(fake_scores - 1).square()", "-(fake_scores - 1).square()").replace(
    "squared-error", "upside-down"
).replace('"small"', '"small-too"')  # fmt: skip


@pytest.fixture
def folder(tmp_path_factory, monkeypatch):
    """A folder of plugins outside the repository and outside the working directory."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path_factory.mktemp("plugins")
    yield place
    for file in place.iterdir():
        sys.modules.pop(file.stem, None)


@pytest.fixture
def stranger(folder):
    (folder / "stranger_file.py").write_text(STRANGER)
    return folder


def test_a_one_file_plugin_is_listed_converted_and_trained_with(shell, stranger):
    options = ["--plugins-dir", str(stranger)]
    table = shell.succeeds(*options, "plugins").stdout
    for name, text in (("small", "two linear layers"), ("squared-error", "squared error to 1 and 0")):
        assert re.search(rf"^  {name} +{text} +stranger_file \({re.escape(str(stranger))}\)$", table, re.MULTILINE)
    shell.succeeds(*options, "convert", "small", "--blocks", "3", "--arg", "width=6")
    plan = json.loads((shell.directory / "small.rpgan" / "graph.json").read_text())["plan"]
    assert [bucket["layers"] for bucket in plan["buckets"]] == [["0"], ["2"]]
    training = ["train", "small.rpgan", "--data", "digits", "--loss", "squared-error", "--steps", "2", "-o", "run"]
    shell.succeeds(*options, *training, "--batch-size", "8", "--callback", "csv")
    config = json.loads((shell.directory / "run" / "config.json").read_text())
    assert "squared-error" in json.dumps(config) and "SquaredError" in json.dumps(config)
    assert len((shell.directory / "run" / "metrics.csv").read_text().splitlines()) == 3
    # What a run holds is data: it opens without the plugin that it was made with.
    shell.succeeds("sample", "run", "-n", "2", "--device", "cpu")


def test_the_environment_names_a_folder_as_the_option_does(shell, stranger, monkeypatch):
    assert "squared-error" not in shell.succeeds("plugins").stdout
    monkeypatch.setenv("RPGANIFY_PLUGINS_DIR", str(stranger))
    assert "squared-error" in shell.succeeds("plugins", "list").stdout


def test_plugins_can_be_left_out_and_chosen(shell, stranger, monkeypatch):
    options = ["--plugins-dir", str(stranger)]
    assert "squared-error" not in shell.succeeds(*options, "-p", "no:stranger_file", "plugins").stdout
    assert "squared-error" in shell.succeeds(*options, "plugins").stdout
    monkeypatch.setenv("RPGANIFY_LOAD_PLUGINS", "")
    assert "squared-error" not in shell.succeeds(*options, "plugins").stdout
    monkeypatch.setenv("RPGANIFY_LOAD_PLUGINS", "stranger_file")
    assert "squared-error" in shell.succeeds(*options, "plugins").stdout
    assert "asks for the plugin 'other', which is not there" in refused_with(shell, monkeypatch, "other", *options)


def refused_with(shell, monkeypatch, plugins, *options):
    monkeypatch.setenv("RPGANIFY_LOAD_PLUGINS", plugins)
    return shell.refuses(*options, "plugins")


def test_a_switch_without_no_is_wrong_usage(shell):
    result = shell("-p", "stranger_file", "plugins")
    assert result.exit_code == 2
    assert "'stranger_file' switches nothing off: write no:NAME" in " ".join(result.stderr.split())


def test_a_broken_plugin_is_reported_in_a_line_and_the_command_goes_on(shell, stranger):
    (stranger / "broken_file.py").write_text("import a_package_that_is_not_there\n")
    result = shell.succeeds("--plugins-dir", str(stranger), "convert", "small", "--blocks", "2", "--dry-run")
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    cause = "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"
    assert warnings == [f"warning: The plugin broken_file ({stranger}) is left out, it cannot be loaded: {cause}"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["convert", "of-the-broken-one"], "'of-the-broken-one' is no Python file, module or architecture"),
        (["convert", "mlp28", "--init", "of-the-broken-one"], "There is no replication 'of-the-broken-one'"),
        (["analyze", "x.rpgan", "of-the-broken-one"], "There is no analyzer 'of-the-broken-one'"),
        (["export", "x.rpgan", "-o", "g", "--format", "of-the-broken-one"], "There is no export format"),
        (["train", "x.rpgan", "--data", "digits", "--loss", "of-the-broken-one"], "There is no loss"),
        (["train", "x.rpgan", "--data", "digits", "--callback", "of-the-broken-one:x"], "There is no callback"),
    ],
)
def test_a_name_that_only_a_broken_plugin_offers_is_refused_naming_plugin_and_cause(shell, folder, arguments, what):
    (folder / "broken_file.py").write_text("raise OSError('no disk')\n")
    message = shell.refuses("--plugins-dir", str(folder), *arguments)
    assert what in message
    assert f"The plugin broken_file ({folder}) could not be loaded and may have offered it: OSError: no disk" in message


def test_doctor_says_what_is_right_wrong_and_not_loaded(shell, stranger):
    (stranger / "wrong_sign.py").write_text(WRONG_SIGN)
    (stranger / "broken_file.py").write_text("import a_package_that_is_not_there\n")
    (stranger / "misspelt_file.py").write_text(LOSS.format(name="x").replace("rpganify_losses", "rpganify_loses"))
    options = ["--plugins-dir", str(stranger), "plugins", "doctor"]
    result = shell(*options, "squared-error", "upside-down", "broken_file", "misspelt_file", "folder")
    assert result.exit_code == 1
    lines = {line.split(" of ")[0].partition(":")[0].strip(): line for line in result.stdout.splitlines()}
    assert f"stranger_file ({stranger})" in lines["ok      loss squared-error"]
    assert "expected descending it to raise the scores of fake images" in lines["wrong   loss upside-down"]
    assert "write `folder:DIR`" in lines["skipped data set folder"]
    wrong = [line for line in result.stdout.splitlines() if line.startswith("wrong   plugin of ")]
    assert "No module named 'a_package_that_is_not_there'" in wrong[0]
    assert "implements 'rpganify_loses', and there is no such hook. Did you mean 'rpganify_losses'" in wrong[1]
    assert result.stdout.splitlines()[-1] == "1 ok, 1 skipped, 3 wrong"


def test_doctor_examines_all_that_a_plugin_offers_and_prints_data(shell, stranger):
    found = json.loads(
        shell.succeeds("--plugins-dir", str(stranger), "plugins", "doctor", "stranger_file", "--json").stdout
    )
    assert [(one["kind"], one["name"], one["verdict"]) for one in found] == [
        ("architecture", "small", "ok"),
        ("loss", "squared-error", "ok"),
    ]


def test_doctor_refuses_a_name_that_is_nothing(shell):
    assert "Nothing and no plugin is called 'hnge'. Did you mean 'hinge'?" in shell.refuses("plugins", "doctor", "hnge")


def test_a_new_package_is_written_and_the_next_step_said(shell):
    result = shell.succeeds("plugins", "new", "loss", "mine")
    assert set(result.stdout.splitlines()) == {file for file in shell.files() if (shell.directory / file).is_file()}
    assert "rpganify-mine/src/rpganify_mine/plugin.py" in result.stdout
    assert "next: pip install -e rpganify-mine && rpganify plugins doctor mine" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["los", "mine"], 2, "'los' is none. Did you mean 'loss'? The kinds are: architecture, loss,"),
        (["loss", "My Loss"], 2, "'My Loss' cannot name a package: write small letters"),
        (["loss", "hinge"], 1, "There is a loss 'hinge' already, from the plugin rpganify.training.plugin"),
        (["loss", "mine", "-o", "."], 1, "exists already, and nothing in it is replaced"),
    ],
)
def test_a_package_that_cannot_be_begun_is_refused(shell, arguments, exit_code, message):
    result = shell("plugins", "new", *arguments)
    assert result.exit_code == exit_code
    assert message in " ".join(result.stderr.split())
    assert shell.files() == {}


def run(*command, **environment):
    """A command in a process of its own."""
    variables = {**os.environ, "RPGANIFY_LOAD_PLUGINS": "", **environment}
    variables = {name: value for name, value in variables.items() if value is not None}
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, env=variables, timeout=120)


RPGANIFY = (sys.executable, "-c", "from rpganify.cli import main; main()")


def test_a_new_package_can_be_installed_and_doctor_finds_it_well(shell, tmp_path):
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the package, is not installed")
    shell.succeeds("plugins", "new", "loss", "mine")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    installed = run(sys.executable, "-m", "pip", "install", *offline, "--target", tmp_path / "site", "./rpganify-mine")
    assert installed.returncode == 0, installed.stderr
    result = run(*RPGANIFY, "plugins", "doctor", "mine", PYTHONPATH=tmp_path / "site", RPGANIFY_LOAD_PLUGINS=None)
    assert result.stdout.splitlines() == [
        "ok      loss mine of rpganify-mine 0.1.0 (mine)",
        "1 ok, 0 skipped, 0 wrong",
    ], result.stderr
    assert result.returncode == 0


@pytest.fixture
def six_installed(tmp_path):
    """A folder that looks like site-packages with six plugins; each leaves a mark when it is imported."""
    codes = {f"six_{number}": LOSS.format(name=f"six{number}") for number in range(4)}
    codes |= {"six_torch": "import torch\n" + LOSS.format(name="heavy"), "six_broken": "import nothing_of_this_name\n"}
    site = tmp_path / "site"
    for module, code in codes.items():
        distribution = f"rpganify-{module.replace('_', '-')}"
        information = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[rpganify]\nmain = {module}\n")
        mark = f"import os, pathlib\npathlib.Path(os.environ['MARKS'], '{module}').touch()\n"
        (site / f"{module}.py").write_text(mark + code)
    (tmp_path / "marks").mkdir()
    return {"PYTHONPATH": str(site), "MARKS": str(tmp_path / "marks"), "RPGANIFY_LOAD_PLUGINS": None}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["convert", "--help"], ["plugins", "--help"], ["plugins", "doctor", "--help"]],
    ids=" ".join,
)
def test_no_text_of_help_imports_any_of_six_installed_plugins(six_installed, arguments):
    result = run(*RPGANIFY, *arguments, **six_installed)
    assert result.returncode == 0 and result.stderr == ""
    assert os.listdir(six_installed["MARKS"]) == []


def test_listing_imports_the_installed_plugins_and_says_version_and_what_is_broken(six_installed):
    result = run(*RPGANIFY, "plugins", "--json", **six_installed)
    listed = json.loads(result.stdout)
    (entry,) = [entry for entry in listed["losses"] if entry["name"] == "six2"]
    assert (entry["distribution"], entry["version"], entry["help"]) == ("rpganify-six-2", "1.0", "a loss")
    assert entry["plugin"] == "rpganify-six-2 1.0 (main)"
    cause = "ModuleNotFoundError: No module named 'nothing_of_this_name'"
    assert listed["failures"] == {"rpganify-six-broken 1.0 (main)": cause}
    assert result.stderr.splitlines() == [
        f"warning: The plugin rpganify-six-broken 1.0 (main) is left out, it cannot be loaded: {cause}"
    ]
    assert len(os.listdir(six_installed["MARKS"])) == 6


def test_plugins_that_are_left_out_are_not_imported(six_installed):
    left_out = ["-p", "no:rpganify-six-torch", "-p", "no:rpganify_six_broken"]
    result = run(*RPGANIFY, *left_out, "plugins", "--json", **six_installed)
    assert result.stderr == "" and json.loads(result.stdout)["failures"] == {}
    assert sorted(os.listdir(six_installed["MARKS"])) == [f"six_{number}" for number in range(4)]


@pytest.mark.slow  # a measurement: other work on the machine would disturb it
def test_help_takes_no_longer_with_six_plugins_than_1_3_times_what_it_takes_without(six_installed):
    none = {**six_installed, "PYTHONPATH": ""}
    durations = {"none": [], "six": []}
    for _ in range(15):
        for name, environment in (("none", none), ("six", six_installed)):
            start = time.perf_counter()
            run(*RPGANIFY, "--help", **environment)
            durations[name].append(time.perf_counter() - start)
    assert min(durations["six"]) <= 1.3 * min(durations["none"])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rpganify train x.rpgan --loss hin", ["hinge"]),
        ("rpganify train x.rpgan --data dig", ["digits"]),
        ("rpganify train x.rpgan --discriminator sn", ["sngan"]),
        ("rpganify train x.rpgan --callback c", ["csv"]),
        ("rpganify convert sngan1", ["sngan128"]),
        ("rpganify convert x.py --init ji", ["jitter"]),
        ("rpganify analyze x.rpgan div", ["diversity"]),
        ("rpganify analyze x.rpgan --extractor inc", ["inception"]),
        ("rpganify analyze x.rpgan --distance col", ["colour"]),
        ("rpganify export x.rpgan --format pt", ["pt2"]),
        ("rpganify plugins new call", ["callback"]),
    ],
)
def test_every_option_that_takes_a_name_completes_it_without_torch(line, found, tmp_path):
    code = "import sys\ntry:\n    from rpganify.cli import main; sys.argv = ['rpganify']; main()\n"
    code += "finally:\n    print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    environment = {
        "_RPGANIFY_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    result = run(sys.executable, "-c", code, **environment)
    assert result.stdout.split() == found, result.stderr
    assert result.stderr.splitlines()[-1] == "[]"


def test_a_path_is_exported_with_its_latent(converted):
    result = converted.succeeds(
        "export", "tiny_gan.rpgan", "--path", "2-0-1", "-o", "out/g.safetensors", "--latent", "z.st"
    )
    assert result.stdout.splitlines() == ["out/g.safetensors", "z.st"]
    stacked = load_file(converted.directory / "tiny_gan.rpgan" / "generator.safetensors")
    plain = load_file(converted.directory / "out" / "g.safetensors")
    for name, block in (("l1.weight", 2), ("conv1.bias", 0), ("conv2.weight", 1)):
        assert plain[name].equal(stacked[name][block])
    assert load_file(converted.directory / "z.st")["z"].equal(stacked["Z"])
    assert "exists already" in converted.refuses(
        "export", "tiny_gan.rpgan", "--path", "2-0-1", "-o", "out/g.safetensors"
    )
    assert "--path 0-0-0" in converted.refuses("export", "tiny_gan.rpgan", "-o", "h.safetensors")


def test_a_plugin_s_replication_distance_and_format_are_used_by_their_commands(tiny, folder):
    (folder / "three_kinds.py").write_text("""
from rpganify.hookspecs import DistanceEntry, ExportEntry, ReplicationEntry, hookimpl


class Brightness:
    key, title, parts = "brightness", "Brightness", ("brightness",)

    def describe(self, images):
        return images.double().flatten(1).mean(dim=1)

    def pairs(self, described):
        return (described[:, :, None] - described[:, None, :]).abs()[..., None]


def scaled():
    import torch

    return lambda values, fresh, generator: values * (0.5 + torch.rand((), generator=generator))


def names():
    return lambda module, latent, target: target.write_text(" ".join(module.state_dict()))


@hookimpl
def rpganify_distances():
    return [DistanceEntry("brightness", "mean pixels", lambda **arguments: Brightness())]


@hookimpl
def rpganify_replications():
    return [ReplicationEntry("scaled", "each tensor times a number", scaled)]


@hookimpl
def rpganify_exports():
    return [ExportEntry("names", "names of the tensors", names)]
""")
    options = ["--plugins-dir", str(folder)]
    tiny.succeeds(
        *options, "convert", "tiny_gan.py", "--buckets", "l1 conv1 conv2", "--blocks", "3", "--init", "scaled"
    )
    weights = load_file(tiny.directory / "tiny_gan.rpgan" / "generator.safetensors")["l1.weight"]
    ratio = weights[1] / weights[0]
    assert float(ratio.min()) >= 0.5 and float(ratio.max()) <= 1.5
    assert float(ratio.std()) < 1e-5  # one number for the whole tensor, up to float32 rounding
    measured = ["analyze", "tiny_gan.rpgan", "diversity", "--paths", "3", "--distance", "brightness", "--device", "cpu"]
    report = json.loads(tiny.succeeds(*options, *measured, "--json").stdout)[0]
    assert "D brightness" in json.dumps(report) and "D colour" not in json.dumps(report)
    tiny.succeeds(*options, "export", "tiny_gan.rpgan", "--path", "0-1-2", "--format", "names", "-o", "names.txt")
    assert "conv1.weight" in Path("names.txt").read_text().split()
    # The model tells how it was made, and opens without the plugin.
    tiny.succeeds("sample", "tiny_gan.rpgan", "-n", "2", "--device", "cpu")
