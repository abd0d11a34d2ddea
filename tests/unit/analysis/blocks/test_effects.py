import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.blocks.effects import BucketEffects, measure_blocks
from rpganify.analysis.blocks.strip import HEAD_HEIGHT, LABEL_WIDTH, MARGIN, draw_strip, signed
from rpganify.analysis.blocks.verdicts import BlocksOfBucket, judge
from rpganify.analysis.generation import ImageMaker, evaluating, to_uint8
from rpganify.analysis.responsibility.statistics import available_statistics
from rpganify.report.report import Figure
from rpganify.report.writing import figure_to_png
from tests.unit.analysis.levels import LevelsGenerator


def measure(
    model: LevelsGenerator, bucket: int, contexts: Tensor, keys: tuple[str, ...] = ("brightness",)
) -> BucketEffects:
    context = AnalysisContext(batch_pixels=60 * 7)
    with evaluating(model, 0):
        maker = ImageMaker(model, context)
        statistics = available_statistics(model.image_shape, context, keys)
        return measure_blocks(model, maker, context, statistics, bucket, contexts, 3, lambda done: None)


def raw_images(model: LevelsGenerator, contexts: Tensor, bucket: int) -> np.ndarray:
    """`(P, m, values)`, one path at a time."""
    found = []
    for path in contexts.tolist():
        of_context = []
        for block in range(model.paths.num_blocks[bucket]):
            path[bucket] = block
            with torch.no_grad():
                of_context.append(to_uint8(model.images(torch.tensor([path])))[0].flatten().double().numpy())
        found.append(of_context)
    return np.array(found)


@pytest.mark.parametrize("bucket", [0, 1, 2])
def test_effects_distances_and_spreads_equal_a_loop_over_settings_and_blocks(bucket: int):
    model = LevelsGenerator()
    contexts = model.paths.sample(5, generator=torch.Generator().manual_seed(1))
    found = measure(model, bucket, contexts)
    images = raw_images(model, contexts, bucket)
    count, m, _ = images.shape
    brightness = images.mean(axis=2)
    expected = (brightness - brightness.mean(axis=1, keepdims=True)).mean(axis=0)
    (effects,) = found.effects
    assert [effect.value for effect in effects.blocks] == pytest.approx(expected.tolist(), abs=1e-9)
    assert effects.std == pytest.approx(brightness.std()) and effects.unit == "grey levels"
    for one in range(m):
        for other in range(m):
            squares = [np.mean((images[p, one] - images[p, other]) ** 2) for p in range(count)]
            assert float(found.distances[one, other]) == pytest.approx(math.sqrt(np.mean(squares)), abs=1e-9)
        apart = [np.mean((images[p, one] - images[q, one]) ** 2) for p in range(count) for q in range(count) if p != q]
        assert float(found.spreads[one]) == pytest.approx(math.sqrt(np.mean(apart)), abs=1e-6)
    assert torch.equal(found.strip.flatten(2).double(), torch.tensor(images[:3]).transpose(0, 1))


def test_the_strip_holds_every_image_enlarged_pixel_for_pixel():
    model = LevelsGenerator()
    contexts = model.paths.sample(4, generator=torch.Generator().manual_seed(0))
    effects = measure(model, 1, contexts)
    drawing = draw_strip(BlocksOfBucket(effects, None, judge(effects, None, 0.0)), "two", ())
    with Image.open(io.BytesIO(figure_to_png(Figure("s", "s", drawing)))) as image:
        page = np.asarray(image.convert("L"))
    for block in range(4):
        for column in range(3):
            tile = effects.strip[block, column, 0].numpy().repeat(10, 0).repeat(10, 1)  # 96 pixels of 10: tenfold
            top, left = MARGIN + HEAD_HEIGHT + block * 76 + 8, MARGIN + LABEL_WIDTH + column * 108
            assert np.array_equal(page[top : top + 60, left : left + 100], tile), (block, column)


@pytest.mark.parametrize(
    ("value", "scale", "told"), [(12.4, 20, "+12"), (-0.44, 5, "−0.4"), (0.034, 0.5, "+0.03"), (-0.001, 1, "0")]
)
def test_an_effect_has_its_sign_and_as_many_decimals_as_its_scale_asks_for(value: float, scale: float, told: str):
    assert signed(value, scale) == told
