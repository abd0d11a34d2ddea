"""Help, version and completion answer at once, and wrong usage ends with 2."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest

COMMANDS = [
    "inspect",
    "convert",
    "train",
    "sample",
    "explore",
    "invert",
    "analyze",
    "report",
    "grow",
    "prune",
    "linearize",
    "merge",
    "extract",
    "card",
    "export",
    "bench",
    "plugins",
]

# Importing torch alone takes over a second; what is quick must not do it.
PROBE = """
import sys
from rpganify.cli import main
sys.argv = ["rpganify", *{arguments!r}]
try:
    main()
finally:
    heavy = sorted({{"torch", "numpy", "matplotlib", "PIL", "scipy"}} & set(sys.modules))
    print("HEAVY", heavy, file=sys.stderr)
"""


def probe(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        env={**os.environ, "RPGANIFY_LOAD_PLUGINS": "", **environment},
        timeout=60,
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["plugins", "--json"], *([c, "--help"] for c in COMMANDS)]
)
def test_help_version_and_the_list_of_plugins_import_nothing_heavy(arguments):
    result = probe(*arguments)
    assert result.returncode == 0
    assert result.stderr.splitlines()[-1] == "HEAVY []"


def test_shell_completion_imports_nothing_heavy():
    result = probe(
        _RPGANIFY_COMPLETE="complete_bash",
        COMP_WORDS="rpganify con",
        COMP_CWORD="1",
        _TYPER_COMPLETE_ARGS="rpganify con",
    )
    assert result.returncode == 0
    assert "convert" in result.stdout
    assert result.stderr.splitlines()[-1] == "HEAVY []"


def test_help_names_every_command_on_stdout(shell):
    result = shell.succeeds("--help")
    for command in COMMANDS:
        assert f"  {command} " in result.stdout
    assert result.stderr == ""


def test_help_shows_brackets_as_they_are(shell):
    assert "[NAME][:SHAPE]" in shell.succeeds("convert", "--help").stdout


def test_the_version_is_the_installed_one(shell):
    assert shell.succeeds("--version").stdout == f"rpganify {version('rpganify')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smaple", "x.rpgan"], "No such command 'smaple'. Did you mean 'sample'?"),
        (["convert"], "Missing argument 'SOURCE'"),
        (["convert", "x.py", "--blocks", "many"], "'many' is no number of blocks"),
        (["convert", "x.py", "--norm", "none"], "'none' is not one of 'shared', 'per-block'"),
        (["convert", "x.py", "--arg", "latent_dim"], "'latent_dim' is not name=value"),
        (["convert", "x.py", "--plan", "p.json", "--blocks", "3"], "leave out --buckets, --blocks and --num-Z"),
        (["train", "x.rpgan"], "Missing option '--data'"),
        (["sample", "x.rpgan", "-n", "3", "--path", "1-2"], "-n counts random paths"),
        (["sample", "x.rpgan", "-o", "grid.txt"], "must end in one of .png"),
        (["sample", "x.rpgan", "--device", "abacus"], "'abacus' cannot be used here"),
        (["bench", "--batch", "16,few"], "'few' in '16,few' is no number, 1 or larger"),
        (["bench", "--blocks", "1,,40"], "Between two commas of '1,,40' is no number"),
        (["bench", "sngan32", "-o", "costs.png"], "give several numbers of them: --blocks 1,10,40"),
        (["bench", "sngan32", "--blocks", "1,2", "-o", "costs.svg"], "costs.svg must end in .png"),
        (["bench", "sngan32", "--discriminator", "mlp"], "Only --step takes a discriminator"),
        (["bench", "--arg", "channels=8"], "belong to a SOURCE; name it: rpganify bench sngan32"),
        (["bench", "train", "--arg", "channels=8"], "belongs to a SOURCE; name it: rpganify bench train sngan32"),
        (["bench", "train", "--blocks", "1,40"], "One number of blocks at a time is measured"),
        (["bench", "train", "--steps", "23"], "Invalid value for '--steps'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong_on_stderr(shell, arguments, message):
    result = shell(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert shell.files() == {}


def test_plugins_lists_every_kind_with_its_provider(shell):
    listed = json.loads(shell.succeeds("plugins", "--json").stdout)
    assert {kind: [entry["name"] for entry in listed[kind]] for kind in listed if kind != "failures"} == {
        "architectures": ["dcgan32", "dcgan64", "mlp28", "sngan128", "sngan32", "sngan48", "sngan64"],
        "losses": ["hinge", "least-squares", "non-saturating", "r1", "wgan-gp"],
        "discriminators": ["dcgan", "mlp", "sngan"],
        "data sets": [
            "cifar10",
            "coloured-mnist",
            "digits",
            "fashion-mnist",
            "folder",
            "lmdb",
            "lsun",
            "mnist",
            "webdataset",
            "zip",
        ],
        "routed layers": [],
        "replications": ["copy", "fresh", "jitter"],
        "image distances": ["classifier", "colour", "lpips", "pixels", "semantic", "ssim"],
        "feature extractors": ["classifier", "inception", "pixels"],
        "analyzers": [
            "blocks",
            "classes",
            "concepts",
            "controls",
            "diversity",
            "geometry",
            "inversion",
            "latent-inversion",
            "noise",
            "quality",
            "responsibility",
            "retention",
            "variations",
        ],
        "callbacks": ["csv"],
        "export formats": ["onnx", "pt2", "safetensors"],
    }
    assert listed["architectures"][0]["plugin"] == "rpganify.models.plugin"
    table = shell.succeeds("plugins").stdout
    for kind in listed.keys() - {"failures"}:
        for entry in listed[kind]:
            assert entry["name"] in table
            assert entry["help"] in table
