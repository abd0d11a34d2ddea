"""The laws of an export format."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rpganify.conversion.converting import standard
from rpganify.surgery.export import Writer, plain_generator
from rpganify.testing.examples import small_generator, small_model
from rpganify.testing.laws import name_of, require, working
from rpganify.testing.watching import untouched_module, untouched_randomness, untouched_tensors


def check_export(write: Writer, *, suffix: str = ".out") -> None:
    """An export writes one file of a plain generator, and leaves the generator alone.

    Its laws, on a standard generator and on a path of a converted one, both of 8×8 pixels:

    - afterwards there is one file, the target, and it is not empty;
    - the generator is left as it was, weights, gradients and training flags, and so are the latent and the global
      random states.

    Args:
        write: called as `write(module, latent, target)`; what an `ExportEntry`'s factory returns.
        suffix: how the target's name ends.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_export(shapes_writer())
    """
    name = name_of(write)
    cases = {
        "a generator": plain_generator(standard(small_generator()), None),
        "a path": plain_generator(small_model(), (1, 0, 1)),
    }
    for what, (module, given) in cases.items():
        subject = f"{name} of {what}"
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / f"generator{suffix}"
            with (
                working(subject, expected="a file", repair="It is called as write(module, latent, target)."),
                untouched_module(subject, module, repair="Work on a copy: `copy.deepcopy(module)`."),
                untouched_tensors(subject, {"latent": given}, repair="Work on a copy."),
                untouched_randomness(subject, repair="Writing draws nothing at random."),
            ):
                write(module, given, target)
            left = sorted(path.name for path in Path(folder).iterdir())
            require(
                left == [target.name] and target.is_file(),
                subject,
                expected=f"one file, {target.name}",
                found=", ".join(left) or "none",
                repair="Write to `target` as it is given, and nothing beside it.",
            )
            require(
                target.stat().st_size > 0,
                subject,
                expected="a file with something in it",
                found="an empty one",
                repair="Close what you open.",
            )
