"""Batches read by workers: by processes where images are decoded, by a thread where only this process knows how."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from rpganify.data.images import ImageData, SelectedImages, read_images
from rpganify.data.streamed import StreamedImages
from rpganify.training.reading.process import ReadingProcess


class Readers:
    """Workers that read batches of a data set while the caller does something else.

    Images that are decoded when they are drawn are read by a process for each worker. In threads, decoding takes Python's
    lock so often that a training waits which launches many small calls, as one on a GPU does: on two cores, 44 ms of such
    calls beside a batch of 64 photos (50 ms of decoding) take 107 ms without workers, 92 ms with one or two threads, 69 ms
    with a process and 66 ms with two. Other data sets may hold what cannot be sent to a process, or an open file that two
    threads would move for each other: one thread reads them, batch after batch.

    Args:
        data: real images.
        num_workers: how many processes, >= 1.
    """

    def __init__(self, data: ImageData, num_workers: int) -> None:
        self._data = data
        self._is_decoded = _is_decoded(data)
        self._own = threading.local()  # each thread's process
        self._processes: list[ReadingProcess] = []
        self._threads = ThreadPoolExecutor(num_workers if self._is_decoded else 1, thread_name_prefix="reader")

    def begin(self, indices: Tensor) -> Future[Tensor]:
        """Have the images at int64 `(n,)` indices read; the result is what the data set gives, or its DataError."""
        return self._threads.submit(self._read, indices)

    def close(self) -> None:
        """End the workers; what they are reading is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.stop()
        self._threads.shutdown(wait=True)
        for process in self._processes:
            process.close()
        self._processes.clear()

    def _read(self, indices: Tensor) -> Tensor:
        if not self._is_decoded:
            return read_images(self._data, indices)
        if not hasattr(self._own, "process"):
            self._own.process = ReadingProcess(self._data)
            self._processes.append(self._own.process)
        images: Tensor = self._own.process.images(indices)
        return images


def _is_decoded(data: ImageData) -> bool:
    return isinstance(data, StreamedImages) or (isinstance(data, SelectedImages) and _is_decoded(data.base))
