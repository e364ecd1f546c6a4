"""Compile every kernel, with the types that its launcher gives it, for real cards; needs no card and no driver.

Prints a line of JSON a kernel and compute capability: a block's threads, a thread's registers, bytes of stack and of
spills, and whether its code holds float64.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numba.cuda.dispatcher
import numpy as np
from numba import cuda, typeof

import fastgan_kernels.cuda as kernels
from fastgan_kernels.cuda import device, products
from fastgan_kernels.dispatch import LAUNCHED

from .op_arguments import cases

CAPABILITIES = ((8, 0), (9, 0))


def launches():
    """Each kernel with the types of one launch, by a name, and the most threads that a block of it has."""
    found = {}

    def record(kernel, blocks, threads, *arguments):
        types = tuple(typeof(each) for each in arguments)
        name, most = found.get((kernel, types), (f"{owner}{tile}-{len(found)}", 0))
        found[kernel, types] = name, max(threads, most)

    modules = [
        module
        for module in vars(kernels).values()
        if hasattr(module, "launch") or hasattr(module, "launch_over")
    ]
    with mock.patch.object(device, "launch", record):
        for module in modules:
            if hasattr(module, "launch"):
                module.launch = record
            if hasattr(module, "no_labels"):
                module.no_labels = lambda: np.zeros(0, np.int64)
        table = kernels.table
        table.to_device, table.device_number, table.wait = lambda array: array, lambda: 0, lambda: None
        heights = (*kernels.layers.HIGH, 1)
        for each, own, high in zip(products.TILES, kernels.learning.TILES, heights, strict=True):
            kernels.dense.tile_for = lambda m, n, each=each: each
            kernels.learning.tile_of = lambda layers, own=own: own
            kernels.layers.rows_of_block = lambda rows, high=high: high
            for name, op, arguments in cases():
                owner, tile = (
                    name,
                    f" {each.rows}x{each.columns}" if "dense" in name or "conditional" in name else "",
                )
                LAUNCHED[op](*arguments.values())
    return found


def ptxas():
    """The assembler of numba-cuda's own toolkit, or the system's."""
    for folder in map(Path, sys.path):
        for found in folder.glob("nvidia/c*/bin/ptxas"):
            return str(found)
    return shutil.which("ptxas")


def compiled(kernel, types, capability, assembler):
    """PTX of a kernel, and what the assembler says of it."""
    # Device functions ask for the card's capability; there is none.
    stand_in = mock.patch.object(
        numba.cuda.dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=capability)
    )
    with stand_in:
        bounds = kernel.targetoptions.get("launch_bounds")
        options = {
            "device": False,
            "abi": "numba",
            "output": "ptx",
            "cc": capability,
            "launch_bounds": bounds,
        }
        ptx, _ = cuda.compile(kernel.py_func, types, **options)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        done = subprocess.run(
            [assembler, "-v", "-arch=sm_{}{}".format(*capability), str(source), "-o", f"{source}.cubin"],
            capture_output=True,
            text=True,
            check=True,
        )
    said = done.stdout + done.stderr

    def number(pattern):
        return int((re.search(pattern, said) or [0, 0])[1])

    return {
        "registers": number(r"Used (\d+) registers"),
        "stack": number(r"(\d+) bytes stack"),
        "spilled": number(r"(\d+) bytes spill stores"),
        "shared": number(r"(\d+) bytes smem"),
        "float64": ".f64" in ptx,
    }


def main():
    assembler = ptxas()
    if assembler is None:
        sys.exit("no ptxas: pip install 'numba-cuda[cu12]'")
    for (kernel, types), (name, threads) in launches().items():
        for capability in CAPABILITIES:
            row = compiled(kernel, types, capability, assembler)
            print(
                json.dumps({"kernel": name, "capability": capability, "threads": threads, **row}), flush=True
            )


if __name__ == "__main__":
    main()
