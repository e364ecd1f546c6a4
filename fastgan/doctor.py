"""What works on this machine: backends with versions and threads, BLAS, and the reason for each "no"."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path

from fastgan import __version__
from fastgan.backends import available_cores
from fastgan.cuda_probe import describe, explain, look
from fastgan.errors import UserError

NOT_INSTALLED = "not installed"

OPTIONAL = {"pyarrow": ".parquet files", "pillow": "image folders"}
"""Packages that fastgan does without, and what they read."""


def report() -> list[tuple[str, str]]:
    """Return (subject, finding) pairs, in the order to read them."""
    rows = [
        ("fastgan", __version__),
        ("python", f"{platform.python_version()}, {sys.executable}"),
        ("machine", f"{platform.system()} {platform.machine()}, {cpu_name()}, {available_cores()} cores"),
        ("numpy", f"backend works ({_version('numpy')})"),
        ("cpu", _cpu_finding()),
        ("cuda", _cuda_finding()),
    ]
    rows += [("blas", finding) for finding in _blas_findings()]
    rows += [("compiled code", _cache_finding())]
    rows += [(name, _optional(name, use)) for name, use in OPTIONAL.items()]
    return rows


def cpu_name() -> str:
    """Name of the processor as the compiler knows it."""
    try:
        from llvmlite import binding

        return str(binding.get_host_cpu_name())
    except ImportError:
        return platform.processor() or "unknown processor"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return NOT_INSTALLED


def _cpu_finding() -> str:
    try:
        from fastgan_kernels.vectors import VECTOR
    except ImportError as error:
        return f"no: {error}; pip install numba"
    versions = f"numba {_version('numba')}, llvmlite {_version('llvmlite')}"
    return f"backend works ({versions}), with vectors of {VECTOR // 4} float32 numbers"


def _cuda_finding() -> str:
    facts = look()
    problem = explain(facts)
    versions = f"driver for CUDA {facts.driver}, CuPy for {facts.runtime}"
    return f"no: {problem}" if problem else f"backend works: {describe(facts)}, {versions}"


def _blas_findings() -> list[str]:
    import threadpoolctl

    return [
        f"{each['internal_api']} {each['version']} of {_owner(each['filepath'])}, {each['num_threads']} threads"
        for each in threadpoolctl.threadpool_info()
        if each["user_api"] == "blas"
    ]


def _owner(library: str) -> str:
    """The package that brought a library, such as numpy for ``.../numpy.libs/libopenblas.so``; else its path."""
    folder = Path(library).parent.name
    return folder.removesuffix(".libs") if folder.endswith(".libs") else library


def _cache_finding() -> str:
    try:
        from fastgan.compiled import cache_is_writable, compile_cache_folder
    except ImportError as error:
        return f"no: {error}"
    try:
        folder = compile_cache_folder()
    except UserError as error:
        return f"cannot be kept: {error}"
    if not cache_is_writable():
        return f"cannot be kept: {folder} is not writable, so each process compiles anew; set FASTGAN_CACHE"
    kept = any(folder.glob("*.nbi"))
    return f"{'kept' if kept else 'will be kept'} in {folder}"


def _optional(package: str, use: str) -> str:
    version = _version(package)
    return (
        f"{version}, reads {use}" if version != NOT_INSTALLED else f"no: pip install {package} to read {use}"
    )
