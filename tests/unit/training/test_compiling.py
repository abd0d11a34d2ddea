"""Networks that torch.compile has made train like themselves."""

import dataclasses
import functools

import pytest
import torch
from torch import nn

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, NonSaturatingR1, WassersteinGP
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyLatent, TinyPaths, digits, seeded

CONFIG = TrainConfig(steps=4, batch_size=8, d_steps=2, num_samples=4)
# torch asks a tensor inside of its tracing for a gradient that it does not have.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


class Plain(Critic):
    """Without dropout, for which compiled networks draw other numbers."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.dropout = nn.Identity()


@pytest.fixture
def compiled(monkeypatch):
    """Networks that were compiled; by the part of torch.compile that handles gradients, without writing C++."""
    seen, compile = [], torch.compile

    def remember(network):
        seen.append(network)
        return compile(network, backend="aot_eager")

    monkeypatch.setattr(torch, "compile", remember)
    yield seen
    torch.compiler.reset()


def train(run, loss, config, build):
    discriminator = seeded(Plain, 1, is_normalised=loss.wants_spectral_norm)
    generator = seeded(functools.partial(TinyLatent, dropout=0.0) if build is TinyLatent else build)
    trainer = Trainer(generator, discriminator, loss, digits(50), config, run=run)
    trainer.run()
    return {**generator.state_dict(), **discriminator.state_dict()}


@pytest.mark.parametrize("build", [TinyPaths, TinyLatent])
@pytest.mark.parametrize("loss", [Hinge(), WassersteinGP(), NonSaturatingR1()], ids=["hinge", "wgan-gp", "r1"])
def test_a_compiled_training_ends_with_the_weights_of_the_plain_one(tmp_path, compiled, loss, build):
    plain = train(tmp_path / "plain", loss, CONFIG, build)
    assert compiled == []
    made = train(tmp_path / "compiled", loss, dataclasses.replace(CONFIG, compile=True), build)
    # A converted generator is routed anew for each batch, so it stays as it is.
    assert [type(network).__name__ for network in compiled] == (
        ["Plain"] if build is TinyPaths else ["method", "Plain"]
    )
    for name, value in plain.items():
        torch.testing.assert_close(made[name], value, atol=1e-5, rtol=1e-5)  # sums in another order


def test_a_machine_that_cannot_compile_is_told_to_do_without(tmp_path, monkeypatch):
    def backend(graph, inputs):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    with pytest.raises(
        TrainingError, match=r"^torch\.compile fails: .*No working C\+\+ compiler found.* Train without --"
    ):
        train(tmp_path, Hinge(), dataclasses.replace(CONFIG, compile=True), TinyPaths)
    torch.compiler.reset()


def test_a_compiled_network_that_moves_its_state_with_each_call_is_refused_with_what_would_do(tmp_path, monkeypatch):
    def compile(network):
        state = nn.Parameter(torch.ones(1))

        def made(images):
            with torch.no_grad():
                state.mul_(0.5)
            return network(images) * state * state

        return made

    monkeypatch.setattr(torch, "compile", compile)
    with pytest.raises(TrainingError, match=r"cannot be called twice .* spectral norm.*--loss wgan-gp builds one"):
        train(tmp_path, Hinge(), dataclasses.replace(CONFIG, compile=True), TinyPaths)


@pytest.mark.slow
def test_what_torch_compile_itself_makes_trains_like_the_plain_networks(tmp_path):
    plain = train(tmp_path / "plain", WassersteinGP(), CONFIG, TinyLatent)
    made = train(tmp_path / "compiled", WassersteinGP(), dataclasses.replace(CONFIG, compile=True), TinyLatent)
    for name, value in plain.items():
        torch.testing.assert_close(made[name], value, atol=1e-5, rtol=1e-5)
