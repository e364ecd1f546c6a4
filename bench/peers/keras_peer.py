"""Keras as document 004 writes it: three calls of `train_on_batch` a step, the batches made with NumPy.

Three things differ from the document's text. Its players are dense here. Keras 3 no longer remembers at `compile` what
was trainable then, so that the document's discriminator would never learn: its optimiser is built before it is frozen,
and `trainable` is switched around the generator's update. Fakes come from `predict_on_batch`, one compiled call; the
document's `predict`, which makes a data set, a loop and callbacks of every half batch, is measured beside it.

Keras runs on TensorFlow, as the document's does and as it is unless told otherwise, and on JAX, where the same loop is
about twice as fast; on PyTorch it took as long as on TensorFlow.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
from keras import layers

from bench.problem import Layers, Problem, flat

LOSSES = ["binary_crossentropy", "sparse_categorical_crossentropy"]


class Keras:
    """`d_model`, `g_model` and `gan_model` of the document."""

    def __init__(self, problem: Problem, threads: int):
        if os.environ.get("KERAS_BACKEND") != keras.config.backend():
            raise ValueError("KERAS_BACKEND was set too late")
        keras.utils.set_random_seed(0)
        self.problem, self.size, self.knobs = problem, problem.size, problem.knobs
        self.random = np.random.default_rng(0)
        self.chunk = 1
        self.description = f"keras {keras.__version__} on {keras.config.backend()}"
        self.build(lambda rate: self.adam(rate))

    def adam(self, rate: str) -> Any:
        """The document's optimiser."""
        return keras.optimizers.Adam(
            self.knobs[rate], self.knobs["beta1"], self.knobs["beta2"], self.knobs["epsilon"]
        )

    def build(self, optimiser: Any) -> None:
        """Make the three models at the initial weights; `optimiser` makes one from the name of a rate."""
        self.g_model, self.d_model = self.generator(), self.discriminator()
        losses = LOSSES if self.size.classes else LOSSES[0]
        self.d_model.compile(loss=losses, optimizer=optimiser("discriminator_lr"))
        self.d_model.optimizer.build(self.d_model.trainable_variables)
        self.d_model.trainable = False
        self.gan_model = keras.Model(self.g_model.inputs, self.d_model(self.g_model.output))
        self.gan_model.compile(loss=losses, optimizer=optimiser("generator_lr"))

    def generator(self) -> Any:
        """The label is embedded and added: the one-hot label's rows of the first weights."""
        given, size = self.problem.generator, self.size
        (first, b), inputs = given[0], [keras.Input((size.latent_dim,))]
        x = dense(first[: size.latent_dim], b)(inputs[0])
        if size.classes:
            inputs.append(keras.Input((), dtype="int32"))
            embedding = layers.Embedding(size.classes, len(b))
            x = layers.add([x, embedding(inputs[1])])
            embedding.set_weights([first[size.latent_dim :]])
        for w, b in given[1:]:
            x = dense(w, b)(layers.ReLU()(x))
        return keras.Model(inputs, layers.Activation(self.knobs["output"])(x))

    def discriminator(self) -> Any:
        """Two heads with classes: sigmoid for real or fake, softmax for the class."""
        given = self.problem.discriminator
        x = inputs = keras.Input((self.size.columns,))
        for w, b in given[:-1]:
            x = layers.LeakyReLU(negative_slope=self.knobs["leaky_slope"])(dense(w, b)(x))
        w, b = given[-1]
        heads = [dense(w[:, :1], b[:1], "sigmoid")(x)]
        if self.size.classes:
            heads.append(dense(w[:, 1:], b[1:], "softmax")(x))
        return keras.Model(inputs, heads)

    def latent(self, rows: int) -> list[np.ndarray]:
        """The document's `generate_latent_points`."""
        z = self.random.standard_normal((rows, self.size.latent_dim), np.float32)
        return [z, self.random.integers(0, self.size.classes, rows)] if self.size.classes else [z]

    def train(self, model: Any, inputs: Any, target: float, labels: np.ndarray | None) -> Any:
        x = inputs[0] if len(inputs) == 1 else inputs
        is_real = np.full((len(inputs[0]), 1), target, np.float32)
        return model.train_on_batch(x, [is_real, labels] if labels is not None else is_real)

    def train_discriminator(self, x: np.ndarray, labels: np.ndarray | None, target: float) -> Any:
        self.d_model.trainable = True
        return self.train(self.d_model, [x], target, labels)

    def train_generator(self, inputs: list[np.ndarray]) -> Any:
        self.d_model.trainable = False
        return self.train(self.gan_model, inputs, 1.0, inputs[1] if self.size.classes else None)

    def fake(self, inputs: list[np.ndarray]) -> np.ndarray:
        """The document's `generate_fake_samples`."""
        return self.g_model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])

    def run(self, steps: int) -> None:
        half, rows, labels = self.size.half, self.problem.rows, self.problem.labels
        for _ in range(steps):
            drawn = self.random.integers(0, len(rows), half)
            real = self.train_discriminator(rows[drawn], labels[drawn] if len(labels) else None, 1.0)
            given = self.latent(half)
            fake = self.train_discriminator(self.fake(given), given[1] if len(labels) else None, 0.0)
            generator = self.train_generator(self.latent(self.size.batch_size))
        if not np.isfinite(np.hstack([real, fake, generator])).all():
            raise FloatingPointError("the training diverged")

    def gradients(self) -> dict[str, np.ndarray]:
        """What a step of plain gradient descent with rate 1 takes off the weights, in the same `train_on_batch`."""
        found = {}
        for role, batch in self.problem.batches.items():
            self.build(lambda rate: keras.optimizers.SGD(1.0))
            labels = batch.labels if self.size.classes else None
            inputs = [batch.x, batch.labels] if self.size.classes else [batch.x]
            if role == "d_real":
                self.train_discriminator(batch.x, labels, 1.0)
            elif role == "d_fake":
                self.train_discriminator(self.fake(inputs), labels, 0.0)
            else:
                self.train_generator(inputs)
            before = self.problem.generator if role == "g" else self.problem.discriminator
            found[role] = flat(before) - flat(self.weights(self.g_model if role == "g" else self.d_model))
        self.build(lambda rate: self.adam(rate))
        return found

    def weights(self, model: Any) -> Layers:
        """A model's layers as the problem has them: an embedding's rows below the first, two heads side by side."""
        pairs = [each.get_weights() for each in model.layers if isinstance(each, layers.Dense)]
        for each in model.layers:
            if isinstance(each, layers.Embedding):
                pairs[0][0] = np.concatenate([pairs[0][0], *each.get_weights()])
        if model is self.d_model and self.size.classes:
            (score_w, score_b), (class_w, class_b) = pairs[-2:]
            heads = [np.concatenate([score_w, class_w], 1), np.concatenate([score_b, class_b])]
            pairs = [*pairs[:-2], heads]
        return [(w, b) for w, b in pairs]


class KerasPredict(Keras):
    """With `predict`, to the document's letter."""

    def fake(self, inputs: list[np.ndarray]) -> np.ndarray:
        return self.g_model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)


def dense(w: np.ndarray, b: np.ndarray, activation: str = "linear") -> Any:
    """A dense layer at given weights, once it is called on its input."""
    return layers.Dense(
        w.shape[1],
        activation=activation,
        kernel_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(w, dtype),
        bias_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(b, dtype),
    )
