"""`rpganify invert`: from a picture back to a path that `sample` takes."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import rpganify
from rpganify.analysis.generation import to_uint8

QUICK = ["--samples", "512"]


@pytest.fixture
def drawn(converted):
    """A converted model, and pictures of two of its paths in their own size."""
    model = rpganify.load(converted.directory / "tiny_gan.rpgan")
    for path in ("2-0-1", "1-1-2"):
        with torch.no_grad():
            image = to_uint8(model.images(model.paths.parse(path)[None]))[0, 0]
        Image.fromarray(image.numpy()).save(converted.directory / f"{path}.png")
    return converted


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def found(shell, *arguments):
    """What `invert --json` says of each image."""
    return json.loads(shell.succeeds("invert", "tiny_gan.rpgan", *arguments, "--json").stdout)["images"]


def test_the_path_of_a_picture_that_the_model_made_is_found_and_makes_it_again(drawn):
    told = found(drawn, "2-0-1.png", "1-1-2.png", *QUICK)
    assert [one["image"] for one in told] == ["2-0-1.png", "1-1-2.png"]
    for one in told:
        assert one["distance"] == 0 <= one["its distance"]
        drawn.succeeds("sample", "tiny_gan.rpgan", "--path", one["path"], "-o", "again.npy")
        again = to_uint8(torch.from_numpy(np.load(drawn.directory / "again.npy")))[0, 0].numpy()
        np.testing.assert_array_equal(again, pixels(drawn.directory / one["image"]))


def test_the_table_names_each_image_with_its_path_and_talk_names_the_next_command(drawn):
    result = drawn.succeeds("invert", "tiny_gan.rpgan", "2-0-1.png", "1-1-2.png", *QUICK)
    heading, *rows = result.stdout.splitlines()
    assert heading.split()[:3] == ["image", "path", "distance"]
    assert [row.split()[0] for row in rows] == ["2-0-1.png", "1-1-2.png"]
    path = rows[0].split()[1]
    assert f"next: rpganify sample tiny_gan.rpgan --path {path} -o image.png" in result.stderr


def test_a_picture_shows_the_images_and_what_their_paths_make(drawn):
    before = drawn.files().keys()
    drawn.succeeds("invert", "tiny_gan.rpgan", "2-0-1.png", "1-1-2.png", *QUICK, "-o", "out/inverted.png")
    assert drawn.files().keys() - before == {"out", "out/inverted.png"}
    page = pixels(drawn.directory / "out" / "inverted.png")
    assert page.shape[1] > 2 * 160 and page.min() < 60 < 250 < page.max()


def test_without_a_predictor_the_search_starts_at_random_paths(drawn):
    (told,) = found(drawn, "2-0-1.png", "--samples", "0", "--beam", "27")
    assert told["distance"] == 0
    assert "predicted path" not in told


def test_a_predictor_is_kept_and_read_again(drawn):
    first = drawn.succeeds("invert", "tiny_gan.rpgan", "2-0-1.png", *QUICK, "--predictor", "p.safetensors")
    assert "training of the predictor" in first.stderr and "wrote p.safetensors" in first.stderr
    again = drawn.succeeds("invert", "tiny_gan.rpgan", "2-0-1.png", *QUICK, "--predictor", "p.safetensors")
    assert "training" not in again.stderr
    assert first.stdout.split()[-8:][0] == again.stdout.split()[-8:][0]
    drawn.succeeds("convert", "tiny_gan.py", "--buckets", "l1 conv1 conv2", "--blocks", "2", "-o", "other.rpgan")
    message = drawn.refuses("invert", "other.rpgan", "2-0-1.png", "--predictor", "p.safetensors")
    assert "p.safetensors was trained on another model" in message


def test_a_tuned_input_is_written_and_comes_nearer(drawn):
    Image.new("L", (8, 8), 200).save(drawn.directory / "grey.png")
    (told,) = found(drawn, "grey.png", "--samples", "0", "--tune-z", "20", "--latents", "z.safetensors")
    assert told["with its own Z"] < told["pixel error"]
    assert load_file(drawn.directory / "z.safetensors")["z"].shape == (1, 6)


def test_a_picture_of_another_size_and_kind_is_fitted_and_that_is_said(drawn):
    Image.new("RGB", (20, 16), "white").save(drawn.directory / "wide.png")
    result = drawn.succeeds("invert", "tiny_gan.rpgan", "wide.png", "--samples", "0")
    assert "note: cropped around the centre and resized to 8×8: wide.png (20×16)" in result.stderr


def test_another_distance_is_named(drawn):
    told = json.loads(
        drawn.succeeds("invert", "tiny_gan.rpgan", "2-0-1.png", "--samples", "0", "--distance", "ssim", "--json").stdout
    )
    assert told["distance"] == "Structure (1 − SSIM)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "none.png is no image that can be read"),
        (["tiny_gan.py"], "tiny_gan.py is no image that can be read"),
        (["2-0-1.png", "--predictor", "1-1-2.png"], "The predictor 1-1-2.png cannot be read"),
        (["2-0-1.png", "--distance", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(drawn, arguments, message):
    assert message in drawn.refuses("invert", "tiny_gan.rpgan", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.jpg"], "out.jpg must end in .png"),
        (["--latents", "z.safetensors"], "goes with --tune-z STEPS"),
        (["--tune-z", "3", "--latents", "z.npy"], "is a .safetensors file"),
        (["--samples", "0", "--predictor", "p.safetensors"], "Without --samples there is no predictor to keep"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(drawn, arguments, message):
    result = drawn("invert", "tiny_gan.rpgan", "2-0-1.png", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_standard_generator_is_refused(drawn):
    drawn.succeeds(
        *("train", "tiny_gan.py", "--standard", "--data", "digits", "--steps", "1", "--batch-size", "4", "-o", "plain")
    )
    assert "has none: it is a standard generator" in drawn.refuses("invert", "plain", "2-0-1.png")
