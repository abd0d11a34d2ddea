"""Figure 6: what is varied, and which images are framed."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.retention.panels import (
    CELL,
    GAP,
    HEAD,
    LABEL,
    MARGIN,
    MARK,
    NUM_COLUMNS,
    PANEL_GAP,
    draw_panels,
    make_panels,
)
from tests.unit.analysis.classes.models import grown
from tests.unit.surgery.models import converted


@pytest.fixture(scope="module")
def panels():
    model = grown()
    with evaluating(model, 0):
        return make_panels(model, ImageMaker(model, AnalysisContext()), AnalysisContext(seed=1))


def known_images(model):
    """Every image of a model, as bytes."""
    space = model.paths
    with torch.no_grad(), evaluating(model, 0):
        made = ImageMaker(model, AnalysisContext())(space.sample_distinct(space.cardinality))
    return {image.numpy().tobytes() for image in made}


def test_left_and_middle_show_the_model_before_it_grew_and_the_right_one_new_images_too(panels):
    before = known_images(converted())
    for _, images in panels.varied:
        assert {image.numpy().tobytes() for image in images} <= before
    assert {image.numpy().tobytes() for image in panels.old} <= before
    is_before = [image.numpy().tobytes() in before for image in panels.every]
    assert is_before == (~panels.is_new).tolist()
    assert 0 < panels.is_new.sum() < 64


def test_each_row_on_the_left_changes_one_bucket_of_a_path(panels):
    assert [bucket for bucket, _ in panels.varied] == [0, 1, 2, 0, 1, 2]
    assert [len(images) for _, images in panels.varied] == [3, 2, 2, 3, 2, 2]
    for base in (panels.varied[:3], panels.varied[3:]):
        # The path itself is in each of its rows.
        rows = [{image.numpy().tobytes() for image in images} for _, images in base]
        assert set.intersection(*rows)


def test_a_path_that_is_named_is_varied_if_it_is_an_old_one():
    model = grown()
    context = AnalysisContext(paths=((4, 0, 0), (1, 1, 0)))
    with evaluating(model, 0):
        made = make_panels(model, ImageMaker(model, context), context)
        image = ImageMaker(model, context)(torch.tensor([[1, 1, 0]]))[0]
    assert any(torch.equal(one, image) for one in made.varied[0][1])


def test_frames_are_around_images_of_new_blocks_and_no_others(panels):
    drawing = draw_panels(panels)
    drawing.canvas.draw()
    pixels = np.asarray(drawing.canvas.buffer_rgba())[..., :3].astype(int)
    colour = np.round(np.array(to_rgba(MARK)[:3]) * 255)
    left = MARGIN + LABEL + 2 * (NUM_COLUMNS * (CELL + GAP) - GAP + PANEL_GAP)  # images of 8x8 are 80 pixels wide
    for index, is_new in enumerate(panels.is_new.tolist()):
        x = left + index % NUM_COLUMNS * (CELL + GAP) + CELL // 2
        y = HEAD + index // NUM_COLUMNS * (CELL + GAP)
        for edge in (y - 2, y + CELL + 2):
            assert bool(np.abs(pixels[edge, x] - colour).max() <= 2) == is_new
