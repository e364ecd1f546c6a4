"""``python -m fastgan``: a user's mistake costs one line on stderr and exit code 2."""

from __future__ import annotations

import signal
import sys

from fastgan.errors import UserError

MISTAKE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for a mistake, 130 or 143 when stopped by a signal."""
    from fastgan.cli import app, usage_errors

    try:
        code = app(args=arguments, prog_name="fastgan", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except UserError as error:
        return fail(str(error))
    except usage_errors() as error:
        return fail(f"{error.format_message()} See fastgan --help.")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        sys.stderr.close()
        return 128 + signal.SIGPIPE


def fail(message: str) -> int:
    """Print a mistake on one line."""
    print(f"fastgan: error: {' '.join(message.split())}", file=sys.stderr)
    return MISTAKE


if __name__ == "__main__":
    sys.exit(main())
