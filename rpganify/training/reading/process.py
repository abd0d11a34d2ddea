"""Another Python process that reads images of a data set, so that decoding does not hold this one's lock."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from rpganify.data.images import ImageData, read_images
from rpganify.data.streamed import decode_in_one_thread
from rpganify.errors import DataError

_PROGRAM = "from rpganify.training.reading.process import serve; serve()"
_PATIENCE_S = 5.0


class ReadingProcess:
    """Reads images in a Python process of its own, one batch after the other.

    It is a plain child that talks through pipes, not one of `multiprocessing`: that would fork this process with the locks
    that its threads hold, or import the user's script a second time. The child ends when its pipe does, so also
    when this process is killed; Ctrl-C does not reach it.

    Args:
        data: is sent to the process, pickled; its classes have to be importable there.
    Raises:
        DataError: it cannot be sent.
    """

    def __init__(self, data: ImageData) -> None:
        self._name = data.name
        paths = [path or os.getcwd() for path in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        try:
            pickled = pickle.dumps(data)
        except Exception as error:  # whatever a foreign class may do on being pickled
            self.close()
            raise DataError(
                f"{data.name} cannot be sent to a process that reads it: {type(error).__name__}: {error}. Take no workers: "
                "num_workers=0."
            ) from error
        self._send(pickled)

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(n,)` indices, as the data set gives them.

        Raises:
            DataError: an image is missing or damaged, or the process ended before its time.
        """
        self._send(indices.tolist())
        try:
            answer = pickle.load(_pipe(self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise self._ended() from error
        if isinstance(answer, str):
            raise DataError(answer)
        pixels = np.empty(*answer)
        if _pipe(self._process.stdout).readinto(pixels.data.cast("B")) != pixels.nbytes:
            raise self._ended()
        return torch.from_numpy(pixels)

    def close(self) -> None:
        """End the process."""
        self.stop()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):  # something was still to be sent
                _pipe(pipe).close()
        self._process.wait()

    def stop(self) -> None:
        """Have the process end at once; whoever waits for its images gets an error."""
        self._process.kill()

    def _send(self, message: object) -> None:
        try:
            pipe = _pipe(self._process.stdin)
            pickle.dump(message, pipe)
            pipe.flush()
        except OSError as error:
            raise self._ended() from error

    def _ended(self) -> DataError:
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # it lives, but what it sends makes no sense
            self.stop()
            code = self._process.wait()
        return DataError(
            f"A process that reads {self._name} ended before its time (exit code {code}). What it wrote above says why; "
            "if nothing, memory may have run out: take fewer workers."
        )


def serve() -> None:
    """What the process does until its input ends; run by `ReadingProcess`, as a program."""
    torch.set_num_threads(1)
    decode_in_one_thread()
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a data set prints would be taken for pixels
    try:
        data = _opened(pickle.load(requests))
        while True:
            _answer(data, pickle.load(requests), answers)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the training has ended


def _opened(pickled: bytes) -> ImageData | str:
    """The data set, or why there is none."""
    try:
        data: ImageData = pickle.loads(pickled)
    except Exception as error:  # whatever a foreign class may do on being made
        return (
            f"The data set cannot be opened by a process that reads it: {type(error).__name__}: {error}. Take no workers: "
            "num_workers=0."
        )
    return data


def _answer(data: ImageData | str, indices: list[int], answers: IO[bytes]) -> None:
    """Writes the shape and type of the images and then their bytes; or a text, if there are none."""
    try:
        pixels = None if isinstance(data, str) else read_images(data, torch.tensor(indices)).contiguous().numpy()
    except DataError as error:
        pixels, data = None, str(error)
    if pixels is None:
        pickle.dump(data, answers)
    else:
        pickle.dump((pixels.shape, pixels.dtype), answers)
        answers.write(pixels.data.cast("B"))
    answers.flush()


def _pipe(pipe: IO[bytes] | None) -> Any:
    assert pipe is not None
    return pipe
