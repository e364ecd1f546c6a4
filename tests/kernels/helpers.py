"""What the tests of kernels share: ops in both versions, guarded memory, tolerances, central differences."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

import fastgan_kernels as fk

MARGIN = 21  # elements on each side of an array; odd, so that no array starts on a cache line
POISON = {"f": np.nan, "i": -77, "u": 77}  # by kind of dtype


class Contract(NamedTuple):
    """What an op may write, and how far its two versions may lie apart."""

    written: str
    rtol: float
    atol: float


# Inputs of the tests are of order one (logits up to 100), and one ulp of float32 is 1.2e-7 of its value.
_SUMS = (3e-6, 3e-6)  # BLAS and our tiles add up to 130 products of order one in different orders
_LAYERS = (1e-5, 1e-5)  # the same, one after the other
_LOSS = (
    1e-6,
    3e-7,
)  # sums in float64 here, float32 there; probabilities within 3 ulp of 1, then less the target
_SOFTMAX = (2e-6, 3e-7)  # one more float32 sum, over the columns
_UPDATE = (1e-6, 1e-7)  # five roundings; the division may be multiplied out
_DIFFERENCES = (1e-6, 1e-6)  # the same, of numbers of order one whose difference may be small
_EXACT = (0.0, 0.0)  # integers, and floats that are made without a rounding

CONTRACTS: dict[Callable[..., Any], Contract] = {
    fk.dense_forward: Contract("y", *_SUMS),
    fk.dense_backward: Contract("dy dw db dx", *_SUMS),
    fk.dense_backward_rows: Contract("dx", *_SUMS),
    fk.dense_tangent: Contract("dy", *_SUMS),
    fk.dense_backward_weights: Contract("dw db", *_SUMS),
    fk.activation_backward: Contract("dy", *_UPDATE),
    fk.conditional_forward: Contract("y", *_SUMS),
    fk.conditional_backward: Contract("dy dw db", *_SUMS),
    fk.conditional_backward_weights: Contract("dw db", *_SUMS),
    fk.bce_with_logits: Contract("dlogits statistics", *_LOSS),
    fk.mse: Contract("dlogits statistics", *_LOSS),
    fk.wasserstein: Contract("dlogits statistics", *_LOSS),
    fk.hinge: Contract("dlogits statistics", *_LOSS),
    fk.softmax_cross_entropy: Contract("dlogits statistics", *_SOFTMAX),
    fk.acgan_head: Contract("dlogits statistics", *_SOFTMAX),
    fk.acgan_head_rows: Contract("dlogits losses", *_SOFTMAX),
    fk.mean_rows: Contract("statistics", *_LOSS),
    fk.mix_rows: Contract("out", *_UPDATE),
    fk.first_column: Contract("out", *_EXACT),
    fk.slope_penalty: Contract("slopes losses", *_SUMS),
    fk.activation_curvature: Contract("curvature", *_UPDATE),
    fk.add: Contract("out", *_EXACT),
    fk.due: Contract("", *_EXACT),
    fk.add_noise: Contract("x", 1e-6, 3e-6),  # as normal
    fk.relativistic_rows: Contract("dwinners dlosers winner_losses loser_losses", *_LOSS),
    fk.grouped_softmax: Contract("y", *_SOFTMAX),
    fk.grouped_softmax_backward: Contract("dy", *_SOFTMAX),
    fk.batch_moments: Contract("mean variance inverse", *_SUMS),
    fk.batch_norm_forward: Contract("normed y", *_DIFFERENCES),
    fk.batch_norm_backward: Contract("dy", *_DIFFERENCES),
    fk.layer_norm_forward: Contract("normed inverse y", *_SUMS),
    fk.layer_norm_backward: Contract("dy", *_SUMS),
    fk.norm_parameter_gradients: Contract("dscale dshift", *_SUMS),
    fk.update_running: Contract("running_mean running_variance", *_UPDATE),
    fk.running_inverse: Contract("inverse", *_UPDATE),
    fk.dropout: Contract("out", *_EXACT),
    fk.maxout: Contract("y", *_EXACT),
    fk.maxout_backward: Contract("dz", *_EXACT),
    fk.maxout_tangent: Contract("dy", *_EXACT),
    fk.adam: Contract("params mean square", *_UPDATE),
    fk.sgd: Contract("params velocity", *_UPDATE),
    fk.rmsprop: Contract("params square", *_UPDATE),
    fk.begin_update: Contract("rate updates", *_EXACT),
    fk.shrink: Contract("params", *_UPDATE),
    fk.average: Contract("mean", *_UPDATE),
    fk.sum_of_squares: Contract("out", *_SUMS),
    fk.clip: Contract("values", *_UPDATE),
    fk.power_iteration: Contract("u v inverse", *_SUMS),
    fk.spectral_scale: Contract("out", *_UPDATE),
    fk.spectral_backward: Contract("dw sums", *_SUMS),
    fk.layers_spectral_scale: Contract("left right inverse scaled", *_SUMS),
    fk.layers_spectral_backward: Contract("grads sums", *_SUMS),
    fk.layers_forward: Contract("outputs", *_LAYERS),
    fk.layers_backward_rows: Contract("deltas dx", *_LAYERS),
    fk.layers_tangent: Contract("outputs curvature", *_LAYERS),
    fk.layers_gradient: Contract("grads", *_LAYERS),
    fk.layers_adam: Contract("params grads mean square", *_LAYERS),
    fk.uniform: Contract("out", *_EXACT),
    fk.signs: Contract("out", *_EXACT),
    fk.one_hot_draws: Contract("out", *_EXACT),
    fk.integers: Contract("out", *_EXACT),
    # radius and angle are of order one, 5.8 at most; the angle 2 pi u is rounded before NumPy's cos sees it
    fk.normal: Contract("out", 1e-6, 3e-6),
    fk.shuffled_rows: Contract("out", *_EXACT),
    fk.count_step: Contract("clock ring", *_EXACT),
    fk.slot_rows: Contract("out", *_EXACT),
    # float64 data is scaled before it is rounded in the reference, after in the loop
    fk.gather_rows: Contract("out", 1e-6, 1e-6),
    fk.copy: Contract("out", *_EXACT),
    fk.join_columns: Contract("out", *_EXACT),
    fk.take_columns: Contract("out", *_EXACT),
    fk.add_columns: Contract("out", *_EXACT),
    fk.bigrams: Contract("out", *_UPDATE),
    fk.bigrams_tangent: Contract("out", *_DIFFERENCES),
    fk.bigrams_backward: Contract("dx", *_SUMS),
    fk.embed_labels: Contract("out", *_EXACT),
    fk.embed_labels_backward: Contract("dtable", *_EXACT),
    fk.gather_labels: Contract("out", *_EXACT),
    fk.one_hot_rows: Contract("out", *_EXACT),
}


@cache
def compile_op(op: Callable[..., Any]) -> Callable[..., None]:
    """Return a function that Numba compiles and that only calls the op: once an op, not once a test."""

    @njit
    def call(*arguments):
        op(*arguments)

    return call


def poisoned(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Memory nobody wrote: NaN, or garbage where there is none."""
    return np.full(shape, POISON[np.dtype(dtype).kind], dtype)


class Guarded:
    """A copy of an array in the middle of poisoned memory, as a layer lies in its network's vector."""

    def __init__(self, array: np.ndarray) -> None:
        self.memory = poisoned(array.size + 2 * MARGIN, dtype=array.dtype)
        self.before = self.memory.copy()
        self.array = self.memory[MARGIN:-MARGIN].reshape(array.shape)
        self.array[...] = array

    def check(self) -> None:
        for side in (slice(MARGIN), slice(-MARGIN, None)):
            np.testing.assert_array_equal(self.memory[side], self.before[side], "written outside the array")


def run_guarded(function: Callable[..., Any], arguments: list[Any]) -> list[Any]:
    """Call with each array in guarded memory; return the arguments as they are afterwards."""
    guards = [Guarded(a) if type(a) is np.ndarray else None for a in arguments]
    function(*(a if guard is None else guard.array for a, guard in zip(arguments, guards, strict=True)))
    for guard in guards:
        if guard is not None:
            guard.check()
    return [a if guard is None else guard.array for a, guard in zip(arguments, guards, strict=True)]


def run_both(op: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Run both versions on copies of the arguments: every array must agree, read-only ones be as before.

    Returns the arguments as the compiled version left them.
    """
    contract, names = CONTRACTS[op], list(inspect.signature(op).parameters)
    given = [arguments[name] for name in names]
    reference = run_guarded(op, given)
    compiled = run_guarded(compile_op(op), given)
    for name, before, expected, actual in zip(names, given, reference, compiled, strict=True):
        if name in contract.written.split():
            np.testing.assert_allclose(actual, expected, contract.rtol, contract.atol, err_msg=name)
        else:
            np.testing.assert_array_equal(expected, before, f"the reference wrote {name}")
            np.testing.assert_array_equal(actual, before, f"the compiled version wrote {name}")
    return dict(zip(names, compiled, strict=True))


def central_differences(function: Callable[[], float], x: np.ndarray) -> np.ndarray:
    """Gradient of ``function()``, which reads x, at each element of x (float64).

    The step balances the error of the formula, h^2, against rounding, eps / h.
    """
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        step = np.finfo(x.dtype).eps ** (1 / 3) * max(1, abs(middle))
        x[index] = middle + step
        above, over = function(), x[index]
        x[index] = middle - step
        below, under = function(), x[index]
        x[index] = middle
        gradient[index] = (above - below) / (over - under)
    return gradient


def assert_gradient(gradient: np.ndarray, function: Callable[[], float], x: np.ndarray) -> None:
    """Compare with central differences, whose own error is about eps^(2/3) = 4e-11 of the value."""
    expected = central_differences(function, x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-10 * max(1, abs(function())))


def normals(seed: int, *shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Standard normal test data."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)
