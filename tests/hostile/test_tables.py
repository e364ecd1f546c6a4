"""Tables that are small as files and vast in memory, or that no spreadsheet would write."""

from __future__ import annotations

import datetime
import decimal
import io

import numpy as np
import pytest

from . import files

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

LONG = 131_000
"""Letters: about as many as the csv module takes for one cell."""


def csv(reader, path, text: str) -> str:
    path.write_bytes(text.encode())
    return reader.ask("data", path)[0]


@pytest.mark.parametrize(
    "cell", ["9" * LONG, "0" * LONG + "1", "x" * LONG, " " * LONG], ids=lambda cell: cell[-1]
)
def test_one_long_cell_among_many_short_ones(reader, tmp_path, cell):
    """An array of text is as wide as its longest cell."""
    assert csv(reader, tmp_path / "t.csv", "a\n" + "1\n" * 100_000 + cell + "\n") == "refused"


@pytest.mark.parametrize("label", ["x" * LONG, "9" * LONG], ids=lambda label: label[-1])
def test_one_long_label_among_many_short_ones(reader, tmp_path, label):
    assert csv(reader, tmp_path / "t.csv", "a,label\n" + "1,1\n2,2\n" * 50_000 + f"3,{label}\n" * 2) == "read"


TEXTS = [
    *[
        "\0" * 1000,
        "a\n\0\n\0\n",
        "a,b\n1,\0\n2,3\n",
        '"' * 999,
        'a\n"1\n2\n',
        "a\n1\n" + '"' * 200_000,
        "a\r1\r2\r",
    ],
    *[
        "\n" * 9999,
        "a\n1e999\n2\n",
        "a\n1_0\n2\n",
        "a\n0x10\n2\n",
        "a\n\N{ARABIC-INDIC DIGIT ONE}\n2\n",
        "a\n1\n-0\n",
    ],
    *["a\n1\n9223372036854775808\n", "a\n" + "9" * 5000 + "\n1\n", "a\ninfinity\n1\n", "a\n1e308\n-1e308\n"],
    *[
        "a\n1e-320\n2e-320\n",
        "\N{SNOWMAN}\n1\n2\n",
        "a\x1b[31mb\n1\n2\n",
        '"a\nb"\n1\n2\n',
        "\u202ea\n1\n2\n",
    ],
    *[
        "a" * 100_000 + "\n1\n2\n",
        ",".join(map(str, range(9999))),
        "a\n1" + " " * 100_000 + "\n2\n",
        "a\n" * 9999,
    ],
    *[
        "a,label\n1,\x1b[2J\n2,b\n",
        "a,label\n1,\u202e\n2,b\n",
        'a,label\n1,"x\ny"\n2,b\n',
        "a,label\n1,nan\n2,inf\n",
    ],
    *[
        "a,label\n1,9223372036854775808\n2,b\n",
        "a,label\n1,1\n2,9223372036854775807\n",
        "label,label\n1,1\n2,2\n",
    ],
    *["a,label\n" + "".join(f"{n},{n}\n" for n in range(5000)), "a\n1\n2\n\x1a", "\ufeff\ufeffa\n1\n2\n"],
    ",".join(f"c{n}" for n in range(20_000)) + "\n" + ("1," * 19_999 + "1\n") * 2,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_csv(reader, tmp_path, text):
    csv(reader, tmp_path / "t.csv", text)


@pytest.mark.parametrize(
    "content", [b"\xff\xfea\0\n\0", b"a\n\xed\xa0\x80\n1\n", b"\xc0\x80", b"a\n\xf5\n"], ids=ascii
)
def test_csv_in_no_encoding(reader, tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    reader.refuses("data", tmp_path / "t.csv")


@pytest.mark.parametrize(
    "text", ["1," * 4_000_000, "a\n" + "1," * 4_000_000, "1" * 8_000_000], ids=lambda text: text[:3]
)
def test_one_line_without_an_end(reader, tmp_path, text):
    assert csv(reader, tmp_path / "t.csv", text) == "refused"


def parquet(reader, path, columns, **options) -> tuple[str, str]:
    path.write_bytes(files.parquet(columns, **options))
    return reader.ask("data", path)


def test_parquet_of_one_value_a_hundred_million_times(reader, tmp_path):
    from pyarrow.parquet import ParquetWriter

    columns = pa.table({"a": np.zeros(5_000_000), "b": np.zeros(5_000_000)})
    file = io.BytesIO()
    with ParquetWriter(file, columns.schema) as writer:
        for _ in range(10):
            writer.write_table(columns)
    (tmp_path / "t.parquet").write_bytes(file.getvalue())
    assert len(file.getvalue()) < 1 << 20
    assert "would unpack to" in reader.refuses("data", tmp_path / "t.parquet")


@pytest.mark.parametrize("name", ["label", "b"])
@pytest.mark.parametrize("others", [0, 1])
def test_parquet_of_one_long_text_many_times(reader, tmp_path, name, others):
    """Texts are written once, and then their places."""
    places = np.arange(100_000, dtype=np.int32) % (1 + others)
    texts = pa.DictionaryArray.from_arrays(pa.array(places), pa.array(["x" * 100_000, "y"]))
    outcome, _ = parquet(reader, tmp_path / "t.parquet", {"a": np.zeros(100_000), name: texts})
    assert outcome == ("read" if name == "label" else "refused")
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 20


TWO = {
    "list": pa.array([[1.0], [2.0, 3.0]]),
    "lists": pa.array([[1.0] * 100_000, []]),
    "struct": pa.array([{"x": 1}, {"x": 2}]),
    "map": pa.array([[("x", 1)], []], pa.map_(pa.string(), pa.int64())),
    "date": pa.array([datetime.date(2020, 1, 1)] * 2),
    "time": pa.array([datetime.datetime(2020, 1, 1)] * 2),
    "duration": pa.array([1, 2], pa.duration("s")),
    "decimal": pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]),
    "binary": pa.array([b"x", b"\xff"]),
    "fixed": pa.array([b"xy", b"yz"], pa.binary(2)),
    "null": pa.nulls(2),
    "nan": pa.array([float("nan"), 1.0]),
    "missing": pa.array([1, None]),
    "half": pa.array(np.array([1, 2], np.float16)),
    "flag": pa.array([True, False]),
    "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
    "text": pa.array(["x", "y"]),
    "large": pa.array(["x", "y"], pa.large_string()),
    "view": pa.array(["x", "y"], pa.string_view()),
    "dictionary": pa.array(["x", "y"]).dictionary_encode(),
    "numbers": pa.array([1.0, 2.0]).dictionary_encode(),
}
NUMBERS, TEXT = ("half", "flag", "unsigned", "numbers"), ("text", "large", "view", "dictionary")


@pytest.mark.parametrize("kind", TWO)
def test_parquet_of_every_type(reader, tmp_path, kind):
    path = tmp_path / "t.parquet"
    outcome, _ = parquet(reader, path, {"a": [1.0, 2.0], "b": TWO[kind]})
    assert outcome == ("read" if kind in NUMBERS else "refused")
    outcome, _ = parquet(reader, path, {"a": [1.0, 2.0], "label": TWO[kind]})
    assert outcome == ("read" if kind in NUMBERS + TEXT else "refused")


NAMES = [
    ["", "b"],
    ["a", "a"],
    ["\x1b[31m", "b"],
    ["a\nb", "b"],
    ["\0", "b"],
    ["x" * 100_000, "b"],
    ["é", "label"],
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: ascii(names)[:30])
def test_parquet_with_names(reader, tmp_path, names):
    from pyarrow.parquet import write_table

    write_table(
        pa.Table.from_arrays([pa.array([1.0, 2.0]), pa.array([1, 2])], names=names), tmp_path / "t.parquet"
    )
    outcome, _ = reader.ask("data", tmp_path / "t.parquet")
    assert outcome == ("refused" if names == ["a", "a"] else "read")


def test_parquet_with_names_that_are_no_text(reader, tmp_path):
    content = files.parquet({"aaaa": [1.0, 2.0], "bbbb": [1, 2]})
    for wrong in (b"\xff\xfe\xfd\xfc", b"\0\0\0\0", b"aaaa"):
        (tmp_path / "t.parquet").write_bytes(content.replace(b"bbbb", wrong))
        reader.ask("data", tmp_path / "t.parquet")


def test_parquet_without_rows_or_columns(reader, tmp_path):
    path = tmp_path / "t.parquet"
    assert parquet(reader, path, {})[0] == "refused"
    assert parquet(reader, path, {"a": pa.array([], pa.float64())})[0] == "refused"
    assert parquet(reader, path, {f"c{n}": [1.0, 2.0] for n in range(1000)})[0] == "read"
