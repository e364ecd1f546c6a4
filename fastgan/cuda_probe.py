"""Whether CUDA can be used here and, if not, what is missing: looked at once, told in one line with the remedy."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass

LEAST_CAPABILITY = (7, 0)
"""Of cards that current compilers still make code for."""

INSTALL = "pip install 'fastgan[cuda12]', or fastgan[cuda13] for a driver of CUDA 13"


NO_DRIVER = "no NVIDIA driver is loaded (nvidia-smi should list a card)"


@dataclass(frozen=True)
class Facts:
    """What a look found; empty where it got no further.

    Parameters
    ----------
    missing : packages that are not installed
    loaded : the driver's library is there
    simulated : Numba runs kernels as Python threads
    driver, runtime : CUDA versions, such as 12.8, of the driver and of what CuPy was built for
    error : why the driver, CuPy or Numba refuses
    device : name of the card; capability, memory : its compute capability, and bytes
    versions : of CuPy and numba-cuda
    """

    missing: tuple[str, ...] = ()
    loaded: bool = False
    simulated: bool = False
    driver: str = ""
    runtime: str = ""
    error: str = ""
    device: str = ""
    capability: tuple[int, int] = (0, 0)
    memory: int = 0
    versions: str = ""


@functools.cache
def look() -> Facts:
    """Look for packages, driver and card; never raises."""
    missing = tuple(
        package
        for package, module in (("cupy-cuda12x", "cupy"), ("numba-cuda", "numba_cuda"))
        if importlib.util.find_spec(module) is None
    )
    loaded = _driver_is_there()
    if missing:
        return Facts(missing, loaded)
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
    if simulated:
        return Facts(simulated=True)
    if not loaded:  # before the imports below, which take a second
        return Facts()
    driver = runtime = ""
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
        count = cupy.cuda.runtime.getDeviceCount()
        if not count or not cuda.is_available():
            error = "" if not count else f"Numba finds no CUDA: {cuda.cuda_error() or 'no libNVVM'}"
            return Facts((), loaded, driver=driver, runtime=runtime, error=error, versions=versions)
        device = cupy.cuda.Device()
        properties = cupy.cuda.runtime.getDeviceProperties(device.id)
        return Facts(
            loaded=loaded,
            driver=driver,
            runtime=runtime,
            device=properties["name"].decode(),
            capability=(properties["major"], properties["minor"]),
            memory=properties["totalGlobalMem"],
            versions=versions,
        )
    except (
        Exception
    ) as error:  # a broken installation can raise anything, ImportError and RuntimeError among it
        return Facts((), loaded, driver=driver, runtime=runtime, error=f"{type(error).__name__}: {error}")


def _driver_is_there() -> bool:
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
    no_driver = "" if facts.loaded else NO_DRIVER
    if facts.missing:
        are = "is" if len(facts.missing) == 1 else "are"
        not_there = f"{' and '.join(facts.missing)} {are} not installed ({INSTALL})"
        return f"{no_driver}, and {not_there}" if no_driver else not_there
    if no_driver:
        return no_driver
    if facts.driver and facts.runtime and _number(facts.driver) < _number(facts.runtime)[:1]:
        return (
            f"the NVIDIA driver is for CUDA {facts.driver} but CuPy for CUDA {facts.runtime} "
            "(update the driver, or install the extra of its version: fastgan[cuda12])"
        )
    if not facts.device:
        if facts.error and not facts.driver:
            return f"CuPy or numba-cuda does not start: {_one_line(facts.error)} ({INSTALL})"
        if not facts.driver:
            return NO_DRIVER
        return f"no NVIDIA card can be used (nvidia-smi should list one): {_one_line(facts.error) or 'none is there'}"
    if facts.capability < LEAST_CAPABILITY:
        found, least = ("{}.{}".format(*each) for each in (facts.capability, LEAST_CAPABILITY))
        return f"{facts.device} has compute capability {found}, less than {least} (use a newer card)"
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def describe(facts: Facts) -> str:
    """The card and what drives it, as the backend's description: ``cuda (NVIDIA H100, 80 GB, ...)``."""
    capability = "{}.{}".format(*facts.capability)
    return f"cuda ({facts.device}, {facts.memory / 1e9:.0f} GB, capability {capability}, {facts.versions})"
