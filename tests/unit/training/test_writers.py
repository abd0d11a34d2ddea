import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from rpganify.training.callbacks import StepMetrics, TrainResult, TrainStart
from rpganify.training.writers import MetricsWriter, SampleGridWriter
from tests.unit.training.fakes import TinyLatent, TinyPaths, seeded


def metrics_of(step):
    return StepMetrics(step, 1.5, -0.5, 0.25, -0.25, None, -3.0, 0.01, 0.02, 0.03, 1000.0)


def start_at(step):
    return TrainStart(Path("run"), step, 10)


def steps_in(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_every_step_is_a_json_line_at_once(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    writer.on_start(start_at(0))
    writer.on_step(metrics_of(1))
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {
        "step": 1,
        "discriminator_loss": 1.5,
        "generator_loss": -0.5,
        "real_score": 0.25,
        "fake_score": -0.25,
        "penalty": None,
        "diversity": -3.0,
        "data_s": 0.01,
        "discriminator_s": 0.02,
        "generator_s": 0.03,
        "images_per_s": 1000.0,
    }
    writer.close()
    writer.close()


def test_a_resumed_training_drops_the_lines_of_steps_that_it_does_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in range(1, 8)) + '{"step": 8, "gener')
    writer = MetricsWriter(path)
    writer.on_start(start_at(5))
    writer.on_step(metrics_of(6))
    writer.close()
    assert steps_in(path) == [1, 2, 3, 4, 5, 6]
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_new_training_starts_an_empty_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 3}\nnonsense\n[]\n')
    writer = MetricsWriter(path)
    writer.on_start(start_at(0))
    writer.close()
    assert path.read_text() == ""


def grid_writer(directory, model, every=5, num_samples=10, seed=0, sample_rate=None):
    return SampleGridWriter(
        directory,
        model,
        every=every,
        num_samples=num_samples,
        batch_size=4,
        seed=seed,
        sample_rate=sample_rate,
    )


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
