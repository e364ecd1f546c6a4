"""The rows of a step: real ones drawn from the data, fake ones made by the generator, and where both lie."""

from __future__ import annotations

from fastgan.compiled import part
from fastgan.forms import Batch
from fastgan.latent import draw_latent
from fastgan.networks import last_output
from fastgan.passes import forward
from fastgan.state import LABELS, LATENT, ROWS, STREAMS
from fastgan.team import share
from fastgan_kernels import (
    copy,
    gather_labels,
    gather_rows,
    integers,
    one_hot_rows,
    shuffled_rows,
    slot_rows,
)


@part
def share_rows(gan, rows):
    """First row, and the row after the last, of this thread's share of `rows`; packed rows stay together."""
    first, stop = share(rows // gan.pack, gan.team)
    return first * gan.pack, stop * gan.pack


@part
def packed(gan, x):
    """Rows as the discriminator sees them: (rows / pack, pack * width)."""
    return x.reshape((x.shape[0] // gan.pack, gan.pack * x.shape[1]))


@part
def unpacked(gan, x):
    """Rows by themselves: (rows, width)."""
    return x.reshape((x.shape[0] * gan.pack, x.shape[1] // gan.pack))


@part
def rows_of(gan, half, rows):
    """Where the packed rows of a half lie: (rows, pack * width), and their labels (rows,) or (0,)."""
    first = (half.start + half.place) * rows
    return gan.real[first : first + rows], gan.real_labels[first : first + rows]


@part
def real_batch(gan, data, labels, critic_step):
    """The real rows of one critic step, in network units and packed, and their labels (rows,) or (0,)."""
    draw_rows(gan, len(data), critic_step)
    return gather_batch(gan, data, labels, gan.real_half, gan.real_rows)


@part
def draw_rows(gan, total, critic_step):
    """Which of `total` rows one critic step looks at: this thread's share of the indices."""
    rows = gan.real_rows
    first, stop = share_rows(gan, rows)
    per_step, offset = rows * gan.n_critic, rows * critic_step + first
    if gan.slots > 0:
        slot_rows(gan.indices[first:stop], gan.slots, per_step, offset, gan.clock)
    elif gan.replacement:  # every thread draws all of them, the same ones
        integers(gan.indices[:rows], total, gan.key, gan.clock, critic_step * STREAMS + ROWS)
    else:
        shuffled_rows(gan.indices[first:stop], total, per_step, offset, gan.key, gan.clock, ROWS)


@part
def gather_batch(gan, data, labels, half, rows):
    """The rows of data that the first `rows` indices name, in network units and packed, and their labels."""
    first, stop = share_rows(gan, rows)
    x, y = rows_of(gan, half, rows // gan.pack)
    indices, mine = gan.indices[first:stop], unpacked(gan, x)[first:stop]
    if gan.vocabulary > 0:
        one_hot_rows(data, indices, gan.vocabulary, mine)
    else:
        gather_rows(data, indices, gan.scale, gan.shift, mine)
    gather_labels(labels, indices, y[first:stop])
    return x, y


@part
def kept_fakes(gan, half, rows, streams):
    """Fake rows, packed, and their labels as `generate` makes them, where the generator does not overwrite them."""
    fake, labels = generate(gan, rows, streams)
    if half.place > 0 or half.tangents > 0 or gan.duet.size > 1:
        first, stop = share_rows(gan, rows)
        kept, kept_labels = rows_of(gan, half, rows // gan.pack)
        copy(fake[first:stop], unpacked(gan, kept)[first:stop])
        if gan.n_classes > 0:
            copy(labels[first:stop], kept_labels[first:stop])
            labels = kept_labels
        return kept, labels
    return packed(gan, fake), labels


@part
def generate(gan, rows, streams):
    """Fake rows (rows, width) from fresh latent vectors, and the labels (rows,) or (0,) asked for."""
    latent, labels = gan.latent[:rows], gan.latent_labels[:rows]
    draw_latent(latent, gan.prior, gan.key, gan.clock, streams + LATENT)
    if gan.n_classes > 0:
        integers(labels, gan.n_classes, gan.key, gan.clock, streams + LABELS)
    g = gan.generator
    first, stop = share_rows(gan, rows)
    forward(g, latent[first:stop], labels[first:stop], first, Batch(gan, gan.team, 0, rows, streams))
    return last_output(g, rows), labels
