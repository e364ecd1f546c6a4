"""Threads that share a step: every row and parameter once, the same bytes however many, nobody left waiting."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from fastgan.build import build_team
from fastgan.networks import COUNT, FIRST, LAYER, START, STOP, TABLE, share_out
from fastgan.team import ARRIVALS, CANCELLED, GROUP, meet, share, team_of
from fastgan_kernels.layers import INPUTS


@given(rows=st.integers(0, 300), threads=st.integers(1, 17))
def test_shares_are_whole_groups_of_every_row_once(rows, threads):
    shares = [share(rows, place) for place in team_of(threads)]
    assert [row for first, stop in shares for row in range(first, stop)] == list(range(rows))
    assert all(first % GROUP == 0 for first, stop in shares if first < stop)
    groups = [-(-(stop - first) // GROUP) for first, stop in shares]
    assert max(groups) - min(groups) <= 1


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize(
    ("generator", "discriminator"), [([7], [9, 5]), ([300, 1], [1]), ([1024], [2048, 33])], ids=str
)
def test_blocks_are_every_parameter_once(make_trainer, generator, discriminator, threads):
    vectors = dict(label_embedding=3, token_embedding=20)
    gan = make_trainer(
        "tokens", rows=600, classes=60, generator=generator, discriminator=discriminator, **vectors
    ).gan
    for net, entries in ((gan.generator, 60), (gan.discriminator, 5)):
        shares = share_out(net.layers, threads, entries)
        blocks = np.concatenate(shares)
        assert blocks[0, START] == 0 and blocks[-1, STOP] == len(net.params)
        np.testing.assert_array_equal(blocks[1:, START], blocks[:-1, STOP])
        for layer, inputs in [(TABLE, entries), *enumerate(net.layers[:, INPUTS])]:
            of_layer = blocks[blocks[:, LAYER] == layer]
            rows = [row for block in of_layer for row in range(block[FIRST], block[FIRST] + block[COUNT])]
            assert rows == list(range(inputs))
        sizes = [int((blocks[:, STOP] - blocks[:, START]).sum()) for blocks in shares]
        largest = int((blocks[:, STOP] - blocks[:, START]).max())
        assert max(sizes) <= len(net.params) / threads + largest


@njit(nogil=True)
def take_turns(place, seen, rounds):
    """Count in a place of one's own; all that the others counted must be seen after each meeting."""
    for turn in range(rounds):
        seen[place.rank] = turn + 1
        if not meet(place):
            return -1
        for other in range(place.size):
            if seen[other] != turn + 1:
                return turn
        if not meet(place):
            return -1
    return rounds


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_nobody_goes_on_before_all_have_come(threads):
    """More threads than cores too."""
    seen, results, rounds = np.zeros(threads, np.int64), [], 50
    places = team_of(threads)
    take_turns(places[0]._replace(size=1), seen, 0)  # compile first
    others = [
        threading.Thread(target=lambda place=place: results.append(take_turns(place, seen, rounds)))
        for place in places
    ]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert results == [rounds] * threads
    assert places[0].meetings[ARRIVALS] == (2 * rounds * threads if threads > 1 else 0)


def test_a_cancelled_meeting_ends():
    first, second = team_of(2)
    results = []
    waiting = threading.Thread(target=lambda: results.append(take_turns(second, np.zeros(2, np.int64), 3)))
    waiting.start()
    first.meetings[CANCELLED] = 1
    waiting.join()
    assert results == [-1]


def test_a_team_shares_parameters_and_has_counts_of_its_own(make_trainer):
    gan = make_trainer(classes=3).gan
    one, other = build_team(gan, 2)
    assert one.discriminator.params is other.discriminator.params is gan.discriminator.params
    for name in ("clock", "latent", "latent_labels"):
        assert not np.shares_memory(getattr(one, name), getattr(other, name))
    assert not np.shares_memory(one.generator.updates, other.generator.updates)
