"""A discriminator of tokens that reads each two neighbours' product beside the tokens themselves.

Dense layers on one-hot rows find out late that two tokens never follow each other, for a unit has to be made for it
first; with their product before it the first layer has a weight for each such pair. So do the crossed features of Cheng
et al. 2016 (arXiv 1606.07792, section 3.1). G's gradient goes through the products, and so do penalties.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgan.choice import where
from fastgan.compiled import part
from fastgan.data.build import WIDEST
from fastgan.errors import UserError
from fastgan.forms import hand_to_input
from fastgan.networks import Network, aligned, applied, input_rows
from fastgan_kernels import (
    LINEAR,
    bigram_columns,
    bigrams,
    bigrams_backward,
    bigrams_tangent,
    dense_backward_rows,
)
from fastgan_kernels.layers import INPUTS


class Bigrams(NamedTuple):
    """Room for the tokens and bigrams that the first layer reads.

    Parameters
    ----------
    vocabulary : columns of a token
    columns : of a row of tokens
    inputs : (max_rows * inputs,) float32, what the first layer reads
    dinputs : the same size, the loss's gradient there
    """

    vocabulary: int
    columns: int
    inputs: np.ndarray
    dinputs: np.ndarray


def inputs_with_bigrams(columns: int, vocabulary: int, packing: int) -> int:
    """Inputs of a first layer that reads bigrams where it is given so many columns, `vocabulary` of them a token.

    They are those of `packing` rows side by side.

    Raises
    ------
    UserError
        If these are no tokens (a vocabulary of 0), or one alone, or so many that the bigrams would be too wide.
    """
    if not vocabulary or columns == vocabulary * packing:
        found = "rows have a single token" if vocabulary else "the data are not tokens"
        raise UserError(f"discriminator_bigrams is true but {found}; leave it at false")
    inputs = bigram_columns(columns, vocabulary)
    if inputs > WIDEST:
        raise UserError(
            f"discriminator_bigrams is true, but {columns // vocabulary:,} tokens of {vocabulary} and their bigrams "
            f"are {inputs:,} columns, more than {WIDEST:,}; leave it at false"
        )
    return inputs


def with_bigrams(net: Network, columns: int, vocabulary: int) -> Network:
    """Return a network that was laid out for bigrams as one that reads them."""
    size = net.max_rows * int(net.layers[0, INPUTS])
    return net._replace(bigrams=Bigrams(vocabulary, columns, aligned(size), aligned(size)))


def _as_given(net, x, labels, first):
    return x, labels


@where("bigrams", without=_as_given)
def tokens_and_bigrams(net, x, labels, first):
    """What the first layer reads of tokens x, the rows from `first` on, and the labels, which it does not need."""
    out = input_rows(net, net.bigrams.inputs, len(x), first)
    bigrams(x, net.bigrams.vocabulary, out)
    return out, labels


@where("bigrams", without=_as_given)
def bigrams_read(net, x, labels, first):
    """What the first layer has read of x, the rows from `first` on, and the labels."""
    return input_rows(net, net.bigrams.inputs, len(x), first), labels


def _tangents_as_given(net, x, points, tangents):
    return x


@where("bigrams", without=_tangents_as_given)
def bigram_tangents(net, x, points, tangents):
    """How what the first layer reads moves where the tokens of the rows from `points` on do, along the tangents x."""
    source = net.bigrams
    out = input_rows(net, source.inputs, len(x), tangents)
    bigrams_tangent(input_rows(net, source.inputs, len(x), points), x, source.vocabulary, out)
    return out


@part
def carry_to_read(net, dz, deltas, dx):
    """Carry the deltas dz at the first layer's sums, those of the arena's rows from `deltas` on, into what it reads."""
    w, _ = applied(net, 0)
    dense_backward_rows(dz, w, dx[:0], LINEAR, net.slope, dx)
    hand_to_input(net, deltas, dx)


def _to_input(net, dz, points, deltas, dx):
    if dx.size > 0:
        carry_to_read(net, dz, deltas, dx)


@where("bigrams", without=_to_input)
def carry_to_tokens(net, dz, points, deltas, dx):
    """Carry the deltas dz, those of the arena's rows from `deltas` on, to the tokens of the rows from `points` on.

    They are written into dx unless it is size 0.
    """
    if dx.size > 0:
        source = net.bigrams
        dinputs = input_rows(net, source.dinputs, len(dz), deltas)
        carry_to_read(net, dz, deltas, dinputs)
        read = input_rows(net, source.inputs, len(dz), points)
        bigrams_backward(read, dinputs, source.vocabulary, dx)
