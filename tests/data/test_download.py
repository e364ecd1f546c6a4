from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from fastgan.data.download import cache_folder, download
from fastgan.errors import UserError

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


def refused(match, url, path, sha256=SHA256):
    with pytest.raises(UserError, match=match) as caught:
        download(url, path, sha256, "give --data DIR")
    assert "give --data DIR" in str(caught.value) and "\n" not in str(caught.value)
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_a_file_comes_whole_with_progress_on_stderr(server, tmp_path, capsys):
    server.files["/f"] = BODY
    path = tmp_path / "deep" / "f"
    download(f"{server.url}/f", path, SHA256, "")
    assert path.read_bytes() == BODY
    assert os.listdir(path.parent) == ["f"]
    captured = capsys.readouterr()
    assert captured.out == "" and "0.3 MB" in captured.err and "\r" not in captured.err


def test_on_a_terminal_progress_is_a_bar_in_bytes_and_percent(server, tmp_path, capsys, monkeypatch):
    server.files["/f"] = BODY
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    download(f"{server.url}/f", tmp_path / "f", SHA256, "")
    shown = capsys.readouterr().err
    assert "100%" in shown and "kB" in shown


def test_gz_is_unpacked_on_the_way(server, tmp_path):
    server.files["/f.gz"] = gzip.compress(BODY)
    download(f"{server.url}/f.gz", tmp_path / "f", SHA256, "")
    assert (tmp_path / "f").read_bytes() == BODY


def test_truncated(server, tmp_path):
    server.files["/f"] = BODY[:100_000]
    server.promised["/f"] = len(BODY)
    refused("cut short, 100000 of 300000 bytes", f"{server.url}/f", tmp_path / "new" / "f")


def test_truncated_gz(server, tmp_path):
    server.files["/f.gz"] = gzip.compress(BODY)[:100_000]
    refused("SHA-256", f"{server.url}/f.gz", tmp_path / "new" / "f")


def test_corrupted(server, tmp_path):
    server.files["/f"] = BODY[:-1] + b"!"
    refused("SHA-256", f"{server.url}/f", tmp_path / "new" / "f")


def test_corrupted_gz(server, tmp_path):
    server.files["/f.gz"] = b"<html>please log in</html>"
    refused("damaged", f"{server.url}/f.gz", tmp_path / "new" / "f")


def test_not_found(server, tmp_path):
    refused("404", f"{server.url}/f", tmp_path / "new" / "f")


def test_connection_refused(server, tmp_path):
    import socket

    with socket.socket() as unused:  # bound but not listening
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        refused("refused", f"http://127.0.0.1:{port}/f", tmp_path / "new" / "f")


@pytest.mark.parametrize("url", ["no-address", "http://127.0.0.1:notaport/f"])
def test_bad_address(url, tmp_path):
    refused("cannot be downloaded", url, tmp_path / "new" / "f")


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot be written.*FASTGAN_CACHE"):
        download(f"{server.url}/f", tmp_path / "file" / "f", SHA256, "give --data DIR")


def test_killed_halfway_then_works_the_second_time(server, tmp_path):
    server.files["/f"] = BODY
    server.stall = len(BODY) // 2
    arguments = repr((f"{server.url}/f", str(tmp_path / "f"), SHA256, ""))
    code = (
        "import pathlib; from fastgan.data.download import download; "
        f"url, path, *rest = {arguments}; download(url, pathlib.Path(path), *rest)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    assert server.stalled.wait(timeout=30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.release.set()
    assert not (tmp_path / "f").exists()

    server.stall = None
    download(f"{server.url}/f", tmp_path / "f", SHA256, "")
    assert (tmp_path / "f").read_bytes() == BODY


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FASTGAN_CACHE", raising=False)
    assert cache_folder() == tmp_path / "fastgan"
    monkeypatch.setenv("FASTGAN_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("FASTGAN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "fastgan"
    monkeypatch.setenv("FASTGAN_CACHE", "~nobody of this name/cache")
    with pytest.raises(
        UserError, match=r"^~nobody of this name/cache: there is no such home folder; set FAST"
    ):
        cache_folder()


@pytest.mark.parametrize("packed", [False, True])
def test_a_server_that_never_ends(server, tmp_path, monkeypatch, packed):
    monkeypatch.setattr("fastgan.data.download.MOST", 10**6)
    endless = bytes(3 * 10**6)
    server.files["/f.gz"] = gzip.compress(endless) if packed else endless
    path = tmp_path / "in" / ("f" if packed else "f.gz")
    refused("more than 1,000,000 bytes", f"{server.url}/f.gz", path)
