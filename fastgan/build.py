"""From settings and a data set's description to the buffers a step works on."""

from __future__ import annotations

import numpy as np

from fastgan.bigrams import inputs_with_bigrams, with_bigrams
from fastgan.data.dataset import DataSpec
from fastgan.embedding import draw_table, with_embedding
from fastgan.errors import UserError
from fastgan.forms import DISCRIMINATOR_MASKS, GENERATOR_MASKS, with_form
from fastgan.latent import latent_of
from fastgan.networks import (
    OPTIMISERS,
    Network,
    Noise,
    Optimiser,
    aligned,
    build_network,
    entries_of,
    initialise,
    share_out,
)
from fastgan.penalties import Penalty, lay_out
from fastgan.settings import Settings
from fastgan.state import STATISTICS, Gan, Role, Roles
from fastgan.team import alone, team_of
from fastgan.updates import normalise
from fastgan_kernels import ROLES, key_of

# Keeps the generator of initial weights apart from other uses of the same seed.
_INITIAL_WEIGHTS = 0x1417

SPECTRAL_ITERATIONS = 15
"""Power iterations before the first step; each update makes one more."""


def output_activation(settings: Settings, spec: DataSpec) -> str:
    """The generator's last activation that `settings.output` means for this data; `UserError` if impossible."""
    if settings.output == "auto":
        return "softmax" if spec.vocabulary else "tanh" if spec.bounded else "linear"
    if settings.output == "softmax" and not spec.vocabulary:
        raise UserError("output is 'softmax' but the data are not tokens; use output = 'auto'")
    if settings.output != "softmax" and spec.vocabulary:
        raise UserError(f"output is {settings.output!r} but tokens need 'softmax'; use output = 'auto'")
    return settings.output


def _optimiser(
    settings: Settings, steps_per_epoch: int, rate_factor: float = 1.0, *, generator: bool
) -> Optimiser:
    """Of the generator or of the discriminator."""
    rate = settings.generator_lr if generator else settings.discriminator_lr
    return Optimiser(
        code=OPTIMISERS[settings.optimiser],
        initial_rate=rate * rate_factor,
        beta1=settings.beta1,
        beta2=settings.beta2,
        momentum=settings.momentum,
        rho=settings.rho,
        epsilon=settings.epsilon,
        warmup_steps=float(settings.warmup_epochs * steps_per_epoch),
        decay_start=float(settings.decay_start * steps_per_epoch),
        decay_steps=float(settings.decay_epochs * steps_per_epoch),
        cosine=settings.decay == "cosine",
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        average_decay=settings.ema if generator else 0.0,
    )


def build_generator(
    settings: Settings, spec: DataSpec, n_classes: int, *, max_rows: int, steps_per_epoch: int = 1
) -> Network:
    """The generator: latent_dim inputs and those of the label, the hidden layers, one output a column the networks see.

    A label has n_classes inputs, or a vector of label_embedding numbers.
    """
    if settings.label_embedding and not n_classes:
        raise UserError(
            f"label_embedding is {settings.label_embedding} but there are no labels; give labels or leave it at 0"
        )
    table = (n_classes if settings.label_embedding else 0, settings.label_embedding)
    last = output_activation(settings, spec)
    hidden, activation = list(settings.generator), settings.generator_activation
    pieces, joined = pieces_of(settings, activation), settings.generator_concat
    net = build_network(
        [settings.latent_dim + (settings.label_embedding or n_classes), *hidden, spec.network_width],
        [activation] * len(hidden) + ["linear" if last == "softmax" else last],
        max_rows=max_rows,
        slope=settings.leaky_slope,
        optimiser=_optimiser(settings, steps_per_epoch, generator=True),
        softmax_group=spec.vocabulary,
        pieces=pieces,
        joined=joined,
        normed=settings.generator_norm != "none",
        classes=0 if settings.label_embedding else n_classes,
        table=table,
    )
    if settings.token_noise and not spec.vocabulary:
        raise UserError(f"token_noise is {settings.token_noise} but the data are not tokens; leave it at 0")
    net = net._replace(undecided=noise_of(settings, "token_noise", steps_per_epoch))
    return with_form(
        with_embedding(net, *table, of_tokens=False),
        dropout=settings.generator_dropout,
        masks=GENERATOR_MASKS,
        pieces=pieces,
        joined=joined,
        norm=settings.generator_norm,
    )


def build_discriminator(
    settings: Settings, spec: DataSpec, n_classes: int, *, max_rows: int, steps_per_epoch: int = 1
) -> Network:
    """The discriminator: one input a column, the hidden layers, a real/fake logit and n_classes class logits.

    A token has as many columns as there are tokens, or a vector of token_embedding numbers; with bigrams each two
    neighbours have as many as there are pairs of tokens.
    """
    width, columns = settings.token_embedding, spec.network_width * settings.packing
    if width and not spec.vocabulary:
        raise UserError(f"token_embedding is {width} but the data are not tokens; leave it at 0")
    table = (spec.vocabulary if width else 0, width)
    read = columns // spec.vocabulary * width if width else columns
    if settings.discriminator_bigrams:
        read = inputs_with_bigrams(columns, spec.vocabulary, settings.packing)
    hidden, activation = list(settings.discriminator), settings.discriminator_activation
    pieces, joined = pieces_of(settings, activation), settings.discriminator_concat
    net = build_network(
        [read, *hidden, 1 + n_classes],
        [activation] * len(hidden) + ["linear"],
        max_rows=max_rows,
        slope=settings.leaky_slope,
        optimiser=_optimiser(settings, steps_per_epoch, generator=False),
        curved=settings.gradient_penalty != "none" and is_smooth(settings),
        spectral=settings.spectral_norm,
        pieces=pieces,
        joined=joined,
        normed=settings.discriminator_norm != "none",
        table=table,
    )
    net = with_embedding(net, *table, of_tokens=True)
    if settings.discriminator_bigrams:
        net = with_bigrams(net, columns, spec.vocabulary)
    return with_form(
        net,
        dropout=settings.discriminator_dropout,
        masks=DISCRIMINATOR_MASKS,
        pieces=pieces,
        joined=joined,
        norm=settings.discriminator_norm,
    )


def is_smooth(settings: Settings) -> bool:
    """Whether the discriminator's activations have a second derivative."""
    return settings.discriminator_activation in ("tanh", "sigmoid")


def pieces_of(settings: Settings, activation: str) -> int:
    """Sums for each output of a hidden layer."""
    return settings.maxout_pieces if activation == "maxout" else 1


def start_spectral(net: Network, random: np.random.Generator) -> None:
    """Draw the vectors of the power iteration, and bring them near to the largest singular values; nothing without."""
    if net.spectral is not None:
        net.spectral.left[:] = random.normal(size=net.spectral.left.shape)
        for _ in range(SPECTRAL_ITERATIONS):
            normalise(net, alone(), True)


def roles_of(loss: str, label_smoothing: float) -> Roles:
    """Targets, signs and loss codes of the three roles; smoothing lowers the real target alone.

    The loss of pairs takes the place of another one's, which it has for the scores and the class losses.
    """
    terms = ROLES["wasserstein" if loss == "relativistic" else loss]
    real, fake, generator = (Role(code, float(target), float(sign)) for code, target, sign in terms)
    return Roles(real._replace(target=real.target * (1 - label_smoothing)), fake, generator)


def penalty_of(settings: Settings) -> Penalty | None:
    """Constants of the gradient penalty: WGAN-GP's is lambda (|g| - 1)^2, R1's and R2's gamma / 2 |g|^2."""
    if settings.gradient_penalty == "none":
        return None
    mixed = settings.gradient_penalty == "wgan-gp"
    return Penalty(
        centre=float(mixed),
        one_sided=settings.penalty_one_sided,
        weight=settings.penalty_weight * (1 if mixed else 0.5),
        every=settings.penalty_every,
        mixed=mixed,
        smooth=is_smooth(settings),
    )


def noise_of(settings: Settings, kind: str, steps_per_epoch: int) -> Noise | None:
    """Constants of the ``instance_noise`` or the ``token_noise``, if there is to be any."""
    deviation, decay_epochs = getattr(settings, kind), getattr(settings, f"{kind}_epochs")
    return Noise(deviation, decay_epochs * steps_per_epoch) if deviation else None


def build_gan(settings: Settings, spec: DataSpec, n_classes: int, steps_per_epoch: int) -> Gan:
    """Allocate both players and every buffer of a step, with initial weights drawn from the seed."""
    joint = settings.update == "joint"
    batch = settings.batch_size
    real_rows = batch if joint else batch // 2
    kind, smooth = settings.gradient_penalty, is_smooth(settings)
    real_half, fake_half, halves = lay_out(kind, joint=joint, smooth=smooth)
    lone_real, lone_fake, lone_halves = lay_out(kind, joint=False, smooth=smooth)
    most = max(halves, lone_halves)
    # A loop of the caller's may give a whole batch as one half.
    packs = (most * batch if most > 2 else 2 * real_rows) // settings.packing
    labelled = n_classes > 0
    generator = build_generator(settings, spec, n_classes, max_rows=batch, steps_per_epoch=steps_per_epoch)
    discriminator = build_discriminator(
        settings, spec, n_classes, max_rows=packs, steps_per_epoch=steps_per_epoch
    )
    random = np.random.Generator(np.random.Philox(key=settings.seed, counter=_INITIAL_WEIGHTS))
    initialise(generator, settings.init, settings.init_std, random)
    initialise(discriminator, settings.init, settings.init_std, random)
    start_spectral(discriminator, random)
    draw_table(generator, random)
    draw_table(discriminator, random)
    width = spec.network_width * settings.packing
    return Gan(
        generator=generator,
        discriminator=discriminator,
        roles=roles_of(settings.loss, settings.label_smoothing),
        penalty=penalty_of(settings),
        real_half=real_half,
        fake_half=fake_half,
        lone_real=lone_real,
        lone_fake=lone_fake._replace(start=0, figures=0, averaged=1),
        team=alone(),
        duet=alone(),
        latent=aligned(batch * settings.latent_dim).reshape(batch, settings.latent_dim),
        latent_labels=np.zeros(batch if labelled else 0, np.int64),
        real=aligned(packs * width).reshape(packs, width),
        real_labels=np.zeros(packs if labelled else 0, np.int64),
        indices=np.zeros(2 * real_rows, np.int64),
        mixing=aligned(batch if kind == "wgan-gp" else 0),
        losses=np.zeros((5, 2 * batch), np.float32),
        scale=np.ascontiguousarray(spec.scale, np.float32),
        shift=np.ascontiguousarray(spec.shift, np.float32),
        key=key_of(settings.seed),
        clock=np.zeros(1, np.int64),
        ring=np.zeros((0, len(STATISTICS)), np.float32),
        n_classes=n_classes,
        vocabulary=spec.vocabulary,
        real_rows=real_rows,
        pack=settings.packing,
        noise=noise_of(settings, "instance_noise", steps_per_epoch),
        slots=0,
        n_critic=settings.n_critic,
        n_generator=settings.n_generator,
        joint=joint,
        paired=True if settings.loss == "relativistic" else None,
        prior=latent_of(settings),
        replacement=settings.sampling == "replacement",
    )


def rescheduled(gan: Gan, settings: Settings, steps_per_epoch: int, rate_factor: float) -> Gan:
    """Return the same GAN with its schedules in epochs of so many steps, and so many times its learning rates."""

    rules = [
        _optimiser(settings, steps_per_epoch, rate_factor, generator=generator) for generator in (True, False)
    ]
    undecided = noise_of(settings, "token_noise", steps_per_epoch)
    return gan._replace(
        generator=gan.generator._replace(optimiser=rules[0], undecided=undecided),
        discriminator=gan.discriminator._replace(optimiser=rules[1]),
        noise=noise_of(settings, "instance_noise", steps_per_epoch),
    )


def build_team(gan: Gan, threads: int) -> list[Gan]:
    """The same GAN as each of `threads` threads sees it that share its rows, each with latent vectors of its own.

    Every thread counts for itself, the first one in the GAN's own arrays: an interrupted call leaves no count behind.
    """
    blocks = [share_out(net.layers, threads, entries_of(net)) for net in (gan.generator, gan.discriminator)]
    return [
        gan._replace(
            generator=_player(gan.generator, of_generator, counts=team.rank == 0),
            discriminator=_player(gan.discriminator, of_discriminator, counts=team.rank == 0),
            team=team,
            latent=aligned(gan.latent.size).reshape(gan.latent.shape),
            latent_labels=gan.latent_labels.copy(),
            mixing=aligned(gan.mixing.size),
            clock=gan.clock if team.rank == 0 else gan.clock.copy(),
        )
        for team, of_generator, of_discriminator in zip(team_of(threads), *blocks, strict=True)
    ]


def build_duet(gan: Gan) -> list[Gan]:
    """The same GAN as the discriminator's thread and the generator's see it; each counts its own player's updates."""
    return [
        gan._replace(
            generator=_player(gan.generator, gan.generator.blocks, counts=duet.rank == 1),
            discriminator=_player(gan.discriminator, gan.discriminator.blocks, counts=duet.rank == 0),
            duet=duet,
            clock=gan.clock if duet.rank == 0 else gan.clock.copy(),
        )
        for duet in team_of(2)
    ]


def _player(net: Network, blocks: np.ndarray, *, counts: bool) -> Network:
    """A network as a thread sees it that updates some blocks, and counts in the network's own arrays or in others."""
    if counts:
        return net._replace(blocks=blocks)
    return net._replace(blocks=blocks, rate=net.rate.copy(), updates=net.updates.copy())
