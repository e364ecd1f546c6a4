"""Compile a function with Numba once and keep the machine code on disk, until any source it may call changes.

Numba's own cache looks at the file of the compiled function alone, so an edit of an op in another file would go
unnoticed. Here the key is a hash of every source file of both packages.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import codegen
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, _CacheLocator
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.dispatcher import Dispatcher
from numba.core.runtime import rtsys
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
        self._py_file = py_file  # Numba names it where it warns

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
        """Load machine code; compile anew where its file is damaged, or holds that of other types.

        Numba's own method gets ready to compile before it looks: a third of the time to a first step. What machine
        code needs is its runtime alone, which counts references.
        """
        rtsys.initialize(target_context)
        try:
            found = self._load_overload(sig, target_context)
            # Two processes that keep their first machine code at once may give both files one name.
            if found is not None and found.signature.args != normalize_signature(sig)[0]:
                raise ValueError("machine code of other types")
        except Exception:
            found = None
            with contextlib.suppress(OSError):
                self.flush()
        if found is None:
            _leave_blas_for_later()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, where the disk has room for it."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


class _NoCache(NullCache):
    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Find nothing."""
        _leave_blas_for_later()


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
    """Return `function` as a Numba dispatcher that releases the GIL and keeps its machine code on disk.

    Where it cannot be kept, a line on stderr says so.
    """
    dispatcher = njit(nogil=True, no_cfunc_wrapper=True, error_model="numpy")(function)
    if cache_is_writable():
        dispatcher._cache = _Cache(function)
    else:
        dispatcher._cache = _NoCache()
        advice = "each process compiles anew; set FASTGAN_CACHE to a folder that can be written to"
        print(f"fastgan: warning: machine code cannot be kept, so {advice}", file=sys.stderr)
    compile_one = dispatcher.compile

    def compile_whole(signature: Any) -> Any:
        with _machine_code_only_for(function.__qualname__), _garbage_kept():
            return compile_one(signature)

    dispatcher.compile = compile_whole
    return dispatcher


def _leave_blas_for_later() -> None:
    """Let Numba load SciPy's BLAS when something calls it, not as it starts: a third of the time to a first step."""
    from numba.np import linalg

    if "numba.np.arraymath" in sys.modules or importlib.util.find_spec("scipy") is None:
        return
    with _replaced(linalg, "ensure_blas", lambda: None):
        importlib.import_module("numba.np.arraymath")


@contextlib.contextmanager
def _machine_code_only_for(name: str) -> Iterator[None]:
    """Make machine code of this function alone, with all that it calls inside.

    Numba also optimises each function that it calls, and all that this calls in turn, and makes machine code of each
    and a way to call it from Python: most of the time, and nothing of it is used. Should Python call one later, it is
    compiled then. Numba's lock is held, for threads that compile at once borrow the same methods.
    """
    with global_compiler_lock:
        make_code: Any = codegen.JITCodeLibrary.finalize
        make_wrapper: Any = CPUContext.create_cpython_wrapper
        make_callable: Any = CPUContext.get_executable
        insert: Any = Dispatcher.add_overload

        def link(self: Any) -> None:
            if self.name == name:
                return make_code(self)
            self._raise_if_finalized()
            for each in dict.fromkeys(self._linking_libraries):
                self._reload_init.update(each._reload_init)
                self._final_module.link_in(each._get_module_for_linking(), preserve=True)
            self._finalize_dynamic_globals()
            self._finalized = True

        def wrap_one(self: Any, library: Any, *arguments: Any, **options: Any) -> None:
            if library.name == name:
                make_wrapper(self, library, *arguments, **options)

        def make_one_callable(self: Any, library: Any, *arguments: Any) -> Any:
            return make_callable(self, library, *arguments) if library.name == name else _NotForPython()

        def insert_one(self: Any, result: Any) -> None:
            if isinstance(result.entry_point, _NotForPython):
                signature = tuple(result.signature.args)
                result.entry_point.place = self, signature
                self.overloads[signature] = result
            else:
                insert(self, result)

        with (
            _replaced(codegen.JITCodeLibrary, "finalize", link),
            _replaced(CPUContext, "create_cpython_wrapper", wrap_one),
            _replaced(CPUContext, "get_executable", make_one_callable),
            _replaced(Dispatcher, "add_overload", insert_one),
        ):
            yield


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute another value for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _garbage_kept() -> Iterator[None]:
    """Look for garbage more rarely: nearly all that the compiler makes stays, and looking takes a tenth of the time."""
    often, *others = gc.get_threshold()
    gc.set_threshold(10 * often, *others)
    try:
        yield
    finally:
        gc.set_threshold(often, *others)


class _NotForPython:
    """Stands where Numba keeps what Python calls, for a function that only compiled code has called so far."""

    place: tuple[Any, Any]

    def __call__(self, *arguments: Any) -> Any:
        dispatcher, signature = self.place
        dispatcher.overloads.pop(signature, None)
        dispatcher.compile(signature)
        return dispatcher(*arguments)


def is_cached(dispatcher: Any) -> bool:
    """Whether the machine code of some signature is on disk already, so that a first call is quick."""
    path = dispatcher._cache.cache_path
    return path is not None and any(Path(path).glob(f"*{dispatcher.py_func.__name__}-*.nbi"))
