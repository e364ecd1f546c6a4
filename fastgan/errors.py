"""The one exception for a user's mistake, and the one line it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 1000
"""Letters of a message; names in hostile files may be of any length."""


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was given, what was expected, what to do. The command line prints it
    after ``fastgan: error:`` and exits with 2; from Python it is an ordinary ``ValueError``.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


class Damaged(UserError):  # noqa: N818
    """A file that fastgan wrote is not as it was written: cut short, or changed since.

    Attributes
    ----------
    what : which file, and what is wrong with it
    """

    def __init__(self, what: str):
        self.what = what
        super().__init__(f"{what}; train again")

    def __reduce__(self) -> tuple[object, ...]:
        """It comes back whole from another process."""
        return type(self), (self.what,)


class Diverged(UserError):  # noqa: N818
    """A training came to numbers that are not finite, or that run away. The command line exits with 3.

    Attributes
    ----------
    step : the first one with such a number
    what : the number, in words
    """

    def __init__(self, step: int, what: str):
        self.step, self.what = step, what
        super().__init__(
            f"training diverged at step {step:,}: {what}; start anew with lower generator_lr and discriminator_lr"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """It comes back whole from another process."""
        return type(self), (self.step, self.what)


class NotFitted(UserError, AttributeError):  # noqa: N818
    """What needs a training was asked of a GAN without one; so `hasattr` says no, as it does for scikit-learn's own."""


def one_line(text: str) -> str:
    """Return `text` as a line that any terminal can show, cut in its middle where it is long."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 300]} ... {line[-295:]}"


def shown(value: object) -> str:
    """Return `value` as Python writes it, whatever it is."""
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return "a value too deep or too long to be shown"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to `word`, or an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{found[0]}'?)" if found else ""
