from __future__ import annotations

import sys

import numpy as np
import pytest

from fastgan.data import load_dataset
from fastgan.data.tables import BATCH_CELLS
from fastgan.errors import UserError


@pytest.fixture
def csv(tmp_path):
    def write(text: str, encoding: str = "utf-8"):
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        return str(tmp_path / "t.csv")

    return write


@pytest.fixture
def parquet(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow.parquet import write_table

    def write(**columns):
        write_table(pa.table(columns), tmp_path / "t.parquet")
        return str(tmp_path / "t.parquet")

    return write


def refused(match, path, **kwargs):
    with pytest.raises(UserError, match=match) as caught:
        load_dataset("file", path, **kwargs)
    assert "\n" not in str(caught.value)


def test_numbers(csv):
    data = load_dataset("file", csv("height,weight\n1.5,60\n2,8e1\n\n1.25,-70\n"))
    np.testing.assert_array_equal(data.array, [[1.5, 60], [2, 80], [1.25, -70]])
    assert data.spec.columns == ("height", "weight") and data.spec.kind == "table"
    assert data.spec.dtype == "float64" and data.array.dtype == np.float32
    np.testing.assert_allclose(data.spec.to_network_units(data.array).max(axis=0), [1, 1])


def test_whole_numbers_stay_whole(csv):
    data = load_dataset("file", csv("a,b\n1,2\n3,4\n"))
    assert data.spec.dtype == "int64"
    assert data.spec.to_data_units(np.array([[0.1, 0.9]], np.float32)).tolist() == [[2, 4]]


def test_quotes_a_byte_order_mark_and_windows_line_ends(csv):
    data = load_dataset("file", csv('"a, b",c\r\n"1","2"\r\n3,4\r\n', "utf-8-sig"))
    assert data.spec.columns == ("a, b", "c") and data.array.tolist() == [[1, 2], [3, 4]]


def test_many_lines(csv):
    n = BATCH_CELLS + 3
    data = load_dataset("file", csv("a\n" + "\n".join(map(str, range(n - 1))) + "\n0.5\n"))
    assert data.array.shape == (n, 1) and data.array[BATCH_CELLS + 1, 0] == BATCH_CELLS + 1
    assert data.array[-1, 0] == 0.5


def test_labels(csv):
    path = csv("a,label,b\n1,cat,2\n3,dog,4\n5,cat,6\n")
    data = load_dataset("file", path)
    assert data.labels.tolist() == [0, 1, 0] and data.spec.class_names == ("cat", "dog")
    assert data.spec.columns == ("a", "b") and data.array.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert len(load_dataset("file", path, labels="none").labels) == 0
    data = load_dataset("file", csv("a,species\n1,0\n3,1\n5,0\n"), labels="species")
    assert data.labels.tolist() == [0, 1, 0] and data.spec.class_names == ()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n3,x\n", "line 3, column 'b' holds 'x'"),
        ("a,b\n1,2\n3,x\n", "if these are the labels, --set data.labels=b$"),
        ("a,my b\n1,2\n3,x\n", "--set 'data.labels=my b'$"),
        ("a,b\n1,2\n,4\n", "line 3, column 'a' is empty; fill it in, or remove the line$"),
        ("a,b\n1,2\n3, \n", "line 3, column 'b' is empty"),
        ("a;b\n1,5;2\n3;4\n", "values stand between semicolons; save it with commas"),
        ("a\tb\n1\t2\n3\t4\n", "values stand between tabs; save it with commas"),
        ("a,b\n1,2\n3\n", "line 3 has 1 values, expected 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 values, expected 2"),
        ("1,2\n3,4\n5,6\n", "line 1 is no header"),
        ("a,\n1,2\n3,4\n", "line 1 is no header"),
        ("a,a\n1,2\n3,4\n", "names a column twice"),
        ("", "empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n", "one row"),
        ("a,b\n1,2\n3,nan\n", "nan in row 1, column b"),
        ("a,b\n1,2\n3,inf\n", "inf in row 1, column b"),
        ("label\n1\n2\n", "no column but the labels"),
        ("a,label\n1,x\n2,\n", "empty label"),
    ],
)
def test_tables_that_are_refused(csv, text, match):
    refused(match, csv(text))


def test_unknown_label_column(csv):
    refused(
        r"no column 'specie' \(did you mean 'species'\?\); there are a, species",
        csv("a,species\n1,2\n"),
        labels="specie",
    )


def test_not_text(csv):
    refused("CSV file in UTF-8", csv("höhe\n1\n2\n", "latin-1"))


def test_parquet(parquet):
    data = load_dataset("file", parquet(a=[1.5, 2.0, 3.0], label=["x", "y", "x"], b=[1, 2, 3]))
    assert data.array.tolist() == [[1.5, 1], [2, 2], [3, 3]] and data.spec.columns == ("a", "b")
    assert data.labels.tolist() == [0, 1, 0] and data.spec.class_names == ("x", "y")
    path = parquet(a=[1, 2], c=[0, 1])
    assert load_dataset("file", path, labels="c").labels.tolist() == [0, 1]
    assert load_dataset("file", path).spec.dtype == "int64"


def test_parquet_that_is_refused(parquet, tmp_path):
    refused("column 'b' holds string, not numbers", parquet(a=[1, 2], b=["x", "y"]))
    refused("column 'a' has 1 missing", parquet(a=[1, None]))
    refused("no column but", parquet(label=[0, 1]))
    refused("no column 'c'", parquet(a=[1, 2]), labels="c")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[:-20])
    refused("damaged", str(tmp_path / "t.parquet"))


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    refused("pip install pyarrow", str(tmp_path / "t.parquet"))
