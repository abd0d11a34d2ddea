"""What the explorer draws is what the model makes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import rpganify
from rpganify.analysis.generation import to_uint8
from rpganify.errors import AnalysisError, ExplorerError
from rpganify.explorer.painting import MAX_TILE, Painter
from rpganify.explorer.painting import to_png as png_of

PATH = torch.tensor([3, 0, 41])


def pixels(png):
    """(H, W) or (H, W, 3)."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


def made(model, path, **conditions):
    """What the model makes of a path by itself, as pixels."""
    with torch.no_grad():
        return to_uint8(model.images(path[None], **conditions))[0].permute(1, 2, 0).numpy()


def test_the_image_of_a_path_is_what_the_model_makes_of_it(pictures):
    np.testing.assert_array_equal(pixels(Painter(pictures, {}).image(PATH, {})), made(pictures, PATH))


def test_a_buckets_blocks_stand_side_by_side_each_as_its_own_path_would_look(pictures):
    strip = pixels(Painter(pictures, {}).blocks(PATH, bucket=2, first=10, count=5, conditions={}))
    assert strip.shape == (6, 5 * 4, 3)
    for i, tile in enumerate(np.split(strip, 5, axis=1)):
        np.testing.assert_array_equal(tile, made(pictures, torch.tensor([3, 0, 10 + i])))


def test_the_clicked_blocks_picture_is_the_image_that_follows(noisy):
    painter = Painter(noisy, {})
    assert painter.draws_noise
    tiles = np.split(pixels(painter.blocks(PATH, 0, 0, 4, {})), 4, axis=1)
    for block, tile in enumerate(tiles):
        np.testing.assert_array_equal(tile, pixels(painter.image(torch.tensor([block, 0, 41]), {})))


def test_a_generators_own_noise_follows_the_seed_and_leaves_the_global_state(noisy):
    before = torch.get_rng_state()
    images = [Painter(noisy, {}, seed).image(PATH, {}) for seed in (1, 1, 2)]
    assert images[0] == images[1] != images[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_further_inputs_are_passed_on(labelled):
    given = {"label": torch.tensor(2), "strength": torch.tensor(0.5)}
    painter = Painter(labelled, given)
    expected = made(labelled, PATH, label=torch.tensor([2]), strength=torch.tensor([0.5]))
    np.testing.assert_array_equal(pixels(painter.image(PATH, given)), expected)
    assert not painter.draws_noise
    assert painter.image(PATH, {**given, "label": torch.tensor(1)}) != painter.image(PATH, given)


def test_thumbnails_of_large_images_are_shrunk_in_proportion():
    wide = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 120 * 240), nn.Tanh(), nn.Unflatten(1, (1, 120, 240)))
    painter = Painter(rpganify.wrap(wide, blocks=2), {})
    assert painter.tile_size == (48, MAX_TILE)
    path = torch.zeros(2, dtype=torch.int64)
    assert pixels(painter.image(path, {})).shape == (120, 240)
    assert pixels(painter.blocks(path, 0, 0, 2, {})).shape == (48, 2 * MAX_TILE)


def test_a_signal_is_drawn_as_curves():
    sound = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2 * 500), nn.Tanh(), nn.Unflatten(1, (2, 500)))
    painter = Painter(rpganify.wrap(sound, blocks=2), {})
    assert pixels(painter.image(torch.zeros(2, dtype=torch.int64), {})).shape == (2 * 96, 256)


@pytest.mark.parametrize(("first", "count"), [(70, 1), (0, 65), (60, 11), (0, 0)])
def test_blocks_that_are_not_there_or_too_many_are_refused(pictures, first, count):
    with pytest.raises(ExplorerError, match=f"has blocks 0 to 69, and at most 64 .* {count} from {first} on"):
        Painter(pictures, {}).blocks(PATH, 2, first, count, {})


def test_an_image_that_is_not_finite_is_refused(pictures):
    broken = rpganify.wrap(nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 16), nn.Unflatten(1, (1, 4, 4))), blocks=2)
    painter = Painter(broken, {})
    with torch.no_grad():
        broken.Z.fill_(float("nan"))
    with pytest.raises(AnalysisError, match="hold NaN or infinity"):
        painter.image(torch.zeros(2, dtype=torch.int64), {})


def test_a_png_file_holds_grey_and_colour_as_they_are():
    grey = torch.arange(12, dtype=torch.uint8).view(2, 1, 2, 3)
    np.testing.assert_array_equal(pixels(png_of(grey)), [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]])
    colour = torch.randint(256, (1, 3, 5, 4), dtype=torch.uint8)
    np.testing.assert_array_equal(pixels(png_of(colour)), colour[0].permute(1, 2, 0).numpy())
