"""The benchmark measures what it says: peers do fastgan's work, pairs are compared, and no number is typed by hand."""

import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bench", reason="the checkout is not here: only the wheel is tested")

from bench import floor, ops, report, rounds, soak
from bench.problem import ROLES, make_problem, read_problem
from bench.results import FOLDER, Results, Row, Stored, newest
from bench.sizes import STEPS, Size
from fastgan.cuda_probe import look

from .commands import environment

ROOT = Path(__file__).parents[1]

# Wide enough that no row of the generator's is 0 in all columns: at the kink of leaky relu frameworks differ.
PLAIN = Size("plain", 5, 3, (16,), (7, 4), 8, rows=40)
LABELLED = replace(PLAIN, name="labelled", classes=3)
# The other peers are these with another call around the step.
PEERS = ("torch eager", "torch.compile", "jax scan", "keras", "keras jax")
TINY_ERROR = 3e-6  # of the largest gradient; float32 on both sides, sums of some ten products; 4e-7 was seen


@pytest.fixture(scope="module", params=[PLAIN, LABELLED], ids=lambda size: size.name)
def problem(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("problem") / "problem.npz"
    make_problem(request.param, path)
    return path


def start(name, path):
    try:
        return rounds.Worker(name, path, 1).start()
    except rounds.MissingError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_has_our_gradients_and_runs(name, problem, monkeypatch):
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")  # the same functions, without half a minute of compiling
    worker = start(name, problem)
    try:
        assert set(worker.errors) == set(ROLES)
        assert max(worker.errors.values()) < TINY_ERROR
        assert worker.run(3, 10.0) > 0
    finally:
        worker.close()


def test_other_gradients_are_an_error(problem, tmp_path):
    with np.load(problem) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["g.gradient"][3] += 1e-3 * np.abs(arrays["g.gradient"]).max()
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, **arrays)
    with pytest.raises(rounds.ContestError, match="gradients are off"):
        rounds.Worker("fastgan numpy", wrong, 1).start()


def test_what_a_contender_says_last_is_told(tmp_path):
    with pytest.raises(rounds.ContestError, match="FileNotFoundError"):
        rounds.Worker("fastgan numpy", tmp_path / "missing.npz", 1).start()


def test_a_contender_that_does_not_answer_is_ended(problem):
    worker = rounds.Worker("fastgan numpy", problem, 1, patience=0.01)
    with pytest.raises(
        rounds.ContestError, match=r"^fastgan numpy was ended, for it did not answer in 0.01 s$"
    ):
        worker.start()
    assert worker.process.poll() is not None


def test_a_problem_is_read_as_it_was_made(problem):
    found = read_problem(problem)
    size = found.size
    assert found.rows.shape == (size.rows, size.columns) and np.abs(found.rows).max() <= 1
    assert [w.shape for w, _ in found.generator] == [(3 + size.classes, 16), (16, 5)]
    assert (
        len(found.batches["d_real"].x) == len(found.batches["d_fake"].x) == 4
        and len(found.batches["g"].x) == 8
    )
    assert found.errors(found.gradients) == dict.fromkeys(ROLES, 0.0)
    assert found.errors(found.gradients | {"g": np.full_like(found.gradients["g"], np.nan)})["g"] == np.inf


def test_a_contest_of_real_processes(tmp_path):
    found, missing = rounds.contest(
        LABELLED, ["fastgan numpy"], tmp_path, rounds=3, seconds=0.01, threads=[1], floor=True
    )
    assert set(missing) <= {floor.TORCH}
    assert len(found["fastgan numpy"].seconds) == len(found["floor"].seconds) == 3
    assert 0 < max(found["floor"].seconds) < min(found["fastgan numpy"].seconds)


def test_ratios_are_those_of_pairs():
    """The machine is twice as slow in the last two rounds; one contender's turns are not compared with other rounds."""
    ours, theirs = [1.0, 1.0, 2.0, 2.0, 2.0], [3.0, 3.0, 6.0, 6.0, 60.0]
    assert rounds.ratios(theirs, ours).median == 3
    assert rounds.Summary.of([1, 2, 3, 4, 5, 6]) == rounds.Summary(3.5, 2.0, 5.0)


def test_rounds_are_interleaved_and_begin_with_another_each():
    calls = []

    class Turn:
        def __init__(self, name):
            self.name = name

        def run(self, steps, most):
            calls.append((self.name, steps))
            return 0.5

    turns = {name: (Turn(name), step) for name, step in (("a", 0.1), ("b", 0.25))}
    found = rounds.by_turns(turns, 3, 1.0)
    assert calls == [("a", 10), ("b", 4), ("b", 4), ("a", 10), ("a", 10), ("b", 4)]
    assert found == {"a": [0.5] * 3, "b": [0.5] * 3}


@pytest.mark.parametrize(("cores", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])])
def test_thread_counts(cores, counts):
    assert rounds.thread_counts(cores) == counts


def test_products_of_a_step():
    made = floor.products(Size("s", 5, 3, (6,), (7,), 8, classes=2))
    assert made == {
        floor.Product("nn", 4, 3, 6): 1,
        floor.Product("nn", 4, 6, 5): 1,
        floor.Product("nn", 4, 5, 7): 2,
        floor.Product("nn", 4, 7, 3): 2,
        floor.Product("tn", 4, 5, 7): 2,
        floor.Product("tn", 4, 7, 3): 2,
        floor.Product("nt", 4, 7, 3): 2,
        floor.Product("nn", 8, 3, 6): 1,
        floor.Product("nn", 8, 6, 5): 1,
        floor.Product("nn", 8, 5, 7): 1,
        floor.Product("nn", 8, 7, 3): 1,
        floor.Product("nt", 8, 5, 7): 1,
        floor.Product("nt", 8, 7, 3): 1,
        floor.Product("tn", 8, 3, 6): 1,
        floor.Product("tn", 8, 6, 5): 1,
        floor.Product("nt", 8, 6, 5): 1,
    }
    assert floor.updates(LABELLED) == {"G": (6 * 16 + 16 + 16 * 5 + 5, 1), "D": (42 + 32 + 5 * 4, 2)}


@pytest.mark.parametrize("kind", ["nn", "tn", "nt"])
def test_operands_fit(kind):
    a, b, out = floor.Product(kind, 4, 5, 6).operands()
    assert ((a.T if kind == "tn" else a) @ (b.T if kind == "nt" else b)).shape == out.shape


def test_the_floor_takes_the_best_way_and_counts():
    lower = floor.Floor(PLAIN)
    for slow in (1.0, 2.0, 9.0):
        lower.add(
            [
                {work: {"slow": slow} for work in lower.counts()},
                {work: {"fast": 0.5} for work in lower.counts()},
            ]
        )
    assert set(lower.ways().values()) == {"fast"}
    assert lower.seconds() == [0.5 * sum(lower.counts().values())] * 3


@pytest.mark.parametrize("name", ops.OPS)
def test_every_op_can_be_timed(name):
    values = ops.arguments(name, ops.Shape(4, 6, 16))
    ops.interpreted(name)(*values.values(), 3)
    for each in values.values():
        assert np.isfinite(each).all()


def write_run(folder, sizes=STEPS, dirty=False):
    results = Results()
    results.machine["dirty"] = dirty
    for size in sizes:
        for name, us, ratio in (("fastgan", 123.456, 1.0), ("jax scan", 2345.6, 19.0), ("floor", 98.7, 0.8)):
            figures, pairs = rounds.Summary(us, us * 0.9, us * 1.1), rounds.Summary(ratio, ratio, ratio)
            results.rows.append(Row.of("step", size, name, figures, 9, threads=2, ratio=pairs))
    results.missing["keras"] = "keras is not installed"
    return Stored.read(results.write(folder))


@pytest.fixture
def stored(tmp_path):
    return write_run(tmp_path)


def test_results_are_read_as_written_and_name_no_machine(stored, tmp_path):
    assert newest(tmp_path) == stored.path
    assert stored.of("step")["seq8"]["jax scan"].median == 2345.6
    assert {"cpu", "cores", "os", "python", "versions", "blas", "commit", "dirty", "date"} <= set(
        stored.machine
    )
    text = stored.path.read_text()
    assert f'"{platform.node()}"' not in text


def test_the_table_of_steps(stored):
    assert report.steps_table(stored).splitlines() == [
        "| microseconds a step | seq8 | grid2 | fashion | fashionL |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| **fastgan** | **123** | **123** | **123** | **123** |",
        "| JAX, `lax.scan` | 2,350 (19x) | 2,350 (19x) | 2,350 (19x) | 2,350 (19x) |",
        "| the floor (fastgan's share) | 98.7 (80%) | 98.7 (80%) | 98.7 (80%) | 98.7 (80%) |",
    ]
    assert "Left out: Keras on TensorFlow: keras is not installed." in report.caption(stored)


def test_the_readme_gets_the_table_between_the_marks(stored, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.MARKS[0]}old\n{report.MARKS[1]}\nafter\n")
    report.into_readme(stored, readme)
    report.into_readme(stored, readme)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("-->\nafter\n") and "old" not in text
    assert text.count(report.steps_table(stored)) == 1
    readme.write_text("no marks")
    with pytest.raises(SystemExit, match="expected one"):
        report.into_readme(stored, readme)


def test_a_part_of_a_run_or_one_that_no_commit_made_is_kept_out_of_the_readme(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("as it was")
    with pytest.raises(SystemExit, match="lacks fastgan at grid2; give a whole run"):
        report.into_readme(write_run(tmp_path, sizes=("seq8",)), readme)
    with pytest.raises(SystemExit, match="changes that no commit has"):
        report.into_readme(write_run(tmp_path, dirty=True), readme)
    assert readme.read_text() == "as it was"


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"machine": {}, "missing": {}, "rows": [{"size": 1}]}', None]
)
def test_what_is_no_run_is_refused_in_a_line(tmp_path, content):
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=r"run\.json[^\n]*$"):
        report.main([str(path)])


def test_the_chart_shows_every_size(stored, tmp_path, capsys):
    report.main([str(stored.path), "--chart", str(tmp_path / "speed.svg")])
    picture = (tmp_path / "speed.svg").read_text()
    assert "seq8" in picture and "fashion" in picture and "JAX, lax.scan" in picture
    assert "1.1e+02" not in capsys.readouterr().out


def test_the_numbers_in_the_readme_are_those_of_a_run():
    """No number is typed by hand: the table is what some file of bench/results says."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition(report.MARKS[0])[2].partition(report.MARKS[1])[0]
    runs = [Stored.read(path) for path in FOLDER.glob("*.json")]
    assert table in [report.section(run) for run in runs if run.of("step")]


def test_the_gpu_check_knows_the_ops_and_says_what_it_lacks(capsys, monkeypatch):
    from bench import gpu_check, gpu_kernels

    assert gpu_kernels.PRODUCTS.keys() <= ops.OPS.keys()
    shares = {"adam": {"of the bandwidth": 0.81}, "dense": {"of the bandwidth": 0.3, "of the FLOP/s": 0.55}}
    assert gpu_kernels.greater_shares(shares) == "adam 81% b, dense 55% f"
    monkeypatch.setattr("sys.argv", ["gpu_check.py"])
    if look().device:
        pytest.skip("a card is here, which the check itself is for")
    with pytest.raises(SystemExit, match=r"^gpu-check needs a GPU: [^\n]+$"):
        gpu_check.main()


def test_the_gpu_check_ends_when_its_time_is_up(monkeypatch):
    from bench import gpu_check

    monkeypatch.setattr(gpu_check, "STARTED", time.perf_counter() - gpu_check.TIME)
    [(name, said, _, how)] = gpu_check.check(["leak"], results=None)
    assert (name, said, how) == ("leak", "480 s were up", "skip")
    with pytest.raises(gpu_check.CheckError, match=r"^not done after 1 s, when the time was up$"):
        gpu_check.run([sys.executable, "-c", "import time; time.sleep(60)"])


@pytest.mark.parametrize("contender", ["torch eager", "jax scan"])
def test_a_framework_without_a_card_is_missing_in_a_contest_on_one(tmp_path, monkeypatch, contender):
    pytest.importorskip(contender.split()[0], reason="the framework is not installed")
    if look().device:
        pytest.skip("a card is here")
    monkeypatch.setenv("FASTGAN_BENCH_DEVICE", "cuda")
    make_problem(PLAIN, tmp_path / "problem.npz")
    with pytest.raises(rounds.MissingError, match="finds no card"):
        rounds.Worker(contender, tmp_path / "problem.npz", 1).start()


def test_the_gpu_check_needs_but_the_packages_that_it_names(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.cuda.few_packages", str(tmp_path)],
        cwd=ROOT,
        env=environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_a_soak_shows_each_window(capsys):
    soak.main(["--seconds", "0.3", "--window", "0.1"])
    lines = capsys.readouterr().out.splitlines()
    steps = [int(line.split()[0].replace(",", "")) for line in lines]
    assert len(lines) >= 2 and steps == sorted(set(steps))
    assert all(0 < float(line.split()[2]) < 1e6 and float(line.split()[-2]) > 50 for line in lines)
