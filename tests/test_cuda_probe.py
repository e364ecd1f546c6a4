"""What the cuda backend says where it cannot be had: one line, with what is missing and what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fastgan import cuda_probe
from fastgan.cuda_probe import Facts, describe, explain, look

from .commands import environment, mistake, process

CARD = Facts(
    loaded=True,
    driver="12.8",
    runtime="12.9",
    toolkit="12.9",
    device="NVIDIA H100 80GB HBM3",
    capability=(9, 0),
    memory=85_000_000_000,
    versions="cupy 14.2.0, numba-cuda 0.30.4",
)


def test_a_usable_card_is_described():
    assert explain(CARD) == ""
    assert describe(CARD) == (
        "cuda (NVIDIA H100 80GB HBM3, 85 GB, capability 9.0, cupy 14.2.0, numba-cuda 0.30.4)"
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (Facts(missing=("cupy-cuda12x",)), "cupy-cuda12x is not installed (pip install 'fastgan[cuda12]'"),
        (Facts(missing=("cupy-cuda12x", "numba-cuda")), "cupy-cuda12x and numba-cuda are not installed"),
        (Facts(simulated=True), "only simulates CUDA (NUMBA_ENABLE_CUDASIM is set; unset it)"),
        (
            Facts(loaded=True, error="ImportError: no libnvrtc"),
            "CuPy or numba-cuda does not start: ImportError: no libnvrtc",
        ),
        (Facts(missing=("numba-cuda",), loaded=True), "numba-cuda is not installed (pip install"),
        (Facts(missing=("numba-cuda",)), "list a card), and numba-cuda is not installed (pip install"),
        (Facts(), "no NVIDIA driver is loaded (nvidia-smi should list a card)"),
        (
            replace(CARD, driver="12.8", runtime="13.0", device=""),
            "driver is for CUDA 12.8 but CuPy for CUDA 13.0 (update the driver, or install the extra of its version: "
            "fastgan[cuda12])",
        ),
        (
            replace(CARD, toolkit="13.1"),
            "driver is for CUDA 12.8 but numba-cuda for CUDA 13.1 (update the driver",
        ),
        (
            replace(CARD, driver="11.8", toolkit="", device=""),
            "but CuPy for CUDA 12.9 (update the driver: fastgan needs one for CUDA 12 or newer)",
        ),
        (replace(CARD, device=""), "nvidia-smi should list one): none is there"),
        (replace(CARD, device="", error="CudaSupportError:\n broken\n"), "CudaSupportError: broken"),
        (
            replace(CARD, device="Tesla K80", capability=(3, 7)),
            "Tesla K80 has compute capability 3.7, less than the 7.0 of CUDA 12 (use a newer card)",
        ),
        (
            replace(
                CARD, device="Tesla V100", capability=(7, 0), driver="13.0", runtime="13.0", toolkit="13.0"
            ),
            "has compute capability 7.0, less than the 7.5 of CUDA 13 (use a newer card, or install fastgan[cuda12])",
        ),
    ],
)
def test_what_is_missing_is_one_line_with_what_to_do(facts, words):
    said = explain(facts)
    assert words in said and "\n" not in said and "(" in said


def test_a_minor_version_behind_is_no_clash():
    """CUDA 12 drivers run programs of any CUDA 12."""
    assert explain(replace(CARD, driver="12.2", runtime="12.9")) == ""


def test_a_card_that_only_cuda_12_makes_code_for_is_used_by_cuda_12():
    assert explain(replace(CARD, device="Tesla V100", capability=(7, 0))) == ""


def test_packages_are_named_where_fastgan_is_only_a_folder(monkeypatch):
    def not_installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_installed)
    assert "(pip install cupy-cuda12x 'numba-cuda[cu12]==" in explain(
        Facts(missing=("numba-cuda",), loaded=True)
    )


def test_the_version_that_is_named_is_the_one_that_the_extra_pins():
    pinned = re.search(
        r"numba-cuda\[cu12\]==[\d.]+", Path(__file__).parents[1].joinpath("pyproject.toml").read_text()
    )
    assert pinned[0] in cuda_probe.PACKAGES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_forked_from_one_that_uses_cuda_does_without_it():
    program = (
        "import os\n"
        "from fastgan import cuda_probe\n"
        "cuda_probe.driver_is_there = lambda: True\n"
        "cuda_probe.importlib.util.find_spec = lambda name: name\n"
        "assert not cuda_probe.look().forked\n"  # CuPy finds no card here, but was asked for one
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if 'forked from one that uses CUDA' in cuda_probe.explain(cuda_probe.look()) else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert not cuda_probe.look().forked\n"
    )
    given = environment() | {"NUMBA_ENABLE_CUDASIM": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_look_never_raises():
    assert isinstance(explain(look()), str)


@pytest.mark.skipif(explain(look()) == "" and not look().simulated, reason="a card can be used here")
def test_asking_for_cuda_in_vain_is_a_mistake_of_one_line(tmp_path):
    done = process("train", "ring", "--backend", "cuda", "--out", tmp_path / "run")
    assert done.returncode == 2 and not (tmp_path / "run").exists()
    assert mistake(done.stderr).startswith("backend is 'cuda' but ")
    assert "simulates" not in done.stderr
    if importlib.util.find_spec("cupy") is None:
        assert "pip install 'fastgan[cuda12]'" in done.stderr
