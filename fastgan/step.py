"""The training step, written once: interpreted on NumPy arrays, or compiled whole by Numba.

One step is `n_critic` discriminator steps, then `n_generator` generator steps (Goodfellow et al. 2014, arXiv 1406.2661,
algorithm 1), in the half-batch form of Keras-style loops (`separate`) or on the summed loss (`joint`).

Every thread runs the same code. In a team each takes its share of the rows up to an update; there they meet, and each
updates its share of the parameters, over all rows. In a duet each plays one player, so that the generator learns and
makes rows while the discriminator learns, and both share the rows that the generator learns from. A row's numbers and
a parameter's sums do not depend on whose share they are in, so a step gives the same bits with any number of threads.
"""

from __future__ import annotations

from fastgan.batches import gather_batch, generate, kept_fakes, real_batch, rows_of, share_rows
from fastgan.by_reference import by_reference
from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.forms import Batch
from fastgan.judging import blur, judge, judge_generator, judge_pairs
from fastgan.passes import backward_rows
from fastgan.penalties import draw_of, penalise
from fastgan.state import MIXING, NOISE, STREAMS
from fastgan.team import meet
from fastgan.updates import learn
from fastgan_kernels import count_step, due
from fastgan_kernels.subnormals import flush_subnormals, restore_subnormals

# What `perform` can do: steps over a data set, or the parts of a step on a batch of the caller's.
(
    TRAIN,
    TRAIN_ON_BATCH,
    TRAIN_DISCRIMINATOR,
    TRAIN_DISCRIMINATOR_REAL,
    TRAIN_DISCRIMINATOR_FAKE,
    TRAIN_GENERATOR,
) = range(6)


def entry(action, gan, data, labels, statistics):
    """`perform` as Python calls it compiled.

    Numba compiles an op once for each set of options of its callers, and only this function has its own.
    """
    before = flush_subnormals()
    perform(action, by_reference(gan), data, labels, statistics)
    restore_subnormals(before)


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
                fake, fake_labels = kept_fakes(gan, gan.fake_half, len(data), 0)
                learn_real(gan, x, y, 0, statistics[k])
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
    fake, fake_labels = rows_of(gan, gan.fake_half, rows // gan.pack)
    for critic_step in range(gan.n_critic):
        streams = critic_step * STREAMS
        if generator:
            fake, fake_labels = kept_fakes(gan, gan.fake_half, rows, streams)
        if discriminator:
            x, y = real_batch(gan, data, labels, critic_step)
            learn_real(gan, x, y, streams, statistics)
        meet(gan.duet)
        if discriminator:
            learn_fake(gan, fake, fake_labels, streams, statistics)
        if generator and critic_step == gan.n_critic - 1:
            generate(gan, len(gan.latent), gan.n_critic * STREAMS)
        meet(gan.duet)
    for turn in range(gan.n_critic, gan.n_critic + gan.n_generator):
        judge_generator(gan, turn * STREAMS, statistics[6:9])
        if generator:
            generator_update(gan, turn * STREAMS)
        if turn < gan.n_critic + gan.n_generator - 1:
            if generator:
                generate(gan, len(gan.latent), (turn + 1) * STREAMS)
            meet(gan.duet)


@part
def learn_real(gan, x, y, streams, statistics):
    """The discriminator's update on real rows x with labels y, or its first half; pairs wait for their fake rows."""
    if gan.paired is not None:
        blur(gan, gan.team, x, NOISE + streams)
    elif gan.joint:
        judge_half(gan, gan.real_half, x, y, gan.roles.real, streams, statistics[0:3], statistics[9:])
    else:
        update_half(gan, gan.real_half, x, y, gan.roles.real, streams, statistics[0:3], statistics[9:])


def _learn_fake_alone(gan, x, y, streams, statistics):
    update_half(gan, gan.fake_half, x, y, gan.roles.fake, streams, statistics[3:6], statistics[9:])


@where("paired", without=_learn_fake_alone)
def learn_fake(gan, x, y, streams, statistics):
    """The discriminator's update on as many fake rows, or on the sum of both losses, or on pairs."""
    blur(gan, gan.team, x, NOISE + streams + 1)
    judge_pairs(gan, x, y, streams, statistics)
    penalise_half(gan, gan.real_half, len(x), streams, statistics[9:])
    penalise_half(gan, gan.fake_half, len(x), streams, statistics[9:])
    update_discriminator(gan, gan.fake_half, x)


@part
def judge_half(gan, half, x, y, role, streams, statistics, penalty):
    """A role's losses on the rows x of a half, its penalty if it has one, and their gradients at each row."""
    draw = draw_of(half, streams)
    blur(gan, gan.team, x, NOISE + draw)
    judge(gan, x, y, role, half.place * len(x), draw, statistics)
    penalise_half(gan, half, len(x), streams, penalty)


@only_with("penalty")
def penalise_half(gan, half, rows, streams, statistics):
    """The penalty of a half, if it has one and one is due."""
    if half.tangents > 0 and is_due(gan):
        penalise(gan, half, rows, draw_of(half, streams), streams + MIXING, statistics)


@part
def update_half(gan, half, x, y, role, streams, statistics, penalty):
    """Judge a half, and update the discriminator on it and on what was judged before it for the same update."""
    judge_half(gan, half, x, y, role, streams, statistics, penalty)
    update_discriminator(gan, half, x)


@part
def update_discriminator(gan, half, x):
    """Update the discriminator on all rows that were judged, the last of which are the rows x of a half."""
    rows, start = len(x), half.start * len(x)
    plain, penalised = half.plain * rows, half.stop * rows
    biased = plain
    if plain > rows:
        x = gan.real[start : start + plain]
    if penalised > plain and is_due(gan):
        x, biased = gan.real[start : start + penalised], half.biased * rows
    learn(gan.discriminator, x, gan.real_labels[:0], biased, gan.team, gan.clock)
    meet(gan.team)


def _never(gan):
    return False


@where("penalty", without=_never)
def is_due(gan):
    """Whether this step has a penalty."""
    return due(gan.clock, gan.penalty.every)


@part
def train_generator(gan, statistics):
    """Update the generator through the discriminator, which is held still, on a full batch."""
    generate(gan, len(gan.latent), gan.n_critic * STREAMS)
    judge_generator(gan, gan.n_critic * STREAMS, statistics[6:9])
    generator_update(gan, gan.n_critic * STREAMS)


@part
def generator_update(gan, streams):
    """Update the generator on the full batch that was judged, and made of these random numbers."""
    g = gan.generator
    rows = len(gan.latent)
    first, stop = share_rows(gan, rows)
    backward_rows(g, stop - first, first, gan.latent[:0], Batch(gan, gan.team, 0, rows, streams))
    meet(gan.team)
    learn(g, gan.latent, gan.latent_labels, len(gan.latent), gan.team, gan.clock)
    meet(gan.team)
