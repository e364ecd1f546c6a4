import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, poisoned, run_both


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (67, 11)])
def test_versions_agree_and_are_stable(shape):
    rows = shape[0]
    winners, losers = 3 * normals(1, *shape), 3 * normals(2, *shape)
    extremes = np.array([100, -100, 0], np.float32)[:rows]
    winners[: len(extremes), 0], losers[: len(extremes), 0] = extremes, -extremes
    after = run_both(
        fk.relativistic_rows,
        winners=winners,
        losers=losers,
        batch=rows + 3,
        dwinners=poisoned(*shape),
        dlosers=poisoned(*shape),
        winner_losses=poisoned(rows),
        loser_losses=poisoned(rows),
    )
    assert np.isfinite(after["winner_losses"]).all() and not after["loser_losses"].any()
    assert np.isnan(after["dwinners"][:, 1:]).all(), "only column 0 is the loss's own"
    np.testing.assert_array_equal(after["dwinners"][:, 0], -after["dlosers"][:, 0])


@pytest.mark.parametrize("whose", ["winners", "losers"])
def test_gradient_is_the_gradient_of_the_mean(whose):
    logits = {"winners": normals(1, 9, 1, dtype=float), "losers": normals(2, 9, 1, dtype=float)}
    gradients = {name: np.empty((9, 1)) for name in logits}
    losses, zeros = np.empty(9), np.empty(9)

    def mean():
        fk.relativistic_rows(
            logits["winners"], logits["losers"], 9, gradients["winners"], gradients["losers"], losses, zeros
        )
        return losses.mean()

    mean()
    found = gradients[whose].copy()
    assert_gradient(found, mean, logits[whose])
