"""What one step does: which rows, which noise, which player, which statistics."""

import numpy as np
import pytest

from fastgan import step
from fastgan.batches import generate, real_batch
from fastgan.build import roles_of
from fastgan.passes import forward
from fastgan.state import STATISTICS, STREAMS


def perform(trainer, action=step.TRAIN, steps=1, rows=None):
    statistics = np.zeros((steps, len(STATISTICS)), np.float32)
    data = trainer.dataset.array if rows is None else rows
    labels = trainer.dataset.labels[: len(data)]
    step.perform(action, trainer.gan, data, labels, statistics)
    return statistics


def player(net):
    return b"".join(each.tobytes() for each in (net.params, net.mean, net.square, net.updates))


@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("classes", [0, 3])
def test_the_generators_update_leaves_the_discriminator_untouched(make_trainer, update, classes):
    trainer = make_trainer(classes=classes, update=update)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    perform(trainer)
    before_g, before_d, grads = player(g), player(d), d.grads.tobytes()
    perform(trainer, step.TRAIN_GENERATOR)
    assert player(d) == before_d and d.grads.tobytes() == grads
    assert player(g) != before_g


@pytest.mark.parametrize(
    "action", [step.TRAIN_DISCRIMINATOR, step.TRAIN_DISCRIMINATOR_REAL, step.TRAIN_DISCRIMINATOR_FAKE]
)
@pytest.mark.parametrize("update", ["separate", "joint"])
def test_the_discriminators_update_leaves_the_generator_untouched(make_trainer, action, update):
    trainer = make_trainer(update=update)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    before_g, before_d = player(g), player(d)
    trainer.gan.indices[:8] = np.arange(8)
    perform(trainer, action, rows=trainer.dataset.array[:8])
    assert player(g) == before_g and not g.grads.any()
    assert player(d) != before_d


@pytest.mark.parametrize(
    ("update", "n_critic", "real_rows", "updates"),
    [("separate", 1, 8, 2), ("separate", 5, 8, 10), ("joint", 1, 16, 1), ("joint", 5, 16, 5)],
)
def test_rows_of_a_batch_and_updates_of_a_step(make_trainer, update, n_critic, real_rows, updates):
    trainer = make_trainer(update=update, n_critic=n_critic)
    assert trainer.gan.real_rows == real_rows
    perform(trainer, steps=3)
    assert trainer.gan.discriminator.updates[0] == 3 * updates
    assert trainer.gan.generator.updates[0] == 3
    assert trainer.step == 3


@pytest.mark.parametrize(
    "action", [step.TRAIN_ON_BATCH, step.TRAIN_DISCRIMINATOR, step.TRAIN_DISCRIMINATOR_FAKE]
)
def test_parts_of_a_step_are_the_same_however_they_are_grouped(make_trainer, state_of, action):
    whole, parted = make_trainer(classes=3), make_trainer(classes=3)
    rows = whole.dataset.array[: 0 if action == step.TRAIN_DISCRIMINATOR_FAKE else 8]
    for trainer, calls in ((whole, [3]), (parted, [1, 1, 1])):
        trainer.gan.indices[:8] = np.arange(8)
        for steps in calls:
            perform(trainer, action, steps, rows)
    assert state_of(whole) == state_of(parted)


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_each_critic_step_has_rows_and_noise_of_its_own(make_trainer, sampling):
    trainer = make_trainer(n_critic=5, sampling=sampling, classes=3)
    gan, data = trainer.gan, trainer.dataset
    rows, latents, labels = [], [], []
    for critic_step in range(gan.n_critic):
        x, _ = real_batch(gan, data.array, data.labels, critic_step)
        rows.append(x.tobytes())
        first = critic_step * STREAMS
        generate(gan, gan.real_rows, first)
        latents.append(gan.latent[: gan.real_rows].tobytes())
        labels.append(gan.latent_labels[: gan.real_rows].tobytes())
    generate(gan, 16, gan.n_critic * STREAMS)
    latents.append(gan.latent[: gan.real_rows].tobytes())
    assert len(set(rows)) == len(set(labels)) == 5
    assert len(set(latents)) == 6


@pytest.mark.parametrize(
    ("rows", "n_critic", "update"), [(48, 1, "separate"), (50, 3, "separate"), (37, 2, "joint")]
)
def test_shuffled_rows_are_each_seen_once_a_pass(make_trainer, rows, n_critic, update):
    trainer = make_trainer(rows=rows, n_critic=n_critic, update=update)
    gan, data, seen = trainer.gan, trainer.dataset, []
    while len(seen) < 3 * rows:
        for critic_step in range(n_critic):
            real_batch(gan, data.array, data.labels, critic_step)
            seen.extend(gan.indices[: gan.real_rows].tolist())
        gan.clock[0] += 1
    passes = [seen[i * rows : (i + 1) * rows] for i in range(3)]
    assert all(sorted(one) == list(range(rows)) for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_rows_drawn_with_replacement_repeat(make_trainer):
    trainer = make_trainer(rows=40, sampling="replacement")
    drawn = []
    for _ in range(20):
        real_batch(trainer.gan, trainer.dataset.array, trainer.dataset.labels, 0)
        drawn.extend(trainer.gan.indices[:8].tolist())
        trainer.gan.clock[0] += 1
    assert set(drawn) <= set(range(40))
    assert len(set(drawn[:40])) < 40 < len(drawn)
    assert len(set(drawn)) > 30


@pytest.mark.parametrize("loss", ["bce", "minimax", "mse"])
def test_smoothing_changes_the_real_target_alone(make_trainer, loss):
    plain, smooth = roles_of(loss, 0.0), roles_of(loss, 0.1)
    assert smooth == plain._replace(real=plain.real._replace(target=0.9))
    first = perform(make_trainer(loss=loss, update="joint"))[0]
    second = perform(make_trainer(loss=loss, update="joint", label_smoothing=0.1))[0]
    assert first[0] != second[0]
    np.testing.assert_array_equal(
        first[1:6], second[1:6]
    )  # fake half and D(x) of one and the same discriminator


def test_statistics_are_the_losses_and_scores_before_each_update(make_trainer):
    trainer = make_trainer(classes=3)
    gan, data = trainer.gan, trainer.dataset
    x, y = (each.copy() for each in real_batch(gan, data.array, data.labels, 0))
    net = gan.discriminator
    scores = forward(net, x, y[:0]).astype(float)
    statistics = dict(zip(STATISTICS, perform(trainer)[0], strict=True))
    assert statistics["d_loss_real"] == pytest.approx(np.mean(np.logaddexp(0, -scores[:, 0])), rel=1e-5)
    assert statistics["d_real"] == pytest.approx(np.mean(1 / (1 + np.exp(-scores[:, 0]))), rel=1e-5)
    log_softmax = scores[:, 1:] - np.log(np.exp(scores[:, 1:]).sum(axis=1, keepdims=True))
    assert statistics["d_class_real"] == pytest.approx(-np.mean(log_softmax[np.arange(8), y]), rel=1e-5)
    assert all(0 < statistics[name] < 1 for name in ("d_real", "d_fake", "g_fake"))


@pytest.mark.parametrize(
    ("action", "columns"),
    [
        (step.TRAIN_DISCRIMINATOR_REAL, slice(0, 3)),
        (step.TRAIN_DISCRIMINATOR_FAKE, slice(3, 6)),
        (step.TRAIN_DISCRIMINATOR, slice(0, 6)),
        (step.TRAIN_GENERATOR, slice(6, 9)),
        (step.TRAIN_ON_BATCH, slice(0, 9)),
    ],
)
def test_each_part_of_a_step_fills_its_own_columns(make_trainer, action, columns):
    trainer = make_trainer(classes=3)
    statistics = perform(trainer, action, rows=trainer.dataset.array[:8])[0]
    filled = np.zeros(len(STATISTICS), bool)
    filled[columns] = True
    assert np.all((statistics != 0) == filled)


def test_without_classes_the_class_losses_are_zero(make_trainer):
    statistics = perform(make_trainer(), steps=4)
    assert not statistics[:, [2, 5, 8]].any()
    assert statistics[:, [0, 1, 3, 4, 6, 7]].all()


def test_uniform_latents_lie_between_zero_and_one(make_trainer):
    trainer = make_trainer(latent="uniform")
    generate(trainer.gan, 16, 0)
    assert 0 <= trainer.gan.latent.min() < 0.2 and 0.8 < trainer.gan.latent.max() < 1


def test_bits_are_minus_one_or_one(make_trainer):
    trainer = make_trainer(latent="bits")
    generate(trainer.gan, 16, 0)
    assert sorted(np.unique(trainer.gan.latent)) == [-1, 1]


def test_categories_are_one_hot_vectors_of_length_root_k(make_trainer):
    trainer = make_trainer(latent="categorical", latent_dim=6, latent_categories=3)
    generate(trainer.gan, 16, 0)
    groups = trainer.gan.latent.reshape(-1, 3)
    np.testing.assert_array_equal((groups > 0).sum(axis=1), 1)
    assert sorted(np.unique(groups)) == [0, np.sqrt(np.float32(3))]


def test_bytes_and_tokens_reach_the_networks_in_their_units(make_trainer):
    for kind in ("bytes", "tokens", "numbers"):
        trainer = make_trainer(kind)
        data = trainer.dataset
        x, _ = real_batch(trainer.gan, data.array, data.labels, 0)
        expected = data.spec.to_network_units(data.array[trainer.gan.indices[:8]])
        np.testing.assert_allclose(x, expected, atol=3e-7)  # one rounding of numbers within 2.5
