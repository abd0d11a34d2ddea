"""What does each bucket do? `python examples/03_read_a_bucket.py [PATHS]`, after 02_train_from_python.py."""

import sys
from pathlib import Path

import torch

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.diversity.analyzer import Diversity
from rpganify.analysis.responsibility.analyzer import Responsibility
from rpganify.analysis.variations.analyzer import Variations
from rpganify.data.opening import open_data
from rpganify.registry import default_registry
from rpganify.report.writing import write_reports

NUM_PATHS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
RUNS = Path("runs/examples")

rp = rpganify.load(RUNS / "digits").eval()  # the newest checkpoint; its moving average, if it has one

# By hand: hold a path, change one bucket, look at the difference. Python counts buckets from 0.
path = rp.paths.sample(1, generator=torch.Generator().manual_seed(3))[0]
print("path", rp.paths.format(path))
with torch.no_grad():
    base = rp(path[None])
    for bucket in range(rp.paths.num_buckets):
        others = rp(rp.paths.vary(path, bucket=bucket))  # one image per block of that bucket
        change = (others - base).abs().mean().item()
        print(f"bucket {bucket + 1}: pixels change by {change:.3f} on average, of a range of 2")

# Analyzers do that over many paths, with intervals, and write a page.
context = AnalysisContext(seed=0, num_paths=NUM_PATHS, data=open_data("digits", None, default_registry()))
reports = [analyzer.analyze(rp, context) for analyzer in (Variations(), Diversity(), Responsibility())]
for report in reports:
    print(f"{report.title}. {report.summary}")

# Every number is at hand, too.
columns = [column.heading for column in reports[2].table("buckets").columns]
rows = [dict(zip(columns, row, strict=True)) for row in reports[2].table("buckets").rows]
for row in rows:
    if row["statistic"] == "brightness":
        print(
            f"brightness: bucket {row['bucket']} decides {row['alone [%]']:.0f} % alone, "
            f"{row['alone or with others [%]']:.0f} % with others"
        )

files = write_reports(reports, RUNS / "digits-report", title="Which bucket makes the digit?")
print("look at", files[0])
