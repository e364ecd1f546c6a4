"""What recipes reach: the table is made of results, means and errors are right, and README's is that of the files."""

from pathlib import Path

import pytest

pytest.importorskip("bench", reason="the checkout is not here: only the wheel is tested")

from bench.quality import goals, seeds, table
from bench.quality.__main__ import main
from fastgan import recipe as recipes

ROOT = Path(__file__).parents[1]
MACHINE = {"cores": 2, "cpu": "a processor", "commit": "abc", "date": "2026-01-02 03:04:05 UTC"}


def stored(name, *figures):
    rows = [seeds.Row(seed, 100, 1, 30.0 + seed, each) for seed, each in enumerate(figures)]
    return seeds.Stored(name, MACHINE, rows)


def ring(modes, share):
    real = {"modes covered": 8.0, "high-quality share": 0.989}
    generated = {"modes covered": modes, "high-quality share": share}
    return {name: {"generated": generated[name], "real": real[name]} for name in real}


def test_the_table_has_means_standard_errors_and_what_was_missed():
    lines = table.table([stored("ring", ring(8.0, 0.98), ring(7.0, 0.99))]).splitlines()
    assert lines[2].startswith(
        "| `ring` (2 seeds, 30 s) | modes covered | 7.5 ± 0.5 (missed) | ≥ 8.0 | 8.0 |"
    )
    assert lines[3].startswith("|  | high-quality share | **98.5 ± 0.5 %** | ≥ 98.0 % | 98.9 % |")
    assert lines[4].startswith("|  | reverse KL | not measured | ≤ 0.020 |  |")


def test_one_seed_has_no_error_and_a_failed_measure_is_none():
    (goal,) = (each for each in goals.GOALS["ring"] if each.measure == "modes covered")
    assert table.reached(goal, stored("ring", ring(8.0, 0.9))) == (8.0, None, 8.0, True, 1)
    assert table.reached(goal, stored("ring", ring(None, 0.9))) is None


def test_a_measure_that_some_seeds_lack_says_how_many_have_it():
    lacking = ring(None, 0.99)
    lacking["modes covered"]["real"] = None
    lines = table.table([stored("ring", ring(8.0, 0.98), ring(8.0, 0.98), lacking)]).splitlines()
    assert "| **8.0 ± 0.0 of 2 seeds** | ≥ 8.0 | 8.0 |" in lines[2]


def test_a_measure_may_be_held_against_real_rows():
    (goal,) = (each for each in goals.GOALS["tokens"] if each.measure == "unique sequences")
    figures = [{"unique sequences": {"generated": share, "real": 0.99}} for share in (0.98, 1.0)]
    got = table.reached(goal, stored("tokens", *figures))
    assert got.mean == pytest.approx(0.01) and got.real is None and got.met


def test_results_are_read_as_written(tmp_path):
    one = stored("ring", ring(8.0, 0.98), ring(7.0, None))
    assert seeds.Stored.read(one.write(tmp_path)) == one


def test_the_readme_gets_the_table_between_the_marks(tmp_path):
    stored("ring", ring(8.0, 0.98)).write(tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.MARKS[0]}former\n{table.MARKS[1]}\nafter\n")
    table.into_readme(readme, tmp_path)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("-->\nafter\n") and "former" not in text
    assert text.count(table.section(tmp_path)) == 1
    readme.write_text("no marks")
    with pytest.raises(SystemExit, match="expected one"):
        table.into_readme(readme, tmp_path)


def test_the_numbers_in_the_readme_are_those_of_the_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.partition(table.MARKS[0])[2].partition(table.MARKS[1])[0] == table.section()


def test_goals_are_of_recipes_and_each_result_has_its_measures():
    own = {path.stem for path in seeds.RECIPES.glob("*.toml")}
    assert own and all(seeds.changed_recipe(name, []).name == name for name in own)
    assert own < goals.GOALS.keys() <= own | set(recipes.names())
    for path in seeds.FOLDER.glob("*.json"):
        found = seeds.Stored.read(path)
        assert all(table.reached(goal, found) for goal in goals.GOALS[found.recipe])


def test_a_recipe_is_trained_measured_and_with_changes_not_kept(capsys):
    kept = {path: path.read_bytes() for path in seeds.FOLDER.glob("*.json")}
    changes = ["run.steps=2", "data.rows=200", "run.backend=numpy"]
    main(["ring", "--seeds", "1", *(word for change in changes for word in ("--set", change))])
    assert "| `ring` (1 seed, 0 s) | modes covered |" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in seeds.FOLDER.glob("*.json")} == kept
    with pytest.raises(SystemExit):
        main(["rings"])
