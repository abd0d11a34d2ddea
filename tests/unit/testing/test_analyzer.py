"""The check of analyzers passes the right ones, and says what is wrong with the others."""

import itertools
import random

import numpy as np
import pytest
import torch

from rpganify.analysis.analyzer import require_paths
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.latent_inversion.analyzer import LatentInversionConfig
from rpganify.entries import AnalyzerEntry
from rpganify.errors import AnalysisError
from rpganify.registry import Registry, resolve
from rpganify.report.report import Column, Report, Table
from rpganify.testing import BrokenLaw, Unavailable, check_analyzer


class Brightness:
    """A stranger's analyzer, right unless told otherwise."""

    name = "brightness"

    def analyze(self, model, context):
        rp = require_paths(model, self.name)
        with evaluating(model, context.seed):
            paths = rp.paths.sample(4, generator=torch.Generator().manual_seed(context.seed))
            images = ImageMaker(rp, context)(paths)
        return self.report(self.name, images.double().mean().item())

    def report(self, name, value):
        return Report(name, "Brightness", "Mean pixel.", (Table("mean", "Mean", (Column("mean"),), ((value,),)),))


class OfAnyGenerator(Brightness):
    """Takes standard generators too."""

    def analyze(self, model, context):
        return self.report(self.name, float(sum(p.numel() for p in model.parameters())))


# The laws do not depend on how long is searched.
SHORT = {"latent-inversion": LatentInversionConfig(num_targets=2, num_steps=5, num_positions=2)}


@pytest.mark.parametrize("entry", Registry().all(AnalyzerEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_analyzer_passes(entry):
    settings = (SHORT[entry.name],) if entry.name in SHORT else ()
    check_analyzer(resolve(entry.factory)(*settings))


@pytest.mark.parametrize("analyzer", [Brightness(), OfAnyGenerator()])
def test_a_strangers_correct_analyzer_passes(analyzer):
    check_analyzer(analyzer)


class LeavesEvalMode(Brightness):
    def analyze(self, model, context):
        model.eval()
        return super().analyze(model, context)


class TrainsEverythingAfterwards(Brightness):
    def analyze(self, model, context):
        report = super().analyze(model, context)
        model.train()
        return report


class MovesStatistics(Brightness):
    """Draws images in train mode, which moves batch norm's running statistics."""

    def analyze(self, model, context):
        report = super().analyze(model, context)
        for module in model.modules():
            module.training, kept = True, module.training
            module.kept = kept
        with torch.random.fork_rng():
            model.sample(4)
        for module in model.modules():
            module.training = module.kept
        return report


class LeavesGradients(Brightness):
    def analyze(self, model, context):
        model.Z.sum().backward()
        return super().analyze(model, context)


class FreezesParameters(Brightness):
    def analyze(self, model, context):
        model.requires_grad_(False)
        return super().analyze(model, context)


class SwitchesGradientsOff(Brightness):
    def analyze(self, model, context):
        torch.set_grad_enabled(False)
        return super().analyze(model, context)


class SeedsEverybody(Brightness):
    def analyze(self, model, context):
        torch.manual_seed(context.seed)
        np.random.seed(context.seed)
        random.seed(context.seed)
        return super().analyze(model, context)


class Counting(Brightness):
    count = itertools.count()

    def analyze(self, model, context):
        return self.report(self.name, float(next(self.count)))


class NamedOtherwise(Brightness):
    def analyze(self, model, context):
        require_paths(model, self.name)
        return self.report("darkness", 1.0)


class Unwritable(Brightness):
    def analyze(self, model, context):
        require_paths(model, self.name)
        return Report(self.name, "Brightness", "Mean pixel.", provenance={"model": model.Z})


class Printing(Brightness):
    def analyze(self, model, context):
        return "bright"


class AssumesPaths(Brightness):
    def analyze(self, model, context):
        return self.report(self.name, float(model.paths.cardinality))


@pytest.fixture(autouse=True)
def _gradients_stay_on():
    yield
    torch.set_grad_enabled(True)


@pytest.mark.parametrize(
    ("analyzer", "sentence"),
    [
        (LeavesEvalMode, r"\.analyze: expected the model left as it was; got 'the model' in eval mode, unlike before"),
        (TrainsEverythingAfterwards, r"\.analyze: expected the model left as it was; got '\w+' in train mode"),
        (MovesStatistics, r"\.analyze: expected the model left as it was; got other values in 'norm\.running_mean'"),
        (LeavesGradients, r"\.analyze: expected the model left as it was; got 'Z' with a gradient, unlike before"),
        (FreezesParameters, r"\.analyze: expected .* as it was; got requires_grad of '.*' False where it was True"),
        (SwitchesGradientsOff, r"\.analyze: expected torch\.is_grad_enabled\(\) to stay True; got False.*no_grad"),
        (SeedsEverybody, r"\.analyze: expected the global random states.*another state of torch and numpy and python"),
        (Counting, r"'s report: expected to be the same for the same model and seed; got .*and then .*context\.seed"),
        (NamedOtherwise, r"\.analyze: expected a report called 'brightness', as the analyzer; got 'darkness'"),
        (Unwritable, r"'s report: expected to be written as page, JSON, CSV and PNG; got TypeError"),
        (Printing, r"\.analyze: expected a rpganify\.report\.report\.Report; got a str"),
        (AssumesPaths, r"\.analyze: expected a standard generator .*; got AttributeError.*require_paths"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_analyzer_is_named_with_what_came_and_how_to_repair_it(analyzer, sentence):
    with pytest.raises(BrokenLaw, match=f"^{analyzer.__name__}{sentence}"):
        check_analyzer(analyzer())


def test_an_analyzer_without_a_name_is_refused():
    with pytest.raises(
        BrokenLaw, match=r"Nameless\.name: expected what follows `rpganify analyze MODEL`, a text; got ''"
    ):
        check_analyzer(type("Nameless", (Brightness,), {"name": ""})())


def test_one_that_needs_what_is_not_here_is_skipped_with_its_own_reason():
    class Demanding(Brightness):
        def analyze(self, model, context):
            raise AnalysisError("Name a weight file.")

    with pytest.raises(Unavailable, match=r"Demanding cannot be checked on this model: Name a weight file\."):
        check_analyzer(Demanding())
