"""What the cuda backend says where it cannot be had: one line, with what is missing and what to do."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from fastgan.cuda_probe import Facts, describe, explain, look

from .commands import mistake, process

CARD = Facts(
    loaded=True,
    driver="12.8",
    runtime="12.9",
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
            "driver is for CUDA 12.8 but CuPy for CUDA 13.0",
        ),
        (replace(CARD, device=""), "nvidia-smi should list one): none is there"),
        (replace(CARD, device="", error="CudaSupportError:\n broken\n"), "CudaSupportError: broken"),
        (
            replace(CARD, device="Tesla K80", capability=(3, 7)),
            "Tesla K80 has compute capability 3.7, less than 7.0",
        ),
    ],
)
def test_what_is_missing_is_one_line_with_what_to_do(facts, words):
    said = explain(facts)
    assert words in said and "\n" not in said and "(" in said


def test_a_minor_version_behind_is_no_clash():
    """CUDA 12 drivers run programs of any CUDA 12."""
    assert explain(replace(CARD, driver="12.2", runtime="12.9")) == ""


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
