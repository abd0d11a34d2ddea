"""Bad input: one line that says what, why and how to go on, exit code 1, nothing written and nothing lost."""

import errno
import gzip
import json
import os
import re

import pytest

from tests.functional.conftest import TINY_GAN

TRAIN = ["train", "tiny_gan.rpgan", "--loss", "hinge", "--steps", "2", "--batch-size", "4", "-o", "run"]
TWO_GENERATORS = TINY_GAN.replace("class Generator(", "class GeneratorA(").replace(
    "class Discriminator(", "class GeneratorB("
)
NEEDS_ARGUMENTS = TINY_GAN.replace("def __init__(self):", "def __init__(self, channels, depth):", 1)
NO_IMAGE = TINY_GAN.replace("return torch.tanh(self.conv2(h))", "return self.conv2(h).sum(dim=(1, 2, 3))")


def assert_says(message: str, *parts: str) -> None:
    for part in parts:
        assert re.search(part, message), f"{part!r} is not in {message!r}"


def test_a_missing_file_is_refused_with_names_that_are_near(tiny):
    message = tiny.refuses("convert", "tiny_gam.py")
    assert_says(message, r"tiny_gam\.py", r"tiny_gan\.py")


def test_an_unknown_architecture_is_refused_with_names_that_are_near(shell):
    assert_says(shell.refuses("convert", "sngan23"), "sngan23", "Did you mean 'sngan32'")


def test_a_syntax_error_is_named_with_its_line(shell):
    shell.write("broken.py", "import torch.nn as nn\n\nclass Generator(nn.Module)\n    pass\n")
    assert_says(shell.refuses("convert", "broken.py"), r"broken\.py", "line 3|:3")


def test_a_file_without_a_module_is_refused(shell):
    shell.write("empty.py", "LATENT = 128\n\n\ndef train():\n    pass\n")
    assert_says(shell.refuses("convert", "empty.py"), r"empty\.py", "nn.Module")


def test_two_candidates_are_listed(shell):
    shell.write("two.py", TWO_GENERATORS)
    message = shell.refuses("convert", "two.py")
    assert_says(message, "GeneratorA", "GeneratorB", r"two\.py:Generator")


def test_an_unknown_class_is_refused_with_names_that_are_near(tiny):
    assert_says(tiny.refuses("convert", "tiny_gan.py:Generater"), "Generater", "Did you mean 'Generator'")


def test_a_constructor_that_needs_arguments_is_told_with_the_option_to_give_them(shell):
    shell.write("needs.py", NEEDS_ARGUMENTS)
    assert_says(shell.refuses("convert", "needs.py"), "channels", "depth", "--arg channels=")


def test_an_unknown_bucket_is_refused_with_names_that_are_near(tiny):
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--buckets", "l1 cnv1"), "'cnv1'", "Did you mean 'conv1'")


def test_overlapping_buckets_are_refused(tiny):
    message = tiny.refuses("convert", "tiny_gan.py", "--buckets", "l1,conv1 conv*")
    assert_says(message, "conv1", "overlap")


def test_more_buckets_than_layers_are_refused_with_the_most_there_can_be(tiny):
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--buckets", "9"), "9 buckets", "3 layers")


@pytest.mark.parametrize("blocks", ["0", "-2", "3 0 3"])
def test_less_than_one_block_is_refused(tiny, blocks):
    message = tiny.refuses("convert", "tiny_gan.py", "--buckets", "3", "--blocks", blocks)
    assert_says(message, "at least 1 block")


def test_a_block_list_of_the_wrong_length_is_refused(tiny):
    message = tiny.refuses("convert", "tiny_gan.py", "--buckets", "3", "--blocks", "20 20")
    assert_says(message, "2 block counts", "3 buckets")


def test_a_generator_whose_output_is_no_image_is_refused(shell):
    shell.write("scores.py", NO_IMAGE)
    assert_says(shell.refuses("convert", "scores.py"), "image")


@pytest.mark.parametrize("latent", ["z:7", "z:6x1x1", "7"])
def test_a_latent_of_the_wrong_shape_is_refused(tiny, latent):
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--latent", latent), "latent", "--latent")


def test_an_unknown_latent_is_refused_with_the_inputs_there_are(tiny):
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--latent", "noise:6"), "noise", "'?z'?")


def test_an_existing_model_is_not_replaced_without_force(converted):
    message = converted.refuses("convert", "tiny_gan.py", "--blocks", "4")
    assert_says(message, r"tiny_gan\.rpgan exists already", "--force replaces it")
    converted.succeeds("convert", "tiny_gan.py", "--blocks", "4", "--force")


def test_a_weight_file_that_is_missing_or_no_weight_file_is_refused(tiny):
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--weights", "w.pt"), r"w\.pt")
    tiny.write("w.pt", "not a weight file")
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--weights", "w.pt"), r"w\.pt")


def test_an_unknown_data_set_loss_or_discriminator_is_refused_with_names_that_are_near(converted):
    assert_says(converted.refuses(*TRAIN, "--data", "digit"), "'digit'", "Did you mean 'digits'")
    assert_says(converted.refuses(*TRAIN, "--data", "digits", "--loss", "hing"), "'hing'", "Did you mean 'hinge'")
    message = converted.refuses(*TRAIN, "--data", "digits", "--discriminator", "dcgam")
    assert_says(message, "'dcgam'", "Did you mean 'dcgan'")


def test_a_missing_data_set_is_refused_with_the_files_that_are_wanted(converted):
    message = converted.refuses(*TRAIN, "--data", "mnist", "--data-root", "nowhere")
    assert_says(message, "nowhere", "mnist", "Point --data-root at the folder that holds MNIST/raw/")
    (converted.directory / "empty").mkdir()
    message = converted.refuses(*TRAIN, "--data", "mnist", "--data-root", "empty")
    assert_says(message, "empty", "train-images-idx3-ubyte", "--data-root")


def test_a_truncated_data_set_is_refused(converted):
    raw = converted.directory / "MNIST" / "raw"
    raw.mkdir(parents=True)
    header = (2051).to_bytes(4, "big") + b"".join(size.to_bytes(4, "big") for size in (60000, 28, 28))
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (raw / name).write_bytes(gzip.compress(header + b"\0" * 1000))
    message = converted.refuses(*TRAIN, "--data", "mnist", "--data-root", ".")
    assert_says(message, "train-(images|labels)", "truncated|bytes")


def test_image_channels_that_do_not_fit_are_refused(converted):
    from PIL import Image

    (converted.directory / "faces").mkdir()
    for index in range(4):
        Image.new("RGB", (8, 8), (index, 200, 10)).save(converted.directory / "faces" / f"{index}.png")
    message = converted.refuses(*TRAIN, "--data", "folder:faces")
    assert_says(message, "channels do not fit", r"RGB \(3 channels\)", r"grey \(1 channel\)")


@pytest.mark.parametrize("command", [["sample"], ["analyze"], ["train", "--data", "digits"]])
def test_a_model_that_is_missing_is_refused_with_the_command_that_makes_one(tiny, command):
    name, *options = command
    message = tiny.refuses(name, "tiny_gan.rpgan", *options)
    assert_says(message, r"tiny_gan\.rpgan", "rpganify convert")


@pytest.mark.parametrize("name", ["graph.json", "generator.safetensors"])
def test_a_truncated_model_file_is_refused(converted, name):
    path = converted.directory / "tiny_gan.rpgan" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert_says(converted.refuses("sample", "tiny_gan.rpgan"), re.escape(name))


def test_a_folder_that_is_no_model_is_refused(tiny):
    (tiny.directory / "other").mkdir()
    (tiny.directory / "other" / "graph.json").write_text('{"nodes": []}')
    assert_says(tiny.refuses("sample", "other"), r"graph\.json is not of an rpganify model")


def test_a_newer_model_file_is_refused_with_the_way_to_read_it(converted):
    path = converted.directory / "tiny_gan.rpgan" / "graph.json"
    graph = json.loads(path.read_text())
    version = next(key for key in graph if "version" in key)
    graph[version] = 999
    path.write_text(json.dumps(graph))
    assert_says(converted.refuses("sample", "tiny_gan.rpgan"), "999", "newer", "pip install -U rpganify")


def test_a_full_disk_while_converting_leaves_nothing_behind(tiny, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    assert_says(tiny.refuses("convert", "tiny_gan.py", "--blocks", "2"), "No space left on device")


def test_a_full_disk_while_replacing_keeps_the_old_model(converted, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    message = converted.refuses("convert", "tiny_gan.py", "--blocks", "2", "--force")
    assert_says(message, "No space left on device")


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_resuming_with_other_settings_names_each_of_them(converted):
    converted.succeeds(*TRAIN, "--data", "digits", "--discriminator", "mlp")
    message = converted.refuses(*TRAIN, "--data", "digits[0-4]", "--discriminator", "mlp", "--d-steps", "3", "--resume")
    assert_says(message, r"d_steps: 1 -> 3", r"data: digits.* -> digits\[0-4\]")


def test_resuming_where_nothing_was_trained_is_refused(converted):
    assert_says(converted.refuses(*TRAIN, "--data", "digits", "--resume"), "no training in run", "without --resume")


def test_a_run_is_not_trained_over_without_force(converted):
    train = [*TRAIN, "--data", "digits", "--discriminator", "mlp"]
    converted.succeeds(*train)
    assert_says(converted.refuses(*train), "run holds a training already", "--resume", "--force")
    converted.succeeds(*train, "--force")


def test_a_run_is_not_replaced_by_a_training_of_itself(converted):
    converted.succeeds(*TRAIN, "--data", "digits", "--discriminator", "mlp")
    train = [*TRAIN[:1], "run", *TRAIN[2:], "--data", "digits", "--discriminator", "mlp", "--force"]
    assert_says(converted.refuses(*train), "run is part of run", "another folder with -o")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--path", "1-2"], r"'1-2' is no path of this model: it has 3 buckets"),
        (["--path", "1-2-9"], r"Bucket 3 \(conv2\) has blocks 0 to 2; there is no block 9"),
        (["--vary", "4"], r"There is no bucket '4': this model has 1 \(l1\), 2 \(conv1\), 3 \(conv2\)"),
        (["--vary", "conv3"], "Did you mean"),
    ],
)
def test_paths_and_buckets_that_do_not_exist_are_refused(converted, option, message):
    assert_says(converted.refuses("sample", "tiny_gan.rpgan", *option), message)


def test_an_unknown_analyzer_or_extractor_is_refused_with_names_that_are_near(converted):
    assert_says(converted.refuses("analyze", "tiny_gan.rpgan", "diversty"), "Did you mean 'diversity'")
    message = converted.refuses("analyze", "tiny_gan.rpgan", "diversity", "--extractor", "pixel")
    assert_says(message, "Did you mean 'pixels'")


def test_inception_without_a_weight_file_says_which_file_is_wanted(converted, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(converted.directory / "empty"))
    message = converted.refuses("analyze", "tiny_gan.rpgan", "diversity", "--extractor", "inception")
    assert_says(message, r"pt_inception-2015-12-05-6726825d\.pth", "--extractor inception:FILE")
