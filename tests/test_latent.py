"""Latent vectors: ways between them, and truncation."""

import re

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from fastgan.errors import UserError
from fastgan.latent import interpolate, truncate

RANDOM = np.random.default_rng(5)
A, B = RANDOM.normal(size=(2, 16))


def refused(message):
    return pytest.raises(UserError, match="^" + re.escape(message) + r"[^\n]*$")


def test_a_way_has_one_point_more_than_steps_and_begins_and_ends_where_it_should():
    for steps in (1, 2, 7):
        way = interpolate(A, B, steps)
        assert way.shape == (steps + 1, 16) and way.dtype == np.float32
        np.testing.assert_allclose(way[0], A, rtol=1e-6)
        np.testing.assert_allclose(way[-1], B, rtol=1e-6)


def test_an_arc_turns_by_the_same_angle_at_each_step():
    way = interpolate(A / np.linalg.norm(A), B / np.linalg.norm(B), 10).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1, rtol=1e-6)
    turns = np.arccos((way[:-1] * way[1:]).sum(axis=1))
    np.testing.assert_allclose(turns, turns[0], rtol=1e-4)
    assert turns.sum() == pytest.approx(np.arccos(way[0] @ way[-1]), rel=1e-4)


def test_a_quarter_turn_is_a_circle():
    way = interpolate([1, 0], [0, 1], 3)
    angles = np.pi / 6 * np.arange(4)
    np.testing.assert_allclose(way, np.column_stack([np.cos(angles), np.sin(angles)]), atol=1e-7)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.0, 0.0], [1.0, 2.0]),
        ([1e-11, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 5e-11]),
        ([1.0, 2.0], [3.0, 6.0]),
        ([1.0, 0.0], [2.0, 1e-7]),
        ([1.0, 0.0], [-1.0, 0.0]),
    ],
)
def test_where_there_is_no_arc_the_way_is_straight(a, b):
    straight = np.linspace(a, b, 5)
    np.testing.assert_allclose(interpolate(a, b, 4), straight, atol=1e-7)


@pytest.mark.parametrize("angle", [1e-5, 3.0, np.pi - 1e-5])
def test_small_and_large_angles_have_an_arc(angle):
    way = interpolate([1, 0], [np.cos(angle), np.sin(angle)], 4)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1, rtol=1e-5)


def test_straight_where_asked_for():
    np.testing.assert_allclose(interpolate([1, 0], [0, 1], 2, spherical=False)[1], [0.5, 0.5])


def test_truncated_numbers_have_the_truncated_normal_distribution():
    z = RANDOM.normal(size=20_000).astype(np.float32)
    for threshold in (0.3, 1.0, 2.5):
        kept = truncate(z, threshold)
        assert kept.dtype == np.float32 and np.abs(kept).max() <= threshold
        assert kstest(kept, truncnorm(-threshold, threshold).cdf).statistic < 0.015


def test_truncation_keeps_the_order_the_shape_and_the_sign():
    z = np.array([[-9.0, -1.0, -0.1], [0.0, 0.5, 9.0]])
    kept = truncate(z, 0.5)
    assert kept.shape == z.shape
    assert (np.diff(kept.ravel()) > 0).all()
    np.testing.assert_allclose(kept, -truncate(-z, 0.5), atol=1e-7)
    np.testing.assert_allclose(truncate(z, 30), z, rtol=1e-6)


def test_what_is_refused():
    with refused("z1 has shape (2,) and z2 (3,); both must be (latent_dim,)"):
        interpolate([1, 2], [1, 2, 3], 4)
    with refused("z1 has shape (1, 2) and z2 (1, 2); both must be (latent_dim,)"):
        interpolate([[1, 2]], [[1, 2]], 4)
    with refused("z2 holds NaN or infinity"):
        interpolate([1, 2], [1, np.nan], 4)
    with refused("z1 cannot be read as numbers"):
        interpolate(["a", "b"], [1, 2], 4)
    for steps in (0, -1, 2.5, True, "3"):
        with refused(f"steps is {steps!r}; it must be a whole number of at least 1"):
            interpolate([1, 2], [2, 1], steps)
    for threshold in (0, -1.0, np.inf, np.nan, "1", True):
        with refused(f"threshold is {threshold!r}; it must be a number above 0"):
            truncate([1.0], threshold)
