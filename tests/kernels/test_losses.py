import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, poisoned, run_both

ADVERSARIAL = {fk.BCE: fk.bce_with_logits, fk.MSE: fk.mse, fk.WASSERSTEIN: fk.wasserstein, fk.HINGE: fk.hinge}
# Every (code, target, sign) a GAN uses, and a smoothed target.
TERMS = sorted(
    {(c, float(t), float(s)) for roles in fk.ROLES.values() for c, t, s in roles} | {(fk.BCE, 0.9, 1.0)}
)
EVERY_TERM = pytest.mark.parametrize(("code", "target", "sign"), TERMS)
EXTREMES = np.array([100, -100, 0, 1e-3, 30, -30, 87.5, -87.5, 1, -1], np.float32)


def logits_of(rows, columns, dtype=np.float32):
    """Ordinary logits and, as far as the rows reach, extreme ones in every column."""
    logits = 3 * normals(1, rows, columns)
    for column in range(columns):
        values = np.roll(EXTREMES, 3 * column)[: rows // 2]
        logits[: len(values), column] = values
    return logits.astype(dtype)


def labels_of(rows, classes):
    return np.random.default_rng(2).integers(0, classes, rows)


@EVERY_TERM
@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (13, 11), (67, 3)])
def test_adversarial_versions_agree(shape, code, target, sign):
    after = run_both(
        ADVERSARIAL[code],
        logits=logits_of(*shape),
        target=target,
        sign=sign,
        dlogits=poisoned(*shape),
        statistics=poisoned(2),
    )
    assert np.isfinite(after["dlogits"][:, 0]).all()
    assert np.isnan(after["dlogits"][:, 1:]).all(), "only column 0 is the loss's own"
    assert np.isfinite(after["statistics"]).all()


@EVERY_TERM
def test_adversarial_gradient_is_the_gradient_of_the_mean_loss(code, target, sign):
    logits = logits_of(23, 1, np.float64)
    logits[np.abs(np.abs(logits) - 1) < 1e-2] += 0.1  # away from the hinge's kinks
    dlogits, statistics = np.full_like(logits, np.nan), np.full(2, np.nan)

    def loss():
        ADVERSARIAL[code](logits, target, sign, np.empty_like(logits), statistics)
        return statistics[0]

    ADVERSARIAL[code](logits, target, sign, dlogits, statistics)
    assert_gradient(dlogits, loss, logits)


@pytest.mark.parametrize(
    ("op", "s", "target", "sign", "loss", "gradient", "score"),
    [
        (fk.bce_with_logits, 0, 1, 1, np.log(2), -0.5, 0.5),
        (fk.bce_with_logits, -100, 1, 1, 100, -1, 0),
        (fk.bce_with_logits, 100, 0, 1, 100, 1, 1),
        (fk.bce_with_logits, 100, 0, -1, -100, -1, 1),
        (fk.bce_with_logits, 100, 1, 1, 0, 0, 1),
        (fk.mse, 3, 1, 1, 4, 4, 3),
        (fk.mse, -100, 0, 1, 1e4, -200, -100),
        (fk.wasserstein, 100, 0, 1, -100, -1, 100),
        (fk.wasserstein, 100, 0, -1, 100, 1, 100),
        (fk.hinge, 100, 0, 1, 0, 0, 100),
        (fk.hinge, 100, 0, -1, 101, 1, 100),
        (fk.hinge, -0.5, 0, 1, 1.5, -1, -0.5),
    ],
)
def test_adversarial_values(op, s, target, sign, loss, gradient, score):
    after = run_both(
        op,
        logits=np.array([[s]], np.float32),
        target=float(target),
        sign=float(sign),
        dlogits=poisoned(1, 1),
        statistics=poisoned(2),
    )
    actual = [*after["statistics"], after["dlogits"][0, 0]]
    np.testing.assert_allclose(actual, [loss, score, gradient], rtol=3e-7, atol=1e-37)


@EVERY_TERM
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@np.errstate(invalid="ignore")
def test_a_diverged_logit_is_seen(bad, code, target, sign):
    logits = logits_of(5, 1)
    logits[2] = bad
    after = run_both(
        ADVERSARIAL[code],
        logits=logits,
        target=target,
        sign=sign,
        dlogits=poisoned(5, 1),
        statistics=poisoned(2),
    )
    assert not np.isfinite(after["statistics"][0 if code == fk.BCE else 1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 10), (7, 3), (13, 17), (67, 10)])
def test_cross_entropy_versions_agree(shape):
    after = run_both(
        fk.softmax_cross_entropy,
        logits=logits_of(*shape),
        labels=labels_of(*shape),
        dlogits=poisoned(*shape),
        statistics=poisoned(1),
    )
    assert np.isfinite(after["dlogits"]).all() and np.isfinite(after["statistics"]).all()


def test_cross_entropy_values():
    logits = np.array([[0, np.log(3)], [100, -100], [100, -100]], np.float32)
    after = run_both(
        fk.softmax_cross_entropy,
        logits=logits,
        labels=np.array([1, 0, 1]),
        dlogits=poisoned(3, 2),
        statistics=poisoned(1),
    )
    np.testing.assert_allclose(after["statistics"], (np.log(4 / 3) + 0 + 200) / 3, rtol=3e-7)
    expected = np.array([[0.25, -0.25], [0, 0], [1, -1]]) / 3
    np.testing.assert_allclose(after["dlogits"], expected, rtol=3e-7, atol=1e-38)


def test_cross_entropy_gradient_is_the_gradient_of_the_mean_loss():
    logits, labels = logits_of(11, 4, np.float64), labels_of(11, 4)
    dlogits, statistics = np.full_like(logits, np.nan), np.full(1, np.nan)

    def loss():
        fk.softmax_cross_entropy(logits, labels, np.empty_like(logits), statistics)
        return statistics[0]

    fk.softmax_cross_entropy(logits, labels, dlogits, statistics)
    assert_gradient(dlogits, loss, logits)


@EVERY_TERM
@pytest.mark.parametrize(("rows", "classes"), [(1, 0), (13, 0), (1, 1), (17, 3), (67, 10)])
def test_head_versions_agree(rows, classes, code, target, sign):
    after = run_both(
        fk.acgan_head,
        logits=logits_of(rows, 1 + classes),
        labels=labels_of(rows, classes) if classes else np.full(rows, 10**9),
        loss=code,
        target=target,
        sign=sign,
        dlogits=poisoned(rows, 1 + classes),
        statistics=poisoned(3),
    )
    assert np.isfinite(after["dlogits"]).all() and np.isfinite(after["statistics"]).all()
    if not classes:
        assert after["statistics"][2] == 0


@EVERY_TERM
@pytest.mark.parametrize("classes", [0, 3])
def test_head_gradient_is_the_gradient_of_both_losses(classes, code, target, sign):
    logits, labels = logits_of(11, 1 + classes, np.float64), labels_of(11, max(classes, 1))
    logits[:, 0][np.abs(np.abs(logits[:, 0]) - 1) < 1e-2] += 0.1  # away from the hinge's kinks
    dlogits, statistics = np.full_like(logits, np.nan), np.full(3, np.nan)

    def loss():
        fk.acgan_head(logits, labels, code, target, sign, np.empty_like(logits), statistics)
        return statistics[0] + statistics[2]

    fk.acgan_head(logits, labels, code, target, sign, dlogits, statistics)
    assert_gradient(dlogits, loss, logits)


def test_the_roles_pull_as_their_names_say():
    """A discriminator raises scores of real rows and lowers those of fake ones; a generator raises them."""
    logits = np.linspace(0.1, 0.9, 9, dtype=np.float32)[:, None]
    for roles in fk.ROLES.values():
        signs = []
        for code, target, sign in roles:
            dlogits = poisoned(9, 1)
            ADVERSARIAL[code](logits, target, sign, dlogits, poisoned(2))
            signs.append(-np.sign(dlogits))
        np.testing.assert_array_equal(np.concatenate(signs, axis=1), np.tile([1, -1, 1], (9, 1)))


@EVERY_TERM
@pytest.mark.parametrize(("rows", "classes"), [(1, 0), (16, 0), (17, 3)])
def test_the_head_in_parts_is_the_head(rows, classes, code, target, sign):
    """Each thread's rows by themselves: the same losses row by row, and the gradient of the mean over all."""
    logits, labels = logits_of(rows, 1 + classes), labels_of(rows, max(classes, 1))
    roles = {"loss": code, "target": target, "sign": sign}
    dlogits, losses = poisoned(rows, 1 + classes), poisoned(3, rows)
    for part in (slice(0, rows // 2), slice(rows // 2, rows)):
        own = {"logits": logits[part], "labels": labels[part]}
        after = run_both(
            fk.acgan_head_rows,
            **own,
            **roles,
            batch=rows,
            dlogits=dlogits[part],
            losses=losses[:, part].copy(),
        )
        dlogits[part], losses[:, part] = after["dlogits"], after["losses"]
    whole = run_both(
        fk.acgan_head,
        logits=logits,
        labels=labels,
        **roles,
        dlogits=poisoned(rows, 1 + classes),
        statistics=poisoned(3),
    )
    np.testing.assert_allclose(dlogits, whole["dlogits"], rtol=1e-6, atol=1e-9)
    statistics = run_both(fk.mean_rows, losses=losses, statistics=poisoned(3))["statistics"]
    np.testing.assert_allclose(statistics, whole["statistics"], rtol=1e-6, atol=3e-7)
