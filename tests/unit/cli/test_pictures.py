"""Grids of images as picture files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.cli.pictures import draw_grid, save_picture


def images(n, channels, size):
    values = torch.arange(n * channels * size * size) % 256
    return values.reshape(n, channels, size, size).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_stand_in_rows_with_their_exact_pixels(channels):
    given = images(3, channels, 64)
    pixels = np.asarray(draw_grid(given))  # (H, W, 3)
    assert pixels.shape == (2 + 2 * 66, 2 + 2 * 66, 3)
    for index, (row, column) in enumerate([(0, 0), (0, 1), (1, 0)]):
        upper, left = 2 + row * 66, 2 + column * 66
        tile = pixels[upper : upper + 64, left : left + 64]
        expected = given[index].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(tile, np.broadcast_to(expected, (64, 64, 3)))


def test_small_images_are_enlarged_by_a_whole_number_without_new_values():
    given = images(1, 1, 8)
    pixels = np.asarray(draw_grid(given))[2:-2, 2:-2, 0]
    np.testing.assert_array_equal(pixels, given[0, 0].numpy().repeat(8, 0).repeat(8, 1))


def test_large_images_keep_their_size():
    assert draw_grid(images(1, 3, 100)).size == (104, 104)


def test_labels_and_a_title_take_room_of_their_own_and_leave_the_images_alone():
    given = images(2, 1, 64)
    plain, labelled = draw_grid(given), draw_grid(given, ["0", "1"], "bucket 1")
    assert labelled.height > plain.height
    pixels = np.asarray(labelled)[:, :, 0]
    found = [
        (y, x)
        for y in range(labelled.height - 63)
        for x in (2, 68)
        if np.array_equal(pixels[y : y + 64, x : x + 64], given[0 if x == 2 else 1, 0].numpy())
    ]
    assert len(found) == 2


def test_a_row_has_as_many_images_as_are_asked_for():
    assert draw_grid(images(5, 1, 64), num_columns=5).size == (2 + 5 * 66, 2 + 66)
    assert draw_grid(images(5, 1, 64), num_columns=2).size == (2 + 2 * 66, 2 + 3 * 66)


def test_labels_wider_than_the_images_widen_their_columns_and_lines_add_rows():
    given = images(2, 1, 64)
    narrow = draw_grid(given, ["0", "1"], num_columns=2)
    wide = draw_grid(given, ["bucket 1 (a long name)\n3 → 9", "1"], num_columns=2)
    assert wide.width > narrow.width + 64 and wide.height == narrow.height + 14
    pixels = np.asarray(wide)[2:66, :, 0]
    cell = (wide.width - 2) // 2
    lefts = [x for x in range(wide.width - 63) if np.array_equal(pixels[:, x : x + 64], given[0, 0].numpy())]
    assert lefts == [2 + (cell - 2 - 64) // 2, 2 + cell + (cell - 2 - 64) // 2]


def test_arrows_and_accents_are_drawn_as_themselves():
    """The font has no picture for what it does not know but the same box for all."""
    drawn = {letter: draw_grid(images(1, 1, 64), [letter]).tobytes() for letter in "→−×éβ\ufffe"}
    assert len(set(drawn.values())) == len(drawn)


def test_a_title_wider_than_the_images_widens_the_picture():
    assert draw_grid(images(1, 1, 64), title="path " + "10-" * 40).width > 300


def test_a_saved_picture_can_be_read_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "new" / "grid.png"
    picture = draw_grid(images(4, 3, 32))
    save_picture(picture, target)
    with Image.open(target) as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(picture))
    assert [path.name for path in target.parent.iterdir()] == ["grid.png"]


def test_a_failure_while_saving_leaves_the_old_picture(tmp_path, monkeypatch):
    target = tmp_path / "grid.png"
    target.write_bytes(b"old")

    def fail(self, path):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        save_picture(draw_grid(images(1, 1, 8)), target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]
