"""What a measurement was made on: processor, system, versions and commit. Never the machine's name."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "torch",
    "jax",
    "jaxlib",
    "optax",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    *("cupy-cuda12x", "cupy-cuda13x", "numba-cuda", "cuda-core"),
)
VECTORS = ("avx512f", "avx2", "avx", "asimd")
"""Widest vectors first, as the kernel names them."""


def machine() -> dict[str, Any]:
    """Processor, cores, system, Python, versions, BLAS, commit and date."""
    from fastgan.backends import available_cores

    return {
        "cpu": cpu_model(),
        "vectors": vectors(),
        "cores": available_cores(),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := installed(name))},
        "blas": blas(),
        "commit": git("rev-parse", "--short=9", "HEAD"),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def cpu_model() -> str:
    """The processor as it calls itself."""
    names = [line.partition(":")[2].strip() for line in cpu_info() if line.startswith("model name")]
    if names:
        return names[0]
    brand = output("sysctl", "-n", "machdep.cpu.brand_string")
    return brand or platform.processor() or platform.machine()


def vectors() -> str:
    """The widest vector instructions of the processor, where the system tells."""
    flags = {flag for line in cpu_info() if line.startswith(("flags", "Features")) for flag in line.split()}
    return next((name for name in VECTORS if name in flags), "")


def cpu_info() -> list[str]:
    """Linux's description of the processors."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def installed(package: str) -> str:
    """A package's version, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def blas() -> list[str]:
    """The libraries that NumPy and SciPy multiply matrices with."""
    try:
        import scipy.linalg.cython_blas  # noqa: F401
        import threadpoolctl
    except ImportError:  # an interpreter with what gpu_check needs alone
        return []
    return sorted(
        f"{each['internal_api']} {each['version']} ({each.get('architecture', 'unknown')})"
        for each in threadpoolctl.threadpool_info()
        if each["user_api"] == "blas"
    )


def git(*arguments: str) -> str:
    """What git says of this checkout, or nothing."""
    return output("git", "-C", str(ROOT), *arguments)


def output(*command: str) -> str:
    """A command's output, or nothing where it fails or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
