"""A player learns: its gradients, what is done to them, and a step of its optimiser, shared out to a team's threads."""

from __future__ import annotations

from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.networks import ADAM, MOVE_START, MOVE_STOP, SGD, weights
from fastgan.passes import gradient, gradients
from fastgan.team import meet
from fastgan_kernels import (
    adam,
    average,
    begin_update,
    clip,
    copy,
    layers_adam,
    layers_spectral_backward,
    layers_spectral_scale,
    power_iteration,
    rmsprop,
    sgd,
    shrink,
    spectral_backward,
    spectral_scale,
    sum_of_squares,
)
from fastgan_kernels.optimisers import PART
from fastgan_kernels.spectral import spectral_vectors


@part
def learn(net, x, labels, biased, team, step):
    """Update this thread's parameters: the gradient over all rows of x, then the optimiser, block by block.

    What needs the whole gradient of a layer or of the network comes between the two, and the team meets there.
    """
    begin(net, step)
    if net.at_once:
        move(net, x, labels, biased)
    else:
        gradients(net, x, labels, biased)
        meet(team)
        undo_normalisation(net, team)
        measure_gradient(net, team)
        for block in net.blocks:
            optimise(net, block[MOVE_START], block[MOVE_STOP])
        meet(team)
        normalise(net, team, True)


def _block_by_block(net, x, labels, biased):
    for block in net.blocks:
        gradient(net, block, x, labels, biased)
        optimise(net, block[MOVE_START], block[MOVE_STOP])


@where("whole", without=_block_by_block)
def move(net, x, labels, biased):
    """Update this thread's parameters, each along its gradient as soon as that is there."""
    rule = net.optimiser
    if rule.code != ADAM:
        gradients(net, x, labels, biased)
        optimise(net, 0, len(net.params))
        return
    decay(net, 0, len(net.params))
    moments, arenas = (net.mean, net.square), (net.outputs, net.deltas, net.max_rows, biased)
    betas = rule.beta1, rule.beta2, rule.epsilon
    layers_adam(
        net.params, net.grads, *moments, net.layers, x, labels, *arenas, net.rate, net.updates, *betas
    )
    follow(net, 0, len(net.params))


@part
def update(net, step):
    """One step of the network's optimiser along its gradients."""
    begin(net, step)
    optimise(net, 0, len(net.params))


@part
def begin(net, step):
    """Count an update and set its learning rate."""
    rule = net.optimiser
    begin_update(
        net.rate,
        net.updates,
        step,
        rule.initial_rate,
        rule.warmup_steps,
        rule.decay_start,
        rule.decay_steps,
        rule.cosine,
    )


@part
def optimise(net, start, stop):
    """Move the parameters from `start` to `stop` along their gradients."""
    rule = net.optimiser
    params, grads, mean, square = (
        net.params[start:stop],
        net.grads[start:stop],
        net.mean[start:stop],
        net.square[start:stop],
    )
    if net.squares.size > 0:
        clip(grads, net.squares, rule.clip_norm)
    decay(net, start, stop)
    if rule.code == ADAM:
        adam(params, grads, mean, square, net.rate, net.updates, rule.beta1, rule.beta2, rule.epsilon)
    elif rule.code == SGD:
        sgd(params, grads, mean, net.rate, rule.momentum)
    else:
        rmsprop(params, grads, square, net.rate, rule.rho, rule.epsilon)
    follow(net, start, stop)


@part
def decay(net, start, stop):
    """Pull the parameters from `start` to `stop` towards 0, if they decay, before they are moved."""
    if net.optimiser.weight_decay > 0:
        shrink(net.params[start:stop], net.rate, net.optimiser.weight_decay)


@part
def follow(net, start, stop):
    """Take the average of the parameters from `start` to `stop`, if there is one, after them."""
    if net.average.size > 0:
        average(net.params[start:stop], net.average[start:stop], net.updates, net.optimiser.average_decay)


@part
def measure_gradient(net, team):
    """Squared norms of all parts of a gradient that is to be clipped, the same however many threads there are."""
    parts = net.squares.size
    first, stop = team.rank * parts // team.size, (team.rank + 1) * parts // team.size
    sum_of_squares(net.grads[first * PART : min(stop * PART, len(net.grads))], net.squares[first:stop])
    meet(team)


@part
def spectral_state(net, layer):
    """A layer's part of `Spectral`: left (inputs,), right (outputs,), inverse (1,) and sums (inputs,)."""
    state = net.spectral
    left, right = spectral_vectors(net.layers, state.left, state.right, layer)
    sums, _ = spectral_vectors(net.layers, state.sums, state.right, layer)
    return left, right, state.inverse[layer : layer + 1], sums


@only_with("spectral")
def normalise(net, team, iterate):
    """Make the weights that the network applies from its parameters, after one power iteration or with the last one's.

    Layers are shared out to the team.
    """
    _normalise(net, team, iterate)


def _normalise_one_by_one(net, team, iterate):
    for layer in range(team.rank, len(net.layers), team.size):
        w, b = weights(net, net.params, layer)
        scaled, scaled_bias = weights(net, net.spectral.scaled, layer)
        u, v, inverse, _ = spectral_state(net, layer)
        if iterate:
            power_iteration(w, u, v, inverse)
        spectral_scale(w, inverse, scaled)
        copy(b, scaled_bias)


@where("whole", without=_normalise_one_by_one)
def _normalise(net, team, iterate):
    """A device always iterates: only the host takes up the last iteration's numbers, from a checkpoint."""
    state = net.spectral
    layers_spectral_scale(net.params, net.layers, state.left, state.right, state.inverse, state.scaled)


@only_with("spectral")
def undo_normalisation(net, team):
    """Turn gradients at the weights that the network applies into gradients at its parameters."""
    _undo_normalisation(net, team)


def _undo_one_by_one(net, team):
    for layer in range(team.rank, len(net.layers), team.size):
        dw, _ = weights(net, net.grads, layer)
        scaled, _ = weights(net, net.spectral.scaled, layer)
        u, v, inverse, sums = spectral_state(net, layer)
        spectral_backward(dw, scaled, u, v, inverse, sums)
    meet(team)


@where("whole", without=_undo_one_by_one)
def _undo_normalisation(net, team):
    state = net.spectral
    vectors = state.scaled, state.left, state.right, state.inverse, state.sums
    layers_spectral_backward(net.grads, net.layers, *vectors)
