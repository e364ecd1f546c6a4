"""What a loop of the caller's own can ask of a GAN, and what it cannot: checked before each part of a step."""

from __future__ import annotations

from fastgan.errors import UserError
from fastgan.settings import Settings
from fastgan.step import (
    TRAIN_DISCRIMINATOR,
    TRAIN_DISCRIMINATOR_FAKE,
    TRAIN_DISCRIMINATOR_REAL,
    TRAIN_GENERATOR,
    TRAIN_ON_BATCH,
)

SCHEDULES = ("warmup_epochs", "decay_epochs", "instance_noise_epochs", "token_noise_epochs")
"""Settings whose effect changes from epoch to epoch."""


def check_schedules(settings: Settings) -> None:
    """Raise `UserError` for a schedule over epochs, which a loop of the caller's does not have."""
    for name in SCHEDULES:
        if getattr(settings, name):
            raise UserError(
                f"{name} is {getattr(settings, name)} but a loop of your own has no epochs; "
                "call fit first, or set it to 0"
            )


def check_part(settings: Settings, action: int, rows: int, *, partners: bool) -> None:
    """Raise `UserError` where an action of `fastgan.step` cannot be had on a batch of so many rows.

    `partners` says whether the newest update of the discriminator was on a whole batch of pairs.
    """
    most = settings.batch_size
    if rows > most:
        raise UserError(f"the batch has {rows} rows but batch_size is {most}; give at most that many")
    if rows % settings.packing:
        raise UserError(
            f"the batch has {rows} rows but packing is {settings.packing}, which does not divide them; "
            "give a multiple"
        )
    if settings.loss == "relativistic":
        _check_pairs(settings, action, rows, partners)
    lone = action in (TRAIN_DISCRIMINATOR_REAL, TRAIN_DISCRIMINATOR_FAKE)
    if lone and settings.gradient_penalty == "wgan-gp":
        raise UserError(
            "gradient_penalty is 'wgan-gp', which mixes real and fake rows, but this update has one kind alone; "
            "call train_discriminator_step, or set it to 'r1' or 'r2'"
        )
    if action != TRAIN_ON_BATCH:
        _check_clock(settings)


def _check_pairs(settings: Settings, action: int, rows: int, partners: bool) -> None:
    if action in (TRAIN_DISCRIMINATOR_REAL, TRAIN_DISCRIMINATOR_FAKE):
        raise UserError(
            "loss is 'relativistic', which pairs real and fake rows, but this update has one kind alone; "
            "call train_discriminator_step"
        )
    if action in (TRAIN_DISCRIMINATOR, TRAIN_ON_BATCH) and rows != settings.batch_size:
        raise UserError(
            f"the batch has {rows} rows but loss is 'relativistic', whose generator needs a partner for each of its "
            f"{settings.batch_size} rows; give batch_size rows"
        )
    if action == TRAIN_GENERATOR and not partners:
        raise UserError(
            "loss is 'relativistic', which compares with the discriminator's newest real rows, and it has seen "
            "none; call train_discriminator_step first"
        )


def _check_clock(settings: Settings) -> None:
    """A part of a step counts as one, so that what goes by steps would go too fast."""
    for name, usual in (*((name, 0) for name in SCHEDULES), ("penalty_every", 1)):
        if getattr(settings, name) != usual:
            raise UserError(
                f"{name} is {getattr(settings, name)}, which counts whole steps, but this is a part of one; "
                f"call train_on_batch or fit, or set it to {usual}"
            )
