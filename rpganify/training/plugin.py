"""The built-in losses and callbacks, offered through the hooks that strangers use; imports no torch."""

from rpganify.hookspecs import CallbackEntry, LossEntry, hookimpl


@hookimpl
def rpganify_losses() -> list[LossEntry]:
    """Hinge, Wasserstein with gradient penalty, the original non-saturating loss in two forms, and least squares."""
    return [
        LossEntry(
            "hinge", "margin on the scores, spectral norm (RPGAN's main setting)", "rpganify.training.losses:Hinge"
        ),
        LossEntry(
            "wgan-gp",
            "Wasserstein, gradient penalty (two-sided, or one_sided=True)",
            "rpganify.training.losses:WassersteinGP",
            needs=("no-batch-norm",),
        ),
        LossEntry("non-saturating", "the original GAN's cross entropy", "rpganify.training.losses:NonSaturating"),
        LossEntry(
            "r1",
            "the original GAN's cross entropy, slope penalty at real images",
            "rpganify.training.losses:NonSaturatingR1",
            needs=("no-batch-norm",),
        ),
        LossEntry(
            "least-squares", "squared distance of the scores from 1 and 0", "rpganify.training.losses:LeastSquares"
        ),
    ]


@hookimpl
def rpganify_callbacks() -> list[CallbackEntry]:
    """What `--callback` names."""
    return [
        CallbackEntry(
            "csv",
            "the metrics as a table in the run (csv:FILE)",
            "rpganify.training.recording.metrics_table:open_table",
        )
    ]
