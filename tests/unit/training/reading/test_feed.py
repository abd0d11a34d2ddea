import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.data.folder import open_folder
from rpganify.data.images import MemoryImages, SelectedImages, to_float
from rpganify.errors import DataError
from rpganify.training.reading.feed import Feed
from rpganify.training.reading.order import DataOrder


def feed_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


@dataclass(eq=False)
class SlowImages:
    """Images that are made when drawn: each says its index; the pixels of `damaged` cannot be read."""

    num: int = 50
    damaged: int | None = None
    error: type[Exception] = DataError
    delay_s: float = 0.0
    name: str = "slow"
    image_shape: tuple[int, ...] = (1, 2, 3)
    class_names: tuple[str, ...] = ("even", "odd")
    num_classes: int | None = 2
    note: str = ""
    asked: list = field(default_factory=list)

    @property
    def labels(self):
        return torch.arange(self.num) % 2

    def __len__(self):
        return self.num

    def images(self, indices):
        self.asked.append((threading.current_thread().name, indices.tolist()))
        time.sleep(self.delay_s)
        if self.damaged in indices.tolist():
            raise self.error(f"image-{self.damaged}.png is damaged")
        return indices.to(torch.uint8)[:, None, None, None].expand(-1, *self.image_shape).contiguous()


@pytest.mark.parametrize("num_workers", [0, 1, 3])
@pytest.mark.parametrize("part", [slice(None), slice(0, 4), slice(4, 8), slice(1, None, 2)])
def test_a_batch_is_the_order_s_places_whatever_the_workers_also_after_going_back_and_skipping(num_workers, part):
    data, order = SlowImages(), DataOrder(50, seed=1)
    with Feed(data, DataOrder(50, seed=1), 8, part=part, num_workers=num_workers) as feed:
        for position in (0, 8, 16, 24, 32, 40, 48, 8, 16, 1000, 1008, 0):
            indices = order.indices(position, 8)[part]
            batch = feed.batch(position)
            assert torch.equal(batch.images, to_float(data.images(indices)))
            assert torch.equal(batch.labels, indices % 2)


def test_the_parts_of_all_processes_together_are_the_batch_of_one():
    data = SlowImages()
    with Feed(data, DataOrder(50, 3), 12) as whole:
        expected = whole.batch(24).images
    parts = [slice(0, 4), slice(4, 8), slice(8, 12)]
    shares = [Feed(data, DataOrder(50, 3), 12, part=part).batch(24).images for part in parts]
    assert torch.equal(torch.cat(shares), expected)


def test_workers_read_the_next_batches_before_they_are_asked_for():
    data = SlowImages()
    with Feed(data, DataOrder(50, 0), 4, num_workers=2) as feed:
        feed.batch(0)
        deadline = time.monotonic() + 10
        while len(data.asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
    assert sorted(rows for _, rows in data.asked) == sorted(
        DataOrder(50, 0).indices(position, 4).tolist() for position in (0, 4, 8)
    )
    assert all(name.startswith("reader") for name, _ in data.asked)


def test_a_data_set_that_only_this_process_knows_is_read_by_one_thread_at_a_time():
    running, most = [], []

    class Watched(SlowImages):
        def images(self, indices):
            running.append(None)
            most.append(len(running))
            images = SlowImages.images(self, indices)
            running.pop()
            return images

    with Feed(Watched(delay_s=0.002), DataOrder(50, 0), 4, num_workers=3) as feed:
        for position in range(0, 80, 4):
            feed.batch(position)
    assert max(most) == 1


def test_no_batch_is_read_twice_by_a_training_that_goes_straight_on():
    data = SlowImages(num=400)
    with Feed(data, DataOrder(400, 0), 4, num_workers=3) as feed:
        for position in range(0, 100 * 4, 4):
            feed.batch(position)
    read = [index for _, rows in data.asked for index in rows]
    assert sorted(read[:400]) == sorted(range(400))


def test_images_in_memory_are_read_without_workers():
    pixels = torch.arange(20, dtype=torch.uint8)[:, None, None, None]
    memory = MemoryImages("memory", pixels)
    for data in (memory, SelectedImages(memory, torch.arange(5), "some")):
        with Feed(data, DataOrder(5, 0), 5, num_workers=2) as feed:
            assert feed.batch(0).labels is None
            assert sorted(feed.batch(0).images.flatten().tolist()) == to_float(pixels[:5]).flatten().tolist()
            assert feed_threads() == []


def test_images_in_files_are_the_same_with_processes_as_without(tmp_path, monkeypatch):
    monkeypatch.setattr("rpganify.data.keeping.MEMORY_LIMIT_BYTES", 0)
    for index in range(20):
        (tmp_path / f"{index % 2}").mkdir(exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (9, 8 + index % 3, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index % 2}" / f"{index}.jpg")
    data, order = open_folder(root=tmp_path), DataOrder(20, 0)
    for num_workers, source in ((2, data), (1, SelectedImages(data, torch.arange(19, -1, -1), "backwards"))):
        with Feed(source, order, 4, num_workers=num_workers) as feed, Feed(source, order, 4) as plain:
            for position in (0, 4, 8, 40, 44, 4):
                one, other = feed.batch(position), plain.batch(position)
                assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_worker_s_error_names_the_file_and_is_raised_where_its_batch_is_asked_for(num_workers):
    order = DataOrder(50, 0)
    damaged = int(order.indices(9, 1))
    with Feed(SlowImages(damaged=damaged), order, 4, num_workers=num_workers) as feed:
        feed.batch(0)
        feed.batch(4)
        with pytest.raises(DataError, match=rf"^image-{damaged}\.png is damaged$"):
            feed.batch(8)
        assert len(feed.batch(12).images) == 4
    assert feed_threads() == []


def test_a_disk_that_fails_is_told_as_an_error_of_the_data_set():
    with (
        Feed(SlowImages(num=1, damaged=0, error=OSError), DataOrder(1, 0), 1, num_workers=1) as feed,
        pytest.raises(DataError, match=r"slow cannot be read: image-0\.png is damaged\. Check the disk"),
    ):
        feed.batch(0)


def test_a_data_set_that_gives_other_shapes_than_it_promised_is_refused():
    data = SlowImages()
    feed = Feed(data, DataOrder(50, 0), 4)
    data.images = lambda indices: torch.zeros(len(indices), 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"gave \(4, 1, 2, 2\) for 4 indices; it promises \(4, 1, 2, 3\)"):
        feed.batch(0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError])
def test_the_workers_end_however_the_training_ends(error):
    with pytest.raises(error), Feed(SlowImages(delay_s=0.02), DataOrder(50, 0), 4, num_workers=3) as feed:
        feed.batch(0)
        assert feed_threads()
        raise error
    assert feed_threads() == []


def test_a_closed_feed_still_reads():
    feed = Feed(SlowImages(), DataOrder(50, 0), 4, num_workers=2)
    feed.close()
    assert len(feed.batch(0).images) == 4


def test_batches_without_images_and_negative_numbers_of_workers_are_refused():
    with pytest.raises(DataError, match=r"A batch of 4 places, of which slice\(4, 8, None\) are taken, holds no image"):
        Feed(SlowImages(), DataOrder(50, 0), 4, part=slice(4, 8))
    with pytest.raises(DataError, match="workers that read slow must be 0 or larger, got -1"):
        Feed(SlowImages(), DataOrder(50, 0), 4, num_workers=-1)
