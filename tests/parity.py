"""How far a step may lie from PyTorch's, and one step to compare; needs no PyTorch itself."""

import numpy as np

from fastgan import state, step

# PyTorch computes in float64 here, fastgan in float32, where one rounding is 6e-8 of a value. What each bound is a part
# of, why it is there, and the largest difference measured:
GRADIENTS = 5e-6  # of the largest gradient: sums of some hundred rounded products; 6e-7
UPDATES = 2e-4  # of the learning rate, after five steps: an update is a quotient of gradients; 4e-5
WEIGHTS = 1e-6  # of one, after one step of plain gradient descent: a weight's own rounding; 1e-7
STATISTICS = 1e-6  # of one or of the value: means of values of order one; 5e-8


def run(trainer):
    statistics = np.zeros((1, len(state.STATISTICS)), np.float32)
    trainer.backend.perform(
        step.TRAIN, trainer.gan, trainer.dataset.array, trainer.dataset.labels, statistics
    )
    return statistics[0]


def assert_gradients_equal(ours, theirs):
    assert np.abs(theirs).max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=GRADIENTS * np.abs(theirs).max())


# Within 100 steps on another backend, from the same checkpoint; sums are made in another order there. Later on the
# differences grow, as those of any training do whose roundings change: after 1,000 steps they may be 1e-2.
WEIGHTS_ELSEWHERE = 1e-6  # of the largest weight; 1e-7
MOMENTS_ELSEWHERE = 1e-5  # of the largest moment; 4e-6


def assert_states_agree(ours, theirs):
    """What two steps leave to the next one, as `fastgan.state.lasting` has it, agrees but for roundings."""
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        weights = name.endswith((".params", ".average")) or name.startswith("data.")
        bound = WEIGHTS_ELSEWHERE if weights else MOMENTS_ELSEWHERE
        np.testing.assert_allclose(
            ours[name], expected, rtol=0, atol=bound * np.abs(expected).max(), err_msg=name
        )
