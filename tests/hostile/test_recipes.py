"""Recipes that no one would write: deep, long, in no encoding, or with values that no knob has."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgan.recipe import KNOBS, SECTIONS

from ..examples import usually
from . import files

DEEP = 20_000

TEXTS = {
    "brackets": "a = " + "[" * DEEP,
    "braces": "a = " + "{a = " * DEEP,
    "dots": "a" + ".a" * DEEP + " = 1",
    "few dots": "a" + ".a" * 4000 + " = 1",
    "dots in a section": "[training]\nloss" + ".a" * 4000 + " = 1",
    "dots in a number": "[training]\nbatch_size" + ".a" * 4000 + " = 1",
    "dots in a header": "[a" + ".a" * 4000 + "]\n" + "\n".join(f"b{n} = 1" for n in range(2000)),
    "dots of a section": "[training" + ".a" * 4000 + "]\nloss = 1",
    "tables": "[[training]]\n" * 2000,
    "lists": "[model]\ngenerator = " + "[" * 400 + "]" * 400,
    "many layers": "[model]\ngenerator = [" + "1," * 15_000 + "]",
    "large layers": "[model]\ngenerator = [" + f"{2**63}," * 1000 + "]",
    "long number": "[run]\nseed = " + "9" * 20_000,
    "long hexadecimal": "[run]\nseed = 0x" + "f" * 20_000,
    "long fraction": "[optimiser]\nbeta1 = 0." + "9" * 20_000,
    "long text": "[data]\npath = '" + "x" * 30_000 + "'",
    "long choice": "[training]\nloss = '" + "bce" * 9000 + "'",
    "long key": "x" * 30_000 + " = 1",
    "long section": "[" + "x" * 30_000 + "]",
    "too long": "#" * 100_000,
    "longer": "#" * 50_000_000,
    "not finite": "[optimiser]\nbeta1 = nan\nbeta2 = inf",
    "large float": "[optimiser]\nweight_decay = 1e308\ngenerator_lr = 1e308",
    "large schedule": "[optimiser]\nwarmup_epochs = 1e308\ndecay_epochs = 1e308",
    "large counts": f"[training]\nbatch_size = {2**62}\nn_critic = {2**62}\npacking = {2**61}",
    "large steps": f"[run]\nepochs = {10**400}\nsteps = {10**400}",
    "date": "[run]\nseed = 1979-05-27T07:32:00Z",
    "time": "[data]\npath = 07:32:00",
    "zero byte": "\0",
    "escape": '[data]\npath = "\\u0000\\u001b[31m"',
    "surrogate": '[data]\npath = "\\ud800"',
    "returns": "[run]\rseed = 1",
    "windows": "[run]\r\nseed = 1\r\n",
    "other way": 'description = "\u202e"',
    "lines": 'description = """\n' + "\n" * 9000 + '"""',
    "python": "__import__('os').system('touch here')",
    "pickle": "cposix\nsystem\n(S'touch here'\ntR.",
    "empty": "",
}

BYTES = [
    b"\xff\xfe[\0r\0u\0n\0]\0",
    b"\xef\xbb\xbf[run]\nseed = 1",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    bytes(range(256)),
    b"\x1f\x8b\x08",
    b"PK\3\4",
]


@pytest.mark.parametrize("name", TEXTS)
def test_texts(reader, tmp_path, name):
    (tmp_path / "r.toml").write_bytes(TEXTS[name].encode())
    outcome, _ = reader.ask("recipe", tmp_path / "r.toml")
    assert outcome == "refused" or name in (
        "empty",
        "windows",
        "returns",
        "large schedule",
        "escape",
        "other way",
        "lines",
        "many layers",
        "large layers",
        "large counts",
        "large steps",
        "long text",
        "long fraction",
    )


@pytest.mark.parametrize("content", BYTES, ids=ascii)
def test_bytes(reader, tmp_path, content):
    (tmp_path / "r.toml").write_bytes(content)
    reader.refuses("recipe", tmp_path / "r.toml")


VALUES = st.one_of(
    st.integers(),
    st.floats().map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.text(max_size=9).map(
        lambda text: '"' + text.encode("unicode_escape").decode().replace('"', "'") + '"'
    ),
    st.lists(st.integers(), max_size=4).map(str),
    st.sampled_from(
        [
            "1979-05-27",
            "{}",
            "{a = 1}",
            "[[1]]",
            "''",
            "0x7f",
            "-0",
            "1_0",
            "[1, 'a']",
            "+inf",
            "[",
            "'",
            '"""',
            "#",
        ]
    ),
    st.text(max_size=12),
)
KEYS = st.sampled_from([*KNOBS, *SECTIONS, "description", "x", '""', "a.b"]) | st.text(max_size=6)
LINES = (
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}")
    | st.sampled_from(SECTIONS).map("[{}]".format)
    | st.text(max_size=9)
)


@usually(150)
@given(lines=st.lists(LINES, max_size=9))
def test_any_lines(reader, tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    reader.ask("recipe", path)


whole = functools.cache(files.recipe)


@usually(150)
@given(knob=st.sampled_from(list(KNOBS.values())), value=VALUES)
def test_any_value_of_any_knob(reader, tmp_path_factory, knob, value):
    text = whole().decode().splitlines()
    place = next(number for number, line in enumerate(text) if line.startswith(f"{knob.name} = "))
    text[place] = f"{knob.name} = {value}"
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes("\n".join(text).encode(errors="surrogatepass"))
    reader.ask("recipe", path)


@usually(50)
@given(
    lines=st.lists(
        st.text(max_size=30)
        | st.sampled_from(
            [
                '{"step": 1, "loss": 2}',
                "[" * 9999,
                "{",
                '{"step": "1", "loss": 2}',
                '{"step": NaN, "loss": 2}',
                '{"step": 1, "loss": []}',
                '{"step": 1e999, "loss": 0}',
                '{"step":' + "9" * 5000 + "}",
            ]
        )
    )
)
def test_any_figures(reader, tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    assert reader.ask("lines", path)[0] == "read"
