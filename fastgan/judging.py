"""What the discriminator says to rows, what that costs each role, and the gradients that go back to each row."""

from __future__ import annotations

from fastgan.batches import packed, rows_of
from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.forms import Batch
from fastgan.networks import last_delta, last_output, layer_rows
from fastgan.passes import backward_rows, forward
from fastgan.state import NOISE
from fastgan.team import meet, share
from fastgan_kernels import acgan_head_rows, add_noise, copy, mean_rows, relativistic_rows


@part
def judge(gan, x, labels, role, place, draw, statistics):
    """A role's losses on x (rows, columns), and their gradients down the discriminator.

    Row i of x is row `place` + i of the discriminator's arena and of the losses; `draw` is which of the step's batches
    it is. The team shares the rows, and meets when all are judged.
    """
    look(gan, gan.team, x, labels, role, place, draw)
    pass_back(gan, gan.team, len(x), place, draw, x[:0])
    meet(gan.team)
    record(gan, gan.team, len(x), place, statistics)


@part
def look(gan, team, x, labels, role, place, draw):
    """What the discriminator says to x, and the gradient of a role's losses there."""
    first, stop = share(len(x), team)
    rows, at = stop - first, place + first
    logits = forward(gan.discriminator, x[first:stop], labels[:0], at, Batch(gan, team, place, len(x), draw))
    delta, losses = last_delta(gan.discriminator, rows, at), gan.losses[:3, at : at + rows]
    acgan_head_rows(logits, labels[first:stop], role.code, role.target, role.sign, len(x), delta, losses)


@part
def pass_back(gan, team, rows, place, draw, dx):
    """Carry the gradient down from the logits, and into dx unless size 0."""
    first, stop = share(rows, team)
    batch = Batch(gan, team, place, rows, draw)
    backward_rows(gan.discriminator, stop - first, place + first, dx[first:stop], batch)


@part
def record(gan, team, rows, place, statistics):
    """Write the means of the losses of rows that all have judged."""
    if team.rank == 0:
        mean_rows(gan.losses[:3, place : place + rows], statistics)


@only_with("paired")
def judge_pairs(gan, x, y, streams, statistics):
    """The discriminator's loss on pairs of a real row and a fake one of x, and the gradients at both."""
    rows = len(x)
    real, real_labels = rows_of(gan, gan.real_half, rows)
    look(gan, gan.team, real, real_labels, gan.roles.real, 0, streams)
    look(gan, gan.team, x, y, gan.roles.fake, rows, streams + 1)
    compare(gan, gan.team, rows, 0, rows)
    for half in range(2):
        pass_back(gan, gan.team, rows, half * rows, streams + half, x[:0])
    meet(gan.team)
    record(gan, gan.team, rows, 0, statistics[0:3])
    record(gan, gan.team, rows, rows, statistics[3:6])


@only_with("paired")
def compare(gan, team, rows, winners, losers):
    """The loss of pairs whose first rows in the discriminator's arena are `winners` and `losers`; the winner has it."""
    net, layer = gan.discriminator, len(gan.discriminator.layers) - 1
    first, stop = share(rows, team)
    count, winners, losers = stop - first, winners + first, losers + first
    relativistic_rows(
        layer_rows(net, net.outputs, layer, count, winners),
        layer_rows(net, net.outputs, layer, count, losers),
        rows,
        last_delta(net, count, winners),
        last_delta(net, count, losers),
        gan.losses[0, winners : winners + count],
        gan.losses[0, losers : losers + count],
    )


@part
def judge_generator(gan, streams, statistics):
    """What the discriminator says to the full batch in the generator's arena, and the gradient at those rows."""
    g, team = gan.generator, gan.team if gan.duet.size == 1 else gan.duet
    fake, dx = packed(gan, last_output(g, len(gan.latent))), packed(gan, last_delta(g, len(gan.latent)))
    rows, place = len(fake), look_at_partners(gan, team, len(fake), streams)
    fake = blurred(gan, team, fake, place, NOISE + streams)
    look(gan, team, fake, gan.latent_labels, gan.roles.generator, place, streams)
    compare(gan, team, rows, place, 0)
    pass_back(gan, team, rows, place, streams, dx)
    meet(team)
    record(gan, team, rows, place, statistics)


def _first_place(gan, team, rows, streams):
    return 0


@where("paired", without=_first_place)
def look_at_partners(gan, team, rows, streams):
    """What the discriminator says to the real rows that fake ones are compared with; the place after them."""
    real, labels = rows_of(gan, gan.real_half, rows)
    look(gan, team, real, labels, gan.roles.generator, 0, streams)
    return rows


@only_with("noise")
def blur(gan, team, x, stream):
    """Add noise to rows that the discriminator is to see; the team shares them."""
    first, stop = share(len(x), team)
    noise = gan.noise
    add_noise(x[first:stop], noise.deviation, noise.decay_steps, gan.key, gan.clock, stream, first)


def _as_they_are(gan, team, x, place, stream):
    return x


@where("noise", without=_as_they_are)
def blurred(gan, team, x, place, stream):
    """Rows of the generator's arena with noise, elsewhere, for the generator learns from them as they are."""
    first, stop = share(len(x), team)
    out = gan.real[place : place + len(x)]
    copy(x[first:stop], out[first:stop])
    blur(gan, team, out, stream)
    return out
