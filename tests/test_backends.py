"""The backends: which one is chosen, how far apart they end, and the same bytes from the same seed."""

import numpy as np
import pytest
import threadpoolctl

from fastgan.backends import choose_backend
from fastgan.errors import UserError

# After 100 steps, as a part of the distance the parameters have moved. The backends' sums differ by roundings of 1e-7
# from the first step on, and training lets such differences grow. Measured on these networks: at most 5e-7.
AFTER_100_STEPS = 1e-5
# Statistics, relative and absolute. Measured: at most 3e-7.
STATISTICS = 1e-5

TRAININGS = {
    "plain": dict(),
    "joint, classes": dict(kind="bytes", classes=3, update="joint"),
    "separate, classes, smoothing": dict(kind="bytes", classes=3, label_smoothing=0.1),
    "five critic steps": dict(n_critic=5, loss="wasserstein", optimiser="rmsprop", sampling="replacement"),
    "mse, sgd": dict(loss="mse", optimiser="sgd", momentum=0.5, update="joint", latent="uniform"),
    "minimax, bytes": dict(kind="bytes", loss="minimax", output="linear", init="normal", init_std=0.1),
    "hinge, tokens": dict(kind="tokens", loss="hinge", n_critic=2),
    "tokens with classes": dict(kind="tokens", classes=3, update="joint", sampling="replacement"),
    "decay": dict(decay_start=4, decay_epochs=10, init="glorot", generator_activation="tanh"),
}


def train(make_trainer, training, steps=100, **more):
    rates = dict(generator_lr=1e-3, discriminator_lr=1e-3)
    trainer = make_trainer(**(rates | TRAININGS[training] | more))
    start = trainer.gan.generator.params.copy(), trainer.gan.discriminator.params.copy()
    trainer.train(steps)
    return trainer, start


@pytest.mark.parametrize("training", TRAININGS)
def test_both_backends_arrive_at_the_same_place(make_trainer, training):
    (numpy, start), (cpu, _) = (train(make_trainer, training, backend=name) for name in ("numpy", "cpu"))
    assert (numpy.backend.name, cpu.backend.name) == ("numpy", "cpu")
    for player, first in zip(("generator", "discriminator"), start, strict=True):
        one, other = getattr(numpy.gan, player).params, getattr(cpu.gan, player).params
        moved = np.linalg.norm(one - first)
        assert moved > 1e-3
        assert np.linalg.norm(one - other) < AFTER_100_STEPS * moved
    for name, values in numpy.history.items():
        np.testing.assert_allclose(values, cpu.history[name], rtol=STATISTICS, atol=STATISTICS, err_msg=name)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("training", ["plain", "joint, classes", "hinge, tokens"])
def test_the_same_seed_gives_the_same_bytes(make_trainer, state_of, training, backend):
    (one, _), (same, _), (other, _) = (
        train(make_trainer, training, 20, backend=backend, seed=seed) for seed in (5, 5, 6)
    )
    assert state_of(one) == state_of(same) != state_of(other)
    assert one.generator.sample(10, seed=1).tobytes() == same.generator.sample(10, seed=1).tobytes()
    for name in one.history:
        np.testing.assert_array_equal(one.history[name], same.history[name])


def test_every_bit_of_the_seed_counts(make_trainer, state_of):
    states = {state_of(make_trainer(seed=seed)) for seed in (0, 1, 2**32, 2**63, 2**64 - 1)}
    assert len(states) == 5


def test_the_choice_is_said_aloud():
    numpy, cpu, auto = (choose_backend(name, threads=1) for name in ("numpy", "cpu", "auto"))
    assert numpy.description == f"numpy ({np.__version__}, 1 thread)"
    assert cpu.description.startswith("cpu (numba ") and cpu.description.endswith(", 1 thread)")
    assert auto.name == "cpu" and auto.description.startswith(cpu.description + " - ")
    assert "2 threads" in choose_backend("numpy", threads=2).description


def test_every_gan_of_a_process_shares_what_is_compiled():
    one, other = choose_backend("cpu", 1), choose_backend("auto", 2)
    assert one.function is other.function


def test_a_backend_that_cannot_be_had_is_an_error():
    with pytest.raises(UserError, match=r"^backend is 'cuda' but .*; use backend = 'cpu'$"):
        choose_backend("cuda", 1)
    with pytest.raises(UserError, match=r"^backend is 'numpi' \(did you mean 'numpy'\?\); it must be one of"):
        choose_backend("numpi", 1)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_the_threads_of_others_are_left_alone(make_trainer, backend):
    def threads():
        return {library["filepath"]: library["num_threads"] for library in threadpoolctl.threadpool_info()}

    choose_backend(backend, 1)  # loads every BLAS
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        make_trainer(backend=backend, threads=1).train(1)
        assert threads() == before
