"""What the conversion proved about itself, in words."""

from __future__ import annotations

from rpganify.conversion.verification import Verification


def verification_lines(verification: Verification) -> list[str]:
    """One line per comparison: what was compared, and the largest absolute difference."""
    modes = [f"{verification.eval_difference:.1e} in eval mode"]
    if verification.train_difference is None:
        modes.append("not compared in train mode")
    else:
        modes.append(f"{verification.train_difference:.1e} in train mode")
    lines = [f"verified: one block per bucket and the same latent against the original: {', '.join(modes)}"]
    if verification.gradient_difference is not None:
        lines.append(f"verified: gradients against the original's, relative: {verification.gradient_difference:.1e}")
    if verification.batch_difference is None:
        lines.append("not verified: a batch against its samples one by one, since the generator draws noise of its own")
    else:
        lines.append(f"verified: a batch against its samples one by one: {verification.batch_difference:.1e}")
    return lines
