"""Compile a function with Numba once and keep the machine code on disk, until any source it may call changes.

Numba's own cache looks at the file of the compiled function alone, so an edit of an op in another file would go
unnoticed. Here the key is a hash of every source file of both packages.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

from numba import njit
from numba.core import codegen
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, _CacheLocator
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.dispatcher import Dispatcher
from numba.core.sigutils import normalize_signature
from numba.extending import register_jitable

import fastgan
import fastgan_kernels
from fastgan.data.download import cache_folder
from fastgan.errors import UserError

# Decorates the parts of a function for `compiled`: plain Python, compiled only with what calls it.
part = register_jitable(no_cfunc_wrapper=True)


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


def compiled(function: Callable[..., Any]) -> Any:
    """Return `function` as a Numba dispatcher that releases the GIL and keeps its machine code on disk."""
    _leave_blas_for_later()
    dispatcher = njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _Cache(function) if cache_is_writable() else NullCache()
    compile_one = dispatcher.compile

    def compile_whole(signature: Any) -> Any:
        with _machine_code_only_for(function.__qualname__):
            return compile_one(signature)

    dispatcher.compile = compile_whole
    return dispatcher


def _leave_blas_for_later() -> None:
    """Let Numba load SciPy's BLAS when something calls it, not as it starts: a third of the time to a first step."""
    from numba.np import linalg

    if "numba.np.arraymath" in sys.modules or importlib.util.find_spec("scipy") is None:
        return
    load = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = load


@contextlib.contextmanager
def _machine_code_only_for(name: str) -> Iterator[None]:
    """Make machine code of this function alone, with all that it calls inside.

    Numba also optimises each function that it calls, and all that this calls in turn, and makes machine code of each,
    as if Python called it too: most of the time, and nothing of it is used. Should Python call one later, its
    machine code is made then. Numba's lock is held, for threads that compile at once borrow the same methods.
    """
    library: Any = codegen.JITCodeLibrary
    context: Any = CPUContext
    dispatcher: Any = Dispatcher
    with global_compiler_lock:
        make_code, make_callable, insert = library.finalize, context.get_executable, dispatcher.add_overload

        def link(self: Any) -> None:
            if self.name == name:
                return make_code(self)
            self._raise_if_finalized()
            for each in dict.fromkeys(self._linking_libraries):
                self._reload_init.update(each._reload_init)
                self._final_module.link_in(each._get_module_for_linking(), preserve=True)
            self._finalize_dynamic_globals()
            self._finalized = True

        def make_callable_late(self: Any, part: Any, description: Any, environment: Any) -> Any:
            if part.name == name:
                return make_callable(self, part, description, environment)

            @functools.cache
            def late() -> Any:
                part._optimize_final_module()
                part._finalize_final_module()
                return make_callable(self, part, description, environment)

            return lambda *arguments: late()(*arguments)

        def insert_if_made(self: Any, result: Any) -> None:
            if isinstance(result.entry_point, BuiltinFunctionType):
                insert(self, result)
            else:
                self.overloads[tuple(result.signature.args)] = result

        library.finalize, context.get_executable, dispatcher.add_overload = (
            link,
            make_callable_late,
            insert_if_made,
        )
        try:
            yield
        finally:
            library.finalize, context.get_executable, dispatcher.add_overload = (
                make_code,
                make_callable,
                insert,
            )


def is_cached(dispatcher: Any) -> bool:
    """Whether the machine code of some signature is on disk already, so that a first call is quick."""
    path = dispatcher._cache.cache_path
    return path is not None and any(Path(path).glob(f"*{dispatcher.py_func.__name__}-*.nbi"))
