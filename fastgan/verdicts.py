"""How a training goes, in words: from what the monitor measured to what it means and what to try.

The figures are those of `fastgan.monitor`; every threshold stands here, with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from fastgan.errors import UserError
from fastgan.json_rows import Row
from fastgan.settings import Settings

HOLD = 3
"""Looks in a row that must agree before it is said aloud: a single look may fall on a swing."""

COLLAPSED = 0.8
"""Share of repeats beyond which G has collapsed (source document 001), among samples as varied as real rows."""

NARROW = 0.2
"""G has collapsed too where its samples are spread less than this part of what real rows are: near repeats."""

WON = 0.95
"""D wins where it judges this share of real rows and of samples rightly: hardly any gradient says where to go."""

FOOLED = 0.1
"""D is fooled where it judges less than this share of one kind rightly: it calls everything real, or all of it fake."""

LEADS = 0.75
"""Mean of both shares from which D leads, which is usual while G learns; 0.5 is a coin."""

SPARSE = 0.6
"""G leaves out part of the data where less than this share of real rows have samples near them, and a smaller one than
of samples that are near real rows. Samples of half the modes are near 0.5 of the rows, those of the recipes, once good,
near 0.7 and more. While samples are poor everywhere, a smaller share of them is near rows than of rows near them."""

POOR = 0.1
"""Where less than this share of samples are near real rows, they do not show what G leaves out."""

RISING = 1.5
"""G is still finding the data, and leaves nothing out yet, where the share of real rows near samples is as many times
the largest one before: the first samples of images are all alike, and soon others come."""

VANISHED = 1e-4
"""G learns nothing where its gradient is less than this part of the largest one so far."""

EXPLODED = 1e3
"""A gradient explodes where it is as many times its median so far."""

RUN_AWAY = 10.0
"""A critic without bound runs away where its mean outputs differ by as many times what a slope of 1 over the reach of
the data, twice the spread of real rows, could make."""

BOUNDARIES = {"bce": 0.0, "minimax": 0.0, "hinge": 0.0, "mse": 0.5}
"""Output between "fake" and "real" without label smoothing; of bce a logit. A loss that is not here has none: the
middle between D's mean output on real rows and on samples stands for it."""

PROBABILITIES = ("bce", "minimax")
"""Losses whose D gives a probability."""

BALANCED = "balanced"

Advice = str | dict[str, Any]
"""Settings to change together, by name; or what is no setting, in words."""


def boundary(settings: Settings) -> float | None:
    """Output of a D that takes a row for as likely real as fake; None where the loss has none.

    Half the target of real rows, which label smoothing lowers; of bce its logit (Goodfellow 2016, section 4.2).
    """
    if settings.loss not in BOUNDARIES:
        return None
    if settings.loss in PROBABILITIES:
        return math.log((1 - settings.label_smoothing) / (1 + settings.label_smoothing))
    return BOUNDARIES[settings.loss] * (1 - settings.label_smoothing)


def state_of(row: Row, past: Sequence[Row], settings: Settings) -> str:
    """What a look shows: "ran away", "exploded", "collapsed", "vanished", "D wins", "fooled", "sparse" or "balanced".

    The first that fits, causes before their effects.
    """
    bounded = settings.loss in BOUNDARIES
    if not bounded and abs(row["d_real"] - row["d_fake"]) > RUN_AWAY * 2 * row["spread_real"]:
        return "ran away"
    if len(past) >= HOLD:
        for name in ("g_gradient", "d_gradient"):
            if row[name] > EXPLODED * median(each[name] for each in past) > 0:
                return "exploded"
    if _repeats(row) > COLLAPSED or row["spread"] < NARROW * row["spread_real"]:
        return "collapsed"
    if row["g_gradient"] < VANISHED * max((each["g_gradient"] for each in past), default=0.0):
        return "vanished"
    rights = row["d_right_real"], row["d_right_fake"]
    if bounded and min(rights) >= WON:
        return "D wins"
    if min(rights) < FOOLED:
        return "fooled"
    return "sparse" if _leaves_out(row, past) else BALANCED


def verdict(
    rows: Sequence[Row], settings: Settings, check: Callable[[Settings], object] = Settings.check
) -> tuple[str, str]:
    """The state that held at `HOLD` looks in a row, last, and what to say of it; ("", why not) before there was one.

    ``check(settings)`` raises `UserError` for settings that cannot be, or not with these data; so none is advised.
    """
    settled, count = -1, 0
    for i, row in enumerate(rows):
        count = count + 1 if i and row["state"] == rows[i - 1]["state"] else 1
        if count >= HOLD:
            settled, since = i, rows[i - count + 1]["step"]
    if settled < 0:
        return "", f"too early to tell: no {HOLD} looks in a row agree"
    row = rows[settled]
    state, lasted = row["state"], row["step"] - since
    what = _description(state, row, settings)
    if state == BALANCED:
        return state, what
    advice = [text for each in _advice(state, row, settings) if (text := _in_words(each, settings, check))]
    return state, f"{what}, for {lasted:,} steps; in a new training try {_any_of(advice)}"


def _leaves_out(row: Row, past: Sequence[Row]) -> bool:
    most = RISING * max((each["coverage"] for each in past), default=1.0)
    return (
        row["precision"] >= POOR
        and row["coverage"] < min(SPARSE, row["precision"])
        and row["coverage"] <= most
    )


def _repeats(row: Row) -> float:
    """Share of repeats among samples, where as many real rows have none."""
    return 1 - float(row["unique"]) / float(row["unique_real"])


def _description(state: str, row: Row, settings: Settings) -> str:
    real, fake = f"{row['d_right_real']:.0%} of real rows", f"{row['d_right_fake']:.0%} of samples"
    rights = f"{real} and {fake}"
    if state == "collapsed":
        if _repeats(row) > COLLAPSED:
            return f"G collapsed: {1 - row['unique']:.1%} of its samples are repeats"
        return f"G collapsed: its samples vary {row['spread'] / row['spread_real']:.1%} as much as real rows"
    if state == "exploded":
        return f"gradients explode: {row['g_gradient']:.2g} of G, {row['d_gradient']:.2g} of D"
    if state == "ran away":
        return f"D runs away: its mean output is {row['d_real']:.3g} on real rows and {row['d_fake']:.3g} on samples"
    if state == "vanished":
        return f"G learns nothing: its gradient is down to {row['g_gradient']:.1g}, and D judges {rights} rightly"
    if state == "D wins":
        if settings.loss in PROBABILITIES:
            return f"D wins: D(x) = {row['d_real']:.2f}, D(G(z)) = {row['d_fake']:.2f}"
        return f"D wins: it judges {rights} rightly"
    if state == "fooled":
        everything = "fake" if row["d_right_real"] < row["d_right_fake"] else "real"
        return f"D is fooled: it calls everything {everything}, and judges {rights} rightly"
    covered = f"{row['coverage']:.0%} of real rows have samples near them"
    if state == "sparse":
        return f"G leaves out part of the data: {row['precision']:.0%} of samples are near real rows, but {covered}"
    if (row["d_right_real"] + row["d_right_fake"]) / 2 >= LEADS:
        return f"balanced: D leads, as is usual; it judges {rights} rightly; {covered}"
    return f"balanced: D judges {rights} rightly; {covered}"


def _in_words(advice: Advice, settings: Settings, check: Callable[[Settings], object]) -> str:
    """Advice as the command line's `--set` takes it; empty where it is refused beside what else is set."""
    from fastgan.recipe import KNOBS

    if isinstance(advice, str):
        return advice
    try:
        check(replace(settings, **advice))
    except UserError:
        return ""
    shown = {name: f"{value:g}" if isinstance(value, float) else value for name, value in advice.items()}
    return " with ".join(f"{KNOBS[name].path}={value}" for name, value in shown.items())


def _advice(state: str, row: Row, settings: Settings) -> list[Advice]:
    """Settings to change, the most likely first; some may not go together with others that are set."""
    slower_d: Advice = {"discriminator_lr": settings.discriminator_lr / 2}
    slower_g: Advice = {"generator_lr": settings.generator_lr / 2}
    more_d: Advice = {"n_critic": settings.n_critic + 1}
    less_d: Advice = {"n_critic": settings.n_critic - 1}
    hinge: Advice = {"loss": "hinge"} | ({"label_smoothing": 0.0} if settings.label_smoothing else {})
    other_loss: Advice = {"loss": "bce"} if settings.loss != "bce" else hinge
    if state == "collapsed":
        # Where D sees through all that G makes, more of D would not help.
        beaten = min(row["d_right_real"], row["d_right_fake"]) >= WON
        return [
            slower_g,
            *([] if beaten else [more_d]),
            {"batch_size": 2 * settings.batch_size},
            other_loss,
        ]
    if state == "exploded":
        return [slower_g, slower_d]
    if state == "sparse":
        # Of a ring with minimax, R1 brought back all eight modes, bce four to eight, more of D or a larger batch none.
        penalised = settings.gradient_penalty != "none" or settings.discriminator_norm != "none"
        return [
            *([other_loss] if settings.loss == "minimax" else []),
            more_d if penalised else {"gradient_penalty": "r1", "penalty_weight": 0.1},
            "a wider generator",
            *([{"packing": 2}] if settings.packing == 1 else []),
            slower_g,
        ]
    if state == "ran away":
        bound: list[Advice] = [{"gradient_penalty": "wgan-gp"}] if settings.gradient_penalty == "none" else []
        return [*bound, slower_d, hinge]
    if state == "fooled":
        return [slower_g, more_d, "a wider discriminator"]
    advice = [less_d if settings.n_critic > 1 else slower_d]
    if state == "vanished" and settings.loss == "minimax":
        return [other_loss, *advice]
    if settings.loss in ("bce", "mse") and not settings.label_smoothing:
        advice.append({"label_smoothing": 0.1})
    if settings.gradient_penalty == "none":
        advice.append({"gradient_penalty": "r1"})
    return [*advice, "a wider generator"]


def _any_of(things: list[str]) -> str:
    *most, last = things
    return f"{', '.join(most)} or {last}" if most else last
