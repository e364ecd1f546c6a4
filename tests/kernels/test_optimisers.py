import numpy as np
import pytest

import fastgan_kernels as fk
from fastgan_kernels.optimisers import PART, parts_of

from .helpers import normals, poisoned, run_both

SIZES = [1, 2, 17, 131]
UPDATES = 7
RATE = 0.03


def textbook(name, params, gradients):
    """The formulas, a parameter and an update at a time, in float64 from Python's own numbers."""
    result = []
    for p, history in zip(params.tolist(), np.stack(gradients, axis=1).tolist(), strict=True):
        m = v = u = 0.0
        for t, g in enumerate(history, start=1):
            if name == "adam":
                m = 0.5 * m + 0.5 * g
                v = 0.999 * v + 0.001 * g**2
                p -= RATE * (m / (1 - 0.5**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
            elif name == "sgd":
                u = 0.9 * u + g
                p -= RATE * u
            else:
                v = 0.99 * v + 0.01 * g**2
                p -= RATE * g / (v**0.5 + 1e-7)
        result.append(p)
    return np.array(result)


def settings_of(name):
    return {
        "adam": {"beta1": 0.5, "beta2": 0.999, "epsilon": 1e-8},
        "sgd": {"momentum": 0.9},
        "rmsprop": {"rho": 0.99, "epsilon": 1e-7},
    }[name]


def moments_of(name, like):
    names = {"adam": ("mean", "square"), "sgd": ("velocity",), "rmsprop": ("square",)}[name]
    return {moment: np.zeros_like(like) for moment in names}


def gradients_of(size, dtype=np.float32):
    """Gradients of very different sizes, some exactly zero."""
    scales = np.logspace(-6, 0, size)
    gradients = [normals(10 + t, size) * scales for t in range(UPDATES)]
    gradients[2][::3] = 0
    return [g.astype(dtype) for g in gradients]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_versions_agree_with_the_textbook(name, size):
    params, gradients = normals(1, size), gradients_of(size)
    expected = textbook(name, params, gradients)
    state = {"params": params, **moments_of(name, params)}
    for t, grads in enumerate(gradients, start=1):
        given = {"grads": grads, "rate": np.array([RATE], np.float32), **settings_of(name)}
        if name == "adam":
            given["updates"] = np.array([t])
        after = run_both(getattr(fk, name), **state, **given)
        state = {key: after[key] for key in state}
    # a rounding of p in each of the updates, and one of its step
    np.testing.assert_allclose(state["params"], expected, rtol=1e-6, atol=1e-6 * UPDATES * RATE)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_a_zero_gradient_moves_nothing_at_first(name):
    params = normals(1, 5)
    given = {"grads": np.zeros(5, np.float32), "rate": np.array([RATE], np.float32), **settings_of(name)}
    if name == "adam":
        given["updates"] = np.array([1])
    after = run_both(getattr(fk, name), params=params, **moments_of(name, params), **given)
    np.testing.assert_array_equal(after["params"], params)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
@np.errstate(invalid="ignore")
def test_a_diverged_gradient_is_seen_where_it_is_and_nowhere_else(name, bad):
    params, grads = normals(1, 37), normals(2, 37)
    grads[[3, 36]] = bad
    given = {"grads": grads, "rate": np.array([RATE], np.float32), **settings_of(name)}
    if name == "adam":
        given["updates"] = np.array([1])
    after = run_both(getattr(fk, name), params=params, **moments_of(name, params), **given)
    np.testing.assert_array_equal(np.flatnonzero(~np.isfinite(after["params"])), [3, 36])


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_as_pytorch(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimisers, which is not installed")
    params, gradients = normals(1, 131), gradients_of(131)
    theirs = torch.tensor(params, requires_grad=True)
    # PyTorch, too, adds epsilon to the root after the bias correction; Keras adds it before.
    optimiser = {
        "adam": lambda: torch.optim.Adam([theirs], lr=RATE, betas=(0.5, 0.999), eps=1e-8),
        "sgd": lambda: torch.optim.SGD([theirs], lr=RATE, momentum=0.9),
        "rmsprop": lambda: torch.optim.RMSprop([theirs], lr=RATE, alpha=0.99, eps=1e-7),
    }[name]()
    moments, ours = moments_of(name, params), params.copy()
    for t, grads in enumerate(gradients, start=1):
        theirs.grad = torch.tensor(grads)
        optimiser.step()
        counted = {"updates": np.array([t])} if name == "adam" else {}
        rate = np.array([RATE], np.float32)
        getattr(fk, name)(ours, grads=grads, **moments, rate=rate, **counted, **settings_of(name))
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-6, atol=1e-6 * UPDATES * RATE)


def test_float64_parameters_are_updated_in_float64():
    params, gradients = normals(1, 9, dtype=np.float64), gradients_of(9, np.float64)
    expected = textbook("adam", params, gradients)
    moments = moments_of("adam", params)
    for t, grads in enumerate(gradients, start=1):
        fk.adam(params, grads, **moments, rate=np.array([RATE]), updates=np.array([t]), **settings_of("adam"))
    np.testing.assert_allclose(params, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("step", "start", "steps", "expected"),
    [
        (0, 0, 0, 1),
        (10**9, 0, 0, 1),
        (0, 100, 50, 1),
        (100, 100, 50, 1),
        (125, 100, 50, 0.5),
        (150, 100, 50, 0),
        (1000, 100, 50, 0),
    ],
)
def test_an_update_is_counted_and_its_rate_decays(step, start, steps, expected):
    after = run_both(
        fk.begin_update,
        rate=poisoned(1),
        updates=np.array([41]),
        step=np.array([step]),
        initial_rate=2e-4,
        warmup_steps=0.0,
        decay_start=float(start),
        decay_steps=float(steps),
        cosine=False,
    )
    assert after["updates"][0] == 42
    assert after["rate"][0] == np.float32(2e-4 * expected)


@pytest.mark.parametrize(
    ("step", "warmup", "cosine", "expected"),
    [
        (0, 4, False, 0.25),
        (3, 4, False, 1),
        (9, 4, False, 1),
        (125, 4, True, 0.5),
        (112.5, 0, True, 0.85355339),
    ],
)
def test_a_rate_rises_and_falls_along_a_cosine(step, warmup, cosine, expected):
    after = run_both(
        fk.begin_update,
        rate=poisoned(1),
        updates=np.array([0]),
        step=np.array([int(step)]),
        initial_rate=2e-4,
        warmup_steps=float(warmup),
        decay_start=100 - (step - int(step)),
        decay_steps=50.0,
        cosine=cosine,
    )
    assert after["rate"][0] == pytest.approx(2e-4 * expected, rel=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_weight_decay_and_averages(size):
    params, rate = normals(1, size), np.array([0.01], np.float32)
    after = run_both(fk.shrink, params=params, rate=rate, decay=3.0)
    np.testing.assert_allclose(after["params"], params * 0.97, rtol=1e-6)
    for t, new in ((1, 9 / 11), (10**6, 0.1)):
        mean = normals(2, size)
        after = run_both(fk.average, params=params, mean=mean, updates=np.array([t]), decay=0.9)
        np.testing.assert_allclose(after["mean"], mean + new * (params - mean), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [*SIZES, PART, 2 * PART + 5])
def test_a_gradient_is_shortened_to_its_limit(size):
    values = normals(3, size)
    found = run_both(fk.sum_of_squares, values=values, out=poisoned(parts_of(size)))["out"]
    parts = [np.linalg.norm(values[k : k + PART].astype(float)) ** 2 for k in range(0, size, PART)]
    np.testing.assert_allclose(found, parts, rtol=1e-5)
    norm = np.sqrt(sum(parts))
    squares = np.array([*found, 4], np.float32)  # another part of the gradient
    whole = np.hypot(norm, 2)
    short = run_both(fk.clip, values=values, squares=squares, limit=1.0)["values"]
    np.testing.assert_allclose(short, values / whole, rtol=1e-5, atol=1e-7)
    same = run_both(fk.clip, values=values, squares=squares, limit=2 * whole)["values"]
    np.testing.assert_array_equal(same, values)
