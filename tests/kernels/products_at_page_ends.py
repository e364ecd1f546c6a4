"""Products of arrays that end, or start, where memory that must not be touched begins: run by test_products.py
with the dtypes to try.

A process of its own, for a read outside the arrays ends it, and Numba compiles for one processor in a process.
"""

import ctypes
import mmap
import platform
import sys

import numpy as np
from numba import njit

from fastgan_kernels.products import product, product_nt, product_tn
from fastgan_kernels.vectors import VECTOR

PAGE = mmap.PAGESIZE
SHAPES = [
    (1, 1, 1),
    (5, 3, 1),
    (9, 40, 2),
    (17, 2, 33),
    (16, 300, 16),
    (33, 37, 47),
    (24, 129, 100),
    (64, 64, 8),
]


@njit
def all_three(x, w, y, dy, dw, dx):
    product(x, w, y)
    product_tn(x, dy, dw, 0)
    product_nt(dy, w, dx)


class Pages:
    """Memory between two pages without any rights."""

    def __init__(self, size: int) -> None:
        pages = -(-size // PAGE)
        self.map = mmap.mmap(-1, (pages + 2) * PAGE)
        self.bytes = np.frombuffer(self.map, np.uint8)[PAGE:-PAGE]
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for page in (-1, pages):
            start = self.bytes.ctypes.data + page * PAGE
            assert protect(ctypes.c_void_p(start), ctypes.c_size_t(PAGE), 0) == 0, ctypes.get_errno()

    def place(self, array: np.ndarray, at_end: bool) -> np.ndarray:
        part = self.bytes[-array.nbytes :] if at_end else self.bytes[: array.nbytes]
        placed = part.view(array.dtype).reshape(array.shape)
        placed[...] = array
        return placed


def check(shape: tuple[int, int, int], dtype: str, at_end: bool, random: np.random.Generator) -> None:
    rows, inputs, outputs = shape
    x, w, dy = (random.normal(size=size) for size in ((rows, inputs), (inputs, outputs), (rows, outputs)))
    given = [x, w, np.full_like(dy, np.nan), dy, np.full_like(w, np.nan), np.full_like(x, np.nan)]
    memory = [Pages(array.nbytes) for array in given]
    arrays = [m.place(array.astype(dtype), at_end) for m, array in zip(memory, given, strict=True)]
    all_three(*arrays)
    tolerance = 30 * np.sqrt(max(shape)) * np.finfo(dtype).eps
    for result, expected in ((arrays[2], x @ w), (arrays[4], x.T @ dy), (arrays[5], dy @ w.T)):
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


if __name__ == "__main__":
    random = np.random.default_rng(1)
    for dtype in sys.argv[1:]:
        for shape in SHAPES:
            for at_end in (True, False):
                check(shape, dtype, at_end, random)
    print(platform.machine(), VECTOR)
