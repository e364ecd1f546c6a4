"""All that a training step reads and writes besides the data, as one named tuple of buffers and constants."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgan.forms import running_moments
from fastgan.latent import Latent
from fastgan.networks import Network, Noise
from fastgan.penalties import Half, Penalty
from fastgan.team import Team

# Columns of the per-step statistics: for the discriminator on real rows, on fake rows (in its last critic step), for
# the generator, and of the discriminator's penalty: its mean over all points, and the mean length of the slopes there;
# both are zero in a step without one.
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

# What of each player a step hands on to the next.
_PLAYERS = ("generator", "discriminator")
_STATE = ("params", "mean", "square", "average", "updates")
_SPECTRAL = ("left", "right", "inverse")

# Streams of random numbers within one step: each critic step has STREAMS of its own, then the generator.
ROWS, LATENT, LABELS, MIXING = range(4)
STREAMS = 4
# Streams of the noise on what the discriminator sees, apart from those.
NOISE = 2**31


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
    real : (rows, pack * width) float32, gathered rows; fake rows that are kept, and a penalty's rows, as the halves say
    real_labels : (rows,) int64, theirs, or (0,)
    indices : (2 real_rows,) int64, the rows drawn
    mixing : (batch,) float32, where a penalty mixes real and fake rows, or (0,)
    losses : (5, 2 batch) float32, each row's adversarial loss, score and class loss, penalty and slope
    scale, shift : (columns,) float32 of the data
    key : (2,) uint32; clock : (1,) int64, training steps made, or parts of one in a loop of the caller's
    ring : (steps, 11) float32, statistics of the newest steps where a step is captured, else of size 0
    vocabulary : tokens' one-hot width, 0 for numbers
    real_rows : real rows of one critic step
    pack : rows that the discriminator sees as one (Lin et al. 2018, arXiv 1712.04086, section 2)
    n_generator : updates of the generator in a step
    paired : whether the loss is one of pairs of a real and a fake row; None if it is not
    prior : the distribution of latent numbers
    slots : steps whose rows are gathered ahead, where the data are too large for the device; else 0
    """

    generator: Network
    discriminator: Network
    roles: Roles
    penalty: Penalty | None
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
    pack: int
    noise: Noise | None
    slots: int
    n_critic: int
    n_generator: int
    joint: bool
    paired: bool | None
    prior: Latent
    replacement: bool


def lasting(gan: Gan) -> dict[str, np.ndarray]:
    """The arrays of a GAN that its next step depends on, by their names in a checkpoint."""
    buffers: dict[str, np.ndarray] = {"clock": gan.clock}
    for player in _PLAYERS:
        net: Network = getattr(gan, player)
        buffers |= {f"{player}.{name}": getattr(net, name) for name in _STATE}
        if net.spectral is not None:
            buffers |= {f"{player}.spectral.{name}": getattr(net.spectral, name) for name in _SPECTRAL}
        running = running_moments(net)
        if running is not None:
            buffers[f"{player}.running"] = running
    return {name: buffer for name, buffer in buffers.items() if buffer.size}
