"""The built-in losses, offered through the same hook as a stranger's; imports no torch."""

from rpganify.hookspecs import LossEntry, hookimpl


@hookimpl
def rpganify_losses() -> list[LossEntry]:
    """Hinge, Wasserstein with gradient penalty, and the original non-saturating loss."""
    return [
        LossEntry(
            "hinge", "margin on the scores, spectral norm (RPGAN's main setting)", "rpganify.training.losses:Hinge"
        ),
        LossEntry("wgan-gp", "Wasserstein, two-sided gradient penalty", "rpganify.training.losses:WassersteinGP"),
        LossEntry("non-saturating", "the original GAN's cross entropy", "rpganify.training.losses:NonSaturating"),
    ]
