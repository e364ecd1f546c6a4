"""Generators and checkpoints whose arrays or texts are not what fastgan wrote."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..examples import usually
from . import files

whole = files.checkpoint

ANYTHING = [
    *[
        None,
        True,
        0,
        1,
        -1,
        3,
        2.5,
        1e308,
        2**31,
        2**63,
        10**400,
        float("nan"),
        float("inf"),
        "",
        "3",
        "x",
        "\ud800",
    ],
    *["x" * 5000, "a\nb", "\0", [], [1], [-1], [2**62], [[1]], ["x"], [None], [1] * 9999, {}, {"a": 1}],
]
DTYPES = [
    *["bool", "object", "O", "U9", "U2147483647", "S5", "V9", "datetime64[s]", "complex64", "longdouble"],
    *["f4,f4", "(", "(3,)f4", ">f4"],
]
TEXTS = [
    *[
        "[" * 100_000,
        '{"a":' * 100_000,
        "NaN",
        "null",
        "9" * 5000,
        "1e999",
        "{}",
        "[]",
        '{"width": 1}',
        "\ud800",
    ],
    '{"width": 1, "width": 2}',
]
NAMES = [
    "kind",
    "settings",
    "n_classes",
    "data",
    "recipe",
    "data_digest",
    "schedule_epoch",
    "format",
    "format_version",
]


def with_metadata(content: bytes, **changes: object) -> bytes:
    """The same file with other texts beside its arrays; None leaves one out."""
    header, body = files.parts_of(content)
    texts = header["__metadata__"] | changes
    header["__metadata__"] = {name: text for name, text in texts.items() if text is not None}
    return files.safetensors(header, body)


def with_key(content: bytes, name: str, key: str, value: object) -> bytes:
    """The same file with one value changed in the JSON that is one of its texts."""
    told = json.loads(files.parts_of(content)[0]["__metadata__"][name])
    return with_metadata(content, **{name: json.dumps(told | {key: value})})


def keys(name: str) -> list[str]:
    return list(json.loads(files.parts_of(whole())[0]["__metadata__"][name]))


def judge(reader, path, content: bytes) -> set[str]:
    """What comes of a file as a generator and as a checkpoint."""
    path.write_bytes(content)
    return {reader.ask(kind, path)[0] for kind in ("generator", "checkpoint")}


@pytest.mark.parametrize("key", keys("data"))
def test_anything_in_the_description_of_the_data(reader, tmp_path, key):
    for value in ANYTHING + (DTYPES if key == "dtype" else []):
        judge(reader, tmp_path / "g", with_key(whole(), "data", key, value))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dtype_that_no_rows_have_is_refused(reader, tmp_path, dtype):
    assert judge(reader, tmp_path / "g", with_key(whole(), "data", "dtype", dtype)) == {"refused"}


@pytest.mark.parametrize("key", keys("settings"))
def test_anything_in_the_settings(reader, tmp_path, key):
    for value in (2**31, 10**400, 1e308, [10**9], [1] * 999, "\ud800", {"a": 1}, True):
        (tmp_path / "g").write_bytes(with_key(whole(), "settings", key, value))
        reader.ask("generator", tmp_path / "g")


@pytest.mark.parametrize("name", NAMES)
def test_anything_in_a_text(reader, tmp_path, name):
    for text in [*TEXTS, *map(str, ANYTHING), None]:
        judge(reader, tmp_path / "g", with_metadata(whole(), **{name: text}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["generator.params", "data.scale", "data.shift"])
def test_numbers_that_are_not_finite_are_refused(reader, tmp_path, name, value):
    header, body = files.parts_of(whole())
    first, _ = header[name]["data_offsets"]
    content = body[:first] + np.float32(value).tobytes() + body[first + 4 :]
    (tmp_path / "g").write_bytes(files.safetensors(header, content))
    found = reader.refuses("generator", tmp_path / "g")
    assert "NaN or infinity" in found or "cannot be" in found


ARRAYS = [name for name in files.parts_of(whole())[0] if name != "__metadata__"]
TYPES = {"F32": 4, "I32": 4, "F64": 8, "I64": 8, "BF16": 2, "F16": 2, "U8": 1, "BOOL": 1, "C64": 8}


@pytest.mark.parametrize("name", ARRAYS)
def test_any_array_of_another_type_or_shape(reader, tmp_path, name):
    header, body = files.parts_of(whole())
    size = np.subtract(*header[name]["data_offsets"][::-1])
    for dtype, width in TYPES.items():
        count = int(size // width)
        for shape in ([count], [1, count], [count, 1, 1]) if size % width == 0 else ():
            changed = header | {name: header[name] | {"dtype": dtype, "shape": shape}}
            judge(reader, tmp_path / "g", files.safetensors(changed, body))
    renamed = {key if key != name else "other": each for key, each in header.items()}
    judge(reader, tmp_path / "g", files.safetensors(renamed, body))


@pytest.mark.parametrize("value", [-1, -(2**63), 2**53, 2**62, 2**63 - 1])
@pytest.mark.parametrize("name", ["clock", "generator.updates", "discriminator.updates"])
def test_counts_that_no_training_reaches(reader, tmp_path, name, value):
    header, body = files.parts_of(whole())
    first, last = header[name]["data_offsets"]
    content = files.safetensors(header, body[:first] + value.to_bytes(8, "little", signed=True) + body[last:])
    (tmp_path / "g").write_bytes(content)
    assert "which no training reaches" in reader.refuses("checkpoint", tmp_path / "g")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@usually(100)
@given(
    name=st.sampled_from(["settings", "data"]),
    place=st.integers(0, 99),
    value=JSON | st.integers(-(2**70), 2**70),
)
def test_any_value_of_any_key(reader, tmp_path_factory, name, place, value):
    key = keys(name)[place % len(keys(name))]
    judge(reader, tmp_path_factory.getbasetemp() / "any.safetensors", with_key(whole(), name, key, value))
