"""Every knob of a GAN, once: the arguments of `fastgan.GAN` and the keys of a recipe are these same names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from fastgan.errors import UserError
from fastgan.knobs import check_fields, knob

ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh", "sigmoid")
HIDDEN_ACTIVATIONS = (*ACTIVATIONS, "maxout")
LATENTS = ("normal", "uniform", "bits", "categorical")
NORMS = ("none", "batch", "layer")
PENALTIES = ("none", "wgan-gp", "r1", "r2", "r1+r2")
LOSSES = ("bce", "minimax", "mse", "wasserstein", "hinge", "relativistic")
OPTIMISERS = ("adam", "sgd", "rmsprop")

_NORM = "normalise the sums in the {}'s hidden layers, over the rows of a batch or the columns of each row"
_CONCAT = "each hidden layer of the {} hands on, beside its outputs, what it has read"
_DROPOUT = "share of the outputs of the {}'s hidden layers that is zeroed in training"
_NOISE_EPOCHS = "epochs in which that noise falls to zero; 0: it stays"


class Reader(NamedTuple):
    """Of a knob: which others must have some value for it to have an effect.

    Parameters
    ----------
    others : names, one of which is enough
    idle : their values with which it has none
    """

    others: tuple[str, ...]
    idle: tuple[Any, ...]


_ACTIVATIONS_OF = ("generator_activation", "discriminator_activation")
READERS = {
    "latent_categories": Reader(("latent",), ("normal", "uniform", "bits")),
    "instance_noise_epochs": Reader(("instance_noise",), (0.0,)),
    "token_noise_epochs": Reader(("token_noise",), (0.0,)),
    "penalty_every": Reader(("gradient_penalty",), ("none",)),
    "penalty_weight": Reader(("gradient_penalty",), ("none",)),
    "penalty_one_sided": Reader(("gradient_penalty",), ("none", "r1", "r2", "r1+r2")),
    "decay_start": Reader(("decay_epochs",), (0.0,)),
    "decay": Reader(("decay_epochs",), (0.0,)),
    "beta1": Reader(("optimiser",), ("sgd", "rmsprop")),
    "beta2": Reader(("optimiser",), ("sgd", "rmsprop")),
    "momentum": Reader(("optimiser",), ("adam", "rmsprop")),
    "rho": Reader(("optimiser",), ("adam", "sgd")),
    "epsilon": Reader(("optimiser",), ("sgd",)),
    "init_std": Reader(("init",), ("he", "glorot")),
    "maxout_pieces": Reader(_ACTIVATIONS_OF, ACTIVATIONS),
    "leaky_slope": Reader(_ACTIVATIONS_OF, tuple(set(HIDDEN_ACTIVATIONS) - {"leaky_relu"})),
}
"""Knobs that some values of others leave without effect; they must have their default then."""


@dataclass
class Settings:
    """How to build and train a GAN. Nothing is checked here; `check` does that, once, at the door."""

    generator: Sequence[int] = knob("model", (64, 64), "hidden layer widths of the generator", least=1)
    discriminator: Sequence[int] = knob(
        "model", (64, 64), "hidden layer widths of the discriminator", least=1
    )
    latent_dim: int = knob("model", 16, "numbers in a latent vector", least=1)
    label_embedding: int = knob(
        "model",
        0,
        "numbers in the vector that stands for a label at the generator's input; 0: its one-hot vector",
        least=0,
    )
    token_embedding: int = knob(
        "model",
        0,
        "numbers in the vector that stands for a token at the discriminator's input; 0: its one-hot vector",
        least=0,
    )
    discriminator_bigrams: bool = knob(
        "model", False, "let the discriminator read the product of each two neighbouring tokens too"
    )
    latent: str = knob(
        "model",
        "normal",
        "distribution of latent numbers; uniform: in [0, 1), bits: -1 or 1, categorical: one-hot vectors",
        choices=LATENTS,
    )
    latent_categories: int = knob(
        "model",
        0,
        "numbers in each one-hot vector of latent = 'categorical', which divide latent_dim",
        least=0,
    )
    n_classes: int = knob("model", 0, "classes of an AC-GAN; 0: none, or as many as y shows", least=0)
    generator_activation: str = knob(
        "model", "relu", "of the generator's hidden layers", choices=HIDDEN_ACTIVATIONS
    )
    discriminator_activation: str = knob(
        "model", "leaky_relu", "of the discriminator's hidden layers", choices=HIDDEN_ACTIVATIONS
    )
    maxout_pieces: int = knob("model", 5, "sums of which a unit of maxout is the highest", least=2)
    generator_norm: str = knob("model", "none", _NORM.format("generator"), choices=NORMS)
    discriminator_norm: str = knob("model", "none", _NORM.format("discriminator"), choices=NORMS)
    generator_concat: bool = knob("model", False, _CONCAT.format("generator"))
    discriminator_concat: bool = knob("model", False, _CONCAT.format("discriminator"))
    generator_dropout: float = knob("model", 0.0, _DROPOUT.format("generator"), least=0.0, most=0.99)
    discriminator_dropout: float = knob("model", 0.0, _DROPOUT.format("discriminator"), least=0.0, most=0.99)
    leaky_slope: float = knob("model", 0.2, "slope of leaky_relu below zero", least=0.0, most=1.0)
    spectral_norm: bool = knob(
        "model", False, "divide the discriminator's weights by their largest singular value"
    )
    output: str = knob(
        "model",
        "auto",
        "generator's last activation; auto: tanh for bounded data, softmax for tokens, else linear",
        choices=("auto", "linear", "tanh", "sigmoid", "softmax"),
    )
    init: str = knob("model", "he", "initial weights", choices=("he", "glorot", "normal"))
    init_std: float = knob("model", 0.02, "standard deviation for init = normal", above=0.0)

    loss: str = knob(
        "training",
        "bce",
        "adversarial loss; wasserstein needs a bound on the critic's slope: gradient_penalty = 'wgan-gp'",
        choices=LOSSES,
    )
    update: str = knob(
        "training",
        "separate",
        "discriminator on half a batch of real, then half of fake; or one joint update on whole batches",
        choices=("separate", "joint"),
    )
    batch_size: int = knob("training", 64, "rows of a batch", least=1)
    n_critic: int = knob("training", 1, "discriminator steps in a step", least=1)
    n_generator: int = knob("training", 1, "generator updates in a step", least=1)
    label_smoothing: float = knob(
        "training", 0.0, "real target is 1 minus this (one-sided)", least=0.0, below=1.0
    )
    packing: int = knob(
        "training", 1, "rows that the discriminator judges together, against mode collapse (PacGAN)", least=1
    )
    instance_noise: float = knob(
        "training",
        0.0,
        "standard deviation of noise on all that the discriminator sees, in network units",
        least=0.0,
    )
    instance_noise_epochs: float = knob("training", 0.0, _NOISE_EPOCHS, least=0.0)
    token_noise: float = knob(
        "training",
        0.0,
        "standard deviation of noise on the generator's logits of tokens, so that it learns to choose them clearly",
        least=0.0,
    )
    token_noise_epochs: float = knob("training", 0.0, _NOISE_EPOCHS, least=0.0)
    sampling: str = knob(
        "training",
        "shuffle",
        "every row once a pass, or rows drawn with replacement",
        choices=("shuffle", "replacement"),
    )

    gradient_penalty: str = knob(
        "training",
        "none",
        "on the discriminator's slope: its distance from 1 between real and fake rows (wgan-gp), or its square on "
        "real rows (r1), on fake ones (r2) or on both",
        choices=PENALTIES,
    )
    penalty_weight: float = knob("training", 10.0, "lambda of wgan-gp, gamma of r1 and r2", above=0.0)
    penalty_one_sided: bool = knob("training", False, "wgan-gp: penalise slopes above 1 alone")
    penalty_every: int = knob(
        "training", 1, "steps from one penalty to the next; it then weighs as many times as much", least=1
    )

    optimiser: str = knob("optimiser", "adam", "of both players", choices=OPTIMISERS)
    generator_lr: float = knob("optimiser", 2e-4, "learning rate of the generator", above=0.0)
    discriminator_lr: float = knob("optimiser", 2e-4, "learning rate of the discriminator", above=0.0)
    beta1: float = knob("optimiser", 0.5, "Adam's decay of the mean", least=0.0, below=1.0)
    beta2: float = knob("optimiser", 0.999, "Adam's decay of the mean square", least=0.0, below=1.0)
    momentum: float = knob("optimiser", 0.0, "of sgd", least=0.0, below=1.0)
    rho: float = knob("optimiser", 0.9, "decay of the mean square in rmsprop", least=0.0, below=1.0)
    epsilon: float = knob("optimiser", 1e-7, "added to the root of the mean square", above=0.0)
    warmup_epochs: float = knob(
        "optimiser", 0.0, "epochs in which both rates rise from zero; 0: none", least=0.0
    )
    decay: str = knob("optimiser", "linear", "how both rates fall to zero", choices=("linear", "cosine"))
    decay_start: float = knob("optimiser", 0.0, "epoch at which the rates begin to fall", least=0.0)
    decay_epochs: float = knob("optimiser", 0.0, "epochs until the rates are zero; 0: no decay", least=0.0)
    weight_decay: float = knob(
        "optimiser", 0.0, "of all parameters of both players, apart from the gradient (AdamW)", least=0.0
    )
    clip_norm: float = knob(
        "optimiser",
        0.0,
        "longest gradient of a player's update; longer ones are shortened; 0: any",
        least=0.0,
    )
    ema: float = knob(
        "optimiser",
        0.0,
        "decay of the moving average of the generator's parameters, which is then what is sampled; 0: none",
        least=0.0,
        below=1.0,
    )

    scaling: str = knob(
        "data",
        "auto",
        "how network units are made from data units: to [-1, 1], to zero mean and unit variance, or not at all",
        choices=("auto", "minmax", "standard", "none"),
    )
    vocabulary: int = knob("data", 0, "different tokens, where X holds tokens; 0: numbers", least=0)

    seed: int = knob("run", 0, "of everything random", least=0, most=2**64 - 1)
    backend: str = knob("run", "auto", "what runs the step", choices=("auto", "numpy", "cpu", "cuda"))
    threads: int = knob(
        "run",
        0,
        "threads, at most one a core; 0: the number that is fastest, measured while training",
        least=0,
    )
    captured: bool = knob("run", True, "cuda: a step is one launch; false: kernel by kernel, to debug")

    @classmethod
    def of(cls, values: Settings) -> Settings:
        """Return the plain settings among `values`, which may be of a subclass; numbers become their declared type."""
        copy = Settings(**{each.name: getattr(values, each.name) for each in fields(Settings)})
        check_fields(copy)
        return copy

    def check(self) -> None:
        """Raise `UserError` for the first knob whose type or value is impossible."""
        check_fields(self)
        if self.label_smoothing and self.loss not in ("bce", "minimax", "mse"):
            raise UserError(
                f"label_smoothing is {self.label_smoothing} but {self.loss} has no target to smooth; "
                "set it to 0"
            )
        k = self.latent_categories
        if self.latent == "categorical" and (k < 2 or self.latent_dim % k):
            raise UserError(
                f"latent is 'categorical' but latent_categories is {k}; give at least 2 that divide latent_dim, "
                f"which is {self.latent_dim}"
            )
        if self.discriminator_bigrams and self.token_embedding:
            raise UserError(
                f"discriminator_bigrams is true but token_embedding is {self.token_embedding}, and bigrams are of "
                "one-hot tokens; set one of them back"
            )
        for player in ("generator", "discriminator"):
            self._check_form(player)
        if self.discriminator_norm != "none":
            for name, off in (("gradient_penalty", "none"), ("spectral_norm", False)):
                if getattr(self, name) != off:
                    raise UserError(
                        f"{name} is {getattr(self, name)!r} but discriminator_norm is {self.discriminator_norm!r}, "
                        "and the two do not go together; set one of them back"
                    )
        if self.loss == "relativistic" and self.update != "joint":
            raise UserError(
                "loss is 'relativistic', which pairs real and fake rows, but update is 'separate'; set update = 'joint'"
            )
        if self.update == "separate" and self.batch_size % 2:
            raise UserError(
                f"batch_size is {self.batch_size}, which has no half; give an even number or update = 'joint'"
            )
        half = self.batch_size if self.update == "joint" else self.batch_size // 2
        if half % self.packing:
            raise UserError(
                f"packing is {self.packing}, which does not divide the discriminator's {half} rows of a kind; "
                "give another batch_size"
            )
        for name in ("generator_norm", "discriminator_norm"):
            if half < 2 and getattr(self, name) == "batch":
                raise UserError(
                    f"{name} is 'batch' but the discriminator learns from {half} row of a kind, which has no spread; "
                    "give a larger batch_size"
                )
        if self.packing > 1 and self.n_classes:
            raise UserError(
                f"packing is {self.packing} but n_classes is {self.n_classes}, and rows judged together have no one "
                "class; set packing to 1 or n_classes to 0"
            )
        rate = max(self.generator_lr, self.discriminator_lr)
        if self.weight_decay * rate >= 1:
            raise UserError(
                f"weight_decay is {self.weight_decay} at a learning rate of {rate}, which would turn "
                f"signs around; give less than {1 / rate:g}"
            )
        self._check_unread()

    def is_unread(self, name: str) -> bool:
        """Whether the knob of that name has no effect, since none of its readers has a value with which it has."""
        reader = READERS.get(name)
        return reader is not None and all(getattr(self, other) in reader.idle for other in reader.others)

    def forget_unread(self) -> None:
        """Give knobs without effect their defaults, for an older fastgan let a run have others."""
        for name in filter(self.is_unread, READERS):
            setattr(self, name, default(name))

    def _check_unread(self) -> None:
        """Raise `UserError` for a knob that has no effect because another is not set."""
        for name, reader in READERS.items():
            given, usual = getattr(self, name), default(name)
            if given != usual and self.is_unread(name):
                other = reader.others[-1]
                choices = self.__dataclass_fields__[other].metadata["choices"] or ()
                needed = " or ".join(choice for choice in choices if choice not in reader.idle)
                found = " and ".join(f"{each} is {getattr(self, each)!r}" for each in reader.others)
                raise UserError(
                    f"{name} is {given!r} but {found}, so that it has no effect; "
                    f"set {other}{needed and ' to '}{needed}, or set {name} to {usual!r}"
                )

    def _check_form(self, player: str) -> None:
        """Raise `UserError` where a player's layers would have two forms that do not go together."""
        activation, dropout = getattr(self, f"{player}_activation"), getattr(self, f"{player}_dropout")
        if getattr(self, f"{player}_concat") and (dropout or activation == "maxout"):
            other = f"{player}_dropout is {dropout}" if dropout else f"{player}_activation is 'maxout'"
            raise UserError(
                f"{player}_concat is true but {other}, and layers have one of the two; set one of them back"
            )
        norm = getattr(self, f"{player}_norm")
        if norm != "none" and activation == "maxout":
            raise UserError(
                f"{player}_norm is {norm!r} but {player}_activation is 'maxout', whose sums are not normalised; "
                "set one of them back"
            )


def default(name: str) -> Any:
    """The value of a knob that nothing says otherwise of."""
    return Settings.__dataclass_fields__[name].default
