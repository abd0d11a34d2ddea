import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass

import pytest
import torch

from rpganify.data.folder import open_folder
from rpganify.data.streamed import StreamedImages
from rpganify.errors import DataError
from rpganify.training.reading.ahead import Readers
from rpganify.training.reading.process import ReadingProcess
from tests.unit.data.files import png

LEVELS = 5


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    for level in range(LEVELS):
        (tmp_path / f"{level}.png").write_bytes(png(level))
    return tmp_path


@dataclass(frozen=True)
class Talking:
    """Image files of a stranger, who prints."""

    num: int

    def __len__(self):
        return self.num

    def content(self, index):
        print("reading", index)
        return png(index)

    def where(self, index):
        return f"picture {index}"


@dataclass(frozen=True)
class Unsendable(Talking):
    def __reduce__(self):
        raise TypeError("it holds a lock")


@dataclass(frozen=True)
class Unopenable(Talking):
    def __reduce__(self):
        return os.path.join, (1,)  # fails where it is made


def test_a_process_reads_what_the_data_set_holds_until_it_meets_a_damaged_file_and_after_it(folder):
    data = open_folder(root=folder)
    assert isinstance(data, StreamedImages)
    process = ReadingProcess(data)
    try:
        indices = torch.tensor([4, 0, 2])
        assert torch.equal(process.images(indices), data.images(indices))
        (folder / "3.png").write_bytes(b"damaged")
        with pytest.raises(
            DataError, match=r"^.*3\.png is no image that can be read: its content is of no known format"
        ):
            process.images(torch.arange(LEVELS))
        assert torch.equal(process.images(indices), data.images(indices))
        process.stop()
        with pytest.raises(DataError, match=r"A process that reads folder:.* ended before its time \(exit code -9\)"):
            process.images(indices)
    finally:
        process.close()


def test_a_stranger_s_images_are_read_though_it_prints(capfd):
    process = ReadingProcess(StreamedImages("mine", Talking(3), (3, 8, 8)))
    try:
        assert process.images(torch.tensor([2, 1]))[:, 0, 0, 0].tolist() == [2, 1]
    finally:
        process.close()
    out, err = capfd.readouterr()
    assert out == "" and sorted(err.split()) == ["1", "2", "reading", "reading"]


def test_a_data_set_that_cannot_be_sent_or_opened_elsewhere_is_refused_with_the_way_out():
    with pytest.raises(
        DataError, match=r"mine cannot be sent to a process that reads it: TypeError: it holds a lock.*=0"
    ):
        ReadingProcess(StreamedImages("mine", Unsendable(3), (3, 8, 8)))
    readers = Readers(StreamedImages("mine", Unopenable(3), (3, 8, 8)), 1)
    try:
        with pytest.raises(DataError, match=r"cannot be opened by a process that reads it: TypeError: .*num_workers=0"):
            readers.begin(torch.tensor([0])).result()
    finally:
        readers.close()


def test_the_processes_of_a_script_end_when_it_is_killed(folder, tmp_path):
    script = tmp_path / "train.py"  # which has no `if __name__ == "__main__"`
    script.write_text(
        textwrap.dedent(
            f"""
            import time
            from pathlib import Path
            from rpganify.data import keeping
            from rpganify.data.folder import open_folder
            from rpganify.training.reading.feed import Feed
            from rpganify.training.reading.order import DataOrder

            keeping.MEMORY_LIMIT_BYTES = 0
            feed = Feed(open_folder(root=Path({str(folder)!r})), DataOrder({LEVELS}, 0), 2, num_workers=1)
            feed.batch(0)
            print(feed._readers._processes[0]._process.pid, flush=True)
            time.sleep(60)
            """
        )
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as training:
        try:
            reader = int(training.stdout.readline())
            os.kill(reader, 0)
        finally:
            training.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _is_running(reader) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(reader)


def _is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
