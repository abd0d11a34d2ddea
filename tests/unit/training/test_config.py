import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpganify.errors import TrainingError
from rpganify.training.config import DIVERSITY_WEIGHTS, FREE_SETTINGS, TrainConfig

options = st.dictionaries(st.text(min_size=1), st.integers() | st.booleans() | st.floats(allow_nan=False), max_size=3)
configs = st.builds(
    TrainConfig,
    steps=st.integers(1, 10**6),
    betas=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    generator_lr=st.floats(0, 1),
    loss=st.text(max_size=8),
    loss_options=options.map(lambda values: tuple(sorted(values.items()))),
    diversity=st.sampled_from(["paper", "margin", "none"]),
    diversity_weight=st.none() | st.floats(0, 10),
    Z=st.sampled_from(["learned", "fixed", "random"]),
    seed=st.integers(0, 2**60),
)


@given(configs)
def test_a_config_survives_json(config):
    again = TrainConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert config.differences(again) == {}


def test_defaults_are_the_paper_s():
    config = TrainConfig()
    assert (config.batch_size, config.generator_lr, config.discriminator_lr, config.betas) == (
        64,
        0.25e-3,
        0.25e-3,
        (0.5, 0.999),
    )
    assert config.Z == "learned"
    assert (config.loss, config.diversity) == ("hinge", "paper")


@pytest.mark.parametrize("form", list(DIVERSITY_WEIGHTS))
def test_the_weight_of_the_diversity_loss_is_recorded_as_the_number_that_is_used(form):
    assert TrainConfig(diversity=form).diversity_weight == DIVERSITY_WEIGHTS[form]
    assert TrainConfig(diversity=form, diversity_weight=0.5).diversity_weight == 0.5


def test_differences_name_each_setting_with_both_values():
    old, new = TrainConfig(), TrainConfig(seed=4, batch_size=32, betas=(0.0, 0.9))
    assert old.differences(new) == {
        "batch_size": "64 -> 32",
        "betas": "(0.5, 0.999) -> (0.0, 0.9)",
        "seed": "0 -> 4",
    }


def test_only_settings_that_leave_the_weights_alone_may_differ():
    lasting = {"steps", "images", "minutes"}
    reporting = {"sample_every", "num_samples", "quality_every"}
    keeping = {"checkpoint_every", "keep", "background_checkpoints"}
    assert set(FREE_SETTINGS) == lasting | reporting | keeping | {"num_workers"}
    for name in reporting | keeping | {"num_workers"}:
        assert TrainConfig().differences(TrainConfig(**{name: 3})) == {}
    for name in lasting:
        assert TrainConfig().differences(TrainConfig(**{name: 3})) == {}


def test_a_training_whose_rates_fall_to_its_end_cannot_end_elsewhere():
    falling = TrainConfig(steps=100, schedule="cosine")
    assert falling.differences(dataclasses.replace(falling, steps=200)) == {"steps": "100 -> 200"}


@pytest.mark.parametrize(
    ("settings", "total"),
    [({}, 2000), ({"steps": 7}, 7), ({"images": 1000, "batch_size": 32, "d_steps": 5}, 7), ({"minutes": 0.5}, None)],
)
def test_a_training_ends_by_steps_images_or_the_clock(settings, total):
    assert TrainConfig(**settings).total_steps() == total


def test_two_processes_show_twice_as_many_images_a_step():
    assert TrainConfig(images=1000, batch_size=50).total_steps(num_processes=2) == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 5, "minutes": 1.0}, "ends by one of steps, images and minutes; got steps and minutes"),
        ({"minutes": 0.0}, "minutes must be above 0, got 0.0"),
        ({"images": 0}, "images must be at least 1, got 0"),
        ({"minutes": 5.0, "schedule": "linear"}, "A linear schedule ends with the last step"),
        ({"batch_size": 10, "accumulate": 3}, "A batch of 10 cannot be split into 3 equal parts"),
        ({"ema": 1.0}, r"ema is a decay in \[0, 1\).*got 1.0"),
        ({"precision": "fp8"}, "precision is one of fp32, bf16, fp16; got 'fp8'"),
        ({"sampling": "uniform"}, "sampling is one of independent, equal, new; got 'uniform'"),
        ({"max_rollbacks": -1}, "max_rollbacks must be a finite number, 0 or larger; got -1"),
    ],
)
def test_settings_that_make_no_training_are_refused_with_their_value(settings, message):
    with pytest.raises(TrainingError, match=message):
        TrainConfig(**settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch_size": -3}, "batch_size must be at least 1, got -3"),
        ({"keep": 0}, "keep must be at least 1, got 0"),
        ({"generator_lr": -1.0}, r"generator_lr must be a finite number, 0 or larger; got -1\.0"),
        ({"discriminator_lr": float("nan")}, "discriminator_lr must be a finite number, 0 or larger; got nan"),
        ({"diversity_weight": float("inf")}, "diversity_weight must be a finite number, 0 or larger; got inf"),
        ({"betas": (0.5, 1.0)}, r"betas are two numbers in \[0, 1\), e\.g\. \(0\.5, 0\.999\); got \(0\.5, 1\.0\)"),
        ({"diversity": "papers"}, "diversity is one of paper, margin, none; got 'papers'"),
        ({"seed": -1}, "seed must be 0 or larger, got -1"),
    ],
)
def test_values_outside_their_range_are_refused(arguments, message):
    with pytest.raises(TrainingError, match=message):
        TrainConfig(**arguments)


def test_an_unknown_setting_is_refused_with_the_nearest_known_one():
    with pytest.raises(TrainingError, match=r"no setting 'batchsize'\. Did you mean 'batch_size'"):
        TrainConfig.from_json({"batchsize": 3})


@pytest.mark.parametrize("data", [{"steps": "many"}, {"betas": 3}, {"loss_options": [1]}])
def test_a_value_of_another_type_is_refused(data):
    with pytest.raises(TrainingError, match="These are no settings of a training"):
        TrainConfig.from_json(data)


def test_settings_that_an_older_version_did_not_have_take_their_defaults():
    assert TrainConfig.from_json({"steps": 7}) == TrainConfig(steps=7)
