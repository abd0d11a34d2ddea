"""What the conversion proved, in words."""

from rpganify.cli.verification_text import verification_lines
from rpganify.conversion.verification import Verification


def test_every_comparison_is_told_with_its_largest_difference():
    assert verification_lines(Verification(0.0, 1e-7, 0.0, 2e-6, 3e-5)) == [
        "verified: one block per bucket and the same latent differ from the original by at most 0 in eval mode "
        "and 1.0e-07 in train mode",
        "verified: its gradients differ by at most 2.0e-06 of their size",
        "verified: a batch differs from its samples one by one by at most 3.0e-05",
    ]


def test_what_was_not_compared_is_said():
    assert verification_lines(Verification(0.0, None, None, None, None)) == [
        "verified: one block per bucket and the same latent differ from the original by at most 0 in eval mode; "
        "not compared in train mode",
        "not verified: a batch against its samples one by one, since the generator draws noise of its own",
    ]
