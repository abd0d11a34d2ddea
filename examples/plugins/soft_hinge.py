"""A loss as a plugin: `rpganify --plugins-dir examples/plugins train MODEL --data digits --loss soft-hinge`."""

from rpganify.hookspecs import LossEntry, hookimpl


class SoftHinge:
    """The hinge loss with its corners rounded; four members, and no base class."""

    wants_spectral_norm = True

    def discriminator(self, real_scores, fake_scores):
        from torch.nn.functional import softplus

        return softplus(1 - real_scores).mean() + softplus(1 + fake_scores).mean()

    def generator(self, fake_scores):
        return -fake_scores.mean()

    def penalty(self, discriminator, real, fake, generator):
        return None


@hookimpl
def rpganify_losses():
    return [LossEntry("soft-hinge", "the hinge loss with rounded corners", SoftHinge)]
