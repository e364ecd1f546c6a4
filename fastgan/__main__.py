"""``python -m fastgan``: a user's mistake costs one line on stderr and exit code 2, a divergence 3."""

from __future__ import annotations

import contextlib
import os
import sys

MISTAKE, DIVERGED = 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0, 2 for a mistake, 3 for a training that diverged, 129, 130 or 143 when stopped by SIGHUP, SIGINT or SIGTERM.
    """
    _open_streams()
    try:
        from fastgan.cli import run

        return run(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except ValueError as error:
        from fastgan.errors import Diverged, UserError

        if not isinstance(error, UserError):
            raise
        return fail(str(error), DIVERGED if isinstance(error, Diverged) else MISTAKE)
    except MemoryError:
        return fail("the memory is not enough; ask for fewer rows, or a smaller batch_size or network")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}; check the disk, and who may write there")


def fail(message: str, code: int = MISTAKE) -> int:
    """Print a mistake on one line, where that can be read; returns the exit code."""
    from fastgan.errors import one_line

    with contextlib.suppress(OSError):
        print(f"fastgan: error: {one_line(message)}", file=sys.stderr)
    return code


def _open_streams() -> None:
    """Open those that were closed, so that no file of a run gets the number of one, and what is printed into it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


if __name__ == "__main__":
    sys.exit(main())
