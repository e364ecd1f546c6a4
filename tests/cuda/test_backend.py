"""Whole training steps on a card, or under the simulator, against the interpreted step on NumPy arrays."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import numpy as np
import pytest
from numba import config

import fastgan_kernels as fk
from fastgan import cuda, staging
from fastgan.checkpoint import Stored, restore, save_checkpoint
from fastgan.cuda import CudaBackend
from fastgan.errors import UserError
from fastgan.monitor import Monitor
from fastgan.state import lasting
from fastgan.step import (
    TRAIN,
    TRAIN_DISCRIMINATOR_FAKE,
    TRAIN_DISCRIMINATOR_REAL,
    TRAIN_GENERATOR,
    TRAIN_ON_BATCH,
    perform,
)
from fastgan_kernels import ROLES
from fastgan_kernels import cuda as kernels
from fastgan_kernels.dispatch import LAUNCHED

from ..parity import assert_states_agree

TINY = dict(generator=[3], discriminator=[4], latent_dim=2, batch_size=4)


def on_device(trainer, **options):
    """The same trainer with its steps on the device."""
    trainer.backend = CudaBackend("cuda (tests)", **options)
    return trainer


def both(make_trainer, kind="numbers", **settings):
    """Two trainers that are alike, on NumPy and on the device."""
    return tuple(make_trainer(kind, **(TINY | settings)) for _ in range(2))


def assert_alike(reference, trainer, moved=1e-5):
    """All that a step hands on agrees to a small part of its largest number, and counts are the same."""
    expected, actual = lasting(reference.gan), lasting(trainer.gan)
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        exact = array.dtype.kind == "i"
        rtol, atol = (0, 0) if exact else (1e-4, moved * np.abs(array).max())
        np.testing.assert_allclose(actual[name], array, rtol=rtol, atol=atol, err_msg=name)
    assert trainer.step == reference.step == int(trainer.gan.clock[0])
    for name, values in reference.history.items():
        np.testing.assert_allclose(trainer.history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("loss", ROLES)
def test_a_step_of_every_loss_and_update(make_trainer, loss, update):
    reference, trainer = both(make_trainer, loss=loss, update=update)
    on_device(trainer)
    for each in (reference, trainer):
        each.train(2)
    assert_alike(reference, trainer)


CHANGES = {
    "classes": dict(classes=3),
    "bytes": dict(kind="bytes"),
    "tokens": dict(kind="tokens", classes=2),
    "critic steps": dict(n_critic=2),
    "shuffled": dict(sampling="shuffle"),
    "uniform latent": dict(latent="uniform"),
    "bits": dict(latent="bits"),
    "categorical latent": dict(latent="categorical", latent_dim=6, latent_categories=3),
    "sgd": dict(optimiser="sgd", momentum=0.5),
    "rmsprop": dict(optimiser="rmsprop"),
    "weight decay and average": dict(weight_decay=0.1, ema=0.9),
    "falling rate": dict(decay_start=0.02, decay_epochs=0.1),
    "activations": dict(generator_activation="tanh", discriminator_activation="sigmoid", output="sigmoid"),
    "wgan-gp": dict(loss="wasserstein", gradient_penalty="wgan-gp", penalty_one_sided=True),
    "lazy r1": dict(gradient_penalty="r1", penalty_every=2),
    "smooth r1+r2": dict(gradient_penalty="r1+r2", discriminator_activation="tanh", update="joint"),
    "spectral norm, clipped": dict(spectral_norm=True, clip_norm=0.1, weight_decay=0.1, ema=0.9),
    "spectral norm, penalised": dict(
        spectral_norm=True, gradient_penalty="r1+r2", discriminator_activation="tanh", weight_decay=0.1
    ),
    "rising and falling rate": dict(warmup_epochs=0.2, decay="cosine", decay_epochs=0.5),
    "pairs": dict(loss="relativistic", update="joint", gradient_penalty="r1", optimiser="sgd"),
    "packed": dict(packing=2, update="joint"),
    "noise": dict(instance_noise=0.3, instance_noise_epochs=1, n_generator=2),
    "deep": dict(generator=[3, 2], discriminator=[]),
    "dropout": dict(generator_dropout=0.3, discriminator_dropout=0.5, gradient_penalty="r1"),
    "concat": dict(generator_concat=True, discriminator_concat=True, gradient_penalty="r1"),
    "batch norm": dict(generator_norm="batch", discriminator_norm="batch", optimiser="sgd", update="joint"),
    "layer norm": dict(generator_norm="layer", discriminator_norm="layer", optimiser="sgd"),
    "label embedding": dict(classes=3, label_embedding=2),
    "noise on logits": dict(kind="tokens", token_noise=2.0, token_noise_epochs=2),
    "token embedding": dict(kind="tokens", token_embedding=2, gradient_penalty="wgan-gp", loss="wasserstein"),
    "bigrams": dict(
        kind="tokens", discriminator_bigrams=True, gradient_penalty="wgan-gp", loss="wasserstein"
    ),
    "bigrams, smooth": dict(
        **dict(kind="tokens", discriminator_bigrams=True, discriminator_activation="tanh", packing=2),
        **dict(gradient_penalty="r1+r2", update="joint"),
    ),
    "maxout": dict(generator_activation="maxout", discriminator_activation="maxout", gradient_penalty="r1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_step_of_every_kind(make_trainer, change):
    reference, trainer = both(make_trainer, **change)
    on_device(trainer)
    for each in (reference, trainer):
        each.train(2)
    assert_alike(reference, trainer)


def test_a_loop_of_the_callers(make_trainer):
    reference, trainer = both(make_trainer, classes=2)
    on_device(trainer)
    for each in (reference, trainer):
        x, y = each.dataset.array[:2], each.dataset.labels[:2]
        each.perform(TRAIN_DISCRIMINATOR_REAL, x, y)
        each.perform(TRAIN_DISCRIMINATOR_FAKE, x[:0], y[:0])
        each.perform(TRAIN_GENERATOR, x[:0], y[:0])
        each.perform(TRAIN_ON_BATCH, x, y)
    assert_alike(reference, trainer)


def test_what_the_host_changes_between_two_calls_is_used(make_trainer):
    reference, trainer = both(make_trainer)
    on_device(trainer)
    for each in (reference, trainer):
        each.train(1)
        each.gan.generator.params[:] *= 0.5
        each.train(1)
    assert_alike(reference, trainer)


def test_a_monitor_reads_what_the_device_made_and_changes_nothing(make_trainer):
    reference, trainer = both(make_trainer)
    on_device(trainer)
    monitors = Monitor(1), Monitor(1)
    for each, monitor in zip((reference, trainer), monitors, strict=True):
        each.train(2, [monitor])
    assert_alike(reference, trainer)
    for name in ("g_gradient", "d_gradient", "spread", "d_real", "d_fake"):
        np.testing.assert_allclose(monitors[1].history[name], monitors[0].history[name], rtol=1e-3)


def test_a_copy_goes_on_alone_and_other_data_are_used(make_trainer, make_data):
    reference, trainer = both(make_trainer)
    on_device(trainer)
    for each in (reference, trainer):
        each.train(1)
        each.change_data(make_data("numbers", rows=50))
        each.train(1)
    assert_alike(reference, trainer)


def test_divergence_is_seen(make_trainer):
    _, trainer = both(make_trainer)
    on_device(trainer)
    trainer.gan.generator.params[0] = np.nan
    place = r"\(first not finite: the weights of layer 1 of 2 of the generator\)"
    with pytest.raises(UserError, match=rf"^training diverged at step 1: [^\n]* {place}; "):
        trainer.train(2)


@pytest.mark.parametrize("array", ["discriminator.square", "generator.average", "generator.running"])
def test_moments_that_are_not_finite_are_seen(make_trainer, array):
    _, trainer = both(make_trainer, ema=0.9, generator_norm="batch")
    on_device(trainer)
    trainer.train(1)
    assert trainer.backend.broken(trainer.gan_to_read) == ""
    lasting(trainer.gan)[array].flat[-1] = np.inf
    trainer.compile()
    assert trainer.backend.broken(trainer.gan_to_read) == array


@pytest.mark.parametrize("to_device", [True, False])
def test_a_checkpoint_goes_on_on_another_machine(make_trainer, tmp_path, to_device):
    pytest.importorskip("safetensors", reason="checkpoints are files of safetensors, which is not installed")
    stays, goes = both(make_trainer, spectral_norm=True, ema=0.9)
    on_device(goes if to_device else stays)
    stays.train(1)
    save_checkpoint(stays, tmp_path / "c")
    restore(goes, Stored(tmp_path / "c"))
    for each in (stays, goes):
        each.train(2)
    assert_states_agree(lasting(goes.gan), lasting(stays.gan))


def both_on_device(make_trainer):
    """Two trainers that are alike, both on the device and one step old."""
    made = [on_device(each) for each in both(make_trainer)]
    for each in made:
        each.train(1)
    return made


def assert_same_bytes(reference, trainer):
    assert trainer.step == reference.step
    expected, found = lasting(reference.gan), lasting(trainer.gan)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    for name, values in reference.history.items():
        np.testing.assert_array_equal(trainer.history[name], values, err_msg=name)


@pytest.mark.parametrize("sampling", ["replacement", "shuffle"])
def test_data_too_large_for_the_device_are_staged(make_trainer, monkeypatch, sampling):
    monkeypatch.setattr(staging, "LONGEST", 2)  # steps of a run, so that each half is filled anew
    monkeypatch.setattr(cuda, "RING", 3)
    reference, trainer = both(make_trainer, classes=2, n_critic=2, sampling=sampling)
    on_device(trainer, resident=False)
    for each in (reference, trainer):
        each.train(2)
        each.train(4)
    assert_alike(reference, trainer)


def test_another_thread_that_reads_waits_for_the_steps_that_are_being_made(make_trainer):
    reference, trainer = both_on_device(make_trainer)
    device = trainer.backend._device
    step, read = device._step, []
    reader = threading.Thread(target=lambda: read.append(int(trainer.gan_to_read.clock[0])))

    def step_beside_a_reader():
        if not reader.ident:
            reader.start()
        step()

    device._step = step_beside_a_reader
    for each in (reference, trainer):
        each._chunk = 4  # steps of one call, which else depend on the time they take
        each.train(4)
    reader.join()
    assert read == [5]
    assert_same_bytes(reference, trainer)


def test_a_signals_handler_may_read_between_two_steps(make_trainer):
    reference, trainer = both_on_device(make_trainer)
    device = trainer.backend._device
    step, read = device._step, []

    def step_and_signal():
        step()
        read.append(int(trainer.gan_to_read.clock[0]))

    device._step = step_and_signal
    for each in (reference, trainer):
        each._chunk = 2
        each.train(2)
    assert read == [2, 3]
    assert_same_bytes(reference, trainer)


@pytest.mark.skipif(not config.ENABLE_CUDASIM, reason="a real capture is not interrupted here")
def test_an_interrupted_warm_up_is_undone(make_trainer, monkeypatch):
    reference, trainer = both_on_device(make_trainer)

    def interrupted(*arguments):
        perform(*arguments)
        raise KeyboardInterrupt

    device = trainer.backend._device
    data = trainer.dataset.array
    arguments = (
        TRAIN,
        device.twin,
        kernels.to_device(data),
        kernels.to_device(np.zeros(0, np.int64)),
        device.row,
    )
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(cuda, "perform", interrupted)
        device._capture(arguments)
    for each in (reference, trainer):
        each.train(1)
    assert_same_bytes(reference, trainer)


def test_a_gan_larger_than_the_device_is_refused_before_anything_is_copied(make_trainer, monkeypatch):
    _, trainer = both(make_trainer)
    on_device(trainer)
    monkeypatch.setattr(cuda, "free_bytes", lambda: 1000)
    needs = r"needs 0\.\d MB on the device but 0\.0 MB are free, of which fastgan takes 80%; lower batch_size"
    with pytest.raises(UserError, match=needs):
        trainer.train(1)


def test_running_out_of_memory_is_told(make_trainer, monkeypatch):
    _, trainer = both(make_trainer)
    on_device(trainer)

    error = type("OutOfMemoryError", (MemoryError,), {"__module__": "cupy.cuda.memory"})

    def full(*arguments):
        raise error("Out of memory allocating 1,024 bytes")

    monkeypatch.setattr(cuda.kernels, "to_device", full)
    with pytest.raises(
        UserError, match=r"out of memory .*1,024 bytes; [\d,.]+ MB are free\); lower batch_size"
    ):
        trainer.train(1)
    error = MemoryError  # the host's own
    with pytest.raises(MemoryError):
        trainer.train(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_is_told_that_it_cannot_use_the_device(make_trainer):
    _, trainer = both_on_device(make_trainer)
    rows = trainer.generator.sample(3, seed=0)
    child = os.fork()
    if child == 0:
        read, told = False, 0
        try:
            read = np.array_equal(trainer.generator.sample(3, seed=0), rows)  # the host has all of it
            for _ in range(2):
                try:
                    trainer.train(1)
                except UserError as error:
                    told += "on the device of the process that this one was forked from" in str(error)
                trainer.reschedule(trainer.steps_per_epoch, 0.5)  # which makes another GAN
        finally:
            os._exit(0 if read and told == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_device_is_given_back_as_soon_as_another_gan_is_trained(make_trainer):
    _, trainer = both(make_trainer)
    on_device(trainer)
    trainer.train(1)
    before = weakref.ref(trainer.backend._device)
    gc.disable()  # memory of the card must not wait for the collector
    try:
        trainer.change_data(trainer.dataset)
        trainer.reschedule(trainer.steps_per_epoch, 0.5)
        trainer.train(1)
        assert before() is None
    finally:
        gc.enable()


@pytest.mark.gpu
@pytest.mark.skipif(cuda.SIMULATED, reason="steps are captured on a GPU alone")
def test_a_captured_step_is_an_uncaptured_one(make_trainer, state_of):
    states = []
    for captured in (True, False):
        trainer = on_device(make_trainer(**TINY, classes=2), captured=captured)
        trainer.train(20)
        states.append(state_of(trainer))
    assert states[0] == states[1]


def test_an_op_without_kernels_is_an_error_when_the_backend_is_made(monkeypatch):
    monkeypatch.delitem(LAUNCHED, fk.adam)
    with pytest.raises(UserError, match="adam has no CUDA kernel; use backend = 'cpu'"):
        CudaBackend("cuda (tests)")
