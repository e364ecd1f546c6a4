"""A classifier of two layers, trained in one compiled call: the ops inside a function of your own."""

import numpy as np
from numba import njit

from fastgan_kernels import (
    LINEAR,
    TANH,
    adam,
    dense_backward,
    dense_forward,
    gather_labels,
    gather_rows,
    key_of,
    normal,
    shuffled_rows,
    softmax_cross_entropy,
    uniform,
)

INPUTS, HIDDEN, CLASSES = 2, 32, 2
SIZE = INPUTS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES
ROWS = 32
DATA_STREAM, WEIGHT_STREAM, ORDER_STREAM = range(3)


@njit
def layers(flat):
    """Weights and biases of both layers as views of one vector, which an optimiser updates in one pass."""
    a, b = INPUTS * HIDDEN, HIDDEN * CLASSES
    w1, b1 = flat[:a].reshape((INPUTS, HIDDEN)), flat[a : a + HIDDEN]
    w2, b2 = flat[a + HIDDEN : a + HIDDEN + b].reshape((HIDDEN, CLASSES)), flat[a + HIDDEN + b :]
    return w1, b1, w2, b2


@njit
def train(params, data, labels, key, steps):
    """Train params in place; return the loss of each step."""
    # Every buffer is allocated here, once; in the loop nothing is.
    real, none = np.float32, np.empty((0, 0), np.float32)
    grads, mean, square = np.empty_like(params), np.zeros_like(params), np.zeros_like(params)
    w1, b1, w2, b2 = layers(params)
    dw1, db1, dw2, db2 = layers(grads)
    rows, targets = np.empty(ROWS, np.int64), np.empty(ROWS, np.int64)
    x, scale, shift = np.empty((ROWS, INPUTS), real), np.ones(INPUTS, real), np.zeros(INPUTS, real)
    y, logits = np.empty((ROWS, HIDDEN), real), np.empty((ROWS, CLASSES), real)
    dy, dlogits = np.empty_like(y), np.empty_like(logits)
    loss, losses = np.empty(1, real), np.empty(steps, real)
    step, updates, rate = np.zeros(1, np.int64), np.zeros(1, np.int64), np.full(1, 0.01, real)

    for k in range(steps):
        shuffled_rows(rows, len(data), ROWS, 0, key, step, ORDER_STREAM)
        gather_rows(data, rows, scale, shift, x)
        gather_labels(labels, rows, targets)
        dense_forward(x, w1, b1, TANH, 0.0, y)
        dense_forward(y, w2, b2, LINEAR, 0.0, logits)
        softmax_cross_entropy(logits, targets, dlogits, loss)
        dense_backward(y, w2, logits, dlogits, LINEAR, 0.0, dw2, db2, dy)
        dense_backward(x, w1, y, dy, TANH, 0.0, dw1, db1, none)
        updates[0] += 1
        adam(params, grads, mean, square, rate, updates, 0.9, 0.999, 1e-8)
        losses[k] = loss[0]
        step[0] += 1
    return losses


def main():
    key, start = key_of(seed=1), np.zeros(1, np.int64)
    data, params = np.empty((1000, INPUTS), np.float32), np.empty(SIZE, np.float32)
    uniform(data, key, start, DATA_STREAM)  # called from Python, an op runs its NumPy reference
    labels = ((data[:, 0] > 0.5) ^ (data[:, 1] > 0.5)).astype(np.int64)
    normal(params, key, start, WEIGHT_STREAM)
    losses = train(params, data, labels, key, steps=3000)

    w1, b1, w2, b2 = layers(params)
    right = np.mean(np.argmax(np.tanh(data @ w1 + b1) @ w2 + b2, axis=1) == labels)
    print(f"loss {losses[0]:.3f} -> {losses[-100:].mean():.3f}, {right:.1%} of the rows classified rightly")


if __name__ == "__main__":
    main()
