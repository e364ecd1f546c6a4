import numpy as np
import pytest
from scipy import stats

import fastgan_kernels as fk
from fastgan_kernels.permutation import permute, round_keys

from .helpers import compile_op, poisoned, run_both

KEY = fk.key_of(11)


def drawn(count, rows, per_step=0, offset=0, step=0, stream=0, seed=11):
    """Row indices from the compiled version."""
    out = poisoned(count, dtype=np.int64)
    compile_op(fk.shuffled_rows)(out, rows, per_step, offset, fk.key_of(seed), np.array([step]), stream)
    return out


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 16, 17, 64, 65, 100, 1797, 60_000, 65_537])
def test_an_epoch_is_every_row_once(rows):
    for epoch in (0, 1, 5):
        np.testing.assert_array_equal(np.sort(drawn(rows, rows, offset=epoch * rows)), np.arange(rows))


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 16, 17, 100, 1797, 60_000, 2**40, 2**62])
@pytest.mark.parametrize(("step", "per_step", "offset"), [(0, 64, 0), (3, 17, 5), (2**20, 96, 32)])
def test_versions_agree(rows, step, per_step, offset):
    """Also where one call runs across the ends of epochs, as it does wherever rows is small."""
    out = run_both(
        fk.shuffled_rows,
        out=poisoned(67, dtype=np.int64),
        rows=rows,
        per_step=per_step,
        offset=offset,
        key=KEY,
        step=np.array([step]),
        stream=2**32 - 1,
    )["out"]
    assert out.min() >= 0 and out.max() < rows


def test_epochs_above_2_to_the_32_differ_from_their_low_words():
    given = {"rows": 1000, "per_step": 1000, "offset": 0, "key": KEY, "stream": 1}
    far, near = (
        run_both(fk.shuffled_rows, out=poisoned(1000, dtype=np.int64), step=np.array([step]), **given)["out"]
        for step in (2**32 + 3, 3)
    )
    assert (far != near).mean() > 0.9


def test_epochs_streams_and_seeds_differ():
    rows = 1797
    orders = [drawn(rows, rows, **other) for other in ({}, {"offset": rows}, {"stream": 1}, {"seed": 12})]
    for i, order in enumerate(orders):
        for other in orders[:i]:
            assert (order == other).mean() < 0.01


def test_a_step_is_a_window_of_one_endless_sequence():
    """So that a run can be resumed at any step, and a step can be split between workers."""
    rows, per_step = 103, 40
    sequence = drawn(10 * per_step, rows)
    for step in range(10):
        here = sequence[step * per_step : (step + 1) * per_step]
        np.testing.assert_array_equal(drawn(per_step, rows, per_step, 0, step), here)
        np.testing.assert_array_equal(drawn(7, rows, per_step, 33, step), here[33:])


@pytest.mark.parametrize("rows", [2**40, 2**62])
def test_a_prefix_of_very_many_rows_is_distinct_and_spread(rows):
    out = drawn(100_000, rows)
    assert len(np.unique(out)) == len(out)
    assert stats.kstest(out / rows, "uniform").pvalue > 0.01


def test_no_row_depends_on_the_last_one():
    """The reference bijection alone: images of every index, each once."""
    for rows in (1, 2, 7, 1000):
        images = permute(np.arange(rows), rows, round_keys(KEY, 3, 0))
        np.testing.assert_array_equal(np.sort(images), np.arange(rows))


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 10, 17, 100])
def test_every_row_is_as_likely_at_every_place(rows):
    epochs = 4000
    orders = drawn(epochs * rows, rows).reshape(epochs, rows)
    for place in {0, 1, rows - 1}:
        assert stats.chisquare(np.bincount(orders[:, place], minlength=rows)).pvalue > 1e-3


@pytest.mark.parametrize(("rows", "orders"), [(2, 2), (3, 6), (4, 24), (5, 120)])
def test_every_order_of_few_rows_is_about_as_likely(rows, orders):
    """Where a weak round function shows first; eight rounds of a perfect one also leave some 10 %."""
    epochs = 200 * orders
    drawn_orders = drawn(epochs * rows, rows).reshape(epochs, rows)
    _, counts = np.unique(drawn_orders, axis=0, return_counts=True)
    assert len(counts) == orders
    np.testing.assert_allclose(counts, 200, atol=5 * np.sqrt(200))
