"""Files that are whole or not there: interrupted by the system, by a full disk, by a kill."""

import os
import stat
import subprocess
import sys

import pytest

from fastgan.atomic import write_atomically
from fastgan.errors import UserError


def test_a_file_is_made_and_replaced(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    assert path.read_bytes() == b"old"
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_before_is_kept(tmp_path):
    path, before = tmp_path / "file", tmp_path / "file before"
    for content, kept in ((b"1", None), (b"2", b"1"), (b"3", b"2")):
        write_atomically(path, content, before=before)
        assert path.read_bytes() == content
        assert (before.read_bytes() if before.exists() else None) == kept
    assert set(tmp_path.iterdir()) == {path, before}


@pytest.mark.parametrize("place", ["missing/file", "a file/file", "folder", "x" * 300])
def test_a_place_that_cannot_be_written(tmp_path, place):
    (tmp_path / "a file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"cannot be written: [^\n]*; give a folder that can be$"):
        write_atomically(tmp_path / place, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"a file", "folder"}
    assert (tmp_path / "a file").read_bytes() == b"old"


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b", None, b"a", 3])
def test_no_name_at_all(path):
    with pytest.raises(UserError, match=r"is no name for a file; give one$"):
        write_atomically(path, b"new")


def run(code, path):
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)


FULL = """
import resource, signal, sys
from fastgan.atomic import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_atomically(sys.argv[1], bytes(5000))
"""

KILLED = """
import os, signal, sys
from fastgan.atomic import write_atomically
os.{call} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(sys.argv[1], bytes(5000))
"""


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    done = run(FULL, path)
    assert "UserError" in done.stderr and "cannot be written: File too large" in done.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path, call):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    assert run(KILLED.format(call=call), path).returncode == -9
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_device_keeps_its_place(tmp_path):
    """Root could put a file where ``/dev/null`` was; a link to it is another matter."""
    device, link = tmp_path / "device", tmp_path / "link"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError:
        pytest.skip("only root makes devices")
    link.symlink_to(device)
    with pytest.raises(
        UserError, match=r"^\S+ is a device, whose place the file would take; give another name$"
    ):
        write_atomically(device, b"content")
    write_atomically(link, b"content")
    assert device.is_char_device() and link.read_bytes() == b"content"
    assert sorted(os.listdir(tmp_path)) == ["device", "link"]
