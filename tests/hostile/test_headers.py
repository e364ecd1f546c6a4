"""Headers that claim what is not there: refused before anything is allocated by them."""

from __future__ import annotations

import json

import pytest

from . import files

HUGE = [2**20, 2**31, 2**32, 2**60, 2**62, 2**63 - 1, 2**63, 2**64, 2**70, -1, -(2**63), None, 1.5, "3"]
SHAPES = [
    *[(n, 3) for n in HUGE],
    *[(3, n) for n in HUGE],
    *[(2**32, 2**32), (2**32, 2**32, 0), (0, 2**60), (2**31, 2**31, 2, 0), (2**63, 0), (2**16,) * 4],
    *[(), (True, 3), (1,) * 64, (1,) * 65, 3, [3, 3], ((3, 3),), {3: 3}, "3", (2, "\\x00")],
]
DTYPES = [
    *[
        "O",
        "|O",
        "<U9",
        "<U2147483647",
        "S0",
        "V0",
        "<U0",
        "V2147483647",
        "<f3",
        "<f16",
        "M8",
        "M8[s]",
        "m8[7D]",
    ],
    *[
        "i4,i4",
        "<f4, <f4",
        "",
        "a" * 200,
        ".",
        "2f4",
        "(2,2)f4",
        "(1000,1000,1000)f4",
        "f4" * 99,
        "\\x00",
        "é",
    ],
    *[
        "object",
        "c16",
        [],
        [[]],
        [("a",)],
        [("a", "<f4")],
        [("a", "O")],
        [("a", "<f4", (2**40,))],
        [("", "V3")],
    ],
    *[
        [("a", "<f4"), ("a", "<f4")],
        [("a", [("b", [("c", "<f4")] * 3)])],
        [(("t", "a"), "<f4")],
        b"<f4",
        None,
    ],
    *[("<f4",), ("<f4", 3, 3), ("<f4", {}), ("O", (3,)), ("<f4", (3,)), ("<f4", (2**40,)), {}, 3, True],
    {"names": ["a"], "formats": ["O"]},
]
PLAIN = ["<f16", "2f4", ("<f4", (3,)), ("<f4", 3, 3)]
"""Of these NumPy makes arrays of plain numbers."""

HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3)"
TEXTS = [
    *[
        "",
        "{",
        "}",
        "()",
        "None",
        "3L",
        "(1L,)",
        "{[]: 1}",
        "{{}: {}}",
        "\x00",
        "'" * 3,
        "\xff",
        "#",
        "\\",
        "'\\N{'",
    ],
    *["{}" * 900, "[" * 900, "(" * 9000, "-" * 9000 + "1", "1+" * 4000 + "1", "{'a':" * 90 + "1" + "}" * 90],
    *[
        "9" * 9000,
        "1e999",
        "{'descr': '<f4'}",
        "__import__('os').system('touch here')",
        HEADER + ", 'more': 1}",
    ],
    *[HEADER.replace("False", "0") + "}", HEADER + " " * 70_000 + "}", HEADER + "}" + "\n" * 900],
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_of_npy(reader, tmp_path, shape):
    for order in (False, True):
        body = files.npy_like(shape, body=bytes(36), order=order)
        (tmp_path / "x.npy").write_bytes(body)
        (tmp_path / "x.npz").write_bytes(files.npz(x=body))
        for name in ("x.npy", "x.npz"):
            reader.refuses("data", tmp_path / name)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[:40])
def test_dtypes_of_npy(reader, tmp_path, dtype):
    for shape in ((3, 3), (2**60, 3), (3, 0)):
        body = files.npy_like(shape, dtype, bytes(144))
        (tmp_path / "x.npy").write_bytes(body)
        (tmp_path / "x.npz").write_bytes(files.npz(x=body))
        (tmp_path / "y.npz").write_bytes(files.npz(x=files.npy(files.ROWS), y=body))
        for name in ("x.npy", "x.npz", "y.npz"):
            outcome, _ = reader.ask("data", tmp_path / name)
            assert outcome == "refused" or (dtype in PLAIN and shape == (3, 3))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_text_in_the_place_of_a_header_of_npy(reader, tmp_path, text):
    for version in (1, 2, 3):
        if version > 1 or len(text) < 2**16 - 1:
            body = files.npy_of(text, bytes(36), version)
            (tmp_path / "x.npy").write_bytes(body)
            reader.ask("data", tmp_path / "x.npy")
            (tmp_path / "x.npz").write_bytes(files.npz(x=body))
            reader.ask("data", tmp_path / "x.npz")


def test_a_header_of_npy_as_long_as_four_gigabytes(reader, tmp_path):
    for path in (tmp_path / "x.npy", tmp_path / "x.npz"):
        body = b"\x93NUMPY\2\0\xff\xff\xff\xff{'descr': "
        path.write_bytes(body if path.suffix == ".npy" else files.npz(x=body))
        reader.refuses("data", path)


WIDE = 2**32 - 1


@pytest.mark.parametrize("shape", [(WIDE,), (WIDE,) * 2, (WIDE,) * 4, (WIDE, 0), (0,), (1,), (1, 1)], ids=str)
@pytest.mark.parametrize("code", [8, 9, 11, 12, 13, 14, 0, 255])
def test_shapes_of_idx(reader, tmp_path, shape, code):
    body = files.idx_like(shape, code, b"1")
    for name, content in (("x.idx", body), ("x.idx.gz", files.gz(body)), ("x-images-idx3-ubyte", body)):
        (tmp_path / name).write_bytes(content)
        reader.refuses("data", tmp_path / name)


TENSORS = [
    *[([n], [0, 64]) for n in (16, 2**60, 2**62, 2**63, 2**64, -1, 1.5, None, "3", [3])],
    *[([2**32, 2**32], [0, 64]), ([2**60, 0], [0, 0]), ([2**63, 0], [0, 0]), ([0] * 99, [0, 0])],
    *[
        ([16], offsets)
        for offsets in ([0, 2**60], [64, 0], [-64, 0], [2**64, 2**64], [0, 2**63], [60, 124], [0])
    ],
    *[([1] * 99 + [16], [0, 64]), ([16], []), ([16], None)],
]
KINDS = [
    "F32",
    "F64",
    "F16",
    "BF16",
    "F8_E4M3",
    "F8_E5M2",
    "F4",
    "C64",
    "U64",
    "I8",
    "BOOL",
    "X",
    "",
    3,
    None,
]


@pytest.mark.parametrize("dtype", KINDS)
def test_tensors_of_safetensors(reader, tmp_path, dtype):
    path = tmp_path / "g.safetensors"
    for shape, offsets in TENSORS:
        header = {
            "__metadata__": {"format": "fastgan", "format_version": "1"},
            "generator.params": {"dtype": dtype, "shape": shape, "data_offsets": offsets},
        }
        path.write_bytes(files.safetensors(header, bytes(64)))
        reader.refuses("generator", path)


@pytest.mark.parametrize("length", [2**31, 2**32, 2**40, 2**60, 2**63, 2**64 - 1, 100_000_000, 100_000_001])
def test_a_header_of_safetensors_that_is_longer_than_the_file(reader, tmp_path, length):
    (tmp_path / "g").write_bytes(length.to_bytes(8, "little") + b"{" * 100)
    reader.refuses("generator", tmp_path / "g")


def many(count: int, size: int) -> bytes:
    """A header of so many tensors, all of them the same bytes."""
    one = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    return json.dumps({"__metadata__": {"format": "fastgan"}} | {f"t{n}": one for n in range(count)}).encode()


HEADERS = [
    *[
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"{} " * 9,
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"a": NaN}',
        b'{"a": {}}',
    ],
    *[b'{"__metadata__": {"a": 1}}', b'{"__metadata__": []}', b'{"__metadata__": {"format": "\\ud800"}}'],
    *[b'{"a": {"dtype": "F32"}}', many(9999, 0), many(1000, 64)],
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: ascii(header[:40]))
def test_headers_of_safetensors(reader, tmp_path, header):
    (tmp_path / "g").write_bytes(files.safetensors(header, bytes(64)))
    reader.refuses("generator", tmp_path / "g")
