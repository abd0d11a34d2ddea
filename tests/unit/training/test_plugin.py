import importlib
import subprocess
import sys

from rpganify.training.plugin import rpganify_losses


def test_every_built_in_loss_can_be_made_from_its_name():
    made = {}
    for entry in rpganify_losses():
        module, attribute = entry.factory.split(":")
        made[entry.name] = getattr(importlib.import_module(module), attribute)()
    assert list(made) == ["hinge", "wgan-gp", "non-saturating", "r1", "least-squares"]
    assert {name: loss.wants_spectral_norm for name, loss in made.items()} == {
        "hinge": True,
        "wgan-gp": False,
        "non-saturating": True,
        "r1": False,
        "least-squares": True,
    }


def test_listing_the_losses_imports_no_torch():
    code = (
        "import sys; from rpganify.training.plugin import rpganify_losses; rpganify_losses(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
