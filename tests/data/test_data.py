"""The door: `load_dataset` and its arguments."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastgan.data import SOURCES, load_dataset, load_test_split
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
