"""All that needs a GPU, in one command of a few minutes: ``make gpu-check``, or ``python bench/gpu_check.py``.

It needs an interpreter with numpy, numba, numba-cuda, cupy and pytest, and no installation. First and at once, for they
time nothing: the tests of tests/cuda on the card, and steps under compute-sanitizer, where that is installed. Then one
by one: a captured step against an uncaptured one, byte by byte; 10,000 steps, whose memory must not grow; the host's
time a step; what training methods cost; what each kernel reaches of the card's bandwidth and arithmetic; steps at four
sizes beside PyTorch and JAX, where they are, whose compiling began with the tests. What eight minutes leave no time for
is skipped. A short table comes last, and the figures go to ``bench/results``. It exits with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT), str(ROOT / "kernels")]
if __name__ == "__main__":  # without an installation
    sys.path[:0] = PATHS
    os.environ["PYTHONPATH"] = os.pathsep.join([*PATHS, *filter(None, [os.environ.get("PYTHONPATH")])])

import numpy as np  # noqa: E402

from bench.gpu_kernels import OURS, kernels  # noqa: E402
from bench.gpu_methods import methods  # noqa: E402
from bench.problem import make_problem  # noqa: E402
from bench.results import FOLDER, Results, Row, contest_rows  # noqa: E402
from bench.rounds import ContestError, MissingError, Summary, Worker, contest  # noqa: E402
from bench.sizes import SEQ8, STEPS, Size  # noqa: E402
from bench.worker import DEVICE  # noqa: E402

SCAN = "jax scan"
CONTENDERS = (OURS, "torch eager", "torch graphs", SCAN)
"""With JAX's `jit` as well, whose steps take four times as long as its scan's, compiling outlasts all else."""
NUMBA_CUDA = "numba-cuda 0.30.4"
"""The version that pyproject.toml pins, parts of which that are not public fastgan relies on."""

TIME = 480
"""Seconds for all checks: one that would begin later is skipped, and what one waits for is ended then."""

STARTED = time.perf_counter()
"""When `TIME` began, in seconds of a clock without a date."""

ROOM = 2**31
"""Bytes of the card's memory for each process that tests."""

MANY = 10_000
LEAK = 2**20
"""Bytes by which the card's used memory may grow over `MANY` steps: less than any buffer of a step made anew."""


class CheckError(Exception):
    """Something on the card is not as it must be."""


class SkippedError(Exception):
    """A check cannot be made here; the message says why."""


def trainer(size: Size, **settings: Any) -> Any:
    """A GAN of one size on the card, compiled and captured."""
    from fastgan.trainer import Trainer

    made = Trainer(size.settings(backend="cuda", seed=0, **settings), size.dataset(), keep_history=False)
    made.compile()
    return made


def left() -> float:
    """Seconds that are left of `TIME`, or one."""
    return max(1.0, TIME - (time.perf_counter() - STARTED))


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program for as long as there is time."""
    most = left()
    try:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment, timeout=most
        )
    except subprocess.TimeoutExpired:
        raise CheckError(f"not done after {most:.0f} s, when the time was up") from None


def processes() -> int:
    """How many of them test at once: each takes some of the card's memory."""
    import cupy

    return int(min(8, max(1, cupy.cuda.Device().mem_info[1] // ROOM)))


def parity(results: Results) -> str:
    """The tests of every kernel and of whole steps, on the card."""
    files = (
        "cuda/test_ops.py",
        "cuda/test_backend.py",
        "cuda/test_embedding.py",
        "kernels/test_embedding.py",
    )
    tests = [str(ROOT / "tests" / file) for file in files]
    # Whatever else this interpreter's packages warn of is not asked here, nor is pytest's version.
    options = ["-q", "-p", "no:cacheprovider", "-W", "default", "-o", "minversion=0", "-m", "gpu"]
    if find_spec("xdist"):  # nearly all of a test's time goes to compiling, which takes one core
        options += ["-p", "xdist", "-n", "auto", f"--maxprocesses={processes()}"]
    done = run([sys.executable, "-m", "pytest", *options, *tests], NUMBA_ENABLE_CUDASIM="0")
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr.strip()[-200:]]
    if done.returncode:
        print(done.stdout[-8000:])
        raise CheckError(last[0])
    return last[0].strip("= ")


def captured(results: Results) -> str:
    """A graph and single launches end in the same bytes."""
    states = []
    for each in (True, False):
        made = trainer(SEQ8, captured=each)
        made.train(50)
        nets = (made.gan.generator, made.gan.discriminator)
        states.append(b"".join(a.tobytes() for net in nets for a in (net.params, net.mean, net.square)))
    if states[0] != states[1]:
        raise CheckError("50 captured steps end in other bytes than 50 uncaptured ones")
    return "50 steps, the same bytes"


def leak(results: Results) -> str:
    """Memory and speed stay as they are."""
    import cupy

    made = trainer(SEQ8)
    made.train(1000)
    used = -cupy.cuda.runtime.memGetInfo()[0]
    started = time.perf_counter()
    made.train(MANY)
    seconds = time.perf_counter() - started
    grown = used + cupy.cuda.runtime.memGetInfo()[0]
    if -grown > LEAK:
        raise CheckError(f"{MANY} steps took {-grown / 1e6:.1f} MB of the card's memory")
    return f"{MANY} steps in {seconds:.2f} s, memory grew by {max(0, -grown) / 1e6:.2f} MB"


def host_time(results: Results) -> str:
    """What a launch of a whole step takes of the host."""
    made = trainer(SEQ8)
    device = made.backend._device
    with device.stream:
        started = time.perf_counter()
        for _ in range(200):
            device._step()
        seconds = (time.perf_counter() - started) / 200
        device.stream.synchronize()
    results.rows.append(
        Row.of("gpu host time", "seq8", OURS, Summary(*[1e6 * seconds] * 3), 1, threads=1, unit="us")
    )
    return f"{1e6 * seconds:.2f} us a step"


SANITIZED = """
from bench.gpu_check import trainer
from bench.sizes import Size
for size in (
    Size("narrow", 8, 2, (20, 20), (20, 20), 16),
    Size("many rows", 8, 2, (20, 20), (20, 20), 600),
    Size("wide", 50, 3, (600,), (600,), 16, classes=3),
):
    trainer(size, captured=False).train(1)
    trainer(size, captured=False, gradient_penalty="wgan-gp", spectral_norm=True, update="joint").train(1)
    smooth = {"gradient_penalty": "r1+r2", "discriminator_activation": "tanh"}
    trainer(size, captured=False, clip_norm=1.0, **smooth).train(1)
"""


FOUND = 9
"""Exit code by which compute-sanitizer says that it found something."""


def sanitizer(results: Results) -> str:
    """No kernel of a step reads or writes out of bounds, nor do its threads race."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        raise SkippedError("compute-sanitizer is not installed")
    for tool in ("memcheck", "racecheck"):
        # What the driver's binding asks for in vain is no error of a kernel.
        options = ["--tool", tool, "--report-api-errors", "no", "--error-exitcode", str(FOUND)]
        done = run([program, *options, sys.executable, "-c", SANITIZED])
        # Its closing line too, for a tool that looked at nothing ends well.
        if done.returncode or " SUMMARY: 0 " not in done.stdout + done.stderr:
            print((done.stdout + done.stderr)[-4000:])
            raise CheckError(f"{tool} " + ("found errors" if done.returncode == FOUND else "did not run"))
    return "memcheck and racecheck find nothing"


def compile_ahead(folder: Path) -> None:
    """Let XLA compile the contest's steps, which takes it minutes; JAX finds them again in this folder.

    Where that takes a third of all time, on few cores, it is given up.
    """

    def start(size: Size) -> None:
        problem = folder / f"{size.name}.npz"
        make_problem(size, problem)
        with suppress(MissingError, ContestError):  # the contest says it
            Worker(SCAN, problem, threads=1, patience=TIME / 3).start().close()

    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "compiled")
    with ThreadPoolExecutor() as pool:
        list(pool.map(start, STEPS.values()))


def steps(results: Results) -> str:
    """Whole steps by turns with the frameworks that are here."""
    said, failed = [], False
    for name, size in STEPS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                found, missing = contest(
                    size, CONTENDERS, Path(folder), rounds=5, seconds=0.2, threads=[1], patience=left()
                )
            except ContestError as error:
                said.append(f"{name}: {' '.join(str(error).split())[:300]}")
                print(f"  {said[-1]}", flush=True)
                failed = True
                continue
        results.rows += contest_rows("gpu step", name, found, OURS)
        results.missing |= missing
        times = {contender: float(np.median(each.seconds)) for contender, each in found.items()}
        others = ", ".join(
            f"{contender} {times[contender] / times[OURS]:.1f}x" for contender in times if contender != OURS
        )
        others += "".join(f", no {contender}" for contender in missing)
        said.append(f"{name} {1e6 * times[OURS]:.1f} us ({others})")
        print(f"  {said[-1]}", flush=True)
    if failed:
        raise CheckError("; ".join(said))
    return "; ".join(said)


CHECKS: dict[str, Callable[[Results], str]] = {
    "parity": parity,
    "sanitizer": sanitizer,
    "captured": captured,
    "leak": leak,
    "host time": host_time,
    "methods": methods,
    "kernels": kernels,
    "steps": steps,
}
UNTIMED = ("parity", "sanitizer")
"""Made at once, in processes of their own."""


Outcome = tuple[str, str, float, str]
"""Of a check: its name, what came out, seconds, and "ok", "skip" or "FAIL"."""


def check(names: list[str], results: Results) -> Iterator[Outcome]:
    """Make the checks: first and at once those that time nothing, and what others need compiled; then one by one."""
    with tempfile.TemporaryDirectory() as folder:
        with ThreadPoolExecutor() as pool:
            ahead = (
                pool.submit(compile_ahead, Path(folder)) if "steps" in names and find_spec("jax") else None
            )
            yield from pool.map(lambda name: outcome(name, results), [n for n in names if n in UNTIMED])
        if ahead and (error := ahead.exception()):
            print(f"  not compiled ahead: {error}", flush=True)
        for name in names:
            if name not in UNTIMED:
                yield outcome(name, results)


def outcome(name: str, results: Results) -> Outcome:
    """Make one check, if there is time."""
    started = time.perf_counter()
    try:
        if started - STARTED > TIME:
            raise SkippedError(f"{TIME} s were up")
        said, how = CHECKS[name](results), "ok"
    except SkippedError as error:
        said, how = str(error), "skip"
    except Exception as error:
        said, how = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}", "FAIL"
    return name, said, time.perf_counter() - started, how


def main() -> None:
    """Run the checks and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checks", nargs="*", help=f"all unless given: {', '.join(CHECKS)}")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the figures")
    given = parser.parse_args()
    unknown = [name for name in given.checks if name not in CHECKS]
    if unknown:
        parser.error(f"{unknown[0]!r} is no check; they are {', '.join(CHECKS)}")
    from fastgan.cuda_probe import describe, explain, look

    facts = look()
    if explain(facts):
        sys.exit(f"gpu-check needs a GPU: {explain(facts)}")
    os.environ[DEVICE] = "cuda"  # where contenders run
    results = Results()
    results.machine |= {"gpu": describe(facts), "driver": facts.driver}
    print(describe(facts), f"driver for CUDA {facts.driver}", sep=", ", flush=True)
    if NUMBA_CUDA not in facts.versions:
        print(f"this was made for {NUMBA_CUDA}; others may launch in another way", flush=True)
    rows = []
    for row in check(given.checks or list(CHECKS), results):
        print(f"{row[0]}: {row[1]} ({row[2]:.0f} s)", flush=True)
        rows.append(row)
        if results.rows:  # after each, for the program may be ended from outside
            try:
                print(f"written to {results.write(given.out)}", flush=True)
            except Exception as error:  # the table comes all the same
                print(f"not written: {error}", flush=True)
    print(f"\n{describe(facts)}")
    for name, said, seconds, how in rows:
        head = f"{how:<4}  {name:<10} {seconds:5.0f} s  "
        print(textwrap.fill(said, 120, initial_indent=head, subsequent_indent=" " * len(head)))
    sys.exit(any(how == "FAIL" for *_, how in rows))


if __name__ == "__main__":
    main()
