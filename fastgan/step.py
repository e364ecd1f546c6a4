"""The training step, written once: interpreted on NumPy arrays, or compiled whole by Numba.

One step is `n_critic` discriminator steps, then one generator step (Goodfellow et al. 2014, arXiv 1406.2661,
algorithm 1), in the half-batch form of Keras-style loops (`separate`) or on the summed loss (`joint`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from fastgan.networks import Network, backward, forward, last_delta, update
from fastgan_kernels import (
    acgan_head,
    copy_rows,
    gather_labels,
    gather_rows,
    integers,
    normal,
    one_hot_rows,
    shuffled_rows,
    uniform,
)

# Columns of the per-step statistics: for the discriminator on real rows, on fake rows (in its last critic step), and
# for the generator.
STATISTICS = (
    "d_loss_real",
    "d_real",
    "d_class_real",
    "d_loss_fake",
    "d_fake",
    "d_class_fake",
    "g_loss",
    "g_fake",
    "g_class",
)

# What `perform` can do: steps over a data set, or the parts of a step on a batch of the caller's.
(
    TRAIN,
    TRAIN_ON_BATCH,
    TRAIN_DISCRIMINATOR,
    TRAIN_DISCRIMINATOR_REAL,
    TRAIN_DISCRIMINATOR_FAKE,
    TRAIN_GENERATOR,
) = range(6)

# Streams of random numbers within one step: each critic step has STREAMS of its own, then the generator.
ROWS, LATENT, LABELS = range(3)
STREAMS = 4


class Role(NamedTuple):
    """One role's adversarial loss: its code, target and sign, as `fastgan_kernels.acgan_head` reads them."""

    code: int
    target: float
    sign: float


class Roles(NamedTuple):
    """The losses of the discriminator on real rows, of the discriminator on fake rows, and of the generator."""

    real: Role
    fake: Role
    generator: Role


class Gan(NamedTuple):
    """All that a step reads and writes besides the data.

    Parameters
    ----------
    latent : (batch, latent_dim) float32; latent_labels : (batch,) int64, or (0,) without classes
    real : (2 real_rows, width) float32, gathered rows; in joint updates fake rows follow
    real_labels : (2 real_rows,) int64, theirs, or (0,)
    indices : (2 real_rows,) int64, the rows drawn
    scale, shift : (columns,) float32 of the data
    key : (2,) uint32; clock : (1,) int64, training steps made, or parts of one in a loop of the caller's
    vocabulary : tokens' one-hot width, 0 for numbers
    real_rows : real rows of one critic step
    """

    generator: Network
    discriminator: Network
    roles: Roles
    latent: np.ndarray
    latent_labels: np.ndarray
    real: np.ndarray
    real_labels: np.ndarray
    indices: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    key: np.ndarray
    clock: np.ndarray
    n_classes: int
    vocabulary: int
    real_rows: int
    n_critic: int
    joint: bool
    uniform_latent: bool
    replacement: bool


def entry(action, gan, data, labels, statistics):
    """`perform` as Python calls it compiled.

    Numba compiles an op once for each set of options of its callers, and only this function has its own.
    """
    perform(action, gan, data, labels, statistics)


@register_jitable(no_cfunc_wrapper=True)
def perform(action, gan, data, labels, statistics):
    """Run an action, TRAIN or a part of a step, once for each row of statistics (k, 9).

    Data (rows, columns) and labels (rows,) or (0,) are the whole data set for TRAIN, and one batch in data units
    otherwise; a batch of no rows stands for the generator's own.
    """
    for k in range(len(statistics)):
        if action == TRAIN:
            train_step(gan, data, labels, statistics[k])
        elif action == TRAIN_DISCRIMINATOR_FAKE and len(data) == 0:
            fake, fake_labels = generate(gan, gan.real_rows, 0)
            discriminator_update(gan, fake, fake_labels, gan.roles.fake, statistics[k][3:6])
        elif action == TRAIN_GENERATOR:
            train_generator(gan, statistics[k])
        else:
            x, y = gather_batch(gan, data, labels, len(data))
            if action == TRAIN_DISCRIMINATOR_REAL:
                discriminator_update(gan, x, y, gan.roles.real, statistics[k][0:3])
            elif action == TRAIN_DISCRIMINATOR_FAKE:
                discriminator_update(gan, x, y, gan.roles.fake, statistics[k][3:6])
            else:
                train_discriminator(gan, x, y, 0, statistics[k])
                if action == TRAIN_ON_BATCH:
                    train_generator(gan, statistics[k])
        gan.clock[0] += 1


@register_jitable(no_cfunc_wrapper=True)
def train_step(gan, data, labels, statistics):
    """One step of both players; writes its (9,) statistics."""
    for critic_step in range(gan.n_critic):
        x, y = real_batch(gan, data, labels, critic_step)
        train_discriminator(gan, x, y, critic_step * STREAMS, statistics)
    train_generator(gan, statistics)


@register_jitable(no_cfunc_wrapper=True)
def train_discriminator(gan, x, y, streams, statistics):
    """One discriminator step on real rows x (rows, width) with labels y (rows,) or (0,), and as many fake ones."""
    fake, fake_labels = generate(gan, len(x), streams)
    if gan.joint:
        discriminator_joint(gan, x, y, fake, fake_labels, statistics)
    else:
        discriminator_update(gan, x, y, gan.roles.real, statistics[0:3])
        discriminator_update(gan, fake, fake_labels, gan.roles.fake, statistics[3:6])


@register_jitable(no_cfunc_wrapper=True)
def discriminator_update(gan, x, y, role, statistics):
    """Update the discriminator on rows x that are all real or all fake."""
    net = gan.discriminator
    logits = forward(net, x, y[:0])
    head(role, logits, y, last_delta(net, len(x)), statistics)
    backward(net, x, y[:0], True, x[:0])
    update(net, gan.clock)


@register_jitable(no_cfunc_wrapper=True)
def discriminator_joint(gan, x, y, fake, fake_labels, statistics):
    """Update the discriminator once on the sum of its losses on real and fake rows, as many of each."""
    net, rows = gan.discriminator, len(x)
    both = gan.real[: 2 * rows]
    copy_rows(x, both[:rows])
    copy_rows(fake, both[rows:])
    logits = forward(net, both, y[:0])
    delta = last_delta(net, 2 * rows)
    head(gan.roles.real, logits[:rows], y, delta[:rows], statistics[0:3])
    head(gan.roles.fake, logits[rows:], fake_labels, delta[rows:], statistics[3:6])
    backward(net, both, y[:0], True, both[:0])
    update(net, gan.clock)


@register_jitable(no_cfunc_wrapper=True)
def train_generator(gan, statistics):
    """Update the generator through the discriminator, which is held still, on a full batch."""
    rows = len(gan.latent)
    g, d = gan.generator, gan.discriminator
    fake, labels = generate(gan, rows, gan.n_critic * STREAMS)
    logits = forward(d, fake, labels[:0])
    head(gan.roles.generator, logits, labels, last_delta(d, rows), statistics[6:9])
    backward(d, fake, labels[:0], False, last_delta(g, rows))
    backward(g, gan.latent, labels, True, gan.latent[:0])
    update(g, gan.clock)


@register_jitable(no_cfunc_wrapper=True)
def head(role, logits, labels, dlogits, statistics):
    """Loss and gradient of one role at the discriminator's logits."""
    acgan_head(logits, labels, role.code, role.target, role.sign, dlogits, statistics)


@register_jitable(no_cfunc_wrapper=True)
def generate(gan, rows, streams):
    """Fake rows (rows, width) from fresh latent vectors, and the labels (rows,) or (0,) asked for."""
    latent, labels = gan.latent[:rows], gan.latent_labels[:rows]
    if gan.uniform_latent:
        uniform(latent, gan.key, gan.clock, streams + LATENT)
    else:
        normal(latent, gan.key, gan.clock, streams + LATENT)
    if gan.n_classes > 0:
        integers(labels, gan.n_classes, gan.key, gan.clock, streams + LABELS)
    return forward(gan.generator, latent, labels), labels


@register_jitable(no_cfunc_wrapper=True)
def real_batch(gan, data, labels, critic_step):
    """The real rows of one critic step, in network units (rows, width), and their labels (rows,) or (0,)."""
    rows = gan.real_rows
    indices = gan.indices[:rows]
    if gan.replacement:
        integers(indices, len(data), gan.key, gan.clock, critic_step * STREAMS + ROWS)
    else:
        per_step, offset = rows * gan.n_critic, rows * critic_step
        shuffled_rows(indices, len(data), per_step, offset, gan.key, gan.clock, ROWS)
    return gather_batch(gan, data, labels, rows)


@register_jitable(no_cfunc_wrapper=True)
def gather_batch(gan, data, labels, rows):
    """The rows of data that the first `rows` indices name, in network units (rows, width), and their labels."""
    indices, x, y = gan.indices[:rows], gan.real[:rows], gan.real_labels[:rows]
    if gan.vocabulary > 0:
        one_hot_rows(data, indices, gan.vocabulary, x)
    else:
        gather_rows(data, indices, gan.scale, gan.shift, x)
    gather_labels(labels, indices, y)
    return x, y
