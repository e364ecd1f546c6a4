"""The best generator: which it is, what is kept of it, when a training stops, and all of that after a resume."""

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import fastgan
from fastgan import checkpoint
from fastgan.best import Best
from fastgan.callbacks import Every
from fastgan.data import load_dataset
from fastgan.errors import UserError
from fastgan.quality import METRICS, check_metric

from .small_gan import X, small


class Scripted(Best):
    """Its measure gives these values, one a look."""

    def __init__(self, values, **options):
        super().__init__("mmd", 5, **options)
        self.values = list(values)

    def prepare(self, trainer):
        super().prepare(trainer)
        self._measure = lambda samples, classes: self.values.pop(0)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_the_training_is_the_same_bytes_with_and_without(make_trainer, state_of, backend):
    alone, watched = (make_trainer("bytes", classes=3, backend=backend) for _ in range(2))
    alone.train(40)
    watched.train(40, [Best("coverage", 3)])
    assert state_of(watched) == state_of(alone)
    np.testing.assert_array_equal(watched.generator.sample(9), alone.generator.sample(9))


def test_the_generator_of_the_best_look_is_kept(tmp_path):
    kept = {}
    path, gan = tmp_path / "best.safetensors", small()
    best = Scripted([3.0, 1.0, 2.0, 1.0, np.nan], path=path)
    note = Every(5, lambda trainer: kept.update({trainer.step: trainer.generator.copy()}))
    gan.fit(X, steps=25, callbacks=[best, note])
    assert best.best == {"step": 10, "epoch": round(10 / 6, 3), "mmd": 1.0}
    assert best.history["step"].tolist() == [5, 10, 15, 20, 25]
    expected = kept[10].sample(7, seed=0)
    np.testing.assert_array_equal(best.generator.sample(7, seed=0), expected)
    np.testing.assert_array_equal(fastgan.load(path).sample(7, seed=0), expected)
    assert not np.array_equal(gan.sample(7, seed=0), expected)
    assert set(tmp_path.iterdir()) == {path, tmp_path / "best.jsonl"}


def test_without_a_file_the_best_is_kept_in_memory():
    best = fastgan.Best(every=4)
    with pytest.raises(UserError, match="there is no best generator yet; the first look is at step 4"):
        best.generator  # noqa: B018
    small().fit(X, steps=9, callbacks=[best])
    assert best.history["step"].tolist() == [4, 8]
    assert best.best["sliced_wasserstein"] == best.history["sliced_wasserstein"].min()
    assert best.generator.sample(3).shape == (3, 3)


def test_a_best_generator_is_never_that_of_another_training():
    gans, best = [small(seed=seed) for seed in (0, 1)], Best(every=4)
    for gan in gans:
        gan.fit(X, steps=4, callbacks=[best])
        np.testing.assert_array_equal(best.generator.sample(5, seed=0), gan.sample(5, seed=0))
    small().fit(X, steps=3, callbacks=[best])
    with pytest.raises(UserError, match=r"^there is no best generator yet; the first look is at step 4$"):
        best.generator  # noqa: B018


def test_a_best_generator_of_steps_that_are_not_made_any_more(make_trainer, tmp_path):
    first, second = make_trainer(), make_trainer()
    best = Scripted([2, 1])
    first.train(5, [best])
    checkpoint.save_checkpoint(first, tmp_path / "c")
    first.train(5, [best])
    checkpoint.restore(second, checkpoint.Stored(tmp_path / "c"))
    second.train(1, [best])
    assert best.best["step"] == 5
    with pytest.raises(
        UserError, match=r"^the generator of step 5 is not in memory any more; give Best a path$"
    ):
        best.generator  # noqa: B018


def test_a_training_stops_when_patience_ends():
    said = []
    best = Scripted([3, 2, 2.5, 2, 1, 1, 1, 1, 1], patience=3, say=said.append)
    gan = small().fit(X, steps=60, callbacks=[best])
    assert gan.stats.steps == 40 and best.best["step"] == 25
    assert said == ["step 40: stopped early, for mmd did not improve in 3 looks; best mmd 1 at step 25"]
    best.values = [2, 0.5, 1, 1, 1, 0]
    gan.fit(X, steps=60, callbacks=[best])  # with patience anew
    assert gan.stats.steps == 65 and best.best["step"] == 50


def test_what_is_said_at_the_end(tmp_path):
    said = []
    small().fit(X, steps=4, callbacks=[Best(every=5, say=said.append)])
    path = tmp_path / "b.safetensors"
    small().fit(X, steps=7, callbacks=[Scripted([0.12345], path=path, say=said.append)])
    assert said == [
        "no best generator will be kept, for the first look is at step 5 and the training ends at 4; look more often, "
        "or train longer",
        "step 4: no best generator was kept, for the first look is at step 5",
        f"step 7: best mmd 0.1235 at step 5, kept in {path}",
    ]


def test_a_resumed_training_has_the_same_best(make_trainer, tmp_path):
    """The first one goes on past its checkpoint and finds a better one before it dies."""
    whole, first, second = (make_trainer(classes=3) for _ in range(3))
    files = [tmp_path / name / "best.safetensors" for name in ("whole", "parts")]
    for each in files:
        each.parent.mkdir()
    whole.train(60, [Best("mmd", 4, path=files[0])])
    first.train(22, [Best("mmd", 4, path=files[1])])
    checkpoint.save_checkpoint(first, tmp_path / "c.safetensors")
    first.train(17, [Best("mmd", 4, path=files[1])])
    checkpoint.restore(second, checkpoint.Stored(tmp_path / "c.safetensors"))
    resumed = Best("mmd", 4, path=files[1])
    second.train(38, [resumed])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].with_suffix(".jsonl").read_text() == files[1].with_suffix(".jsonl").read_text()
    np.testing.assert_array_equal(
        resumed.generator.sample(4, seed=1), fastgan.load(files[0]).sample(4, seed=1)
    )


def test_patience_goes_on_after_a_resume(make_trainer, tmp_path):
    trainer, path = make_trainer(), tmp_path / "best.safetensors"
    trainer.train(17, [Scripted([1, 2, 2], patience=4, path=path)])
    best = Scripted([2, 2, 2], patience=4, path=path)
    trainer.train(60, [best])
    assert trainer.step == 25 and best.best["step"] == 5
    np.testing.assert_array_equal(best.generator.net.params, fastgan.load(path).net.params)


@pytest.mark.parametrize("harm", ["deleted", "cut", "emptied"])
def test_a_best_generator_that_is_lost_is_looked_for_anew(make_trainer, tmp_path, harm):
    trainer, path, said = make_trainer(), tmp_path / "best.safetensors", []
    trainer.train(10, [Scripted([1, 2], patience=3, path=path)])
    content = path.read_bytes()
    path.unlink()
    if harm != "deleted":
        path.write_bytes(content[: len(content) // 2] if harm == "cut" else b"")
    best = Scripted([5, 4, 4], patience=3, path=path, say=said.append)
    trainer.train(15, [best])
    assert said[0].startswith(f"{path} is {'missing' if harm == 'deleted' else 'no safetensors file'}")
    assert said[0].endswith("; the best generator is looked for anew") and "train again" not in said[0]
    assert said[1:] == [f"step 25: best mmd 4 at step 20, kept in {path}"]
    assert best.history["step"].tolist() == [15, 20, 25]
    np.testing.assert_array_equal(fastgan.load(path).net.params, best.generator.net.params)
    resumed = Scripted([6], path=path, say=said.append)
    trainer.train(5, [resumed])
    assert resumed.best["step"] == 20 and len(resumed.rows) == 4 and len(said) == 3


@pytest.mark.parametrize("course", [None, "", "no json\n"])
def test_a_best_generator_whose_course_is_lost_is_not_replaced_in_silence(make_trainer, tmp_path, course):
    trainer, path, said = make_trainer(), tmp_path / "best.safetensors", []
    trainer.train(10, [Scripted([1, 2], path=path)])
    path.with_suffix(".jsonl").unlink()
    if course is not None:
        path.with_suffix(".jsonl").write_text(course)
    trainer.train(10, [Scripted([5, 4], path=path, say=said.append)])
    assert said == [
        f"{tmp_path / 'best.jsonl'} does not say how good best.safetensors is by mmd; the best generator is looked "
        "for anew",
        f"step 20: best mmd 4 at step 20, kept in {path}",
    ]


def test_looks_ahead_of_a_checkpoint_are_no_loss(make_trainer, tmp_path):
    first, second, said = make_trainer(), make_trainer(), []
    first.train(3, [])
    checkpoint.save_checkpoint(first, tmp_path / "c.safetensors")
    first.train(4, [Scripted([1], path=tmp_path / "best.safetensors")])
    checkpoint.restore(second, checkpoint.Stored(tmp_path / "c.safetensors"))
    second.train(4, [Scripted([1], path=tmp_path / "best.safetensors", say=said.append)])
    assert said == [f"step 7: best mmd 1 at step 5, kept in {tmp_path / 'best.safetensors'}"]


def test_what_is_no_best_generator_is_left_alone(make_trainer, tmp_path):
    trainer, path = make_trainer(), tmp_path / "best.safetensors"
    trainer.train(5, [Scripted([1], path=path)])
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"best.safetensors"):
        trainer.train(5, [Scripted([1], path=path)])
    assert path.with_suffix(".jsonl").read_text().count("\n") == 1
    path.rmdir()
    save_file({"w": np.zeros(2)}, path)
    with pytest.raises(UserError, match=r"best.safetensors is a safetensors file of another program"):
        trainer.train(5, [Scripted([1], path=path)])


def test_no_look_with_a_figure_keeps_no_generator(make_trainer, tmp_path):
    trainer, said = make_trainer(), []
    for _ in range(2):
        best = Scripted([np.nan], path=tmp_path / "best.safetensors", say=said.append)
        trainer.train(5, [best])
    assert said == [f"step {step}: no best generator was kept, for none had a finite mmd" for step in (5, 10)]
    assert len(best.rows) == 2


def test_other_looks_leave_a_better_one_as_it_is(make_trainer, tmp_path):
    trainer, path = make_trainer(), tmp_path / "best.safetensors"
    trainer.train(10, [Scripted([1, 2], path=path)])
    kept = path.read_bytes()
    best = Scripted([3], path=path)
    best.every = 7
    trainer.train(5, [best])
    assert best.history["step"].tolist() == [5, 10, 14] and best.best["step"] == 5
    assert path.read_bytes() == kept


def test_another_metric_begins_anew(make_trainer, tmp_path):
    trainer, path = make_trainer(), tmp_path / "best.safetensors"
    trainer.train(10, [Best("mmd", 5, path=path)])
    best = Best("coverage", 5, path=path)
    trainer.train(10, [best])
    assert best.history["step"].tolist() == [15, 20]


# Measures


@pytest.mark.parametrize(
    ("source", "options"),
    [("ring", {}), ("tokens", {}), ("digits", {}), ("sequences", {})],
)
def test_real_rows_do_better_than_worse_ones(source, options):
    """Every measure ranks the training rows above ones that are shifted, shuffled or all alike."""
    data = load_dataset(source, rows=1000 if source != "digits" else 0)
    metrics = {name: metric for name, metric in METRICS.items() if metric.suits(data)}
    assert {"sliced_wasserstein", "mmd", "coverage"} < set(metrics) or source == "sequences"
    rng = np.random.default_rng(0)
    for name, metric in metrics.items():
        places = rng.permutation(len(data))[: metric.rows]
        real, labels = data.array[places], data.labels[places] if len(data.labels) else data.labels
        measure = metric.prepare(data, len(places))
        good = measure(real, labels)
        alike = measure(np.repeat(real[:1], len(real), axis=0), labels)
        mixed = measure(rng.permuted(real, axis=0), labels)
        assert np.isfinite([good, alike, mixed]).all()
        for worse in (alike, mixed) if source != "sequences" else (alike,):
            assert good > worse if metric.higher else good < worse, name
        if name in ("modes", "valid", "gan_test"):
            assert 0.9 < good <= 1


def test_which_metrics_data_can_have():
    def names(source):
        data = load_dataset(source, rows=200)
        return [name for name, metric in METRICS.items() if metric.suits(data)]

    every = ["sliced_wasserstein", "mmd", "coverage"]
    assert names("ring") == names("grid") == [*every, "modes"]
    assert names("tokens") == [*every, "valid"]
    assert names("digits") == [*every, "gan_test"]
    assert names("sequences") == every


def test_what_cannot_be_asked_for():
    with pytest.raises(
        UserError, match=r"^best_metric is 'mdm' \(did you mean 'mmd'\?\); it must be one of sl"
    ):
        Best("mdm")
    with pytest.raises(
        UserError, match=r"^best_metric is 'modes', which needs known clusters; X can have slic"
    ):
        small().fit(X, steps=1, callbacks=[Best("modes")])
    with pytest.raises(UserError, match=r"which needs labels; tokens can have .*, coverage, valid$"):
        check_metric("gan_test", load_dataset("tokens", rows=100))
    with pytest.raises(UserError, match=r"^path is best.npz; it must end in .safetensors$"):
        Best(path="best.npz")
    for patience in (-1, 1.5, True):
        with pytest.raises(UserError, match=r"it must be a whole number of looks, 0 or more$"):
            Best(patience=patience)


def test_the_page_lists_them():
    page = Path(__file__).parents[1] / "docs" / "monitor.md"
    if not page.parent.is_dir():
        pytest.skip("the checkout is not here: only the wheel is tested")
    rows = re.findall(
        r"^\| `(.*)` \| (higher|lower) \| (.*) \|$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [
        (name, "higher" if each.higher else "lower", each.meaning) for name, each in METRICS.items()
    ]
