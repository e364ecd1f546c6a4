"""The training step, written once: interpreted on NumPy arrays, or compiled whole by Numba.

One step is `n_critic` discriminator steps, then one generator step (Goodfellow et al. 2014, arXiv 1406.2661,
algorithm 1), in the half-batch form of Keras-style loops (`separate`) or on the summed loss (`joint`).

Every thread runs the same code. In a team each takes its share of the rows up to an update; there they meet, and each
updates its share of the parameters, over all rows. In a duet each plays one player, so that the generator learns and
makes rows while the discriminator learns, and both share the rows that the generator learns from. A row's numbers and
a parameter's sums do not depend on whose share they are in, so a step gives the same bits with any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgan.by_reference import by_reference
from fastgan.compiled import part
from fastgan.networks import Network, last_delta, last_output
from fastgan.passes import backward_rows, forward
from fastgan.penalties import Half, Penalty, penalise
from fastgan.team import Team, meet, share
from fastgan.updates import learn
from fastgan_kernels import (
    acgan_head_rows,
    copy,
    count_step,
    due,
    gather_labels,
    gather_rows,
    integers,
    mean_rows,
    normal,
    one_hot_rows,
    shuffled_rows,
    slot_rows,
    uniform,
)

# Columns of the per-step statistics: for the discriminator on real rows, on fake rows (in its last critic step), for
# the generator, and of the discriminator's penalty: its mean, and the mean length of its slopes.
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
    "d_penalty",
    "d_slope",
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
ROWS, LATENT, LABELS, MIXING = range(4)
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
    team : this thread's place among those that share the rows; clock and latent vectors are each thread's own
    duet : this thread's place, if each of two threads plays one player
    real_half, fake_half : where the halves of the discriminator's batch lie in `real` and in its arena
    lone_real, lone_fake : the same where one of them is learnt from alone, in a loop of the caller's
    latent : (batch, latent_dim) float32; latent_labels : (batch,) int64, or (0,) without classes
    real : (rows, width) float32, gathered rows; fake rows that are kept, and a penalty's rows, as the halves say
    real_labels : (rows,) int64, theirs, or (0,)
    indices : (2 real_rows,) int64, the rows drawn
    mixing : (batch,) float32, where a penalty mixes real and fake rows, or (0,)
    losses : (5, 2 real_rows) float32, each row's adversarial loss, score and class loss, penalty and slope
    scale, shift : (columns,) float32 of the data
    key : (2,) uint32; clock : (1,) int64, training steps made, or parts of one in a loop of the caller's
    ring : (steps, 11) float32, statistics of the newest steps where a step is captured, else of size 0
    vocabulary : tokens' one-hot width, 0 for numbers
    real_rows : real rows of one critic step
    slots : steps whose rows are gathered ahead, where the data are too large for the device; else 0
    """

    generator: Network
    discriminator: Network
    roles: Roles
    penalty: Penalty
    real_half: Half
    fake_half: Half
    lone_real: Half
    lone_fake: Half
    team: Team
    duet: Team
    latent: np.ndarray
    latent_labels: np.ndarray
    real: np.ndarray
    real_labels: np.ndarray
    indices: np.ndarray
    mixing: np.ndarray
    losses: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    key: np.ndarray
    clock: np.ndarray
    ring: np.ndarray
    n_classes: int
    vocabulary: int
    real_rows: int
    slots: int
    n_critic: int
    joint: bool
    uniform_latent: bool
    replacement: bool


def entry(action, gan, data, labels, statistics):
    """`perform` as Python calls it compiled.

    Numba compiles an op once for each set of options of its callers, and only this function has its own.
    """
    perform(action, by_reference(gan), data, labels, statistics)


@part
def perform(action, gan, data, labels, statistics):
    """Run an action, TRAIN or a part of a step, once for each row of statistics (k, 11).

    Data (rows, columns) and labels (rows,) or (0,) are the whole data set for TRAIN, and one batch in data units
    otherwise; a batch of no rows stands for the generator's own. A duet can TRAIN alone.
    """
    steps = len(statistics) if meet(gan.team) and meet(gan.duet) else 0
    for k in range(steps):
        if action == TRAIN:
            train_step(gan, data, labels, statistics[k])
        elif action == TRAIN_GENERATOR:
            train_generator(gan, statistics[k])
        elif action == TRAIN_DISCRIMINATOR_FAKE and len(data) == 0:
            x, y = kept_fakes(gan, gan.lone_fake, gan.real_rows, 0)
            update_half(gan, gan.lone_fake, x, y, gan.roles.fake, 0, statistics[k][3:6], statistics[k][9:])
        else:
            half = gan.lone_fake if action == TRAIN_DISCRIMINATOR_FAKE else gan.lone_real
            x, y = gather_batch(gan, data, labels, half, len(data))
            if action == TRAIN_DISCRIMINATOR_REAL:
                update_half(gan, half, x, y, gan.roles.real, 0, statistics[k][0:3], statistics[k][9:])
            elif action == TRAIN_DISCRIMINATOR_FAKE:
                update_half(gan, half, x, y, gan.roles.fake, 0, statistics[k][3:6], statistics[k][9:])
            else:
                fake, fake_labels = kept_fakes(gan, gan.fake_half, len(x), 0)
                learn_real(gan, x, y, statistics[k])
                learn_fake(gan, fake, fake_labels, 0, statistics[k])
                if action == TRAIN_ON_BATCH:
                    train_generator(gan, statistics[k])
        count_step(gan.clock, statistics[k], gan.ring)
    meet(gan.duet)


@part
def train_step(gan, data, labels, statistics):
    """One step of both players; writes its (11,) statistics."""
    alone = gan.duet.size == 1
    discriminator, generator = alone or gan.duet.rank == 0, alone or gan.duet.rank == 1
    rows = gan.real_rows
    fake, fake_labels = rows_of(gan, gan.fake_half, rows)
    for critic_step in range(gan.n_critic):
        if generator:
            fake, fake_labels = kept_fakes(gan, gan.fake_half, rows, critic_step * STREAMS)
        if discriminator:
            x, y = real_batch(gan, data, labels, critic_step)
            learn_real(gan, x, y, statistics)
        meet(gan.duet)
        if discriminator:
            learn_fake(gan, fake, fake_labels, critic_step * STREAMS, statistics)
        if generator and critic_step == gan.n_critic - 1:
            generate(gan, len(gan.latent), gan.n_critic * STREAMS)
        meet(gan.duet)
    judge_generator(gan, statistics)
    if generator:
        generator_update(gan)


@part
def learn_real(gan, x, y, statistics):
    """The discriminator's update on real rows x (rows, width) with labels y (rows,) or (0,), or its first half."""
    if gan.joint:
        judge_half(gan, gan.real_half, x, y, gan.roles.real, 0, statistics[0:3], statistics[9:])
    else:
        update_half(gan, gan.real_half, x, y, gan.roles.real, 0, statistics[0:3], statistics[9:])


@part
def learn_fake(gan, x, y, streams, statistics):
    """The discriminator's update on as many fake rows, or on the sum of both losses."""
    update_half(gan, gan.fake_half, x, y, gan.roles.fake, streams, statistics[3:6], statistics[9:])


@part
def judge_half(gan, half, x, y, role, streams, statistics, penalty):
    """A role's losses on the rows x of a half, its penalty if it has one, and their gradients at each row."""
    judge(gan, gan.team, x, y, role, half.place * len(x), x[:0], statistics)
    if half.tangents > 0 and due(gan.clock, gan.penalty.every):
        penalise(gan, half, len(x), streams + MIXING, penalty)


@part
def update_half(gan, half, x, y, role, streams, statistics, penalty):
    """Judge a half, and update the discriminator on it and on what was judged before it for the same update."""
    judge_half(gan, half, x, y, role, streams, statistics, penalty)
    net, rows, start = gan.discriminator, len(x), half.start * len(x)
    if half.stop > half.plain and due(gan.clock, gan.penalty.every):
        learn(net, gan.real[start : start + half.stop * rows], y[:0], half.biased * rows, gan.team, gan.clock)
    elif half.plain > 1:
        learn(net, gan.real[start : start + half.plain * rows], y[:0], half.plain * rows, gan.team, gan.clock)
    else:
        learn(net, x, y[:0], rows, gan.team, gan.clock)
    meet(gan.team)


@part
def train_generator(gan, statistics):
    """Update the generator through the discriminator, which is held still, on a full batch."""
    generate(gan, len(gan.latent), gan.n_critic * STREAMS)
    judge_generator(gan, statistics)
    generator_update(gan)


@part
def judge_generator(gan, statistics):
    """What the discriminator says to the full batch in the generator's arena, and the gradient at those rows."""
    g, rows = gan.generator, len(gan.latent)
    role, fake = gan.roles.generator, last_output(g, rows)
    everyone = gan.team if gan.duet.size == 1 else gan.duet
    judge(gan, everyone, fake, gan.latent_labels, role, 0, last_delta(g, rows), statistics[6:9])


@part
def generator_update(gan):
    """Update the generator on the full batch that was judged."""
    g = gan.generator
    first, stop = share(len(gan.latent), gan.team)
    backward_rows(g, stop - first, first, gan.latent[:0])
    meet(gan.team)
    learn(g, gan.latent, gan.latent_labels, len(gan.latent), gan.team, gan.clock)
    meet(gan.team)


@part
def judge(gan, team, x, labels, role, place, dx, statistics):
    """A role's losses on x (rows, width), and their gradients down the discriminator, into dx unless size 0.

    Row i of x is row `place` + i of the discriminator's arena and of the losses. The team shares the rows, and meets
    when all are judged.
    """
    net = gan.discriminator
    first, stop = share(len(x), team)
    rows, at = stop - first, place + first
    logits = forward(net, x[first:stop], labels[:0], at)
    delta, losses = last_delta(net, rows, at), gan.losses[:3, at : at + rows]
    acgan_head_rows(logits, labels[first:stop], role.code, role.target, role.sign, len(x), delta, losses)
    backward_rows(net, rows, at, dx[first:stop])
    meet(team)
    if team.rank == 0:
        mean_rows(gan.losses[:3, place : place + len(x)], statistics)


@part
def kept_fakes(gan, half, rows, streams):
    """Fake rows and their labels as `generate` makes them, where the generator does not overwrite them."""
    fake, labels = generate(gan, rows, streams)
    if half.place > 0 or half.tangents > 0 or gan.duet.size > 1:
        first, stop = share(rows, gan.team)
        kept, kept_labels = rows_of(gan, half, rows)
        copy(fake[first:stop], kept[first:stop])
        fake = kept
        if gan.n_classes > 0:
            copy(labels[first:stop], kept_labels[first:stop])
            labels = kept_labels
    return fake, labels


@part
def rows_of(gan, half, rows):
    """Where the rows of a half lie: (rows, width), and their labels (rows,) or (0,)."""
    first = (half.start + half.place) * rows
    return gan.real[first : first + rows], gan.real_labels[first : first + rows]


@part
def generate(gan, rows, streams):
    """Fake rows (rows, width) from fresh latent vectors, and the labels (rows,) or (0,) asked for."""
    latent, labels = gan.latent[:rows], gan.latent_labels[:rows]
    if gan.uniform_latent:
        uniform(latent, gan.key, gan.clock, streams + LATENT)
    else:
        normal(latent, gan.key, gan.clock, streams + LATENT)
    if gan.n_classes > 0:
        integers(labels, gan.n_classes, gan.key, gan.clock, streams + LABELS)
    g = gan.generator
    first, stop = share(rows, gan.team)
    forward(g, latent[first:stop], labels[first:stop], first)
    return last_output(g, rows), labels


@part
def real_batch(gan, data, labels, critic_step):
    """The real rows of one critic step, in network units (rows, width), and their labels (rows,) or (0,)."""
    draw_rows(gan, len(data), critic_step)
    return gather_batch(gan, data, labels, gan.real_half, gan.real_rows)


@part
def draw_rows(gan, total, critic_step):
    """Which of `total` rows one critic step looks at: this thread's share of the indices."""
    rows = gan.real_rows
    first, stop = share(rows, gan.team)
    per_step, offset = rows * gan.n_critic, rows * critic_step + first
    if gan.slots > 0:
        slot_rows(gan.indices[first:stop], gan.slots, per_step, offset, gan.clock)
    elif gan.replacement:  # every thread draws all of them, the same ones
        integers(gan.indices[:rows], total, gan.key, gan.clock, critic_step * STREAMS + ROWS)
    else:
        shuffled_rows(gan.indices[first:stop], total, per_step, offset, gan.key, gan.clock, ROWS)


@part
def gather_batch(gan, data, labels, half, rows):
    """The rows of data that the first `rows` indices name, in network units (rows, width), and their labels."""
    first, stop = share(rows, gan.team)
    x, y = rows_of(gan, half, rows)
    indices = gan.indices[first:stop]
    if gan.vocabulary > 0:
        one_hot_rows(data, indices, gan.vocabulary, x[first:stop])
    else:
        gather_rows(data, indices, gan.scale, gan.shift, x[first:stop])
    gather_labels(labels, indices, y[first:stop])
    return x, y
