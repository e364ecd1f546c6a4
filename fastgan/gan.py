"""The public GAN: scikit-learn's habits around the trainer, and the parts of a step for a loop of one's own."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastgan import checkpoint
from fastgan import step as actions
from fastgan.callbacks import Callback, Show
from fastgan.data import from_arrays, rows_like
from fastgan.data.dataset import Dataset
from fastgan.errors import NotFitted, UserError, nearest
from fastgan.generator import Generator, Labels
from fastgan.knobs import is_integer
from fastgan.settings import Settings
from fastgan.stats import Stats
from fastgan.trainer import Trainer


@dataclass(eq=False)
class GAN(Settings):
    """A generative adversarial network made of dense layers.

    The arguments are `fastgan.settings.Settings`: every knob a recipe has, under the same names. The constructor only
    stores them; they are checked when training begins. With labels it is an AC-GAN (Odena et al. 2017).

    Attributes
    ----------
    history : dict of (steps,) arrays, the statistics of every step; see `fastgan.state.STATISTICS`
    stats : running figures of the training, `fastgan.stats.Stats`
    n_classes_ : classes it was trained with
    spec_ : `fastgan.data.DataSpec` of the data it learnt from

    Examples
    --------
    >>> import fastgan, numpy as np
    >>> x = np.random.default_rng(0).normal([3.0, -1.0], [0.5, 0.1], (1000, 2))
    >>> gan = fastgan.GAN(generator=[16], discriminator=[16], latent_dim=2, backend="numpy").fit(x, epochs=2)
    >>> gan.sample(5).shape
    (5, 2)
    """

    # A trained GAN is more than its settings, so it equals itself alone, and can be a key.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        self._trainer: Trainer | None = None

    def fit(
        self,
        X: ArrayLike | Dataset,
        y: ArrayLike | None = None,
        *,
        epochs: float | None = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on X; called again, train on. A bar shows progress on a terminal.

        The first X decides the scaling, and how many steps an epoch of `decay_epochs` and its like has.

        Parameters
        ----------
        X : (rows, width) numbers, (rows, height, width[, 3]) images, or a `Dataset`. uint8 stays uint8 in memory
            and is scaled while it is gathered; a memory map is never loaded whole
        y : (rows,) labels, whole numbers or strings; None trains without classes
        epochs : passes of ``rows // batch_size`` steps; 10 if neither is given
        steps : steps of both players, instead of epochs
        callbacks : `fastgan.callbacks.Callback`s

        Raises
        ------
        UserError
            If a setting or the data cannot be used.
        Diverged
            If training comes to NaN or infinity, or a loss runs away. Where it is known which step broke it, the GAN is
            then as it was before; `history` shows what came of it.
        """
        if epochs is not None and steps is not None:
            raise UserError("both epochs and steps were given; give one of them")
        if epochs is not None and not (
            isinstance(epochs, int | float | np.number)
            and not isinstance(epochs, bool)
            and 0 < epochs < float("inf")
        ):
            raise UserError(f"epochs is {epochs!r}; it must be a number above 0")
        if steps is not None and not (is_integer(steps) and steps > 0):
            raise UserError(f"steps is {steps!r}; it must be a whole number of at least 1")
        watchers = _checked_callbacks(callbacks)
        trainer = self._prepare(X, y)
        if steps is None:
            steps = max(1, round((10 if epochs is None else epochs) * trainer.steps_per_epoch))
        with self._bar() as bar:
            trainer.train(steps, [Show(bar), *watchers])
        return self

    def sample(
        self, n: int, labels: Labels | None = None, seed: int | None = None, truncation: float | None = None
    ) -> np.ndarray:
        """Draw samples (n, width) in the data's own units; see `fastgan.generator.Generator.sample`."""
        return self._fitted().generator.sample(n, labels, seed, truncation)

    def latent_vectors(self, n: int, seed: int, truncation: float | None = None) -> np.ndarray:
        """Return the latent vectors (n, latent_dim) that `sample` draws with these arguments."""
        return self._fitted().generator.latent_vectors(n, seed, truncation)

    def generate(self, z: ArrayLike, labels: Labels | None = None) -> np.ndarray:
        """Make rows (n, width) of latent vectors z; see `fastgan.generator.Generator.generate`."""
        return self._fitted().generator.generate(z, labels)

    def save(self, path: str | Path) -> None:
        """Write the generator to a ``.safetensors`` file that `fastgan.load` reads."""
        self._fitted().generator.save(path)

    def save_checkpoint(self, path: str | Path) -> None:
        """Write all that the next step depends on, for `resume`."""
        trainer = self._fitted()
        checkpoint.save_checkpoint(trainer, path)

    def resume(self, path: str | Path, X: ArrayLike | Dataset, y: ArrayLike | None = None) -> Self:
        """Take up a training where `save_checkpoint` left it: further steps give the same bytes as without the stop.

        X and y are the data of the training, given again, and the settings must be those of the checkpoint.
        """
        stored = checkpoint.Stored(path)
        stored.check_settings(Settings.of(self))
        before, self._trainer = self._trainer, None
        try:
            checkpoint.restore(self._prepare(X, y), stored)
        except UserError:
            self._trainer = before
            raise
        return self

    def train_on_batch(self, x: ArrayLike, y: ArrayLike | None = None) -> np.ndarray:
        """One discriminator step on real rows x, as many fake ones, then one generator step; (11,) statistics.

        Here and below, x is (rows, width) in data units, of at most batch_size rows. Without a `fit` before, the first
        batch decides the scaling, and the number of classes unless `n_classes` does. How often each player learns is
        the loop's own choice: `n_critic` and `n_generator` are not read.
        """
        return self._perform(actions.TRAIN_ON_BATCH, x, y)

    def train_discriminator_step(self, x: ArrayLike, y: ArrayLike | None = None) -> float:
        """One discriminator step on real rows x and as many fake ones; its loss, both halves summed."""
        return self._d_loss(self._perform(actions.TRAIN_DISCRIMINATOR, x, y))

    def train_discriminator_real(self, x: ArrayLike, y: ArrayLike | None = None) -> float:
        """Update the discriminator on real rows x alone; its loss."""
        return self._d_loss(self._perform(actions.TRAIN_DISCRIMINATOR_REAL, x, y))

    def train_discriminator_fake(self, x: ArrayLike | None = None, y: ArrayLike | None = None) -> float:
        """Update the discriminator on fake rows alone, x or fresh ones; its loss."""
        return self._d_loss(self._perform(actions.TRAIN_DISCRIMINATOR_FAKE, x, y))

    def train_generator_step(self) -> float:
        """Update the generator on a full batch through the discriminator; its loss."""
        statistics = self._perform(actions.TRAIN_GENERATOR, None, None)
        return float(statistics[6] + statistics[8])

    def generate_batch(self, n: int, labels: Labels | None = None) -> np.ndarray:
        """Fresh samples (n, width) in the data's own units, for the discriminator to learn from.

        They are those of `sample`, but of the generator that learns where that takes its average, `ema`.
        """
        return self._fitted().newest_generator.sample(n, labels)

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Statistics of every step: one (steps,) float32 array a name, in the order of training."""
        return self._fitted().history

    @property
    def stats(self) -> Stats:
        """Running figures of the training, in the words of document loops: steps, average losses, mode collapse."""
        return Stats(self._fitted())

    @property
    def n_classes_(self) -> int:
        """Classes it was trained with; 0 without labels."""
        return self._fitted().n_classes

    @property
    def spec_(self) -> Any:
        """`DataSpec` of the data it learnt from."""
        return self._fitted().dataset.spec

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments, as scikit-learn asks for them."""
        return {each.name: getattr(self, each.name) for each in fields(Settings)}

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments by name."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise UserError(f"GAN has no parameter {name!r}{nearest(name, known)}")
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._trainer is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags  # only scikit-learn calls this

        inputs = InputTags(three_d_array=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=inputs)

    def _prepare(self, X: ArrayLike | Dataset, y: ArrayLike | None, *, own_loop: bool = False) -> Trainer:
        """The trainer, made from the first data seen; later data must look the same."""
        settings, trainer = Settings.of(self), self._trainer
        if trainer is None:
            if not isinstance(X, Dataset):
                X = from_arrays(
                    X,
                    y,
                    n_classes=settings.n_classes,
                    scaling=settings.scaling,
                    name="X",
                    vocabulary=settings.vocabulary,
                )
            self._trainer = trainer = Trainer(settings, X, own_loop=own_loop)
            return trainer
        checkpoint.check_same(
            trainer.settings, settings, "this GAN", "train on with the same ones, or make a new GAN"
        )
        if not isinstance(X, Dataset):
            spec = trainer.dataset.spec
            rows = rows_like(spec, X, "X")
            X = Dataset(rows, trainer.labels_like(y, len(rows)), spec, "X")
        if X is not trainer.dataset:
            trainer.change_data(X)
        return trainer

    def _fitted(self) -> Trainer:
        if self._trainer is None:
            raise NotFitted("this GAN has not been trained; call fit first")
        return self._trainer

    def _perform(self, action: int, x: ArrayLike | None, y: ArrayLike | None) -> np.ndarray:
        if x is None:
            trainer = self._fitted()
            batch = trainer.dataset.array[:0]
        else:
            trainer = self._trainer or self._prepare(x, y, own_loop=True)
            batch = rows_like(trainer.dataset.spec, x, "x").astype(trainer.dataset.array.dtype)
        return trainer.perform(action, batch, trainer.labels_like(y, len(batch)))

    @staticmethod
    def _d_loss(statistics: np.ndarray) -> float:
        return float(np.nansum(statistics[[0, 2, 3, 5]]))

    @staticmethod
    def _bar() -> Any:
        from fastgan.progress import make_progress

        return make_progress("bar" if sys.stderr.isatty() else "quiet", sys.stderr)


def _checked_callbacks(callbacks: Any) -> list[Callback]:
    kind = "fastgan.callbacks.Callback"
    if not isinstance(callbacks, Iterable):
        raise UserError(f"callbacks is {type(callbacks).__name__}; it must be a list of {kind}")
    callbacks = list(callbacks)
    for each in callbacks:
        if not isinstance(each, Callback):
            raise UserError(
                f"callbacks holds a {type(each).__name__}; each must be a {kind}, such as Every(100, function)"
            )
    return callbacks


def load(path: str | Path) -> Generator:
    """Read the generator of a file that fastgan wrote, to sample from: a generator's, or a checkpoint.

    Raises
    ------
    UserError
        If the file is missing, cut short, of another program or of a newer fastgan.
    """
    stored = checkpoint.Stored(path)
    params = stored.tensors.get("generator.average", stored.tensors["generator.params"])
    running = stored.tensors.get("generator.running")
    return Generator(stored.settings, stored.spec, stored.n_classes, params, running)
