"""The process's memory: tensors that come and go every step keep their pages."""

from __future__ import annotations

import ctypes
import sys

# Options of glibc's mallopt.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_PAD = 2**26


def keep_freed_memory() -> bool:
    """Lets the allocator keep what tensors on the CPU give back, for the tensors of the next step.

    glibc returns blocks above 32 MB to the system at once, and the system clears each page of the next such block: at
    batch 256 half the time of a forward pass. Afterwards the process holds on to its largest use of memory until it
    ends. Commands that train, sample or measure call this first; a program of your own may.

    Returns:
        Whether it had an effect; other allocators than glibc's are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return all(
        mallopt(option, value) == 1 for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, _PAD))
    )
