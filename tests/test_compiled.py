"""Machine code on disk: found again, thrown away when any source changes, done without where it cannot be kept."""

import os
import platform
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core import codegen

import fastgan_kernels
from fastgan.compiled import (
    _machine_code_only_for,
    cache_is_writable,
    compile_cache_folder,
    compiled,
    is_cached,
    source_hash,
)
from fastgan.networks import weights
from fastgan_kernels import copy

ROOTS = {
    "fastgan": Path(sys.modules["fastgan"].__file__).parent,
    "fastgan_kernels": Path(fastgan_kernels.__file__).parent,
}

# Compiles a small function of one op, runs it, and says what it gave and whether machine code was on disk.
SCRIPT = """
import numpy as np
from fastgan.compiled import compiled
from fastgan_kernels import copy

def twice(source, out):
    copy(source, out)
    copy(source, out)

call = compiled(twice)
source, out = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
call(source, out)
print(out[0, 0], sum(call.stats.cache_hits.values()))
"""


def twice(source, out):
    copy(source, out)
    copy(source, out)


def rows():
    return np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def hits(dispatcher):
    return sum(dispatcher.stats.cache_hits.values())


def test_machine_code_is_found_again(cache):
    first = compiled(twice)
    assert not is_cached(first)
    source, out = rows()
    first(source, out)
    assert hits(first) == 0 and is_cached(first)
    assert list(compile_cache_folder().glob("*.nbc")) and compile_cache_folder().is_relative_to(cache)
    second = compiled(twice)
    assert is_cached(second)
    out[...] = 0
    second(source, out)
    assert hits(second) == 1
    assert np.array_equal(out, source)


def test_where_nothing_can_be_kept_it_compiles_all_the_same_and_says_so(cache, capsys):
    cache.write_text("a file where the folder should be")
    assert not cache_is_writable()
    dispatcher = compiled(twice)
    warning = capsys.readouterr().err
    assert warning.startswith("fastgan: warning: machine code cannot be kept") and warning.count("\n") == 1
    source, out = rows()
    dispatcher(source, out)
    assert np.array_equal(out, source)
    assert not is_cached(dispatcher)


def test_code_that_holds_an_address_is_made_but_not_kept(cache):
    """It is of no use to another process, as Numba warns; seen without optimising, which turns it into a constant."""
    code = (
        "import ctypes\n"
        "from fastgan.compiled import compiled\n"
        "magnitude = ctypes.CDLL(None).labs\n"
        "magnitude.argtypes, magnitude.restype = [ctypes.c_long], ctypes.c_long\n"
        "def positive(x):\n"
        "    return magnitude(x)\n"
        "print(compiled(positive)(-3))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NUMBA_OPT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3"
    assert 'Cannot cache compiled function "positive" as it uses dynamic globals' in done.stderr
    assert not list(compile_cache_folder().glob("*.nbc"))


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None], ids=["empty", "other bytes", "cut short"])
def test_damaged_machine_code_is_compiled_anew(cache, suffix, damage):
    source, out = rows()
    compiled(twice)(source, out)
    (path,) = compile_cache_folder().glob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:40] if damage is None else damage)
    out[...] = 0
    again = compiled(twice)
    again(source, out)
    assert np.array_equal(out, source) and hits(again) == 0
    repaired = compiled(twice)
    repaired(source, out)
    assert hits(repaired) == 1


def test_machine_code_of_other_types_is_never_run(cache):
    """Two processes that keep their first machine code at once may give both files one name."""
    floats, whole = rows(), tuple(each.astype(np.int32) for each in rows())
    compiled(twice)(*floats)
    compiled(twice)(*whole)
    first, second = sorted(compile_cache_folder().glob("*.nbc"))
    second.write_bytes(first.read_bytes())
    for source, out in (whole, floats, whole):
        out[...] = 0
        again = compiled(twice)
        again(source, out)
        assert np.array_equal(out, source)
        assert [each[0].dtype.name for each in again.signatures] == [source.dtype.name]


def test_without_a_home_folder_it_compiles_all_the_same(monkeypatch):
    monkeypatch.setenv("FASTGAN_CACHE", "~nobody of this name/cache")
    assert not cache_is_writable()
    source, out = rows()
    compiled(twice)(source, out)
    assert np.array_equal(out, source)


def test_threads_that_compile_at_once_leave_numba_as_it_was():
    """Each borrows a method of Numba's; the first to begin may be the first to end."""
    before = codegen.JITCodeLibrary.finalize
    inside, leave = threading.Event(), threading.Event()

    def other():
        with _machine_code_only_for("other"):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with _machine_code_only_for("this"):
        thread.start()
        inside.wait(0.1)  # in vain, unless both get in
    leave.set()
    thread.join()
    assert codegen.JITCodeLibrary.finalize is before


@njit
def half(x):
    return x / 2


def half_of_half(x):
    return half(half(x))


def test_what_is_compiled_inside_can_be_called_afterwards(cache):
    """From Python, from a function of the caller's, and with other types: half of 3 is 1.5 each time."""
    assert compiled(half_of_half)(6.0) == 1.5
    assert (half(3.0), half(3.0), half(3), half(np.float32(3))) == (1.5, 1.5, 1.5, 1.5)
    assert njit(lambda x: half(x) + 1)(3.0) == 2.5


def test_a_step_needs_no_blas_but_other_code_finds_it(tmp_path):
    code = (
        "import sys, numpy as np, fastgan\n"
        "X = np.random.default_rng(0).normal(size=(50, 2)).astype('f4')\n"
        "fastgan.GAN(generator=[4], discriminator=[4], batch_size=8, backend='cpu').fit(X, steps=1)\n"
        "assert 'scipy.linalg' not in sys.modules\n"
        "from numba import njit\n"
        "a = np.arange(4.0).reshape(2, 2)\n"
        "assert (njit(lambda a: np.dot(a, a))(a) == a @ a).all() and 'scipy.linalg' in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def start(folder, **limits):
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "FASTGAN_CACHE": str(folder / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",  # an edit within the same second must be read
    }
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen([sys.executable, str(folder / "script.py")], env=environment, **pipes, **limits)


def finish(process):
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    value, found = out.split()
    return float(value), int(found)


def run(folder, **limits):
    return finish(start(folder, **limits))


@pytest.fixture
def copied(tmp_path):
    """Both packages and the script in a folder of their own."""
    for name, root in ROOTS.items():
        shutil.copytree(root, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def test_an_edit_of_an_op_in_another_file_is_noticed(copied):
    assert run(copied) == (1.0, 0)
    assert run(copied) == (1.0, 1)
    path = copied / "fastgan_kernels" / "rows.py"
    text = path.read_text()
    edited = text.replace("into[i] = values[i]", "into[i] = values[i] * 3")
    assert text != edited
    path.write_text(edited)
    assert run(copied) == (3.0, 0)
    path.write_text(text)
    assert run(copied) == (1.0, 1)  # the machine code of those sources is still there


def test_processes_that_compile_at_once_leave_a_whole_cache(copied):
    together = [start(copied) for _ in range(3)]
    assert [finish(process)[0] for process in together] == [1.0] * 3
    assert run(copied) == (1.0, 1)
    assert not list((copied / "cache").rglob("*.tmp*"))


def test_a_full_disk_costs_the_cache_alone(copied):
    import resource
    import signal

    def nothing_longer_than_a_kilobyte():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    assert run(copied, preexec_fn=nothing_longer_than_a_kilobyte) == (1.0, 0)
    assert run(copied) == (1.0, 0)


def test_every_source_file_counts(copied):
    """Content and name of each; not its time or place."""

    def hash_of(folder):
        code = (
            f"import sys; sys.path.insert(0, {str(folder)!r})\n"
            "from pathlib import Path\n"
            "from fastgan import compiled\n"
            "def look():\n"
            "    compiled.source_hash.cache_clear()\n"
            "    return compiled.source_hash()\n"
            "plain = look()\n"
            "paths = [p for n in ('fastgan', 'fastgan_kernels') for p in sorted(Path(sys.path[0], n).rglob('*.py'))]\n"
            "hashes = {plain}\n"
            "for path in paths:\n"
            "    text = path.read_bytes()\n"
            "    path.write_bytes(text + b'#')\n"
            "    hashes.add(look())\n"
            "    path.write_bytes(text)\n"
            "renamed = paths[-1].rename(paths[-1].with_name('zz.py'))\n"
            "hashes.add(look())\n"
            "renamed.rename(paths[-1])\n"
            "assert look() == plain and len(hashes) == len(paths) + 2\n"
            "print(len(paths), plain)\n"
        )
        environment = os.environ | {"PYTHONPATH": str(folder)}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    count, plain = hash_of(copied)
    assert int(count) > 30
    assert plain == source_hash()


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="subnormals cost little on this processor"
)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_takes_subnormal_numbers_as_zero_and_its_caller_as_they_are(make_trainer, threads):
    """Moments of a hidden unit that gets no gradient fade until they are 0, not until they slow every step down."""
    trainer = make_trainer(backend="cpu", threads=threads, generator_activation="relu")
    net = trainer.gan.generator
    weights(net, net.params, 0)[1][0] = -1e6  # the bias of a unit that is never on
    faded = weights(net, net.mean, 0)[0]
    faded[:, 0] = 1e-39
    trainer.train(2)
    assert (faded[:, 0] == 0).all() and (faded[:, 1] != 0).all()
    assert np.float32(1e-38) / np.float32(10) > 0
