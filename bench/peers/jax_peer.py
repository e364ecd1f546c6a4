"""JAX: the whole step under `jit` with donated state, called once a step, or scanned many steps a call."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.problem import Problem, flat
from bench.worker import DEVICE

SCANNED_SECONDS = 0.05
"""A scan is as long as this, so that its call costs nothing beside it."""


class State(NamedTuple):
    """What a step changes."""

    g: Any
    d: Any
    g_moments: Any
    d_moments: Any
    key: Any


class _Jax:
    """Parameters as a list of (w, b), Adam of optax, random numbers of the default kind.

    One-hot columns joined to the latent vector are faster here than gathered rows of weights, whose gradient is a
    scatter; the rbg generator is not faster than threefry.
    """

    def __init__(self, problem: Problem, threads: int):
        if os.environ.get(DEVICE, "cpu") == "cuda":
            try:
                jax.devices("cuda")
            except (RuntimeError, AssertionError):
                raise NotImplementedError("this JAX finds no card") from None
        # On a card products are rounded to TF32 unless told otherwise, and would be other work.
        jax.config.update("jax_default_matmul_precision", "highest")
        self.problem, self.size, self.knobs = problem, problem.size, problem.knobs
        self.rows = jnp.asarray(problem.rows)
        self.labels = jnp.asarray(problem.labels, jnp.int32)
        rates = (self.knobs["generator_lr"], self.knobs["discriminator_lr"])
        self.g_adam, self.d_adam = (
            optax.adam(rate, b1=self.knobs["beta1"], b2=self.knobs["beta2"], eps=self.knobs["epsilon"])
            for rate in rates
        )
        g, d = (
            jax.tree.map(jnp.array, [tuple(layer) for layer in layers])
            for layers in (problem.generator, problem.discriminator)
        )
        self.state = State(g, d, self.g_adam.init(g), self.d_adam.init(d), jax.random.key(0))
        self.chunk = 1
        self.description = f"jax {jax.__version__}, {type(self).__name__.lower()}, optax {optax.__version__}"

    def generate(self, weights: Any, z: Any, labels: Any) -> Any:
        x = z
        if self.size.classes:
            x = jnp.concatenate([z, jax.nn.one_hot(labels, self.size.classes)], 1)
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        x = x @ weights[-1][0] + weights[-1][1]
        return jnp.tanh(x) if self.knobs["output"] == "tanh" else x

    def loss(self, weights: Any, x: Any, target: float, labels: Any) -> Any:
        """Summed loss; loss, mean D(x) and class loss beside it."""
        for w, b in weights[:-1]:
            x = jax.nn.leaky_relu(x @ w + b, self.knobs["leaky_slope"])
        logits = x @ weights[-1][0] + weights[-1][1]
        score = logits[:, 0]
        adversarial = (jax.nn.softplus(score) - target * score).mean()
        classes = jnp.zeros(())
        if self.size.classes:
            classes = optax.softmax_cross_entropy_with_integer_labels(logits[:, 1:], labels).mean()
        return adversarial + classes, jnp.stack([adversarial, jax.nn.sigmoid(score).mean(), classes])

    def d_gradient(self, d: Any, x: Any, target: float, labels: Any) -> Any:
        return jax.grad(self.loss, has_aux=True)(d, x, target, labels)

    def g_gradient(self, g: Any, d: Any, z: Any, labels: Any) -> Any:
        return jax.grad(lambda g: self.loss(d, self.generate(g, z, labels), 1.0, labels), has_aux=True)(g)

    def latent(self, key: Any, rows: int) -> tuple[Any, Any]:
        noise, classes = jax.random.split(key)
        labels = jax.random.randint(classes, (rows,), 0, self.size.classes) if self.size.classes else None
        return jax.random.normal(noise, (rows, self.size.latent_dim)), labels

    def one_step(self, state: State, rows: Any, labels: Any) -> tuple[State, Any]:
        g, d, g_moments, d_moments, key = state
        key, draw, fake_key, latent_key = jax.random.split(key, 4)
        indices = jax.random.randint(draw, (self.size.half,), 0, len(rows))
        y = labels[indices] if self.size.classes else None
        gradients, real = self.d_gradient(d, rows[indices], 1.0, y)
        updates, d_moments = self.d_adam.update(gradients, d_moments)
        d = optax.apply_updates(d, updates)
        z, y = self.latent(fake_key, self.size.half)
        gradients, fake = self.d_gradient(d, self.generate(g, z, y), 0.0, y)
        updates, d_moments = self.d_adam.update(gradients, d_moments)
        d = optax.apply_updates(d, updates)
        gradients, generator = self.g_gradient(g, d, *self.latent(latent_key, self.size.batch_size))
        updates, g_moments = self.g_adam.update(gradients, g_moments)
        g = optax.apply_updates(g, updates)
        return State(g, d, g_moments, d_moments, key), jnp.concatenate([real, fake, generator])

    def gradients(self) -> dict[str, np.ndarray]:
        batches = {
            role: (jnp.asarray(each.x), jnp.asarray(each.labels, jnp.int32))
            for role, each in self.problem.batches.items()
        }

        @jax.jit
        def all_gradients(g: Any, d: Any, batches: Any) -> dict[str, Any]:
            (x, y), (z, labels) = batches["d_real"], batches["d_fake"]
            return {
                "d_real": self.d_gradient(d, x, 1.0, y)[0],
                "d_fake": self.d_gradient(d, self.generate(g, z, labels), 0.0, labels)[0],
                "g": self.g_gradient(g, d, *batches["g"])[0],
            }

        return {
            role: flat(layers) for role, layers in all_gradients(self.state.g, self.state.d, batches).items()
        }


class Jit(_Jax):
    """A call a step; the calls are not waited for, so Python runs ahead of them."""

    def __init__(self, problem: Problem, threads: int):
        super().__init__(problem, threads)
        self.step = jax.jit(self.one_step, donate_argnums=0)

    def run(self, steps: int) -> None:
        statistics = []
        for _ in range(steps):
            self.state, found = self.step(self.state, self.rows, self.labels)
            statistics.append(found)
        jax.block_until_ready((self.state, statistics))


class Scan(_Jax):
    """`lax.scan` over many steps a call, so that Python has no part in it."""

    def __init__(self, problem: Problem, threads: int):
        super().__init__(problem, threads)
        products = self.size.batch_size * sum(w.size for w, _ in problem.generator + problem.discriminator)
        # About 10 products of every weight with every row of the batch, at 100 GFLOP/s.
        self.chunk = max(4, int(SCANNED_SECONDS / (1e-4 + products * 10 / 1e11)))
        self.many = jax.jit(self.steps, donate_argnums=0)

    def steps(self, state: State, rows: Any, labels: Any) -> tuple[State, Any]:
        return jax.lax.scan(lambda s, _: self.one_step(s, rows, labels), state, None, length=self.chunk)

    def run(self, steps: int) -> None:
        statistics = []
        for _ in range(steps // self.chunk):
            self.state, found = self.many(self.state, self.rows, self.labels)
            statistics.append(found)
        jax.block_until_ready((self.state, statistics))
