import subprocess
import sys

import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.diversity.analyzer import Diversity
from rpganify.analysis.plugin import rpganify_analyzers
from rpganify.analysis.provenance import model_sha256
from rpganify.analysis.variations.analyzer import Variations
from rpganify.registry import resolve
from tests.unit.analysis.synthetic import SyntheticGenerator


def test_the_hash_is_of_plan_and_weights_and_of_nothing_else():
    model = SyntheticGenerator()
    before = model_sha256(model)
    assert before == model_sha256(SyntheticGenerator().train()) and len(before) == 64
    assert before != model_sha256(SyntheticGenerator(factors=("shape", "position", "colour")))
    with torch.no_grad():
        model.blocks["colour"][0, 0] += 1e-6
    assert before != model_sha256(model)


def test_the_hash_takes_scalars_and_half_precision():
    model = torch.nn.Linear(2, 2).to(torch.bfloat16)
    model.register_buffer("step", torch.tensor(3))
    assert len(model_sha256(model)) == 64


def test_a_report_tells_model_seed_settings_and_versions():
    model = SyntheticGenerator((6, 5, 4))
    report = Diversity().analyze(model, AnalysisContext(seed=11, num_paths=3))
    told = report.provenance
    assert told["model sha256"] == model_sha256(model)
    assert (told["seed"], told["num_paths"], told["num_images"]) == (11, 3, 4)
    assert told["cardinality"] == 120 and told["image shape"] == [3, 16, 16]
    assert told["buckets"]["2 shape"] == "5 blocks of layer_shape"  # type: ignore[index,call-overload]
    assert told["versions"]["torch"] == torch.__version__  # type: ignore[index,call-overload]
    assert Variations().analyze(model, AnalysisContext()).provenance["other blocks per bucket"] == 10


def test_the_built_in_analyzers_are_offered_by_the_names_that_they_have():
    entries = {entry.name: entry for entry in rpganify_analyzers()}
    assert {"variations", "diversity", "responsibility"} <= set(entries)
    for name, entry in entries.items():
        assert resolve(entry.factory)().name == name


def test_listing_the_analyzers_imports_neither_torch_nor_matplotlib():
    code = "import sys, rpganify.analysis.plugin; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
