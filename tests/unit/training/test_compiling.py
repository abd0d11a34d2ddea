"""Networks that torch.compile has made train like themselves."""

import dataclasses
import functools

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

import rpganify
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

    def remember(network, **options):
        seen.append(network)
        return compile(network, backend="aot_eager", **options)

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


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 64)

    def forward(self, z):
        return torch.tanh(self.second(torch.relu(self.norm(self.first(z))))).view(-1, 1, 8, 8)


@pytest.mark.parametrize(("sampling", "num_graphs"), [("equal", 2), ("independent", 0)])
def test_a_converted_generator_is_compiled_if_batches_have_each_block_as_often(
    tmp_path, monkeypatch, sampling, num_graphs
):
    compile, counter = torch.compile, CompileCounterWithBackend("aot_eager")
    monkeypatch.setattr(
        torch,
        "compile",
        lambda made, **options: compile(
            made, backend="aot_eager" if isinstance(made, nn.Module) else counter, **options
        ),
    )
    config = dataclasses.replace(CONFIG, sampling=sampling)
    build = functools.partial(rpganify.wrap, buckets=2, blocks=4)
    plain = train(tmp_path / "plain", Hinge(), config, lambda: build(seeded(Small)))
    made = train(
        tmp_path / "compiled", Hinge(), dataclasses.replace(config, compile=True), lambda: build(seeded(Small))
    )
    for name, value in plain.items():
        torch.testing.assert_close(made[name], value, atol=1e-5, rtol=1e-5)
    assert counter.frame_count == num_graphs  # with gradients, and without them for the discriminator
    torch.compiler.reset()


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
