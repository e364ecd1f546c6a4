"""A PyTorch network with our loss and our Adam, which read and write the memory of its tensors."""

import numpy as np
import torch
from numba import njit

from fastgan_kernels import BCE, acgan_head, adam

CLASSES = 3


@njit
def head(logits, labels, dlogits, statistics):
    """Discriminator's loss on real rows, the class loss and both their gradients, in one pass."""
    acgan_head(logits, labels, BCE, 1.0, 1.0, dlogits, statistics)


@njit
def update(params, grads, mean, square, rate, updates):
    """One Adam update in place."""
    adam(params, grads, mean, square, rate, updates, 0.9, 0.999, 1e-8)


def numpy_view(tensor):
    """Return the memory of a contiguous CPU tensor as a flat float32 array; nothing is copied."""
    return tensor.detach().view(-1).numpy()


def train(network, x, labels, steps, learning_rate):
    """Train a float32 network on the CPU that returns (rows, 1 + classes) logits; return its last loss."""
    params = [numpy_view(p) for p in network.parameters()]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    rate, updates = np.array([learning_rate], np.float32), np.zeros(1, np.int64)
    statistics = np.empty(3, np.float32)
    for _ in range(steps):
        logits = network(x)
        dlogits = torch.empty_like(logits)
        head(logits.detach().numpy(), labels.numpy(), dlogits.numpy(), statistics)
        network.zero_grad()
        logits.backward(dlogits)
        updates += 1
        for tensor, p, (mean, square) in zip(network.parameters(), params, moments, strict=True):
            update(p, numpy_view(tensor.grad), mean, square, rate, updates)
    return statistics[0] + statistics[2]


def main():
    torch.manual_seed(1)
    x, labels = torch.randn(64, 8), torch.arange(64) % CLASSES
    x[:, :CLASSES] += 2 * torch.nn.functional.one_hot(labels, CLASSES)
    network = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1 + CLASSES))
    loss = train(network, x, labels, steps=200, learning_rate=0.01)
    right = (network(x)[:, 1:].argmax(dim=1) == labels).float().mean()
    print(f"loss {loss:.3f}, {right:.1%} of the rows classified rightly")


if __name__ == "__main__":
    main()
