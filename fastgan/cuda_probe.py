"""Whether CUDA can be used here and, if not, what is missing: looked at once, told in one line with the remedy."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass, replace

LEAST_CAPABILITY = {12: (7, 0), 13: (7, 5)}
"""Of cards that the compilers of each CUDA that there is an extra for still make code for."""

INSTALL = "pip install 'fastgan[cuda12]', or fastgan[cuda13] for a driver of CUDA 13"
PACKAGES = (
    "pip install cupy-cuda12x 'numba-cuda[cu12]==0.30.4' 'numpy<2.5', or 13x and cu13 for a driver of CUDA 13"
)
"""The same, where fastgan is not installed but a folder."""

NO_DRIVER = "no NVIDIA driver is loaded (nvidia-smi should list a card)"


@dataclass(frozen=True)
class Facts:
    """What a look found; empty where it got no further.

    Parameters
    ----------
    missing : packages that are not installed
    loaded : the driver's library is there
    simulated : Numba runs kernels as Python threads
    forked : from a process that used CUDA, which then works in neither
    driver, runtime, toolkit : CUDA versions, such as 12.8, of the driver, of what CuPy was built for, and of the
        compiler that numba-cuda uses
    error : why the driver, CuPy or Numba refuses
    device : name of the card; capability, memory : its compute capability, and bytes
    versions : of CuPy and numba-cuda
    """

    missing: tuple[str, ...] = ()
    loaded: bool = False
    simulated: bool = False
    forked: bool = False
    driver: str = ""
    runtime: str = ""
    toolkit: str = ""
    error: str = ""
    device: str = ""
    capability: tuple[int, int] = (0, 0)
    memory: int = 0
    versions: str = ""


_users: set[int] = set()
"""Numbers of the processes that started CUDA: this one, or those that it was forked from."""


def look() -> Facts:
    """Look for packages, driver and card, once in a process; never raises."""
    return _look(os.getpid())


@functools.cache
def _look(process: int) -> Facts:
    missing = tuple(
        package
        for package, module in (("cupy-cuda12x", "cupy"), ("numba-cuda", "numba_cuda"))
        if importlib.util.find_spec(module) is None
    )
    loaded = driver_is_there()
    if missing:
        return Facts(missing, loaded)
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
    if simulated:
        return Facts(simulated=True)
    if not loaded:  # before the imports below, which take a second
        return Facts()
    if _users - {process}:
        return Facts(loaded=loaded, forked=True)
    found = Facts(loaded=loaded)
    _users.add(process)
    try:
        import cupy
        from numba import cuda

        # The first kernel would import it, which too new a NumPy breaks.
        importlib.import_module("numba.cuda.np.arrayobj")
        versions = f"cupy {cupy.__version__}, numba-cuda {importlib.metadata.version('numba-cuda')}"
        driver, runtime = (
            _version(number)
            for number in (cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion())
        )
        found = replace(found, driver=driver, runtime=runtime, versions=versions)
        count = cupy.cuda.runtime.getDeviceCount()
        if not count or not cuda.is_available():
            error = "" if not count else f"Numba finds no CUDA: {cuda.cuda_error() or 'no libNVVM'}"
            return replace(found, error=error)
        device = cupy.cuda.Device()
        properties = cupy.cuda.runtime.getDeviceProperties(device.id)
        return replace(
            found,
            toolkit="{}.{}".format(*cuda.runtime.get_version()),
            device=properties["name"].decode(),
            capability=(properties["major"], properties["minor"]),
            memory=properties["totalGlobalMem"],
        )
    except Exception as error:  # a broken installation can raise anything
        return replace(found, error=f"{type(error).__name__}: {error}")


def driver_is_there() -> bool:
    """Whether the library that NVIDIA's driver brings can be loaded."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _version(number: int) -> str:
    """CUDA's own number of a version, such as 12080; 0 where there is none."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else ""


def explain(facts: Facts) -> str:
    """Why CUDA cannot be used and what to do, in a line; nothing where it can."""
    if facts.simulated:
        return "Numba only simulates CUDA (NUMBA_ENABLE_CUDASIM is set; unset it)"
    if facts.forked:
        return (
            "this process was forked from one that uses CUDA, which cannot be shared "
            "(start it anew: multiprocessing.get_context('spawn'))"
        )
    no_driver = "" if facts.loaded else NO_DRIVER
    if facts.missing:
        are = "is" if len(facts.missing) == 1 else "are"
        not_there = f"{' and '.join(facts.missing)} {are} not installed ({_install()})"
        return f"{no_driver}, and {not_there}" if no_driver else not_there
    if no_driver:
        return no_driver
    for owner, version in (("CuPy", facts.runtime), ("numba-cuda", facts.toolkit)):
        if facts.driver and version and _number(facts.driver) < _number(version)[:1]:
            behind = f"the NVIDIA driver is for CUDA {facts.driver} but {owner} for CUDA {version}"
            return f"{behind} ({_newer(facts.driver)})"
    if not facts.device:
        if facts.error and not facts.driver:
            return f"CuPy or numba-cuda does not start: {_one_line(facts.error)} ({_install()})"
        if not facts.driver:
            return NO_DRIVER
        return f"no NVIDIA card can be used (nvidia-smi should list one): {_one_line(facts.error) or 'none is there'}"
    made_by = max(_number(version)[0] for version in (facts.runtime, facts.toolkit) if version)
    least = LEAST_CAPABILITY.get(made_by, max(LEAST_CAPABILITY.values()))
    if facts.capability < least:
        other = "" if facts.capability < LEAST_CAPABILITY[12] else ", or install fastgan[cuda12]"
        return (
            "{} has compute capability {}.{}, less than the {}.{} of CUDA {} (use a newer card{})"
        ).format(facts.device, *facts.capability, *least, made_by, other)
    return ""


def _install() -> str:
    """How to get the packages."""
    try:
        importlib.metadata.version("fastgan")
    except importlib.metadata.PackageNotFoundError:
        return PACKAGES
    return INSTALL


def _newer(driver: str) -> str:
    """What to do about a driver that is older than the packages."""
    if _number(driver) < (min(LEAST_CAPABILITY),):
        return f"update the driver: fastgan needs one for CUDA {min(LEAST_CAPABILITY)} or newer"
    return "update the driver, or install the extra of its version: fastgan[cuda12]"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def describe(facts: Facts) -> str:
    """The card and what drives it, as the backend's description: ``cuda (NVIDIA H100, 80 GB, ...)``."""
    capability = "{}.{}".format(*facts.capability)
    return f"cuda ({facts.device}, {facts.memory / 1e9:.0f} GB, capability {capability}, {facts.versions})"
