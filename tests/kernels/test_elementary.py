import numpy as np
import pytest
from numba import njit
from scipy.special import log1p

from fastgan_kernels import elementary

F = np.float32
NORMAL = np.finfo(F).tiny
SUBNORMAL = np.finfo(F).smallest_subnormal
MOST = np.finfo(F).max


def sweep_of(function):
    """Compile a loop that applies a function to every element: the shape in which the ops use it."""

    @njit(error_model="numpy")
    def sweep(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    def run(x):
        y = np.full(len(x), np.nan, F)
        sweep(np.asarray(x, F), y)
        return y

    return run


exp, log, tanh, sigmoid, softplus = map(
    sweep_of,
    (elementary.exp, elementary.log, elementary.tanh, elementary.sigmoid, elementary.softplus),
)
cosine = sweep_of(njit(lambda u: elementary.cos_sin_turns(u)[0]))
sine = sweep_of(njit(lambda u: elementary.cos_sin_turns(u)[1]))


def between(low, high):
    """Every 4999th float32 of a range, and the places where a search of them all found most error."""
    positive = np.arange(0, 0x7F800000, 4999, dtype=np.uint32).view(F)
    worst = [5.1994286, -59.910545, 0.6310442, -16.635704, 0.021753700, -0.43417208, 1.4142137]
    both = np.concatenate([positive, -positive, [NORMAL, low, high], worst]).astype(F)
    return both[(both >= F(low)) & (both <= F(high))]


def errors_in_ulp(actual, expected):
    """Distance from the float64 value, in units of the last place of that value as a float32."""
    return np.abs(actual - expected) / np.spacing(np.abs(expected).astype(F)).astype(float)


def float64_sigmoid(x):
    return 1 / (1 + np.exp(-x))


def float64_softplus(x):
    return np.maximum(x, 0) + log1p(np.exp(-np.abs(x)))


@pytest.mark.parametrize(
    ("function", "float64", "low", "high", "ulp"),
    [
        (exp, np.exp, -87.3, 88.3, 1.1),
        (tanh, np.tanh, -100, 100, 1.4),
        (sigmoid, float64_sigmoid, -87, 100, 2.5),
        (softplus, float64_softplus, -87, 100, 2.4),
        (log, np.log, NORMAL, 4, 1),
    ],
    ids=["exp", "tanh", "sigmoid", "softplus", "log"],
)
def test_error_is_within_what_the_docstring_states(function, float64, low, high, ulp):
    x = between(low, high)
    worst = errors_in_ulp(function(x), float64(x.astype(float))).max()
    assert 0.4 < worst <= ulp


def test_log_of_every_order_of_magnitude():
    x = np.exp2(np.linspace(-126, 127.99, 400_001)).astype(F)
    assert errors_in_ulp(log(x), np.log(x.astype(float))).max() <= 1


def test_cosine_and_sine_of_every_turn_that_normal_uses():
    u = np.arange(0, 2**24, 7) * F(2.0**-24)
    angle = 2 * np.pi * u.astype(float)
    assert np.abs(cosine(u) - np.cos(angle)).max() <= 1e-7
    assert np.abs(sine(u) - np.sin(angle)).max() <= 1e-7


def test_quarter_turns_are_exact():
    quarters = np.array([0, 0.25, 0.5, 0.75], F)
    np.testing.assert_array_equal(cosine(quarters), [1, 0, -1, 0])
    np.testing.assert_array_equal(sine(quarters), [0, 1, 0, -1])


@pytest.mark.parametrize("function", [exp, tanh, sigmoid, softplus, cosine, sine])
def test_nan_stays_nan(function):
    """In a loop long enough for the vectorised body and its remainder. (log is for positive numbers only.)"""
    x = np.full(37, 0.5, F)
    x[[0, 17, 36]] = np.nan
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(function(x))), [0, 17, 36])


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (exp, [0, -0.0, SUBNORMAL, NORMAL], [1, 1, 1, 1]),
        (tanh, [0, SUBNORMAL, -NORMAL], [0, SUBNORMAL, -NORMAL]),
        (tanh, [np.inf, -np.inf, MOST, -MOST, 20], [1, -1, 1, -1, 1]),
        (sigmoid, [0, np.inf, MOST, 100], [0.5, 1, 1, 1]),
        (softplus, [np.inf, MOST, 100], [np.inf, MOST, 100]),
        (log, [1], [0]),
    ],
)
def test_exact_values(function, x, expected):
    np.testing.assert_array_equal(function(x), np.array(expected, F))


def test_what_underflows_is_tiny_and_what_overflows_stays_finite():
    least, most = [-88, -100, -MOST, -np.inf], [89, 100, MOST, np.inf]
    np.testing.assert_allclose(exp(least), np.exp(-87.33654), rtol=1e-5)
    np.testing.assert_allclose(exp(most), np.exp(88.37626), rtol=1e-5)
    for function in (sigmoid, softplus):
        assert (0 <= function(least)).all() and (function(least) < 2 * NORMAL).all()


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "softplus"])
def test_a_float64_is_rounded_first_and_then_as_good(name):
    """Ops called on float64 arrays reach these too; once exp took it for a float32 and was wrong by all of it."""
    function = getattr(elementary, name)

    @njit
    def sweep(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    x = np.linspace(-5, 5, 101)
    y = np.full(101, np.nan)
    sweep(x, y)
    expected = {"exp": np.exp, "tanh": np.tanh, "sigmoid": float64_sigmoid, "softplus": float64_softplus}[
        name
    ]
    np.testing.assert_allclose(y, expected(x), rtol=2e-6, atol=1e-7)
