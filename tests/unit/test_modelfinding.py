import logging
from pathlib import Path

import pytest

from rpganify.errors import ModelFileError
from rpganify.manifest import write_manifest
from rpganify.modelfinding import FoundModel, find_model


def model_at(directory: Path, content: str = "{}") -> Path:
    directory.mkdir(parents=True)
    (directory / "graph.json").write_text(content)
    return directory


def checkpoint_at(run: Path, step: int, *names: str) -> Path:
    checkpoint = run / "checkpoints" / f"step-{step:06d}"
    for name in names:
        model_at(checkpoint / name)
    write_manifest(checkpoint)
    return checkpoint


def test_a_model_is_itself(tmp_path: Path) -> None:
    assert find_model(model_at(tmp_path / "mine.rpgan")) == FoundModel(tmp_path / "mine.rpgan")


def test_of_a_run_with_a_moving_average_that_is_taken_unless_the_raw_weights_are_asked_for(tmp_path: Path) -> None:
    checkpoint_at(tmp_path, 5, "generator.rpgan", "ema.rpgan")
    newest = checkpoint_at(tmp_path, 10, "generator.rpgan", "ema.rpgan")
    average, raw = find_model(tmp_path), find_model(tmp_path, is_raw=True)
    assert average == FoundModel(newest / "ema.rpgan", 10, True)
    assert raw == FoundModel(newest / "generator.rpgan", 10, False)
    assert average.words == "the moving average after step 10 (--raw takes the weights of that step)"
    assert raw.words == "the weights of step 10, not their moving average (as --raw says)"


@pytest.mark.parametrize("is_raw", [False, True])
def test_a_run_without_an_average_has_one_kind_of_weights(tmp_path: Path, is_raw: bool) -> None:
    found = find_model(checkpoint_at(tmp_path, 7, "generator.rpgan").parents[1], is_raw=is_raw)
    assert found == FoundModel(tmp_path / "checkpoints/step-000007/generator.rpgan", 7, None)
    assert found.words == "the weights of step 7"


def test_a_checkpoint_and_a_link_to_it_may_be_named_themselves(tmp_path: Path) -> None:
    checkpoint = checkpoint_at(tmp_path, 5, "generator.rpgan", "ema.rpgan")
    checkpoint_at(tmp_path, 10, "generator.rpgan", "ema.rpgan")
    (tmp_path / "checkpoints/best").symlink_to("step-000005", target_is_directory=True)
    for named in (checkpoint, tmp_path / "checkpoints/best"):
        found = find_model(named)
        assert (found.directory, found.step, found.is_average) == (named / "ema.rpgan", 5, True)
    assert find_model(checkpoint / "generator.rpgan").is_average is False


def test_a_checkpoint_with_a_flipped_byte_is_named_and_the_one_before_it_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = checkpoint_at(tmp_path, 5, "generator.rpgan")
    damaged = checkpoint_at(tmp_path, 10, "generator.rpgan")
    (damaged / "generator.rpgan/graph.json").write_text("[]")
    with caplog.at_level(logging.WARNING):
        assert find_model(tmp_path).directory == whole / "generator.rpgan"
    assert "step-000010 is damaged (generator.rpgan/graph.json does not have its checksum)" in caplog.text


def test_damage_elsewhere_in_a_checkpoint_does_not_keep_its_model_from_being_opened(tmp_path: Path) -> None:
    checkpoint = checkpoint_at(tmp_path, 5, "generator.rpgan")
    (checkpoint / "optimizers.safetensors").write_bytes(b"half")
    assert find_model(tmp_path).directory == checkpoint / "generator.rpgan"


def test_a_run_without_an_intact_model_is_refused_with_what_is_damaged(tmp_path: Path) -> None:
    checkpoint = checkpoint_at(tmp_path, 5, "generator.rpgan")
    (checkpoint / "generator.rpgan/graph.json").write_text("[]")
    with pytest.raises(ModelFileError, match=r"has no intact model: .*step-000005 is damaged \(generator\.rpgan/graph"):
        find_model(tmp_path)


def flip(file: Path) -> None:
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])


@pytest.mark.parametrize("named", ["", "ema.rpgan"])
def test_a_damaged_checkpoint_that_is_named_itself_is_refused_and_nothing_else_taken_for_it(
    tmp_path: Path, named: str
) -> None:
    checkpoint_at(tmp_path, 3, "generator.rpgan", "ema.rpgan")
    checkpoint = checkpoint_at(tmp_path, 5, "generator.rpgan", "ema.rpgan")
    (tmp_path / "checkpoints/best").symlink_to("step-000005", target_is_directory=True)
    flip(checkpoint / "ema.rpgan/graph.json")
    for place in (checkpoint, tmp_path / "checkpoints/best"):
        with pytest.raises(
            ModelFileError,
            match=r"^The checkpoint .* is damaged \(ema\.rpgan/graph\.json does not have its checksum\)\. Name its run",
        ):
            find_model(place / named)
    assert find_model(checkpoint, is_raw=True).directory == checkpoint / "generator.rpgan"


@pytest.mark.parametrize("lost", ["manifest.json", "ema.rpgan/graph.json"])
def test_a_checkpoint_that_lost_a_file_is_passed_over_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    whole = checkpoint_at(tmp_path, 5, "generator.rpgan", "ema.rpgan")
    (checkpoint_at(tmp_path, 10, "generator.rpgan", "ema.rpgan") / lost).unlink()
    with caplog.at_level(logging.WARNING):
        assert find_model(tmp_path) == FoundModel(whole / "ema.rpgan", 5, True)
    assert f"step-000010 is damaged ({lost} is missing), so the one before it is used." in caplog.text


def test_a_model_that_was_copied_without_its_manifest_is_opened(tmp_path: Path) -> None:
    checkpoint = checkpoint_at(tmp_path, 10, "generator.rpgan")
    (checkpoint / "manifest.json").unlink()
    for named in (checkpoint, checkpoint / "generator.rpgan"):
        assert find_model(named) == FoundModel(checkpoint / "generator.rpgan", 10, None)
