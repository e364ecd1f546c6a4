"""Compile a function with Numba once and keep the machine code on disk, until any source it may call changes.

Numba's own cache looks at the file of the compiled function alone, so an edit of an op in another file would go
unnoticed. Here the key is a hash of every source file of both packages.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import codegen
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, _CacheLocator
from numba.core.compiler_lock import global_compiler_lock
from numba.core.sigutils import normalize_signature

import fastgan
import fastgan_kernels
from fastgan.data.download import cache_folder
from fastgan.errors import UserError


@functools.cache
def source_hash() -> str:
    """SHA-256 over the names and contents of every Python file of fastgan and fastgan_kernels."""
    digest = hashlib.sha256()
    for package in (fastgan, fastgan_kernels):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def compile_cache_folder() -> Path:
    """Where the machine code of these sources is kept; a folder of its own for each state of the sources."""
    return cache_folder() / "compiled" / source_hash()[:16]


class _Locator(_CacheLocator):
    """Puts the machine code into `compile_cache_folder`, stamped with `source_hash`."""

    def __init__(self, py_func: Callable[..., Any], py_file: str):
        self._line = py_func.__code__.co_firstlineno

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator:
        return cls(py_func, py_file)

    def get_cache_path(self) -> str:
        return str(compile_cache_folder())

    def get_source_stamp(self) -> str:
        return source_hash()

    def get_disambiguator(self) -> str:
        return str(self._line)


class _CacheImpl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012, Numba's own attribute


class _Cache(FunctionCache):
    _impl_class = _CacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load machine code; compile anew where its file is damaged, or holds that of other types."""
        with contextlib.suppress(Exception):
            found = super().load_overload(sig, target_context)
            # Two processes that keep their first machine code at once may give both files one name.
            if found is None or found.signature.args == normalize_signature(sig)[0]:
                return found
        with contextlib.suppress(OSError):
            self.flush()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, where the disk has room for it."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def cache_is_writable() -> bool:
    """Whether machine code can be kept; without, every process compiles anew."""
    try:
        folder = compile_cache_folder()
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, UserError):
        return False
    return True


def compiled(function: Callable[..., Any], parts: Iterable[str] = ()) -> Any:
    """Return `function` as a Numba dispatcher that releases the GIL and keeps its machine code on disk.

    `parts` names functions that it calls and nothing else does, to compile faster: see `_optimised_once`.
    """
    dispatcher = njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _Cache(function) if cache_is_writable() else NullCache()
    compile_one = dispatcher.compile
    names = frozenset(parts) - {function.__name__}

    def compile_parts_once(signature: Any) -> Any:
        with _optimised_once(names):
            return compile_one(signature)

    dispatcher.compile = compile_parts_once
    return dispatcher


@contextlib.contextmanager
def _optimised_once(parts: frozenset[str]) -> Iterator[None]:
    """Leave the optimisation of these functions to the one function they are all linked into.

    Numba optimises each function with all that it calls, so that code ten calls deep is optimised ten times. For the
    step this takes a third of the compile time and changes nothing in the result. Numba's lock is held, for threads
    that compile at once borrow the same method.
    """
    library = codegen.CPUCodeLibrary
    with global_compiler_lock:
        optimise = getattr(library, "_optimize_final_module", None)
        if optimise is None:  # a Numba that is built otherwise compiles as it always does
            yield
            return

        def unless_part(self: Any) -> None:
            if self.name not in parts:
                optimise(self)

        library._optimize_final_module = unless_part
        try:
            yield
        finally:
            library._optimize_final_module = optimise


def is_cached(dispatcher: Any) -> bool:
    """Whether the machine code of some signature is on disk already, so that a first call is quick."""
    path = dispatcher._cache.cache_path
    return path is not None and any(Path(path).glob(f"*{dispatcher.py_func.__name__}-*.nbi"))
