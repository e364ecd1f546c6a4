"""Fresh Python processes, and what they say or use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    """Variables of a child that finds both packages from any folder."""
    path = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))} | more


def said(program: str, **more: str) -> dict[str, Any]:
    """Run a program given as text; the JSON of the last line that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(**more), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def used(*arguments: object) -> tuple[float, float]:
    """Run ``python`` with arguments to its end: peak resident memory in MB, which is 10^6 bytes, and seconds."""
    command = [sys.executable, *map(str, arguments)]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process.stderr:
        errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(errors.decode())
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, bytes there
    return usage.ru_maxrss * unit / 1e6, seconds
