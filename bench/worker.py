"""A contender in a process of its own: ``python -m bench.worker CONTENDER PROBLEM THREADS``.

It answers lines of JSON on its standard input with lines of JSON on its standard output:

``{"do": "check"}``
    the largest relative error of each role's gradient, and what ran it
``{"do": "warm up"}``
    nothing, once a first call is made, and compiled
``{"do": "run", "steps": n, "most": s}``
    seconds of about n steps, how many they were, fewer where s seconds had passed, and the processor seconds used
    since the last answer: between its turns a contender must not compute
``{"do": "measure"}``
    the same of the floor, whose two halves measure seconds of many pieces of work
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from bench.quiet import settle

CONTENDERS = {
    "fastgan": ("bench.peers.fastgan_peer", "Compiled"),
    "fastgan numpy": ("bench.peers.fastgan_peer", "Interpreted"),
    "torch eager": ("bench.peers.torch_peer", "Eager"),
    "torch.compile": ("bench.peers.torch_peer", "Compiled"),
    "jax jit": ("bench.peers.jax_peer", "Jit"),
    "jax scan": ("bench.peers.jax_peer", "Scan"),
    "keras": ("bench.peers.keras_peer", "Keras"),
    "keras predict": ("bench.peers.keras_peer", "KerasPredict"),
    "keras jax": ("bench.peers.keras_peer", "Keras"),
    "fastgan cuda": ("bench.peers.fastgan_peer", "Cuda"),
    "torch graphs": ("bench.peers.torch_peer", "Graphs"),
    "floor blas": ("bench.floor_blas", "Blas"),
    "floor torch": ("bench.floor_torch", "Torch"),
}
"""Where each contender is found; the two halves of the floor answer with more than seconds."""

DEVICE = "FASTGAN_BENCH_DEVICE"
"""Environment variable: where contenders run, "cpu" unless it says "cuda"."""

WARM_UP = 20
"""One step in so many is made before the clock starts: another process had the caches."""

PIECES = 5
"""Calls of `Peer.run` in a turn; each waits for its last step."""


class Peer(Protocol):
    """What a contender implements."""

    chunk: int
    """Steps of one call; `run` makes a multiple of it."""

    description: str
    """Versions and settings, for the results."""

    def __init__(self, problem: Any, threads: int): ...

    def gradients(self) -> dict[str, Any]:
        """Each role's flat gradient for the problem's batch, at the initial weights, before any `run`."""

    def run(self, steps: int) -> None:
        """Make `steps` steps and return when they are done."""


def prepare(contender: str, threads: int) -> None:
    """Set what libraries read once, when they are imported.

    XLA on JAX takes the size of its thread pool from NPROC; on a card that only compiles. Nothing is said about how
    threads wait: each library's default is what its users get, and all of them fall asleep within milliseconds.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["KERAS_BACKEND"] = "jax" if contender == "keras jax" else "tensorflow"
    if os.environ.get(DEVICE, "cpu") == "cpu":
        os.environ["NPROC"] = str(threads)
        os.environ["JAX_PLATFORMS"] = "cpu"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    else:  # the card's memory is for all contenders
        os.environ["JAX_PLATFORMS"] = "cuda"
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"


def serve(peer: Peer, problem: Any, requests: Any, answer: Any) -> None:
    """Answer requests until their end."""
    rest = time.process_time()
    for line in requests:
        request = json.loads(line)
        idle = time.process_time() - rest
        if request["do"] == "check":
            found = peer.gradients()
            answer({"errors": problem.errors(found) if found else {}, "description": peer.description})
        elif request["do"] == "warm up":
            peer.run(peer.chunk)
            answer({})
        elif request["do"] == "measure":
            answer({"times": peer.measure(), "idle": idle})  # type: ignore[attr-defined]
        else:
            answer(timed(peer, request["steps"], request["most"]) | {"idle": idle})
        rest = time.process_time()


def timed(peer: Peer, steps: int, most: float) -> dict[str, float]:
    """Seconds of about so many steps, in some pieces, since `most` seconds end it; and how many they were."""
    piece = whole_chunks(peer, -(-steps // PIECES))
    peer.run(whole_chunks(peer, -(-steps // WARM_UP)))
    started, made, elapsed = time.perf_counter(), 0, 0.0
    while made < steps and elapsed < most:
        peer.run(piece)
        made += piece
        elapsed = time.perf_counter() - started
    settle()
    return {"seconds": elapsed, "steps": made}


def whole_chunks(peer: Peer, steps: int) -> int:
    """At least so many steps, and a multiple of a call's."""
    return max(1, -(-steps // peer.chunk)) * peer.chunk


def main() -> None:
    """Build the contender, say that it is ready, and serve."""
    contender, path, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    # Whatever a library prints goes to stderr, so that standard output has answers alone.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=output, flush=True)

    prepare(contender, threads)
    from bench.problem import read_problem

    module, name = CONTENDERS[contender]
    try:
        problem = read_problem(path)
        peer = getattr(importlib.import_module(module), name)(problem, threads)
    except ModuleNotFoundError as error:
        answer({"missing": f"{error.name} is not installed"})
        return
    except NotImplementedError as error:
        answer({"missing": str(error)})
        return
    answer({"ready": True, "chunk": peer.chunk})
    serve(peer, problem, sys.stdin, answer)


if __name__ == "__main__":
    main()
