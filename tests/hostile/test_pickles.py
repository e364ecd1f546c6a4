"""Pickles under any name and inside any file: none is ever loaded."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from . import files


class Payload:
    """Whoever loads its pickle makes a file."""

    def __init__(self, path: object):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_the_payload_does_what_it_is_for(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "touched"))).close()
    assert (tmp_path / "touched").exists()


NAMES = [
    "p.npy",
    "p.npz",
    "p.csv",
    "p.parquet",
    "p.idx",
    "p.gz",
    "p.png",
    "p.toml",
    "p.safetensors",
    "p.pkl",
    "p.pt",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_under_any_name(reader, tmp_path, name, protocol):
    content = pickle.dumps(Payload(tmp_path / "touched"), protocol)
    path = tmp_path / "in" / name
    path.parent.mkdir()
    for body in (
        content,
        files.gz(content),
        files.archive({"x.npy": content, "data.pkl": content, "x": content}),
    ):
        path.write_bytes(body)
        for kind in ("data", "recipe", "generator", "checkpoint"):
            reader.refuses(kind, path)
        reader.refuses("data", path.parent)
        assert reader.ask("lines", path) == ("read", "")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("shape", [(3, 3), (1,), ()], ids=str)
@pytest.mark.parametrize("dtype", ["|O", [("a", "O")], "O8"], ids=str)
def test_inside_arrays(reader, tmp_path, shape, dtype):
    content = pickle.dumps(np.full(shape, Payload(tmp_path / "touched"), dtype=object))
    body, plain = files.npy_like(shape, dtype, content), files.npy(files.ROWS)
    for name, whole in (("x.npy", body), ("x.npz", files.npz(x=body)), ("y.npz", files.npz(x=plain, y=body))):
        (tmp_path / name).write_bytes(whole)
        reader.refuses("data", tmp_path / name)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["arrow.py_extension_type", "arrow.json", "own"])
def test_inside_parquet(reader, tmp_path, name):
    """A column's metadata may hold a type of Python's as a pickle, which pyarrow once loaded (CVE-2023-47248)."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow.parquet import write_table

    content = pickle.dumps(Payload(tmp_path / "touched"))
    metadata = {b"ARROW:extension:name": name.encode(), b"ARROW:extension:metadata": content}
    fields = [
        pa.field(each, kind, metadata=metadata) for each, kind in (("a", pa.float64()), ("b", pa.binary()))
    ]
    schema = pa.schema(fields, metadata={b"pandas": content})
    write_table(pa.table([[1.0, 2.0], [b"x", b"y"]], schema=schema), tmp_path / "t.parquet")
    reader.ask("data", tmp_path / "t.parquet")
    assert not (tmp_path / "touched").exists()
