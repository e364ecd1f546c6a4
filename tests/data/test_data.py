"""The door: `load_dataset` and its arguments."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fastgan.data import SOURCES, from_arrays, load_dataset, load_more, load_test_split
from fastgan.errors import UserError


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"source": "digit"}, r"no data source 'digit' \(did you mean 'digits'\?\); there are digits, "),
        ({"source": "ring", "path": "x.npy"}, "'ring' reads no file; for 'x.npy' use the source 'file'"),
        ({"source": "digits", "labels": "colour"}, "knows only 'auto' and 'none'"),
        ({"source": "digits", "rows": -1}, "rows = -1"),
        ({"source": "digits", "rows": 1}, "one row"),
        ({"source": "ring", "rows": 1}, "one row"),
        ({"source": "ring", "seed": -1}, "seed -1"),
        ({"source": "digits", "scaling": "minmx"}, r"scaling 'minmx' .*did you mean 'minmax'\?"),
        (
            {"source": "ring", "options": {"mode": 3}},
            r"no option 'mode' \(did you mean 'modes'\?\); it has modes, rad",
        ),
        ({"source": "ring", "options": {"modes": "8"}}, "option modes = '8' .*expected int such as 8"),
        ({"source": "ring", "options": {"modes": True}}, "option modes = True"),
        ({"source": "tokens", "scaling": "standard"}, "no meaning for tokens"),
    ],
)
def test_arguments_that_are_refused(arguments, match):
    with pytest.raises(UserError, match=match) as caught:
        load_dataset(**arguments)
    assert "\n" not in str(caught.value)


def test_only_real_data_has_a_test_split():
    others = [source for source in SOURCES if source not in ("digits", "fashion-mnist")]
    assert all(load_test_split(source) is None for source in others)


def test_the_import_is_light():
    heavy = "{'numba', 'matplotlib', 'PIL', 'pyarrow', 'http.client', 'rich', 'zipfile'}"
    code = f"import sys, fastgan.data; print({heavy} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
    )


def test_more_rows_of_what_was_learnt(tmp_path):
    """Their labels are the classes that were learnt, also where they show fewer of them."""
    rows = np.arange(24, dtype=np.float32).reshape(8, 3)
    for labels, more, expected in [
        (list("abcabcab"), list("ccbb"), [2, 2, 1, 1]),
        ([3, 5, 7, 3, 5, 7, 3, 5], [7, 3, 7, 3], [2, 0, 2, 0]),
        ([0, 1, 2, 0, 1, 2, 0, 1], [2, 1, 2, 1], [2, 1, 2, 1]),
    ]:
        learnt = from_arrays(rows, labels)
        np.savez(tmp_path / "more.npz", x=rows[:4] + 1, y=np.array(more))
        found = load_more(str(tmp_path / "more.npz"), learnt)
        assert found.labels.tolist() == expected and found.spec is learnt.spec
        np.testing.assert_array_equal(found.array, rows[:4] + 1)
    np.savez(tmp_path / "more.npz", x=rows)
    with pytest.raises(
        UserError, match=r"^more.npz: no labels, which the data learnt from have; give rows with"
    ):
        load_more(str(tmp_path / "more.npz"), learnt)
    for labels in (np.zeros((8, 1), int), np.zeros((), int), np.zeros(7, int)):
        np.savez(tmp_path / "more.npz", x=rows, y=labels)
        with pytest.raises(UserError, match=r"^more.npz: labels of shape .*, expected \(8,\)$"):
            load_more(str(tmp_path / "more.npz"), learnt)
    np.savez(tmp_path / "more.npz", x=rows[1:], y=np.arange(7) % 3)  # of classes that have names
    with pytest.raises(UserError, match=r"^more.npz holds the label '0'; the classes are a, b, c$"):
        load_more(str(tmp_path / "more.npz"), from_arrays(rows, list("abcabcab")))
    np.savez(tmp_path / "more.npz", x=rows[1:])
    with pytest.raises(UserError, match=r"^more.npz: rows of 3 values, expected 2$"):
        load_more(str(tmp_path / "more.npz"), from_arrays(rows[:, :2]))
    assert load_more(str(tmp_path / "more.npz"), from_arrays(rows)).labels.shape == (0,)


def test_more_pictures_in_folders(tmp_path):
    def write(folder, names):
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
            for i in range(2):
                Image.fromarray(np.full((2, 3), 40 * i, np.uint8)).save(tmp_path / folder / name / f"{i}.png")

    write("learnt", ["cat", "dog", "emu"])
    write("more", ["emu", "dog"])
    learnt = load_dataset("file", str(tmp_path / "learnt"))
    assert sorted(load_more(str(tmp_path / "more"), learnt).labels.tolist()) == [1, 1, 2, 2]
    for size in ((3, 2), (6, 1)):
        np.savez(tmp_path / "more.npz", x=np.zeros((4, *size), np.uint8), y=np.array(list("aabb")))
        with pytest.raises(UserError, match=r"^more.npz: pictures of \(\d, \d\) pixels; expected \(2, 3\)$"):
            load_more(str(tmp_path / "more.npz"), learnt)
    np.savez(tmp_path / "more.npz", x=np.full((4, 2, 3), 0.5), y=np.array(list("aabb")))
    with pytest.raises(
        UserError, match=r"^more.npz: values that are no uint8, as those learnt from are; give rows"
    ):
        load_more(str(tmp_path / "more.npz"), learnt)
    numbers = from_arrays(np.arange(24, dtype=np.float32).reshape(4, 6))
    with pytest.raises(UserError, match=r"^more.npz: pictures of \(2, 3\) pixels; expected flat rows$"):
        load_more(str(tmp_path / "more.npz"), numbers)
