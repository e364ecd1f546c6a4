"""The one exception for a user's mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was given, what was expected, what to do. The command line prints it
    after ``fastgan: error:`` and exits with 2; from Python it is an ordinary ``ValueError``.
    """


class NotFitted(UserError, AttributeError):  # noqa: N818
    """What needs a training was asked of a GAN without one; so `hasattr` says no, as it does for scikit-learn's own."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to `word`, or an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{found[0]}'?)" if found else ""
