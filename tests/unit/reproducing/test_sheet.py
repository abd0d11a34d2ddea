"""What becomes of a picture that has to be small."""

import io

import numpy as np
from PIL import Image

from examples.reproducing.sheet import MAX_BYTES, as_small_png


def test_a_small_picture_keeps_colours_that_are_rare_in_it() -> None:
    chance = np.random.default_rng(0)
    sheet = np.repeat(chance.integers(0, 256, (900, 1600, 1), dtype=np.uint8), 3, axis=2)
    sheet[:, :, 0] //= 2  # noise between black and turquoise, and few pixels of two other colours
    sheet[100:160, 100:160] = (230, 20, 40)
    sheet[300:360, 100:160] = (250, 200, 20)
    content = as_small_png(Image.fromarray(sheet))
    assert len(content) < MAX_BYTES
    small = Image.open(io.BytesIO(content)).convert("RGB")
    scale = small.width / 1600
    for y, colour in ((130, (230, 20, 40)), (330, (250, 200, 20))):
        found = small.getpixel((round(130 * scale), round(y * scale)))
        assert isinstance(found, tuple)
        assert max(abs(one - other) for one, other in zip(found, colour, strict=True)) < 30
