"""One file over HTTP, checked before it gets its name."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from fastgan.data.dataset import require
from fastgan.errors import UserError

BLOCK = 1 << 16

MOST = 1 << 28
"""Bytes of a file. A server that never ends would fill the disk."""

TIMEOUT = 30.0
"""Seconds without a byte before a server counts as gone."""


def cache_folder() -> Path:
    """Where downloads are kept: FASTGAN_CACHE, else fastgan under XDG_CACHE_HOME, else ~/.cache/fastgan.

    Raises
    ------
    UserError
        If that is below a home folder and this user has none.
    """
    own, general = os.environ.get("FASTGAN_CACHE"), os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(own) if own else Path(general) / "fastgan"
    try:
        return folder.expanduser()
    except RuntimeError:
        raise UserError(f"{folder}: there is no such home folder; set FASTGAN_CACHE to a folder") from None


def download(url: str, path: Path, sha256: str, advice: str) -> None:
    """Download `url` to `path`, unpacking ``.gz`` on the way unless `path` ends in it too.

    The bytes go to a temporary file beside `path`, which gets its name only after they were found whole and
    right, so that `path` is either not there or good.

    Parameters
    ----------
    url : http or https address
    path : file to make; folders are made where missing
    sha256 : hexadecimal digest of what `path` shall hold
    advice : what a user can do instead, the end of every error message

    Raises
    ------
    UserError
        If the server cannot be reached or refuses, or what came is cut short or not what was expected.
    """
    digest = hashlib.sha256()
    unpack = zlib.decompressobj(wbits=31) if url.endswith(".gz") and path.suffix != ".gz" else None
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=path.name, suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            for received in _receive(url, advice):
                block = unpack.decompress(received) if unpack else received
                digest.update(block)
                file.write(block)
                require(
                    file.tell() <= MOST, f"{url}: more than {MOST:,} bytes, not the expected file; {advice}"
                )
            file.flush()
            os.fsync(file.fileno())
        require(digest.hexdigest() == sha256, f"{url}: not the expected file (its SHA-256 differs); {advice}")
        temporary.chmod(0o644)
        os.replace(temporary, path)
        temporary = None
    except zlib.error:
        raise UserError(f"{url}: came damaged, it cannot be unpacked; try again, or {advice}") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written, {error.strerror}; set FASTGAN_CACHE, or {advice}"
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _receive(url: str, advice: str) -> Iterator[bytes]:
    """Give the bytes behind `url` block by block; fewer than the server promised is an error."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310, URLs stand in the source
            promised = int(response.headers.get("Content-Length") or 0)
            count = 0
            with _progress(url, promised) as advance:
                while block := response.read(BLOCK):
                    count += len(block)
                    advance(len(block))
                    yield block
            require(
                count >= promised, f"{url}: cut short, {count} of {promised} bytes; try again, or {advice}"
            )
    except HTTPError as error:
        error.close()
        raise UserError(f"{url}: the server answers {error.code} ({error.reason}); {advice}") from None
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{url}: cannot be downloaded ({reason}); {advice}") from None


@contextmanager
def _progress(url: str, size: int) -> Iterator[Callable[[int], object]]:
    """Show on stderr how far a download of `size` bytes (0: unknown) is: a bar, or plain lines for a log."""
    name = url.rpartition("/")[2]
    if not sys.stderr.isatty():
        print(f"downloading {url} ({size / 1e6:.1f} MB)", file=sys.stderr, flush=True)
        yield lambda count: None
        print(f"downloaded {name}", file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=size or None)
        yield lambda count: bar.advance(task, count)
