"""Gradient penalties of the discriminator: where their rows lie, and the passes that make them.

A penalty adds rows to a half of the discriminator's batch. Its *points* are the rows at which the slope is taken: the
half's own, or others that are mixed or must be kept apart. Its *tangents* are the rows whose products with the slope's
deltas are the penalty's gradient: `fastgan_kernels.penalty`.
"""

from __future__ import annotations

from typing import NamedTuple

from fastgan.choice import only_with
from fastgan.compiled import part
from fastgan.forms import Batch
from fastgan.networks import last_delta
from fastgan.passes import carry_curvature, carry_down, carry_up, forward
from fastgan.team import meet, share
from fastgan_kernels import copy, first_column, mean_rows, mix_rows, slope_penalty, uniform

# Which halves of the batch have a penalty: the real one, the fake one.
HALVES = {
    "none": (False, False),
    "wgan-gp": (False, True),
    "r1": (True, False),
    "r2": (False, True),
    "r1+r2": (True, True),
}


class Penalty(NamedTuple):
    """Constants of a penalty; see `fastgan_kernels.slope_penalty`."""

    centre: float
    one_sided: bool
    weight: float
    every: int
    mixed: bool  # points lie between a real and a fake row
    smooth: bool  # the activations have a second derivative


class Half(NamedTuple):
    """Where a half of the discriminator's batch lies; everything is counted in halves.

    Parameters
    ----------
    start : where the rows that one update learns from begin in `Gan.real`; their arena begins with them
    place : of the half's rows, from there on; `points`, `tangents`, `plain`, `stop` and `biased` too
    points, tangents : of its penalty; tangents is 0 where it has none
    plain : rows to learn from in an update without a penalty
    stop, biased : rows to learn from in one with, and how many of these the biases see
    """

    start: int
    place: int
    points: int
    tangents: int
    plain: int
    stop: int
    biased: int


def lay_out(kind: str, *, joint: bool, smooth: bool) -> tuple[Half, Half, int]:
    """Return the real half, the fake half, and how many halves `Gan.real` must hold."""
    penalised = HALVES[kind]
    mixed = kind == "wgan-gp"
    if joint:
        places = [place for place in (0, 1) if penalised[place]]
        found, end = _place(0, 2, places, mixed=mixed, smooth=smooth)
        real, fake = (found.get(place, _unpenalised(found, 0, place, 2)) for place in (0, 1))
        return real, fake, end
    halves, end = [], 0
    for penalty in penalised:
        start = end
        found, size = _place(start, 1, [0] if penalty else [], mixed=mixed, smooth=smooth)
        halves.append(found.get(0, _unpenalised(found, start, 0, 1)))
        end += size
    return halves[0], halves[1], end


def _place(
    start: int, plain: int, places: list[int], *, mixed: bool, smooth: bool
) -> tuple[dict[int, Half], int]:
    """Halves with a penalty by their place, and the halves that one update's rows fill.

    Points that the optimiser learns from, since a smooth slope changes with them, come before the tangents, for they
    count for the biases; points that it does not need come after.
    """
    count = len(places)
    own = count if smooth or mixed else 0
    before = own if smooth else 0
    tangents = plain + before
    stop = tangents + count
    points = plain if smooth else stop
    return {
        place: Half(start, place, points + i if own else place, tangents + i, plain, stop, tangents)
        for i, place in enumerate(places)
    }, max(stop, points + own)


def _unpenalised(others: dict[int, Half], start: int, place: int, plain: int) -> Half:
    """A half without a penalty, which learns with the other one's where an update has both."""
    stop, biased = next(((other.stop, other.biased) for other in others.values()), (plain, plain))
    return Half(start, place, place, 0, plain, stop, biased)


@part
def draw_of(half, streams):
    """Which of a step's random numbers the rows of a half have, where others would be wrong for the other half."""
    return streams + min(half.start + half.place, 1)


@only_with("penalty")
def penalise(gan, half, rows, draw, stream, statistics):
    """The penalty of a half of `rows` rows, which have been judged by `draw`; writes its (2,) statistics.

    The team shares the rows, and meets when all are there.
    """
    net, penalty, batch = gan.discriminator, gan.penalty, Batch(gan, draw)
    first, stop = share(rows, gan.team)
    count, x = stop - first, gan.real[half.start * rows :]
    own, points = half.place * rows + first, half.points * rows + first
    tangents = half.tangents * rows + first
    at, slopes = x[points : points + count], x[tangents : tangents + count]
    if penalty.mixed:
        uniform(gan.mixing[:rows], gan.key, gan.clock, stream)
        mix_rows(gan.real[first:stop], x[own : own + count], gan.mixing[first:stop], at)
    elif points != own:
        copy(x[own : own + count], at)
    if points != own:
        forward(net, at, gan.real_labels[:0], points, batch)
    first_column(last_delta(net, count, tangents), 1.0)
    carry_down(net, count, points, tangents, slopes, batch)
    place = half.place * rows
    losses = gan.losses[3:, place + first : place + stop]
    slope_penalty(
        slopes, penalty.centre, penalty.one_sided, penalty.weight, penalty.every, gan.clock, rows, losses
    )
    carry_up(net, slopes, points, tangents, batch)
    if penalty.smooth:
        carry_curvature(net, count, points, batch)
    meet(gan.team)
    if gan.team.rank == 0:
        mean_rows(gan.losses[3:, place : place + rows], statistics)
