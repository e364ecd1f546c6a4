"""Trainings that diverge: what broke first is named, and a run goes back to a checkpoint at lower rates."""

from __future__ import annotations

import copy
import io
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from fastgan import load
from fastgan import recipe as recipes
from fastgan.__main__ import main
from fastgan.callbacks import NEVER, Callback
from fastgan.cause import place_of
from fastgan.checkpoint import Stored, checksum
from fastgan.divergence import LIMIT, divergence
from fastgan.errors import Diverged
from fastgan.forms import fed_rows
from fastgan.networks import Network, layer_rows, weights
from fastgan.norms import columns_of
from fastgan.progress import Progress, make_progress
from fastgan.recipe import Recipe
from fastgan.run import ROLLBACKS, train_run
from fastgan.state import STATISTICS, lasting
from fastgan.updates import spectral_state
from fastgan_kernels.layers import WEIGHTS

from .commands import STEPS_PER_EPOCH, TINY
from .small_gan import X, small

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "cpu"])
PLAYERS = pytest.mark.parametrize("player", ["generator", "discriminator"])


# What is found


def test_figures_that_are_bad() -> None:
    fine = np.ones((4, len(STATISTICS)), np.float32)
    fine[:, STATISTICS.index("d_penalty")] = 1e30
    assert divergence(10, fine) is None
    for value in (np.nan, np.inf, -np.inf, LIMIT, -2 * LIMIT):
        bad = fine.copy()
        bad[2, 6], bad[3, 0] = value, np.nan
        found = divergence(10, bad)
        assert found and (found.step, found.what) == (9, f"g_loss is {value:.3g}")


@BACKENDS
@PLAYERS
@pytest.mark.parametrize("optimiser", ["sgd", "adam", "rmsprop"])
def test_fit_names_the_layer_that_broke_first(player: str, backend: str, optimiser: str) -> None:
    """Adam's and RMSprop's first steps are as long as the rate; the second layer's sums overflow."""
    gan = small(
        generator=[7, 6],
        discriminator=[9, 5],
        optimiser=optimiser,
        backend=backend,
        **{f"{player}_lr": 1e30},
    )
    place = rf"first not finite: the outputs of layer [12] of 3 of the {player}"
    with pytest.raises(
        Diverged, match=rf"^training diverged at step [12]: [^\n]* \({place}\); start anew with lower [^\n]*$"
    ):
        gan.fit(X, steps=50)


@BACKENDS
def test_a_loss_that_runs_away_is_seen_before_it_is_infinite(backend: str) -> None:
    gan = small(loss="wasserstein", discriminator_lr=10.0, backend=backend)
    with pytest.raises(
        Diverged, match=r"d_\w+ is -?\d\S+ \(first above 1,000,000: the [a-z ]+ of layer 2 of 2 "
    ):
        gan.fit(X, steps=50)
    assert np.isfinite(gan.history["d_loss_real"]).all()


FORMS = {
    "r1": dict(gradient_penalty="r1"),
    "wgan-gp": dict(gradient_penalty="wgan-gp", loss="wasserstein", discriminator_activation="tanh"),
    "joint pairs": dict(loss="relativistic", update="joint"),
    "spectral norm": dict(spectral_norm=True, clip_norm=1.0),
    "batch norm": dict(generator_norm="batch", ema=0.9),
    "layer norm": dict(discriminator_norm="layer"),
    "dropout": dict(generator_dropout=0.3, discriminator_dropout=0.3),
    "concat": dict(generator_concat=True, discriminator_concat=True),
    "maxout": dict(generator_activation="maxout", discriminator_activation="maxout"),
    "packed": dict(packing=2, n_critic=2),
}


@PLAYERS
@pytest.mark.parametrize("form", FORMS)
def test_a_weight_that_is_spoilt_is_found_whatever_its_player_is_made_of(
    make_trainer: Any, player: str, form: str
) -> None:
    trainer = make_trainer(generator=[7, 6], discriminator=[9, 5], **FORMS[form])
    net = getattr(trainer.gan, player)
    net.params[net.layers[1, WEIGHTS]] = np.inf
    place = rf"\(first not finite: the (weights|power iteration) of layer 2 of 3 of the {player}\)"
    with pytest.raises(Diverged, match=rf"^training diverged at step 1: [^\n]* {place}; "):
        trainer.train(20)
    assert trainer.step == 0


@pytest.mark.parametrize("form", FORMS)
def test_each_place_is_named_as_the_step_finds_it(make_trainer: Any, form: str) -> None:
    """The views that a step takes of a layer lie where the words say."""
    gan = make_trainer(generator=[7, 6], discriminator=[9, 5], classes=0, **FORMS[form]).gan
    for player in ("generator", "discriminator"):
        net = getattr(gan, player)
        for layer in range(3):
            views = [(words, array) for words, array in views_of(net, layer) if array.size]
            assert len(views) >= 6
            for words, array in views:
                for address in (array.ctypes.data, array.ctypes.data + array.nbytes - array.itemsize):
                    assert place_of(address, gan) == f"the {words} of layer {layer + 1} of 3 of the {player}"


def views_of(net: Network, layer: int) -> Iterator[tuple[str, np.ndarray]]:
    for name, words in (
        ("params", "weights"),
        ("grads", "gradients"),
        ("mean", "moments"),
        ("square", "moments"),
    ):
        yield from ((words, each) for each in weights(net, getattr(net, name), layer))
    if net.average.size:
        yield from (("averaged weights", each) for each in weights(net, net.average, layer))
    yield "outputs", layer_rows(net, net.outputs, layer, net.max_rows)
    yield "gradients at the outputs", layer_rows(net, net.deltas, layer, net.max_rows)
    if net.curvature.size:
        yield "penalty's gradients at the outputs", layer_rows(net, net.curvature, layer, net.max_rows)
    if net.spectral:
        yield from (("power iteration", each) for each in spectral_state(net, layer))
        yield from (("normalised weights", each) for each in weights(net, net.spectral.scaled, layer))
    if net.form and layer < 2:
        if net.form.fed.size:
            yield "outputs", fed_rows(net, net.form.fed, layer, net.max_rows, 0)
        if net.form.dfed.size:
            yield "gradients at the outputs", fed_rows(net, net.form.dfed, layer, net.max_rows, 0)
        norm = net.form.norm
        if norm:
            start, stop = columns_of(net, layer)
            yield "normalised sums", layer_rows(net, norm.normed, layer, net.max_rows)
            yield "gradients", norm.dscale[1, start:stop]
            if norm.of_batch:
                yield "batch moments", norm.variance[start:stop]
                yield "running moments", norm.running[1, start:stop]
            else:
                yield "moments of rows", norm.row_inverse[layer]


@BACKENDS
def test_a_gan_is_left_as_it_was_before_the_step_that_broke_it(backend: str) -> None:
    settings: dict[str, Any] = dict(
        loss="mse", optimiser="sgd", generator_lr=0.5, discriminator_lr=0.5, backend=backend
    )
    gan = small(**settings)
    with pytest.raises(Diverged) as caught:
        gan.fit(X, steps=500)
    last = caught.value.step - 1  # in the middle of a call
    assert gan.stats.steps == last > 3
    again = small(**settings).fit(X, steps=last)
    for name, array in lasting(again._trainer.gan).items():
        np.testing.assert_array_equal(lasting(gan._trainer.gan)[name], array, err_msg=name)
    assert len(gan.history["g_loss"]) > last
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(Diverged) as second:
        copy.deepcopy(gan).fit(X, steps=5)
    assert str(second.value) == str(caught.value)


# Runs


class Listening(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def recipe(*changes: str, backend: str = "numpy") -> Recipe:
    found = recipes.parse(TINY.replace('"numpy"', f'"{backend}"'), "tiny")
    for change in ("optimiser.optimiser=sgd", "run.samples_every=0", *changes):
        found = recipes.override(found, change)
    return found


@BACKENDS
@PLAYERS
def test_a_run_that_cannot_be_saved_gives_up(player: str, backend: str, tmp_path: Path) -> None:
    listening, folder = Listening(), tmp_path / "run"
    with pytest.raises(Diverged) as caught:
        train_run(recipe(f"optimiser.{player}_lr=1e25", backend=backend), folder, listening)
    assert re.fullmatch(
        r"training diverged at step \d+: [^\n]* "
        rf"\(first not finite: the [a-z' ]+ of layer [12] of 2 of the {player}\); "
        rf"{folder} holds step 0, from where {ROLLBACKS} tries at lower rates diverged too; "
        r"start anew with lower [^\n]*",
        str(caught.value),
    ), caught.value
    assert [text.partition("; ")[2] for text in listening.said] == [
        f"on from step 0 at {factor} times the learning rates" for factor in (0.5, 0.25, 0.125)
    ]
    stored = Stored(folder / "checkpoint.safetensors")
    assert (stored.step, stored.rate_factor) == (0, 0.125)
    assert all(np.isfinite(each).all() for each in stored.tensors.values())
    assert main(["train", "--resume", str(folder), "--log", "quiet"]) == 3


def steep(*changes: str) -> Recipe:
    """Diverges twice and then no more."""
    return recipe(
        "optimiser.generator_lr=0.5", "optimiser.discriminator_lr=0.5", "training.loss=mse", *changes
    )


def test_lower_rates_save_a_training(tmp_path: Path) -> None:
    listening, folder = Listening(), tmp_path / "run"
    outcome = train_run(steep(), folder, listening)
    assert (outcome.step, outcome.rate_factor) == (4 * STEPS_PER_EPOCH, 0.25)
    assert [re.match(r"step (\d+): training diverged, for ", text)[1] for text in listening.said] == [
        "2",
        "6",
    ]
    stored = Stored(folder / "checkpoint.safetensors")
    assert (stored.step, stored.rate_factor) == (outcome.step, 0.25)
    rows = [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, outcome.step + 1))
    assert not list(folder.rglob(".*"))


def test_lowered_rates_outlive_a_resume(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_run(steep("run.epochs=6"), whole, Progress())
    train_run(steep("run.epochs=2"), parts, Progress())
    outcome = train_run(steep("run.epochs=6"), parts, Progress(), resume=True)
    assert outcome.rate_factor == 0.25
    name = "checkpoint.safetensors"
    assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_without_rollback_the_first_one_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "steep.toml").write_text(recipes.to_toml(steep()))
    folder = tmp_path / "run"
    arguments = ["train", str(tmp_path / "steep.toml"), "--out", str(folder), "--log", "quiet"]
    assert main([*arguments, "--no-rollback"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{folder} holds step 0; start anew with lower" in error
    assert main(["train", "--resume", str(folder), "--log", "quiet", "--rollback"]) == 0
    assert capsys.readouterr().err == (
        "fastgan: warning: training diverged and went on from a checkpoint; "
        "the learning rates are now 0.25 times the recipe's\n"
    )


def test_a_checkpoint_that_is_lost_already_is_passed_over(tmp_path: Path) -> None:
    """Numbers are finite in the newest one but too large to go on from, at any rate."""
    listening, folder = Listening(), tmp_path / "run"
    train_run(recipe("run.epochs=2"), folder, Progress())
    path = folder / "checkpoint.safetensors"
    stored = Stored(path)
    stored.tensors["discriminator.params"] *= 1e12
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    save_file(stored.tensors, path, metadata | {"checksum": checksum(stored.tensors, metadata)})
    outcome = train_run(recipe(), folder, listening, resume=True)
    assert [text.partition("; ")[2] for text in listening.said] == [
        "on from step 40 at 0.5 times the learning rates",
        "on from step 20 at 0.25 times the learning rates",
    ]
    assert (outcome.step, outcome.rate_factor) == (80, 0.25)


def test_what_was_best_stays_so_when_training_goes_back(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    looks = ("run.monitor_every=1", "run.best_metric=sliced_wasserstein", "run.checkpoint_every=0")
    listening = Listening()
    train_run(steep(*looks, "run.epochs=1"), folder, listening)
    *_, said = listening.said
    rows = [json.loads(row) for row in (folder / "best.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, STEPS_PER_EPOCH + 1))
    best = float(re.search(r"best sliced_wasserstein (\S+) at step", said)[1])  # type: ignore[index]
    assert best <= min(row["sliced_wasserstein"] for row in rows) * 1.001
    assert load(folder / "best.safetensors").sample(3).shape == (3, 2)


@pytest.mark.parametrize("log", ["bar", "keras", "quiet"])
@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_shown(log: str, terminal: bool, tmp_path: Path) -> None:
    """A line for each return, on a line of its own; the bar begins anew below."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    train_run(steep(), tmp_path / "run", make_progress(log, stream))
    shown = re.sub(r"\x1b\[\S*?[a-zA-Z]", "", stream.getvalue()).splitlines()
    told = [line for line in shown if line.startswith("step ") and "training diverged" in line]
    assert len(told) == (0 if log == "quiet" else 2)
    if log == "keras":
        steps = [int(line[1:].partition(",")[0]) for line in shown if line.startswith(">")]
        assert steps[-80:] == list(range(1, 81))


@BACKENDS
def test_data_that_change_to_nan_are_named_and_spoil_no_weights(backend: str, tmp_path: Path) -> None:
    """The file of a memory map is another program's too."""

    class Spoiling(Callback):
        def next_step(self, step: int) -> int:
            return 40 if step < 40 else NEVER

        def after(self, trainer: Any, first: int, statistics: np.ndarray) -> None:
            if trainer.step == 40:
                rows[3:60, 0] = np.nan

    np.save(tmp_path / "rows.npy", X)
    rows, gan = np.load(tmp_path / "rows.npy", mmap_mode="r+"), small(backend=backend)
    with pytest.raises(Diverged, match=r"\(first not finite: the rows of the data\)"):
        gan.fit(rows, steps=200, callbacks=[Spoiling()])
    assert all(np.isfinite(array).all() for array in lasting(gan._trainer.gan).values())
    rows[...] = X
    gan.fit(rows, steps=20)
