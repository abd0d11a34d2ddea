"""Pictures of a training: sample grids and variation grids."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from rpganify.training.callbacks import TrainResult
from rpganify.training.config import TrainConfig
from rpganify.training.recording.grid_picture import GridRow, draw_grid
from rpganify.training.recording.grids import (
    ClassInput,
    GridWriter,
    SampleGrid,
    VariationGrid,
    grids_of_training,
    sample_grid_path,
    variation_grid_path,
)
from tests.unit.training.fakes import TinyLatent, TinyPaths, digits, seeded
from tests.unit.training.recording.test_writers import metrics_of, start_at


def grid_writer(directory, model, every=5, num_samples=10, seed=0, **options):
    grid = SampleGrid(directory, model, num_samples=num_samples, batch_size=4, seed=seed, **options)
    return GridWriter(every, [grid])


def result_at(step):
    return TrainResult(Path("run"), step, 10, Path("run"), False, 1.0, metrics_of(step))


def test_grids_come_before_the_first_step_at_intervals_and_at_the_end(tmp_path):
    writer = grid_writer(tmp_path / "samples", seeded(TinyPaths))
    writer.on_start(start_at(0))
    for step in range(1, 8):
        writer.on_step(metrics_of(step))
    writer.on_end(result_at(7))
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["step-000000.png", "step-000005.png", "step-000007.png"]
    with Image.open(tmp_path / "samples" / names[0]) as picture:
        assert picture.size == (4 * (8 + 2) + 2, 3 * (8 + 2) + 2)  # 10 images of 8x8 in 4 columns, 2 pixels apart


def test_a_resumed_training_writes_no_grid_of_the_step_it_starts_from(tmp_path):
    writer = grid_writer(tmp_path, seeded(TinyPaths))
    writer.on_start(start_at(5))
    assert list(tmp_path.iterdir()) == []


def test_grids_show_the_same_codes_in_every_run_of_one_seed(tmp_path):
    model = seeded(TinyPaths)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        grid_writer(tmp_path / name, model, seed=seed).on_step(metrics_of(5))
    first, second, third = ((tmp_path / name / "step-000005.png").read_bytes() for name in "abc")
    assert first == second != third


def test_the_range_minus_one_to_one_becomes_black_to_white(tmp_path):
    class Gradient(TinyPaths):
        def images(self, codes):
            return torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8).repeat(len(codes), 1, 1, 1)

    grid_writer(tmp_path, seeded(Gradient), num_samples=1).on_step(metrics_of(5))
    with Image.open(tmp_path / "step-000005.png") as picture:
        values = [picture.convert("L").getpixel((x % 8, x // 8)) for x in range(64)]
    assert (values[0], values[63]) == (0, 255)
    assert values == sorted(values)


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_images_that_are_neither_grey_nor_colour_are_shown_as_the_mean_of_their_channels(tmp_path, channels):
    grid_writer(tmp_path, seeded(TinyPaths, image_shape=(channels, 6, 4))).on_step(metrics_of(5))
    with Image.open(tmp_path / "step-000005.png") as picture:
        red, green, _ = picture.convert("RGB").split()
        assert (red.tobytes() == green.tobytes()) == (channels != 3)


@pytest.mark.parametrize(("shape", "height"), [((1, 64), 96), ((2, 500), 192), ((30,), 96)])
def test_signals_are_drawn_as_curves(tmp_path, shape, height):
    grid_writer(tmp_path, seeded(TinyPaths, image_shape=shape), num_samples=3).on_step(metrics_of(5))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000005.png"]
    with Image.open(tmp_path / "step-000005.png") as picture:
        assert picture.size == (2 * (256 + 2) + 2, 2 * (height + 2) + 2)


def test_sound_is_written_to_be_heard_as_well(tmp_path):
    model = seeded(TinyPaths, image_shape=(1, 64))
    grid_writer(tmp_path, model, num_samples=3, sample_rate=8000).on_step(metrics_of(5))
    rate, data = wavfile.read(tmp_path / "step-000005.wav")
    assert (rate, data.shape) == (8000, (3 * 64 + 2 * 2000,))
    assert (tmp_path / "step-000005.png").exists()


def test_what_is_no_sound_is_not_written_as_sound(tmp_path):
    grid_writer(tmp_path, seeded(TinyPaths, image_shape=(3, 64)), sample_rate=8000).on_step(metrics_of(5))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000005.png"]


@pytest.mark.parametrize("build", [TinyPaths, TinyLatent])
def test_drawing_samples_leaves_no_trace_in_the_training(tmp_path, build):
    model = seeded(build).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    grid_writer(tmp_path, model).on_step(metrics_of(5))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training and all(parameter.grad is None for parameter in model.parameters())


class Recording(TinyPaths):
    """Images whose shade tells the path; keeps what it was asked for."""

    def __init__(self, num_blocks=(3, 4), conditions=()):
        super().__init__(num_blocks)
        self.conditions = conditions
        self.asked = []

    def images(self, codes, **inputs):
        self.asked.append((codes, inputs))
        return (self.shades(codes) / 127.5 - 1)[:, None, None, None].expand(-1, 1, 8, 8)

    def shades(self, codes):
        return (codes * torch.tensor([10, 1])).sum(1).float()

    def all_asked(self):
        codes = torch.cat([codes for codes, _ in self.asked])
        names = self.asked[0][1]
        return codes, {name: torch.cat([inputs[name] for _, inputs in self.asked]) for name in names}


def test_a_conditional_generators_samples_stand_by_class_with_a_row_for_each_path(tmp_path):
    model = seeded(Recording)
    labels = torch.tensor([1, 4, 5])
    SampleGrid(tmp_path, model, num_samples=10, batch_size=4, seed=0, class_input=ClassInput("label", labels)).write(0)
    codes, inputs = model.all_asked()
    assert inputs["label"].tolist() == [1, 4, 5] * 3
    assert all(len(row.unique(dim=0)) == 1 for row in codes.split(3))
    assert len(codes[::3].unique(dim=0)) > 1
    with Image.open(tmp_path / "step-000000.png") as picture:
        assert picture.size == (3 * (8 + 2) + 2, 3 * (8 + 2) + 2)


def test_of_many_classes_evenly_spread_ones_are_shown():
    many = ClassInput("label", torch.arange(1000))
    assert many.shown(16).tolist() == [1000 * place // 16 for place in range(16)]
    assert ClassInput("label", torch.tensor([2, 7])).shown(16).tolist() == [2, 7]


def test_a_variation_grid_changes_one_bucket_a_row_and_always_to_the_same_blocks(tmp_path):
    model = seeded(Recording, num_blocks=(3, 30))
    grid = VariationGrid(tmp_path, model, batch_size=100, seed=0, num_blocks=5)
    for step in (0, 500):
        grid.write(step)
    (first, _), (second, _) = model.asked
    assert torch.equal(first, second)
    base, others = first[0], first[1:]
    changed = others != base
    assert changed.sum(1).tolist() == [1] * 7
    assert changed[:, 0].tolist() == [True] * 2 + [False] * 5  # of 3 blocks two others, of 30 five others
    assert others[:2, 0].tolist() == sorted({0, 1, 2} - {int(base[0])})
    assert others[2:, 1].tolist() == sorted(set(others[2:, 1].tolist()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["variations-000000.png", "variations-000500.png"]


def test_a_variation_grid_shows_the_base_and_then_the_other_blocks_in_each_row(tmp_path):
    model = seeded(Recording)
    VariationGrid(tmp_path, model, batch_size=100, seed=0).write(0)
    codes, _ = model.all_asked()
    shades = model.shades(codes).tolist()
    expected = [[shades[0], *shades[1:3]], [shades[0], *shades[3:6]]]
    with Image.open(tmp_path / "variations-000000.png") as picture:
        grey = picture.convert("L")
        left = next(x for x in range(grey.width) if grey.getpixel((x, 60)) == shades[0])
        found = []
        for row in range(2):
            y = 2 * 10 + 13 + row * (40 + 11 + 12) + 20
            columns = [left + 20 + column * 44 + (8 if column else 0) for column in range(len(expected[row]))]
            found.append([grey.getpixel((x, y)) for x in columns])
            assert grey.getpixel((columns[-1] + 44, y)) == 255  # nothing behind the last block
    assert found == expected


def test_every_picture_of_a_variation_grid_gets_the_same_label_and_other_inputs(tmp_path):
    model = seeded(Recording)
    grid = VariationGrid(
        tmp_path,
        model,
        batch_size=4,
        seed=0,
        class_input=ClassInput("label", torch.tensor([1, 2])),
        draw_inputs=lambda count, chance: {"z": torch.randn(count, 5, generator=chance)},
    )
    grid.write(0)
    codes, inputs = model.all_asked()
    assert inputs["label"].tolist() == [1] * len(codes)
    assert inputs["z"].shape == (len(codes), 5)
    assert len(inputs["z"].unique(dim=0)) == 1


def test_samples_get_inputs_of_their_own_that_stay_through_time(tmp_path):
    model = seeded(Recording)
    grid = SampleGrid(
        tmp_path,
        model,
        num_samples=6,
        batch_size=100,
        seed=0,
        draw_inputs=lambda count, chance: {"z": torch.randn(count, 5, generator=chance)},
    )
    grid.write(0)
    grid.write(1)
    (_, first), (_, second) = model.asked
    assert len(first["z"].unique(dim=0)) == 6
    assert torch.equal(first["z"], second["z"])


def test_a_run_of_a_converted_generator_has_both_grids_and_one_of_a_standard_generator_only_samples(tmp_path):
    for name, model in (
        ("paths", seeded(TinyPaths)),
        ("z", seeded(TinyLatent)),
        ("one", seeded(TinyPaths, num_blocks=(1, 1))),
    ):
        grids_of_training(tmp_path / name, model, digits(20), TrainConfig(num_samples=4)).on_start(start_at(0))
    names = {folder.name: sorted(path.name for path in folder.iterdir()) for folder in tmp_path.iterdir()}
    assert names == {
        "paths": ["step-000000.png", "variations-000000.png"],
        "z": ["step-000000.png"],
        "one": ["step-000000.png"],
    }
    assert sample_grid_path(tmp_path / "paths", 0).exists() and variation_grid_path(tmp_path / "paths", 0).exists()


def test_where_Z_is_random_it_is_drawn_once_for_each_sample_of_a_grid(tmp_path):
    class RandomZ(Recording):
        def images(self, codes, z):
            return super().images(codes, z=z)

    model = seeded(RandomZ)
    grids_of_training(tmp_path, model, digits(20), TrainConfig(num_samples=4, Z="random")).on_start(start_at(0))
    (_, samples), (_, variations) = model.asked
    assert samples["z"].shape == (4, 8)
    assert len(samples["z"].unique(dim=0)) == 4
    assert len(variations["z"].unique(dim=0)) == 1


def test_wide_samples_are_shown_with_fewer_blocks(tmp_path):
    model = seeded(TinyPaths, num_blocks=(20, 20), image_shape=(1, 500))
    VariationGrid(tmp_path, model, batch_size=64, seed=0).write(0)
    with Image.open(tmp_path / "variations-000000.png") as picture:
        assert 1300 < picture.width < 1700


def test_a_variation_grid_leaves_no_trace_in_the_training(tmp_path):
    model = seeded(TinyPaths).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    VariationGrid(tmp_path, model, batch_size=4, seed=0).write(0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training


def test_a_picture_that_cannot_be_written_leaves_the_one_before_it(tmp_path):
    model = seeded(TinyPaths)
    grid = VariationGrid(tmp_path, model, batch_size=64, seed=0)
    grid.write(0)
    before = (tmp_path / "variations-000000.png").read_bytes()
    model.images = lambda codes: (_ for _ in ()).throw(OSError("no space"))
    with pytest.raises(OSError, match="no space"):
        grid.write(0)
    assert (tmp_path / "variations-000000.png").read_bytes() == before


def test_long_names_are_cut_and_values_that_are_no_numbers_are_black():
    pictures = torch.full((2, 3, 50, 60), 1.0)
    pictures[1] = torch.nan
    short = draw_grid("title", [GridRow("1 conv", pictures, ("0", "1"))])
    long = draw_grid("title", [GridRow("1 " + "conv" * 50, pictures, ("0", "1"))])
    assert long.width < short.width + 300
    assert short.getpixel((short.width - 10 - 4 - 4 - 30, 33 + 25)) == (0, 0, 0)
