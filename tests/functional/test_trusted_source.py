"""A generator with a backward pass of its author's own: its model points to the source and runs it on demand only."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.errors import ModelFileError

SCRIPT = '''
import torch
from torch import nn

print("this line belongs to nobody's class")


class Reversed(torch.autograd.Function):
    """Gradient reversal: the backward is not the derivative of the forward."""

    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 16)
        self.out = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, z):
        return torch.tanh(self.out(Reversed.apply(self.fc(z)).view(-1, 1, 4, 4)))
'''


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reversing.py").write_text(SCRIPT)
    result = CliRunner().invoke(app, ["convert", "reversing.py", "--blocks", "2", "--init", "jitter"])
    assert result.exit_code == 0, result.output
    assert "Reversed, code of its own source; opening the model needs --trust-source" in result.stderr
    assert "nobody" not in result.output
    return tmp_path / "reversing.rpgan"


def test_such_a_model_is_not_opened_without_trust(model: Path) -> None:
    with pytest.raises(ModelFileError, match=r"Reversed, a function of its source.*--trust-source"):
        rpganify.load(model)


def test_with_trust_it_is_opened_and_keeps_the_authors_backward(model: Path) -> None:
    opened = rpganify.load(model, trust_source=True)
    opened(torch.tensor([[0, 1]])).sum().backward()
    assert opened.Z.grad is not None
    plain = rpganify.extract(opened, [0, 1])
    z = opened.Z.detach().clone().requires_grad_()
    # The same network with the identity in place of the reversal has the opposite gradient.
    torch.tanh(plain.out(plain.fc(z).view(-1, 1, 4, 4))).sum().backward()
    torch.testing.assert_close(opened.Z.grad, -z.grad)


def test_a_source_that_has_changed_since_is_not_run(model: Path) -> None:
    (model.parent / "reversing.py").write_text(SCRIPT + "\n# changed\n")
    with pytest.raises(ModelFileError, match="has changed since the model was converted"):
        rpganify.load(model, trust_source=True)


def test_a_source_that_is_gone_is_named(model: Path) -> None:
    (model.parent / "reversing.py").unlink()
    with pytest.raises(ModelFileError, match="cannot be found"):
        rpganify.load(model, trust_source=True)


def test_the_command_line_asks_for_trust(model: Path) -> None:
    run = CliRunner().invoke
    refused = run(app, ["sample", str(model), "-n", "2", "-o", "grid.png"])
    assert refused.exit_code == 1 and "--trust-source" in refused.stderr
    assert run(app, ["sample", str(model), "-n", "2", "--trust-source", "-o", "grid.png"]).exit_code == 0
