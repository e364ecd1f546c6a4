"""Small trainers in which one player, or one method, can be looked at alone."""

import numpy as np

from fastgan.data import from_arrays
from fastgan.monitor import outputs
from fastgan.settings import Settings
from fastgan.step import TRAIN_DISCRIMINATOR_FAKE, TRAIN_DISCRIMINATOR_REAL
from fastgan.trainer import Trainer

NO_LABELS = np.zeros(0, np.int64)
STILL = 1e-30  # a learning rate that moves nothing
POINT = np.zeros((32, 1), np.float32)  # rows all alike


def trainer_of(x, y=None, *, vocabulary=0, **settings):
    """A small trainer on rows that the networks see as they are."""
    small = dict(generator=[8], discriminator=[8], latent_dim=2, batch_size=32, backend="numpy")
    if not vocabulary:
        small["output"] = "linear"
    data = from_arrays(x, y, scaling="none", vocabulary=vocabulary)
    return Trainer(Settings(**(small | settings)), data)


def normal(seed, *shape, mean=0.0, deviation=1.0):
    return np.random.default_rng(seed).normal(mean, deviation, shape).astype(np.float32)


def around(mean, deviation=1.0):
    """A function that draws the rows of a step, (32, 1), around `mean`."""
    return lambda step: normal([step, int(mean > 0)], 32, 1, mean=mean, deviation=deviation)


def teach(trainer, steps, real, fake):
    """Let D alone learn from the rows that `real` and `fake` give for each step."""
    for step in range(steps):
        trainer.perform(TRAIN_DISCRIMINATOR_REAL, real(step), NO_LABELS)
        trainer.perform(TRAIN_DISCRIMINATOR_FAKE, fake(step), NO_LABELS)


def scores(trainer, x):
    return outputs(trainer.gan_to_read.discriminator, x)


def share_right(trainer, real, fake):
    """Of rows that D has not seen."""
    right = [scores(trainer, real(9999)) > 0, scores(trainer, fake(9999)) < 0]
    return np.concatenate(right).mean()


def linear_players(x, point, slope, **settings):
    """G makes the one row `point`, whatever it reads, and D says `slope` times the row; plain gradient descent."""
    trainer = trainer_of(x, generator=[], discriminator=[], optimiser="sgd", update="joint", **settings)
    g, d = trainer.gan.generator.params, trainer.gan.discriminator.params
    g[:], d[:] = [0, 0, point], [slope, 0]
    return trainer, g, d
