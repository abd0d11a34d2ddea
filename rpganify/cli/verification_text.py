"""What the conversion proved about itself, in words."""

from __future__ import annotations

from rpganify.conversion.verification import Verification


def verification_lines(verification: Verification) -> list[str]:
    """One line per comparison: what was compared, and the largest difference found."""
    if verification.eval_difference is None:
        return ["not verified: the noise is frozen, so that images differ from the original's; the conversion runs"]
    modes = f"{_number(verification.eval_difference)} in eval mode"
    if verification.train_difference is None:
        modes += "; not compared in train mode"
    else:
        modes += f" and {_number(verification.train_difference)} in train mode"
    lines = [f"verified: one block per bucket and the same latent differ from the original by at most {modes}"]
    if verification.gradient_difference is not None:
        lines.append(
            f"verified: its gradients differ by at most {_number(verification.gradient_difference)} of their size"
        )
    if verification.batch_difference is None:
        lines.append("not verified: a batch against its samples one by one, since the generator draws noise of its own")
    else:
        most = _number(verification.batch_difference)
        lines.append(f"verified: a batch differs from its samples one by one by at most {most}")
    return lines


def _number(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.1e}"
