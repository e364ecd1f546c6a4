"""The floor's half that runs on BLAS, fastgan_kernels and Numba: see `bench.floor`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.linalg.cython_blas  # noqa: F401, loads the BLAS whose threads are set
import threadpoolctl
from numba import njit, prange

from bench.floor import Product, memory_key, products, updates
from bench.floor_timing import timed, way_of
from bench.problem import Problem
from bench.quiet import settle

try:
    from fastgan_kernels import products as own
except ImportError:  # products without BLAS came later than this benchmark
    own = None  # type: ignore[assignment]


@njit
def dot_nn(x, w, y, times):
    for _ in range(times):
        np.dot(x, w, y)


@njit
def dot_tn(x, dy, dw, times):
    for _ in range(times):
        np.dot(x.T, dy, dw)


@njit
def dot_nt(dy, w, dx, times):
    for _ in range(times):
        np.dot(dy, w.T, dx)


DOT = {"nn": dot_nn, "tn": dot_tn, "nt": dot_nt}

OWN: dict[str, Callable[..., None]] = {}
if own is not None:
    product, product_tn, product_nt = own.product, own.product_tn, own.product_nt

    @njit
    def own_nn(x, w, y, times):
        for _ in range(times):
            product(x, w, y)

    @njit
    def own_tn(x, dy, dw, times):
        for _ in range(times):
            product_tn(x, dy, dw, 0)

    @njit
    def own_nt(dy, w, dx, times):
        for _ in range(times):
            product_nt(dy, w, dx)

    OWN = {"nn": own_nn, "tn": own_tn, "nt": own_nt}


def numpy_times(kind: str) -> Callable[..., None]:
    """NumPy's BLAS, called from Python."""

    def run(a: np.ndarray, b: np.ndarray, out: np.ndarray, times: int) -> None:
        a, b = (a.T if kind == "tn" else a), (b.T if kind == "nt" else b)
        for _ in range(times):
            np.matmul(a, b, out=out)

    return run


@njit(error_model="numpy", fastmath=True)
def move(w, g, m, v):
    """Read four arrays and write three of them, with next to no arithmetic."""
    half = np.float32(0.5)
    for i in range(w.size):
        a = half * (m[i] + g[i])
        b = half * (v[i] - g[i])
        m[i] = a
        v[i] = b
        w[i] = half * (w[i] + a)


@njit(error_model="numpy")
def move_on_one(w, g, m, v, times):
    for _ in range(times):
        move(w, g, m, v)


@njit(parallel=True, error_model="numpy")
def move_on_all(w, g, m, v, times):
    parts = numba.get_num_threads()
    size = -(-w.size // parts)
    for _ in range(times):
        for part in prange(parts):
            here = slice(part * size, (part + 1) * size)
            move(w[here], g[here], m[here], v[here])


class Piece(NamedTuple):
    """A piece of work, a way to do it, the threads of BLAS for it, and what does it so many times."""

    work: str
    way: str
    threads: int
    function: Callable[..., None]
    arrays: tuple[np.ndarray, ...]


class Blas:
    """Measures as a contender does: in a process of its own, in every round."""

    chunk = 1
    description = "BLAS"

    def __init__(self, problem: Problem, threads: int):
        self.threads = threads
        self.blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        self.pieces: list[Piece] = []
        for each in products(problem.size):
            self.add_product(each)
        for parameters, _ in updates(problem.size).values():
            random = np.random.default_rng(0)
            arrays = tuple(random.standard_normal(parameters, np.float32) for _ in range(4))
            for count, function in ((1, move_on_one), (threads, move_on_all)):
                self.add(memory_key(parameters), "memory", count, function, arrays)
        self.pieces.sort(key=lambda piece: piece.way)
        self.times: dict[tuple[str, str], int] = {}

    def add_product(self, product: Product) -> None:
        """Every way to make it."""
        operands = product.operands()
        for count in sorted({1, self.threads}):
            self.add(product.key, "scipy blas", count, DOT[product.kind], operands)
            self.add(product.key, "numpy blas", count, numpy_times(product.kind), operands)
        if OWN:
            self.add(product.key, "fastgan_kernels", 1, OWN[product.kind], operands)

    def add(self, work: str, how: str, threads: int, function: Callable[..., None], arrays: Any) -> None:
        """One piece of work done one way."""
        self.pieces.append(Piece(work, way_of(how, threads), threads, function, arrays))

    def gradients(self) -> dict[str, Any]:
        """It has none."""
        return {}

    def run(self, steps: int) -> None:
        """Compile everything, and see how long each piece takes."""
        self.measure()

    def measure(self) -> dict[str, dict[str, float]]:
        """Seconds of each piece of work by each way."""
        found: dict[str, dict[str, float]] = {}
        for way, pieces in groupby(self.pieces, key=lambda piece: piece.way):
            for piece in pieces:
                with self.blas.limit(limits=piece.threads):
                    seconds = timed(piece.function, piece.arrays, self.times, piece[:2])
                found.setdefault(piece.work, {})[way] = seconds
            settle()  # what follows shall not share the cores with threads that spin
        return found
