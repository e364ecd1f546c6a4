"""A classifier on a GPU: every op launches CUDA kernels, and a step of them is captured once and replayed."""

import cupy
import numpy as np

import fastgan_kernels as fk
import fastgan_kernels.cuda  # registers the CUDA version of every op

ROWS, INPUTS, CLASSES = 64, 8, 3


def train(x, labels, params, steps, learning_rate):
    """Train params, the weights and then the bias of one layer, on CuPy arrays; return the last loss."""
    split = INPUTS * CLASSES
    grads, mean, square = (cupy.zeros_like(params) for _ in range(3))
    w, b = params[:split].reshape(INPUTS, CLASSES), params[split:]
    dw, db = grads[:split].reshape(INPUTS, CLASSES), grads[split:]
    logits, dlogits = (cupy.empty((ROWS, CLASSES), np.float32) for _ in range(2))
    nothing, loss = cupy.empty((0, 0), np.float32), cupy.empty(1, np.float32)
    rate, updates, clock = cupy.empty(1, np.float32), cupy.zeros(1, np.int64), cupy.zeros(1, np.int64)

    def step():
        fk.dense_forward(x, w, b, fk.LINEAR, 0.0, logits)
        fk.softmax_cross_entropy(logits, labels, dlogits, loss)
        fk.dense_backward(x, w, logits, dlogits, fk.LINEAR, 0.0, dw, db, nothing)
        fk.begin_update(rate, updates, clock, learning_rate, 0.0, 0.0, 0.0, False)
        fk.adam(params, grads, mean, square, rate, updates, 0.9, 0.999, 1e-8)

    stream = cupy.cuda.Stream(non_blocking=True)
    stream.wait_event(cupy.cuda.get_current_stream().record())
    with stream:
        step()  # compiles and loads the kernels, which a capture cannot
        stream.begin_capture()
        step()
        graph = stream.end_capture()
        for _ in range(steps - 1):
            graph.launch(stream)
        return float(loss.get()[0])


def main():
    random = np.random.default_rng(1)
    labels = np.arange(ROWS) % CLASSES
    rows = random.normal(size=(ROWS, INPUTS)).astype(np.float32)
    rows[np.arange(ROWS), labels] += 4
    params = cupy.zeros(INPUTS * CLASSES + CLASSES, np.float32)
    x, y = cupy.asarray(rows), cupy.asarray(labels)
    # A PyTorch tensor on the card serves as well, without a copy: x = cupy.from_dlpack(tensor.detach())
    loss = train(x, y, params, steps=500, learning_rate=0.05)
    w, b = params[:-CLASSES].reshape(INPUTS, CLASSES).get(), params[-CLASSES:].get()
    right = np.mean(np.argmax(rows @ w + b, axis=1) == labels)
    print(f"loss {loss:.3f}, {right:.1%} of the rows classified rightly")


if __name__ == "__main__":
    main()
