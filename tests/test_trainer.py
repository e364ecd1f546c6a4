"""The loop around the step: how steps are grouped, resuming, divergence, data that do not fit."""

import itertools

import numpy as np
import pytest

from fastgan import checkpoint
from fastgan.callbacks import Every
from fastgan.errors import UserError
from fastgan.settings import OPTIMISERS
from fastgan.state import lasting
from fastgan.trainer import Trainer, check_data

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "cpu"])


@BACKENDS
@pytest.mark.parametrize("parts", [(7, 5), (1,) * 12, (11, 1)])
def test_steps_give_the_same_bytes_however_they_are_grouped(make_trainer, state_of, parts, backend):
    whole, parted = (make_trainer("bytes", classes=3, n_critic=2, backend=backend) for _ in range(2))
    whole.train(12)
    for steps in parts:
        parted.train(steps)
    assert whole.step == parted.step == 12
    assert state_of(whole) == state_of(parted)
    for name in whole.history:
        assert whole.history[name].shape == (12,)
        np.testing.assert_array_equal(whole.history[name], parted.history[name])


@BACKENDS
@pytest.mark.parametrize("chunk", [3, 1000])
def test_the_size_of_a_call_changes_no_byte(make_trainer, state_of, chunk, backend):
    one, other = (make_trainer(backend=backend) for _ in range(2))
    other._chunk = chunk
    one.train(30)
    other.train(30)
    assert state_of(one) == state_of(other)


@BACKENDS
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_resumed_training_gives_the_same_bytes(make_trainer, state_of, tmp_path, optimiser, backend):
    settings = dict(
        kind="bytes",
        classes=3,
        optimiser=optimiser,
        momentum=0.5 if optimiser == "sgd" else 0.0,
        n_critic=2,
        decay_epochs=8,
        backend=backend,
    )
    whole, before, after = (make_trainer(**settings) for _ in range(3))
    whole.train(25)
    before.train(13)
    path = tmp_path / "c.safetensors"
    checkpoint.save_checkpoint(before, path)
    checkpoint.restore(after, checkpoint.Stored(path))
    assert state_of(after) == state_of(before)
    assert after.step == 13
    after.train(12)
    assert state_of(after) == state_of(whole)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(values[13:], after.history[name])


def test_saving_and_sampling_between_steps_change_no_byte(make_trainer, state_of, tmp_path):
    plain, watched = (make_trainer(classes=3) for _ in range(2))

    def look(trainer):
        trainer.generator.sample(10)
        checkpoint.save_checkpoint(trainer, tmp_path / "c")

    plain.train(10)
    watched.train(10, [Every(1, look)])
    assert state_of(plain) == state_of(watched)


def test_a_callback_can_stop_the_training(make_trainer):
    trainer = make_trainer()
    trainer.train(100, [Every(7, lambda trainer: setattr(trainer, "stopped", True))])
    assert trainer.step == 7
    trainer.train(3)
    assert trainer.step == 10


def test_an_epoch_is_whole_batches_of_rows(make_trainer):
    assert make_trainer(rows=96, batch_size=16).steps_per_epoch == 6
    assert make_trainer(rows=95, batch_size=16).steps_per_epoch == 5
    assert make_trainer(rows=16, batch_size=16).steps_per_epoch == 1


@BACKENDS
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_divergence_is_one_line_and_spares_the_checkpoint(make_trainer, tmp_path, optimiser, backend):
    path = tmp_path / "c.safetensors"
    trainer = make_trainer(
        loss="mse",
        output="linear",
        optimiser=optimiser,
        generator_lr=1e30,
        discriminator_lr=1e30,
        backend=backend,
    )

    def save(trainer):
        checkpoint.save_checkpoint(trainer, path)

    save(trainer)
    good = path.read_bytes()
    trainer._chunk = 50
    with pytest.raises(UserError, match=r"^training diverged at step \d+: [^\n]*lower generator_lr[^\n]*$"):
        trainer.train(50, [Every(50, save)])
    assert path.read_bytes() == good


@BACKENDS
def test_an_update_that_breaks_the_weights_is_found_before_they_are_saved(make_trainer, backend):
    """The statistics of that very step are still finite: they come from before the update."""
    trainer = make_trainer(optimiser="sgd", loss="wasserstein", generator_lr=1e38, backend=backend)
    trainer.gan.discriminator.params[...] *= 100
    saved = []
    with pytest.raises(
        UserError,
        match=r"^training diverged at step 1: the generator's weights are not finite \(first not finite: ",
    ):
        trainer.train(1, [Every(1, saved.append)])
    assert not saved


@pytest.mark.parametrize(
    ("backend", "settings"),
    [("cpu", {}), ("numpy", dict(spectral_norm=True, generator_norm="batch", ema=0.9, decay_epochs=9))],
)
def test_a_trainer_that_goes_back_makes_the_bytes_of_a_new_one(
    make_trainer, state_of, tmp_path, backend, settings
):
    """Nothing of what came in between is left, whatever it was."""
    used, new = (make_trainer(backend=backend, **settings) for _ in range(2))
    used.train(10)
    checkpoint.save_checkpoint(used, tmp_path / "c")
    used.train(7)
    for array in lasting(used.gan).values():
        array[...] = 77
    for each in (used, new):
        checkpoint.restore(each, checkpoint.Stored(tmp_path / "c"))
        each.reschedule(each.schedule_epoch, 0.5)
        each.train(5)
    states = [lasting(each.gan) for each in (used, new)]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], err_msg=name)
    np.testing.assert_array_equal(*(each.generator.sample(9, seed=1) for each in (used, new)))


@BACKENDS
def test_rates_are_multiplied_whatever_their_schedule(make_trainer, backend):
    schedule = dict(warmup_epochs=0.5, decay="cosine", decay_epochs=2, ema=0.9)
    plain, slower = (make_trainer(backend=backend, **schedule) for _ in range(2))
    slower.reschedule(slower.schedule_epoch, 0.25)
    for steps in (1, 3, 4):
        for each in (plain, slower):
            each.train(steps)
        for player in ("generator", "discriminator"):
            rates = [getattr(each.gan, player).rate[0] for each in (plain, slower)]
            assert rates[1] == rates[0] / 4 > 0
    slower.reschedule(slower.schedule_epoch, 1.0)
    assert slower.gan.generator.optimiser == plain.gan.generator.optimiser


def test_what_does_not_fit_together(make_data, make_trainer):
    with pytest.raises(UserError, match=r"^batch_size is 64 but data has 32 rows; give a smaller batch_size"):
        make_trainer(rows=32, batch_size=64)
    with pytest.raises(UserError, match=r"^n_classes is 3 but data has no labels"):
        make_trainer(n_classes=3)
    with pytest.raises(UserError, match=r"^data has 4 classes but n_classes is 3"):
        make_trainer(classes=4, n_classes=3)
    with pytest.raises(UserError, match=r"^batch_size is 15, which has no half"):
        make_trainer(batch_size=15)
    assert make_trainer(batch_size=15, update="joint").gan.real_rows == 15
    assert make_trainer(classes=3, n_classes=5).n_classes == 5
    with pytest.raises(UserError, match=r"^output is 'softmax' but the data are not tokens"):
        make_trainer(output="softmax")
    with pytest.raises(UserError, match=r"^output is 'tanh' but tokens need 'softmax'"):
        make_trainer("tokens", output="tanh")


def test_other_rows_of_the_same_form_are_read_in_the_first_ones_units(make_data, make_trainer):
    trainer = make_trainer("bytes")
    scale = trainer.dataset.spec.scale
    trainer.change_data(make_data("bytes", rows=40))
    assert len(trainer.dataset) == 40 and trainer.dataset.spec.scale is scale
    assert trainer.steps_per_epoch == 2
    with pytest.raises(
        UserError, match=r"^the data are table of width 3 but this GAN learnt table of width 4"
    ):
        trainer.change_data(make_data("numbers"))
    with pytest.raises(UserError, match=r"^the data have 3 classes but this GAN learnt 0"):
        trainer.change_data(make_data("bytes", classes=3))
    with pytest.raises(UserError, match=r"^batch_size is 16 but data has 8 rows"):
        trainer.change_data(make_data("bytes", rows=8))


@BACKENDS
def test_history_has_a_row_a_step(make_trainer, backend):
    trainer = make_trainer(backend=backend)
    assert all(values.shape == (0,) for values in trainer.history.values())
    trainer.train(9)
    assert all(values.shape == (9,) and values.dtype == np.float32 for values in trainer.history.values())
    assert list(trainer.history)[:2] == ["d_loss_real", "d_real"]


def test_a_call_comes_back_soon(make_trainer):
    """The number of steps in a call grows from 1, at most twofold, so that the first call cannot hang."""
    trainer = make_trainer()
    sizes = []
    trainer.train(40, [Recorder(sizes)])
    assert sizes[0] == 1 and sum(sizes) == 40
    assert all(later <= 2 * earlier for earlier, later in itertools.pairwise(sizes))


class Recorder(Every):
    def __init__(self, sizes):
        super().__init__(0, lambda trainer: None)
        self.sizes = sizes

    def after(self, trainer, first, statistics):
        self.sizes.append(len(statistics))
        assert trainer.step == first + len(statistics)


def test_more_rows_than_a_draw_can_reach_are_refused(make_data):
    from dataclasses import replace

    from fastgan.settings import Settings

    few = make_data("bytes")
    many = replace(few, array=np.broadcast_to(few.array[:1], (2**32 + 1, 4)))  # no memory
    with pytest.raises(
        UserError, match=r"^data has 4294967297 rows but .* at most 4294967296; set it to 'shuf"
    ):
        check_data(Settings(sampling="replacement"), many, least_rows=1)
    assert check_data(Settings(), many, least_rows=1) == 0


def test_a_trainer_checks_its_settings(make_data):
    from fastgan.settings import Settings

    with pytest.raises(UserError, match=r"^generator_lr is -0\.1; it must be above 0"):
        Trainer(Settings(generator_lr=-0.1, backend="numpy"), make_data())
