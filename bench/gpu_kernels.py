"""What every op reaches of a card's bandwidth and float32 arithmetic: the check "kernels" of `bench.gpu_check`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.ops import OPS, SHAPES, arguments
from bench.results import Results, Row
from bench.rounds import Summary
from fastgan_kernels.layers import INPUTS, OUTPUTS

OURS = "fastgan cuda"

PRODUCTS = {
    **dict.fromkeys(
        ("dense_forward", "dense_backward_rows", "dense_backward_weights", "conditional_forward"), 1
    ),
    **{"dense_tangent": 1, "dense_backward": 2, "conditional_backward": 1, "conditional_backward_weights": 1},
    **dict.fromkeys(("layers_forward", "layers_backward_rows", "layers_tangent"), 1),
    **dict.fromkeys(("layers_gradient", "layers_adam"), 1),
}
"""Matrix products of rows x inputs x outputs that an op makes, for each layer of a network that it crosses."""

PICKED = ("data", "ring")
"""Arrays of which an op touches a few rows."""


def kernels(results: Results) -> str:
    """What every op reaches of the card's bandwidth and float32 arithmetic at `bench.ops.SHAPES`."""
    bandwidth, arithmetic = peaks()
    best: dict[str, dict[str, float]] = {}
    failed: dict[str, str] = {}
    for name, op in OPS.items():
        for shape in SHAPES:
            try:
                values = arguments(name, shape)
                took = seconds_of(op, values)
            except Exception as error:  # the others are measured all the same
                failed[f"{name} {shape}"] = f"{type(error).__name__}: {error}"
                print(f"  {name} {shape}: {failed[f'{name} {shape}']}", flush=True)
                continue
            moved = sum(
                a.nbytes for key, a in values.items() if isinstance(a, np.ndarray) and key not in PICKED
            )
            table = values.get("layers", np.array([(shape.inputs, shape.outputs)]))
            crossed = table[:-1] if name == "layers_tangent" else table
            weights = int((crossed[:, INPUTS] * crossed[:, OUTPUTS]).sum())
            operations = PRODUCTS.get(name, 0) * 2 * shape.rows * weights
            shares = {
                "of the bandwidth": moved / took / bandwidth,
                "of the FLOP/s": operations / took / arithmetic,
            }
            for kind, share in shares.items():
                if share:
                    figures = Summary(*[100 * share] * 3)
                    results.rows.append(
                        Row.of(
                            f"gpu kernel, share {kind}",
                            f"{name} {shape}",
                            OURS,
                            figures,
                            7,
                            threads=1,
                            unit="%",
                        )
                    )
                    known = best.setdefault(name, {})
                    known[kind] = max(known.get(kind, 0.0), share)
            figures = Summary(*[1e6 * took] * 3)
            results.rows.append(
                Row.of("gpu kernel", f"{name} {shape}", OURS, figures, 7, threads=1, unit="us")
            )
    if failed:
        raise RuntimeError(f"{len(failed)} fail: " + "; ".join(f"{of}: {why}" for of, why in failed.items()))
    return f"of the bandwidth (b) or FLOP/s (f), the greater share, at the best shape: {greater_shares(best)}"


def greater_shares(best: dict[str, dict[str, float]]) -> str:
    """For each op the share of what it uses most."""
    most = {name: max(shares.items(), key=lambda item: item[1]) for name, shares in best.items()}
    return ", ".join(
        f"{name} {share:.0%} {kind.split()[-1][0].lower()}" for name, (kind, share) in most.items()
    )


def peaks() -> tuple[float, float]:
    """Bytes and float32 operations a second that the card could do, from clocks and widths that its driver tells."""
    import cupy

    card = cupy.cuda.Device()
    known = card.attributes
    bandwidth = 2e3 * known["MemoryClockRate"] * known["GlobalMemoryBusWidth"] / 8
    each = (
        64 if card.compute_capability in ("70", "72", "75", "80") else 128
    )  # multipliers of a multiprocessor
    return bandwidth, 2e3 * known["ClockRate"] * known["MultiProcessorCount"] * each


def seconds_of(op: Callable[..., None], values: dict[str, Any], times: int = 50) -> float:
    """Median over some launches of a graph of so many calls, by the card's own clock; repeated on the same arrays."""
    import cupy

    from fastgan.cuda import HOST
    from fastgan_kernels import cuda

    there = [
        cuda.to_device(each) if isinstance(each, np.ndarray) and name not in HOST else each
        for name, each in values.items()
    ]
    cupy.cuda.Device().synchronize()  # the arrays were filled on another stream
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        op(*there)
        stream.synchronize()
        stream.begin_capture()
        for _ in range(times):
            op(*there)
        graph = stream.end_capture()
        found = []
        for _ in range(7):
            start, stop = cupy.cuda.Event(), cupy.cuda.Event()
            start.record(stream)
            graph.launch(stream)
            stop.record(stream)
            stop.synchronize()
            found.append(cupy.cuda.get_elapsed_time(start, stop) / 1e3 / times)
    return float(np.median(found))
