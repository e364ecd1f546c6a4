"""What a network's first layer reads in the place of labels or tokens: a learnt vector for each of them.

The generator's labels become columns beside the latent vector, as in Mirza and Osindero (2014, arXiv 1411.1784, section
4.1). Each of the discriminator's tokens, one-hot or soft, becomes the mean of the vectors weighted by it, in which a
penalty's second-order gradient is that of one more linear layer. A network without a table has no machine code for one;
it may read `bigrams`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgan.bigrams import bigram_tangents, bigrams_read, carry_to_read, carry_to_tokens, tokens_and_bigrams
from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.networks import COUNT, FIRST, START, STOP, Network, aligned, input_rows
from fastgan_kernels import (
    LINEAR,
    dense_backward_rows,
    dense_backward_weights,
    dense_forward,
    embed_labels,
    embed_labels_backward,
)
from fastgan_kernels.layers import INPUTS


class Embedding(NamedTuple):
    """A table of vectors, the first of a network's parameters.

    Parameters
    ----------
    entries, width : of the table
    of_tokens : whether they stand for tokens, not for labels
    inputs : (max_rows * columns,) float32, what the first layer reads
    dinputs : the same size, the loss's gradient there
    bias : (width,) float32 zeros
    """

    entries: int
    width: int
    of_tokens: bool
    inputs: np.ndarray
    dinputs: np.ndarray
    bias: np.ndarray


def with_embedding(net: Network, entries: int, width: int, *, of_tokens: bool) -> Network:
    """Return a network that was laid out with room for this table as one that reads by it; as it is if width is 0."""
    if width == 0:
        return net
    size = net.max_rows * int(net.layers[0, INPUTS])
    return net._replace(
        embedding=Embedding(
            entries, width, of_tokens, aligned(size), aligned(size), np.zeros(width, np.float32)
        )
    )


def draw_table(net: Network, random: np.random.Generator) -> None:
    """Draw standard normal vectors, which are as loud as a latent vector; nothing without a table."""
    if net.embedding is not None:
        table = table_of(net, net.params)
        table[...] = random.normal(size=table.shape)
        net.average[:] = net.params[: net.average.size]


def columns_given(net: Network) -> int:
    """Columns of the rows that a network without labels is given."""
    if net.bigrams is not None:
        return net.bigrams.columns
    columns = int(net.layers[0, INPUTS])
    return columns if net.embedding is None else columns // net.embedding.width * net.embedding.entries


@part
def table_of(net, vector):
    """View of the table (entries, width) in `vector`."""
    entries, width = net.embedding.entries, net.embedding.width
    return vector[: entries * width].reshape((entries, width))


@part
def by_entry(x, columns):
    """Rows with a row for each of their tokens: (rows * tokens, columns)."""
    return x.reshape((x.size // columns, columns))


@where("embedding", without=tokens_and_bigrams)
def embedded(net, x, labels, first):
    """What the first layer reads of x, the rows from `first` on, and the labels (0,) that it still needs."""
    if net.embedding.of_tokens:
        return tangents_read(net, x, first, first), labels[:0]
    out = input_rows(net, net.embedding.inputs, len(x), first)
    embed_labels(x, labels, table_of(net, net.params), out)
    return out, labels[:0]


@where("embedding", without=bigram_tangents)
def tangents_read(net, x, points, tangents):
    """How what the first layer reads moves with rows of tokens, the rows from `tangents` on: by the table itself.

    It does wherever they are; bigrams move by the tokens of the rows from `points` on.
    """
    source = net.embedding
    out = input_rows(net, source.inputs, len(x), tangents)
    tokens, vectors = by_entry(x, source.entries), by_entry(out, source.width)
    dense_forward(tokens, table_of(net, net.params), source.bias, LINEAR, net.slope, vectors)
    return out


@where("embedding", without=bigrams_read)
def inputs_read(net, x, labels, first):
    """What the first layer has read of x, the rows from `first` on, and the labels (0,) that it still needed."""
    return input_rows(net, net.embedding.inputs, len(x), first), labels[:0]


@where("embedding", without=carry_to_tokens)
def carry_to_input(net, dz, points, deltas, dx):
    """Carry the deltas dz at the first layer's sums, those of the arena's rows from `deltas` on, into dx unless size 0.

    The table's gradient needs those at what the layer has read in any case.
    """
    source = net.embedding
    dinputs = input_rows(net, source.dinputs, len(dz), deltas)
    carry_to_read(net, dz, deltas, dinputs)
    if source.of_tokens and dx.size > 0:
        dvectors, dtokens = by_entry(dinputs, source.width), by_entry(dx, source.entries)
        dense_backward_rows(dvectors, table_of(net, net.params), dtokens[:0], LINEAR, net.slope, dtokens)


@only_with("embedding")
def table_gradient(net, block, x, labels):
    """Gradient of a block of the table over all rows of x, whose deltas have been carried down."""
    source = net.embedding
    dtable = net.grads[block[START] : block[STOP]].reshape((block[COUNT], source.width))
    dinputs = input_rows(net, source.dinputs, len(x), 0)
    if source.of_tokens:
        tokens, dvectors = by_entry(x, source.entries), by_entry(dinputs, source.width)
        dense_backward_weights(tokens, dvectors, dtable, dtable[0, :0], block[FIRST])
    else:
        embed_labels_backward(dinputs, labels, block[FIRST], dtable)
