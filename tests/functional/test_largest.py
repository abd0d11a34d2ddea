"""The largest conversion of the paper: 5 × 40 blocks of a 256-channel SN-ResNet, 163 million parameters."""

import subprocess
import sys

import pytest

MEASURE = """
import resource
from rpganify.source import load_class
from rpganify.conversion.converting import convert

source = load_class("sngan32")
generator = source.build(0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = convert(generator, buckets=5, blocks=40, factory=source.build).model
peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(peak / sum(p.numel() * p.element_size() for p in model.parameters()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_conversion_holds_no_more_than_a_third_beside_its_result() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.3
