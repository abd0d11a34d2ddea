"""The built-in losses and callbacks, offered through the hooks that strangers use; imports no torch."""

from rpganify.hookspecs import CallbackEntry, LossEntry, hookimpl


@hookimpl
def rpganify_losses() -> list[LossEntry]:
    """Hinge, Wasserstein with gradient penalty, and the original non-saturating loss."""
    return [
        LossEntry(
            "hinge", "margin on the scores, spectral norm (RPGAN's main setting)", "rpganify.training.losses:Hinge"
        ),
        LossEntry(
            "wgan-gp",
            "Wasserstein, two-sided gradient penalty",
            "rpganify.training.losses:WassersteinGP",
            needs=("no-batch-norm",),
        ),
        LossEntry("non-saturating", "the original GAN's cross entropy", "rpganify.training.losses:NonSaturating"),
    ]


@hookimpl
def rpganify_callbacks() -> list[CallbackEntry]:
    """What `--callback` names."""
    return [
        CallbackEntry(
            "csv", "the metrics as a table in the run (csv:FILE)", "rpganify.training.metrics_table:open_table"
        )
    ]
