import json
from pathlib import Path

import pytest

from rpganify.manifest import MANIFEST, find_damage, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a manifest of three files, one of them further down and one empty."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.bin").write_bytes(bytes(range(256)))
    (tmp_path / "state.json").write_text('{"step": 5}')
    (tmp_path / "empty").touch()
    write_manifest(tmp_path)
    return tmp_path


def test_what_was_written_is_whole_and_the_manifest_lists_every_file_but_itself(folder: Path) -> None:
    assert find_damage(folder) is None
    listed = json.loads((folder / MANIFEST).read_text())
    assert {name: entry["bytes"] for name, entry in listed["files"].items()} == {
        "empty": 0,
        "model/weights.bin": 256,
        "state.json": 11,
    }
    assert listed["format_version"] == 1


def test_writing_it_anew_changes_nothing(folder: Path) -> None:
    before = (folder / MANIFEST).read_bytes()
    write_manifest(folder)
    assert (folder / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("name", ["model/weights.bin", "state.json", MANIFEST])
def test_every_flipped_bit_is_noticed_and_named(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            (folder / name).write_bytes(changed)
            damage = find_damage(folder)
            assert damage is not None and name in damage, (place, bit)
    (folder / name).write_bytes(whole)
    assert find_damage(folder) is None


def test_what_is_missing_shorter_or_longer_is_said_with_its_sizes(folder: Path) -> None:
    (folder / "state.json").write_text('{"step": 51}')
    assert find_damage(folder) == "state.json has 12 bytes, not 11"
    (folder / "state.json").unlink()
    assert find_damage(folder) == "state.json is missing"
    (folder / "state.json").mkdir()
    assert find_damage(folder) == "state.json is missing"
    (folder / MANIFEST).unlink()
    assert find_damage(folder) == "manifest.json is missing"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 3}', '{"files": {"a": 1}}', "null", "\x00"])
def test_a_manifest_that_is_none_is_damage_not_an_error(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    damage = find_damage(folder)
    assert damage is not None and damage.startswith(MANIFEST)


def test_a_file_that_cannot_be_read_is_damage_with_the_system_s_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("rpganify.manifest._sha256", refuse)
    assert "Permission denied" in str(find_damage(folder))


def test_only_one_part_of_a_folder_can_be_asked_for(folder: Path) -> None:
    (folder / "state.json").unlink()
    assert find_damage(folder, under="model") is None
    (folder / "model/weights.bin").write_bytes(b"half")
    assert find_damage(folder, under="model") == "model/weights.bin has 4 bytes, not 256"


def test_a_file_that_came_later_is_no_damage(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert find_damage(folder) is None
