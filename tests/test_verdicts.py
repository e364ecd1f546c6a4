"""Verdicts: from figures to what they mean, at each threshold, and what is said and when."""

import re

import numpy as np
import pytest

from fastgan.errors import UserError
from fastgan.recipe import Recipe, check, override
from fastgan.settings import LOSSES, Settings
from fastgan.verdicts import BOUNDARIES, HOLD, boundary, state_of, verdict

GOOD = {
    "step": 1000,
    "mode_collapse": 0.0,
    "unique": 1.0,
    "unique_real": 1.0,
    "spread": 1.0,
    "spread_real": 1.0,
    "d_real": 0.55,
    "d_fake": 0.45,
    "d_right_real": 0.6,
    "d_right_fake": 0.6,
    "coverage": 0.95,
    "precision": 0.97,
    "d_gradient": 1.0,
    "g_gradient": 1.0,
}
SPARSE = dict(coverage=0.24, precision=0.9)
WINS = dict(d_right_real=0.99, d_right_fake=0.98, d_real=0.991, d_fake=0.012)


def rows_of(settings, *changes):
    """A row a change, each with its state, a thousand steps apart."""
    rows = []
    for i, change in enumerate(changes):
        row = GOOD | dict(step=1000 * (i + 1)) | change
        rows.append(row | {"state": state_of(row, rows, settings)})
    return rows


def states(settings, *changes):
    return [row["state"] for row in rows_of(settings, *changes)]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "balanced"),
        (dict(unique=0.21), "balanced"),
        (dict(unique=0.19), "collapsed"),
        (dict(unique=0.02, unique_real=0.05), "balanced"),  # real rows repeat as well
        (dict(unique=0.002, unique_real=0.05), "collapsed"),
        (dict(spread=0.21), "balanced"),
        (dict(spread=0.19), "collapsed"),
        (dict(spread=0.19, spread_real=0.5), "balanced"),
        (dict(d_right_real=0.96, d_right_fake=0.94), "balanced"),
        (dict(d_right_real=0.96, d_right_fake=0.96), "D wins"),
        (dict(d_right_real=0.96, d_right_fake=0.09), "fooled"),
        (dict(d_right_real=0.09, d_right_fake=0.99), "fooled"),
        (dict(d_right_real=0.5, d_right_fake=0.11), "balanced"),
        (dict(WINS, unique=0.1), "collapsed"),
        (dict(coverage=0.59), "sparse"),
        (dict(coverage=0.61), "balanced"),
        (dict(coverage=0.3, precision=0.31), "sparse"),
        (dict(coverage=0.3, precision=0.3), "balanced"),  # samples are poor everywhere
        (dict(coverage=0.05, precision=0.09), "balanced"),
        (dict(WINS, **SPARSE), "D wins"),
        (dict(SPARSE, spread=0.19), "collapsed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", BOUNDARIES)
def test_what_a_look_shows(loss, change, state):
    assert states(Settings(loss=loss), change) == [state]


def test_a_critic_may_tell_all_apart_but_not_run_away():
    settings = Settings(loss="wasserstein")
    assert states(settings, WINS) == ["balanced"]
    assert states(settings, dict(WINS, d_real=25.0, d_fake=4.0)) == ["ran away"]
    assert states(settings, dict(WINS, d_real=25.0, d_fake=4.0, spread=2.0, spread_real=2.0)) == ["balanced"]
    assert states(settings, dict(d_real=-1e6, d_fake=1e6, unique=0.01)) == ["ran away"]


def test_gradients_are_compared_with_those_before():
    settings = Settings()
    small, large = dict(g_gradient=0.9e-4), dict(d_gradient=1.1e3)
    assert states(settings, small) == ["balanced"]
    assert states(settings, {}, small) == ["balanced", "vanished"]
    assert states(settings, {}, large) == ["balanced", "balanced"]
    assert states(settings, {}, {}, {}, large)[-1] == "exploded"
    assert states(settings, {}, {}, {}, dict(g_gradient=0.9e3))[-1] == "balanced"
    assert states(settings, *[dict(g_gradient=0.0)] * 5) == ["balanced"] * 5


def test_a_state_must_hold_before_it_is_said():
    settings = Settings()
    assert verdict([], settings) == ("", f"too early to tell: no {HOLD} looks in a row agree")
    assert verdict(rows_of(settings, {}, {}), settings)[0] == ""
    assert verdict(rows_of(settings, {}, {}, {}), settings)[0] == "balanced"
    assert verdict(rows_of(settings, {}, {}, {}, WINS, WINS), settings)[0] == "balanced"
    assert verdict(rows_of(settings, {}, {}, {}, WINS, WINS, WINS), settings)[0] == "D wins"
    assert verdict(rows_of(settings, {}, WINS, {}, WINS, {}, WINS), settings)[0] == ""


def text_of(settings, change, count=HOLD):
    return verdict(rows_of(settings, *[change] * count), settings)[1]


def test_a_verdict_says_what_it_saw_how_long_and_what_to_try():
    assert text_of(Settings(discriminator_lr=2e-3), WINS, 7) == (
        "D wins: D(x) = 0.99, D(G(z)) = 0.01, for 6,000 steps; "
        "in a new training try optimiser.discriminator_lr=0.001, training.label_smoothing=0.1, "
        "training.gradient_penalty=r1 or a wider generator"
    )
    assert text_of(Settings(loss="hinge", n_critic=3), WINS) == (
        "D wins: it judges 99% of real rows and 98% of samples rightly, for 2,000 steps; "
        "in a new training try training.n_critic=2, training.gradient_penalty=r1 or a wider generator"
    )
    assert text_of(Settings(), dict(unique=0.03)) == (
        "G collapsed: 97.0% of its samples are repeats, for 2,000 steps; "
        "in a new training try optimiser.generator_lr=0.0001, training.n_critic=2, "
        "training.batch_size=128 or training.loss=hinge"
    )
    assert text_of(Settings(loss="hinge"), dict(WINS, spread=0.012)) == (
        "G collapsed: its samples vary 1.2% as much as real rows, for 2,000 steps; "
        "in a new training try optimiser.generator_lr=0.0001, training.batch_size=128 or training.loss=bce"
    )
    covered = "95% of real rows have samples near them"
    assert text_of(Settings(), {}) == (
        f"balanced: D judges 60% of real rows and 60% of samples rightly; {covered}"
    )
    assert text_of(Settings(), dict(d_right_real=0.9)) == (
        f"balanced: D leads, as is usual; it judges 90% of real rows and 60% of samples rightly; {covered}"
    )


def test_what_is_left_out_and_what_to_try():
    assert text_of(Settings(loss="minimax"), SPARSE, 4) == (
        "G leaves out part of the data: 90% of samples are near real rows, but 24% of real rows have samples near "
        "them, for 3,000 steps; in a new training try training.loss=bce, "
        "training.gradient_penalty=r1 with training.penalty_weight=0.1, a wider generator, "
        "training.packing=2 or optimiser.generator_lr=0.0001"
    )
    # Classes and packs do not go together, nor do a penalty and batch norm in D.
    for settings in (
        Settings(gradient_penalty="r1", n_classes=10),
        Settings(discriminator_norm="batch", packing=2),
    ):
        advice = text_of(settings, SPARSE).partition("; in a new training try ")[2]
        assert advice == "training.n_critic=2, a wider generator or optimiser.generator_lr=0.0001"


def test_nothing_is_left_out_while_more_is_covered_than_ever():
    course = [dict(SPARSE, coverage=share) for share in (0.1, 0.16, 0.3, 0.4, 0.2, 0.5)]
    assert states(Settings(), *course) == ["sparse", "balanced", "balanced", "sparse", "sparse", "sparse"]


def test_label_smoothing_moves_what_is_right():
    """A D that cannot tell gives real rows and samples 0.45 then, and is not fooled."""
    even = {loss: boundary(Settings(loss=loss, label_smoothing=0.1)) for loss in ("bce", "minimax", "mse")}
    assert even["mse"] == pytest.approx(0.45)
    assert even["bce"] == even["minimax"] == pytest.approx(np.log(0.45 / 0.55))
    assert boundary(Settings(loss="wasserstein")) is None
    for loss, expected in BOUNDARIES.items():
        assert boundary(Settings(loss=loss)) == expected


@pytest.mark.parametrize(
    ("loss", "before", "change", "parts"),
    [
        ("bce", {}, dict(d_right_fake=0.01), ["D is fooled: it calls everything real", "1% of samples"]),
        (
            "mse",
            {},
            dict(d_right_real=0.01),
            ["D is fooled: it calls everything fake", "training.n_critic=2"],
        ),
        (
            "minimax",
            {},
            dict(g_gradient=1e-6),
            ["G learns nothing", "down to 1e-06", "in a new training try training.loss=bce"],
        ),
        (
            "bce",
            {},
            dict(g_gradient=4e4),
            ["gradients explode: 4e+04 of G, 1 of D", "optimiser.generator_lr=0.0001"],
        ),
        (
            "wasserstein",
            {},
            dict(d_real=900.0),
            [
                "D runs away",
                "900 on real rows",
                "in a new training try training.gradient_penalty=wgan-gp",
                "or training.loss=hinge",
            ],
        ),
    ],
)
def test_other_verdicts(loss, before, change, parts):
    settings = Settings(loss=loss)
    text = verdict(rows_of(settings, *[before] * 7, *[change] * HOLD), settings)[1]
    assert all(part in text for part in [*parts, ", for 2,000 steps; in a new training try "]), text
    assert "\n" not in text


def test_the_figures_are_the_newest_that_show_the_state():
    settings = Settings()
    rows = rows_of(settings, WINS, WINS, WINS, dict(WINS, d_real=0.975), {})
    assert verdict(rows, settings)[1].startswith("D wins: D(x) = 0.97, D(G(z)) = 0.01, for 3,000 steps")


def test_what_the_data_do_not_allow_is_not_advised():
    def check(settings):
        if settings.batch_size > 100:
            raise UserError("there are 100 rows")

    rows = rows_of(Settings(), *[dict(unique=0.03)] * HOLD)
    assert "training.batch_size=128" in verdict(rows, Settings())[1]
    assert verdict(rows, Settings(), check)[1].endswith(
        "; in a new training try optimiser.generator_lr=0.0001, training.n_critic=2 or training.loss=hinge"
    )


@pytest.mark.parametrize(
    "change",
    [
        WINS,
        SPARSE,
        dict(unique=0.03),
        dict(d_right_fake=0.01),
        dict(d_real=1e9),
        dict(g_gradient=1e-6),
        dict(g_gradient=4e4),
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_to_try_can_be_set(loss, change):
    """Also beside what one would not go with: `--set` takes each piece of advice as it stands."""
    for more in (
        {},
        dict(label_smoothing=0.1),
        dict(discriminator_norm="batch"),
        dict(discriminator_norm="layer", label_smoothing=0.1),
        dict(packing=2),
        dict(n_classes=10),
        dict(batch_size=6),
        dict(gradient_penalty="wgan-gp", n_critic=3),
        dict(weight_decay=0.1),
    ):
        settings = Settings(loss=loss, update="joint", **more)
        if more.get("label_smoothing") and loss not in ("bce", "minimax", "mse"):
            continue
        settings.check()
        state, text = verdict(rows_of(settings, *[{}] * 7, *[change] * HOLD), settings)
        if state == "balanced":
            continue
        advice = re.split(", | or ", text.partition("; in a new training try ")[2])
        settable = [each for each in advice if not each.startswith("a wider ")]
        assert settable and all("=" in each for each in settable), text
        for each in settable:
            recipe = Recipe("x", gan=settings)
            for assignment in each.split(" with "):
                recipe = override(recipe, assignment)
            check(recipe)
