import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.variations.analyzer import Variations, choose_variations
from rpganify.analysis.variations.figure import cell_size
from rpganify.errors import AnalysisError, PathError
from rpganify.paths import PathSpace
from rpganify.report.report import Report
from rpganify.report.writing import figure_to_png, table_to_csv, write_reports
from tests.unit.analysis.synthetic import SyntheticGenerator

FOUR = ("position", "shape", "colour", "ground")


def picture(report: Report, index: int = 0) -> np.ndarray:
    with Image.open(io.BytesIO(figure_to_png(report.figures[index]))) as image:
        return np.asarray(image.convert("RGB"))


def contains(page: np.ndarray, tile: np.ndarray) -> bool:
    """Whether the tile stands somewhere in the page, pixel for pixel."""
    height, width = tile.shape[:2]
    candidates = np.argwhere((page[: 1 - height, : 1 - width] == tile[0, 0]).all(axis=-1))
    return any((page[y : y + height, x : x + width] == tile).all() for y, x in candidates)


def test_each_bucket_is_varied_to_ten_distinct_other_blocks_and_to_all_others_if_it_has_fewer():
    space = PathSpace((40, 11, 5, 1))
    (variation,) = choose_variations(space, AnalysisContext(seed=1), num_paths=1, num_blocks=10)
    assert [len(blocks) for blocks in variation.blocks] == [10, 10, 4, 0]
    for bucket, blocks in enumerate(variation.blocks):
        assert list(blocks) == sorted(set(blocks)) and int(variation.path[bucket]) not in blocks


def test_a_varied_path_differs_from_its_base_in_one_bucket():
    space = PathSpace((4, 3, 1))
    (variation,) = choose_variations(space, AnalysisContext(paths=((2, 0, 0),)), num_paths=1, num_blocks=10)
    expected = [(2, 0, 0), (0, 0, 0), (1, 0, 0), (3, 0, 0), (2, 1, 0), (2, 2, 0)]
    assert [tuple(path) for path in variation.paths().tolist()] == expected


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32)])
def test_the_picture_holds_every_image_enlarged_pixel_for_pixel(image_shape: tuple[int, ...]):
    model = SyntheticGenerator((4, 3), ("shape", "colour"), image_shape).eval()
    report = Variations().analyze(model, AnalysisContext(paths=((1, 2),)))
    page = picture(report)
    factor = cell_size(*image_shape[1:])[0] // image_shape[1]
    with torch.no_grad():
        images = to_uint8(model.images(torch.tensor([[0, 2], [2, 2], [3, 2], [1, 0], [1, 1]])))
    for image in images:
        tile = image.expand(3, -1, -1).permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)
        assert contains(page, tile)


def test_the_table_gives_the_path_of_every_picture():
    model = SyntheticGenerator((4, 3, 1), ("shape", "colour", "position"))
    report = Variations(num_blocks=2).analyze(model, AnalysisContext(paths=((1, 2, 0),)))
    rows = list(csv.DictReader(io.StringIO(table_to_csv(report.table("pictures")))))
    assert [row["bucket"] for row in rows] == ["1", "1", "2", "2"]
    for row in rows:
        path = [1, 2, 0]
        path[int(row["bucket"]) - 1] = int(row["block"])
        assert row["path"] == "-".join(map(str, path)) and row["base path"] == "1-2-0"


def test_figures_are_named_by_their_paths_and_several_may_be_asked_for():
    model = SyntheticGenerator((4, 3), ("shape", "colour"))
    report = Variations().analyze(model, AnalysisContext(paths=((1, 2), (0, 0))))
    assert [figure.name for figure in report.figures] == ["1-2", "0-0"]
    assert "path 1-2" in report.figures[0].caption
    assert len(Variations(num_paths=3).analyze(model, AnalysisContext()).figures) == 3


def test_equal_seeds_choose_equal_paths_and_blocks():
    model = SyntheticGenerator((40, 40), ("shape", "colour"))
    tables = [Variations().analyze(model, AnalysisContext(seed=seed)).tables for seed in (1, 1, 2)]
    assert tables[0] == tables[1] != tables[2]


def test_progress_counts_the_pictures():
    seen: list[tuple[str, int, int]] = []
    model = SyntheticGenerator((4, 3), ("shape", "colour"), (1, 8, 8))
    context = AnalysisContext(paths=((0, 0),), progress=lambda *step: seen.append(step), batch_pixels=4 * 64)
    Variations().analyze(model, context)
    assert seen == [("variations", 4, 6), ("variations", 6, 6)]


@pytest.mark.parametrize("num_buckets", [1, 12])
def test_one_to_twelve_buckets_with_any_names_are_drawn(num_buckets: int, tmp_path: Path):
    factors = tuple(f"shape$_{i}^2 of a very long name" for i in range(num_buckets))
    model = SyntheticGenerator((3,) * num_buckets, factors, (1, 8, 8))
    report = Variations().analyze(model, AnalysisContext())
    write_reports([report], tmp_path, title="m")
    page = picture(report)
    assert page.shape[0] > num_buckets * cell_size(8, 8)[0] and page.min() < 50


def test_a_bucket_of_one_block_has_an_empty_row_and_a_note():
    report = Variations().analyze(SyntheticGenerator((1, 3), ("shape", "colour")), AnalysisContext())
    assert report.notes == ("Of one block only, so their rows are empty: bucket 1 (shape).",)


def test_a_small_image_is_enlarged_by_a_whole_factor_and_a_large_one_shrunk():
    assert cell_size(8, 8) == (160, 160)
    assert cell_size(28, 28) == (168, 168)
    assert cell_size(32, 16) == (160, 80)
    assert cell_size(128, 128) == (128, 128)
    assert cell_size(256, 256) == (256, 256)
    assert cell_size(1024, 512) == (256, 128)


def test_other_channel_counts_are_refused():
    model = SyntheticGenerator((3,), ("position",), (2, 8, 8))
    with pytest.raises(AnalysisError, match=r"variations shows and measures pictures of 1 \(grey\) or 3.*\(2, 8, 8\)"):
        Variations().analyze(model, AnalysisContext())


def test_an_output_that_is_no_picture_is_refused():
    model = SyntheticGenerator((3,), ("position",), (3, 8, 8))
    model.image_shape = (64,)
    with pytest.raises(AnalysisError, match=r"this generator's output is \(64,\)"):
        Variations().analyze(model, AnalysisContext())


def test_a_base_path_that_is_named_twice_or_outside_is_refused():
    model = SyntheticGenerator((3, 3), ("shape", "colour"))
    with pytest.raises(AnalysisError, match="named twice among 0-0, 0-0"):
        Variations().analyze(model, AnalysisContext(paths=((0, 0), (0, 0))))
    with pytest.raises(PathError, match="there is no block 7"):
        Variations().analyze(model, AnalysisContext(paths=((0, 7),)))


def test_no_path_or_no_block_is_refused():
    with pytest.raises(AnalysisError, match="at least 1 path and 1 other block, got 1 and 0"):
        Variations(num_blocks=0)
