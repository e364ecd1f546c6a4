"""What SECURITY.md promises: no file, connection or process but those that were asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fastgan.data.download import cache_folder

from .commands import SMALL_PLAYERS, environment

# Runs commands under an audit hook and prints what they did. Everything is imported beforehand: what is meant is what
# fastgan does, and not that Python itself keeps bytecode.
SCRIPT = """
import json, os, sys
import fastgan, fastgan.cli, fastgan.run, fastgan.pictures, fastgan.evaluation, fastgan.export
from fastgan.__main__ import main
import matplotlib.font_manager, matplotlib.backends.backend_agg

done = {"written": set(), "connections": [], "programs": [], "unpickled": set()}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def look(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and (arguments[2] or 0) & WRITES:
        done["written"].add(os.path.abspath(os.fsdecode(arguments[0])))
    elif event in ("os.mkdir", "os.rename", "os.remove"):
        done["written"] |= {os.path.abspath(os.fsdecode(each)) for each in arguments if isinstance(each, (str, bytes))}
    elif event.startswith("socket."):
        done["connections"].append(event)
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"):
        done["programs"].append(f"{event} {arguments[0]}" if arguments else event)
    elif event == "pickle.find_class":
        done["unpickled"].add(".".join(arguments))

sys.addaudithook(look)
codes = [main(command) for command in json.loads(sys.argv[1])]
print(json.dumps([codes, {name: sorted(found) for name, found in done.items()}]))
"""


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_nothing_is_done_that_was_not_asked_for(backend: str, tmp_path: Path) -> None:
    run, samples = tmp_path / "run", tmp_path / "samples.npy"
    train = [
        "train",
        "ring",
        "--set",
        "data.rows=640",
        *SMALL_PLAYERS,
        "--backend",
        backend,
        "--log",
        "quiet",
    ]
    commands = [
        [
            *train,
            "--steps",
            "10",
            "--best-metric",
            "modes",
            "--set",
            "run.monitor_every=5",
            "--out",
            str(run),
        ],
        ["train", "--resume", str(run), "--steps", "20", "--log", "quiet"],
        ["sample", str(run), "-o", str(samples)],
        ["evaluate", str(run), "--json"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    codes, seen = json.loads(done.stdout.splitlines()[-1])
    assert codes == [0] * len(commands)
    mine = (str(run), str(samples), f"{tmp_path}/.samples.npy.", str(cache_folder()), "/dev/null")
    assert [path for path in seen["written"] if not path.startswith(mine)] == []
    assert str(run / "checkpoint.safetensors") in seen["written"]
    assert seen["connections"] == []
    assert set(seen["programs"]) <= {"subprocess.Popen lscpu"}  # scikit-learn's, which counts cores
    assert backend == "cpu" or seen["unpickled"] == []
