"""The check of routed layers passes the right ones, and says what is wrong with the others."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from rpganify.testing import BrokenLaw, check_routed_layer

EPS = 0.1


class RoutedBilinear:
    """A stranger's kind of two inputs, right unless told otherwise."""

    def config(self, module):
        sizes = {"in1_features": module.in1_features, "in2_features": module.in2_features}
        return {**sizes, "out_features": module.out_features, "bias": module.bias is not None}

    def build(self, config):
        return nn.Bilinear(**config)

    def call(self, config, tensors, inputs, is_training):
        return functional.bilinear(*inputs, tensors["weight"], tensors.get("bias"))


class RoutedNorm:
    """A kind that mixes the samples of its block in train mode, and keeps statistics."""

    def config(self, module):
        return {"num_features": module.num_features, "eps": module.eps, "momentum": module.momentum}

    def build(self, config):
        return nn.BatchNorm1d(**config)

    def call(self, config, tensors, inputs, is_training):
        if is_training:
            tensors["num_batches_tracked"].add_(1)
        statistics = tensors["running_mean"], tensors["running_var"]
        return functional.batch_norm(*inputs, *statistics, tensors["weight"], tensors["bias"], is_training, 0.1, EPS)


class RoutedDropout:
    """A kind that draws."""

    def config(self, module):
        return {"p": module.p}

    def build(self, config):
        return nn.Dropout(**config)

    def call(self, config, tensors, inputs, is_training):
        return functional.dropout(*inputs, training=is_training)


def pair():
    return torch.randn(4, 3), torch.randn(4, 2)


@pytest.mark.parametrize("bias", [True, False])
def test_a_correct_kind_of_two_inputs_passes(bias):
    check_routed_layer(RoutedBilinear(), nn.Bilinear(3, 2, 5, bias=bias), *pair())


def test_correct_kinds_with_statistics_and_with_chance_pass():
    check_routed_layer(RoutedNorm(), nn.BatchNorm1d(3, eps=EPS), torch.randn(4, 3))
    check_routed_layer(RoutedDropout(), nn.Dropout(0.5), torch.randn(4, 3))


def test_the_module_and_the_inputs_stay_as_they_are():
    norm, x = nn.BatchNorm1d(3, eps=EPS).eval(), torch.randn(4, 3)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}, x.clone()
    check_routed_layer(RoutedNorm(), norm, x)
    assert not norm.training and all(torch.equal(t, before[0][name]) for name, t in norm.state_dict().items())
    assert torch.equal(x, before[1]) and norm.weight.dtype == torch.float32


class BiasForgotten(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        return functional.bilinear(*inputs, tensors["weight"])


class BiasDetached(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        return functional.bilinear(*inputs, tensors["weight"], tensors["bias"].detach())


class Detached(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        return super().call(config, tensors, inputs, is_training).detach()


class MixesSamples(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        result = super().call(config, tensors, inputs, is_training)
        return result + result.mean(0) - result[:1]


class Squeezing(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        return super().call(config, tensors, inputs, is_training).squeeze()


class WritesIntoTheWeight(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        with torch.no_grad():
            tensors["weight"].mul_(2)
        return super().call(config, tensors, inputs, is_training)


class TakesOneInput(RoutedBilinear):
    def call(self, config, tensors, inputs, is_training):
        return functional.bilinear(inputs, tensors["weight"])


class TuplesInConfig(RoutedBilinear):
    def config(self, module):
        return {**super().config(module), "sizes": (1, 2)}


class TensorsInConfig(RoutedBilinear):
    def config(self, module):
        return {**super().config(module), "weight": module.weight}


class ForgetsTheBias(RoutedBilinear):
    def build(self, config):
        return nn.Bilinear(config["in1_features"], config["in2_features"], config["out_features"], bias=False)


class BuildsAnother(RoutedBilinear):
    def build(self, config):
        return nn.Linear(3, 5)


class ConfigTooSmall(RoutedBilinear):
    def config(self, module):
        return {"out_features": module.out_features}


class LosesTheEps(RoutedNorm):
    def config(self, module):
        return {"num_features": module.num_features}


class LosesStatistics(RoutedNorm):
    def call(self, config, tensors, inputs, is_training):
        return super().call(config, {name: tensor.clone() for name, tensor in tensors.items()}, inputs, is_training)


class AlwaysEval(RoutedNorm):
    def call(self, config, tensors, inputs, is_training):
        return super().call(config, tensors, inputs, False)


class AlwaysTrain(RoutedNorm):
    def call(self, config, tensors, inputs, is_training):
        return functional.batch_norm(*inputs, None, None, tensors["weight"], tensors["bias"], True)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (
            BiasForgotten,
            r"\.call in eval mode: expected what the plain layer makes of each sample .*; got a difference",
        ),
        (BiasDetached, r"\.call in eval mode: expected the plain layer's gradient in 'bias'; got a difference.*detach"),
        (Detached, r"\.call in eval mode: expected a result that can be differentiated.*; got one without a gradient"),
        (MixesSamples, r"\.call in eval mode: expected what the plain layer makes of each sample"),
        (Squeezing, r"\.call in eval mode: .* float64 \(1, 5\); got the shape float64 \(5,\)"),
        (WritesIntoTheWeight, r"\.call in eval mode: expected weight to keep its values; got others afterwards"),
        (
            TakesOneInput,
            r"\.call in eval mode: expected one block's results; got TypeError.*call\(config, tensors, inputs, is_",
        ),
        (TuplesInConfig, r"\.config: expected a dict that is the same after JSON; got .*\(1, 2\).*\[1, 2\].*tuples"),
        (TensorsInConfig, r"\.config: expected data that JSON can hold; got TypeError: .*Give texts, numbers"),
        (ForgetsTheBias, r"\.build: expected the same tensors, .*'bias': \(5,\).*; got \{'weight': \(5, 3, 2\)\}"),
        (BuildsAnother, r"\.build: expected a Bilinear; got a Linear"),
        (
            ConfigTooSmall,
            r"\.build: expected a layer from \{.*\}; got TypeError.*`build` is given what `config` returned",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_kind_is_named_with_what_came_and_how_to_repair_it(kind, sentence):
    with pytest.raises(BrokenLaw, match=f"^{kind.__name__}{sentence}"):
        check_routed_layer(kind(), nn.Bilinear(3, 2, 5), *pair())


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (LosesTheEps, r"\.build: expected with the same tensors the same results; got a difference"),
        (
            LosesStatistics,
            r"\.call in train mode: expected the buffer 'running_mean' to hold what the plain layer leaves",
        ),
        (AlwaysEval, r"\.call in train mode: expected what the plain layer in train mode makes of the block's samples"),
        (AlwaysTrain, r"\.call in eval mode: expected "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_kind_of_norm_is_named_with_what_came_and_how_to_repair_it(kind, sentence):
    with pytest.raises(BrokenLaw, match=f"^{kind.__name__}{sentence}"):
        check_routed_layer(kind(), nn.BatchNorm1d(3, eps=EPS), torch.randn(4, 3))
