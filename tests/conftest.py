"""What every test shares: one thread per worker, so that parallel workers do not fight over two cores."""

import signal
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
# A test run in the background of a shell starts with Ctrl-C ignored, and so would the trainings in it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _same_start() -> None:
    """Every test draws the same numbers, alone or in any order."""
    torch.manual_seed(0)


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data sets at {SHARED_DATA.name}/ beside the checkout")
    return SHARED_DATA
