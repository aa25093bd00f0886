"""The index of lines must know exactly the keys that tomllib knows."""

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.positions import positions
from gateway.config.sources import KeyPath

BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6)


def basic(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


NAMES = st.one_of(
    BARE.map(lambda name: (name, name)),
    TEXT.map(lambda text: (text, basic(text))),
    TEXT.filter(lambda text: "'" not in text).map(lambda text: (text, f"'{text}'")),
    st.just(("é\n", '"\\u00e9\\n"')),
)
SCALARS = st.one_of(
    st.sampled_from(
        [
            "1",
            "0x1f",
            "1_000",
            "3.5e-2",
            "inf",
            "true",
            "2027-01-01",
            "1979-05-27 07:32:00Z",
            "07:32:00",
            '"""\n# [no.table]\na = 1\n"""',
            '""""quoted""""',
            '"""a\\\n   b \\""" c"""',
            "'''\n[[not]]\nb = '' ''' ",
            "'''''two'''''",
            "'C:\\dir\\'",
            '"]}#,="',
            '""',
            "''",
        ]
    ),
    TEXT.map(basic),
)
GAPS = st.sampled_from(["", " ", "\n", " # ] } a = 1\n", "\t\r\n  "])


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(values, max_size=3))
    text = ",".join(draw(GAPS) + item + draw(GAPS) for item in items)
    comma = draw(st.sampled_from(["", ","])) if items else ""
    return f"[{text}{comma}{draw(GAPS)}]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    return "{" + ", ".join(draw(st.lists(pairs(values), max_size=3))) + " }"


@st.composite
def dotted_keys(draw: st.DrawFn) -> str:
    parts = draw(st.lists(NAMES, min_size=1, max_size=3))
    return draw(st.sampled_from([".", " . ", "\t."])).join(written for _, written in parts)


@st.composite
def pairs(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    return f" {draw(dotted_keys())} = {draw(values)}"


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(arrays(inner), inline_tables(inner)), max_leaves=5)
LINES = st.one_of(
    pairs(VALUES),
    dotted_keys().map(lambda key: f"[{key}]"),
    dotted_keys().map(lambda key: f" [[ {key} ]]  # [[x]]"),
    st.sampled_from(["", "# comment = 1", "[a]", "[a.b]", "[[c]]", "[c.d]", "[[c.e]]", "c.f = 1"]),
)


def paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for step, item in inner:
        yield (*path, step)
        yield from paths(item, (*path, step))


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Documents that tomllib takes: a line that spoils the document is left out."""
    text = ""
    for line in draw(st.lists(LINES, max_size=12)):
        longer = text + line + draw(st.sampled_from(["\n", "\r\n"]))
        try:
            tomllib.loads(longer)
        except tomllib.TOMLDecodeError:
            continue
        text = longer
    return text


@given(documents())
def test_the_index_holds_exactly_the_keys_of_tomllib(text: str) -> None:
    assert set(positions(text)) == set(paths(tomllib.loads(text)))


TRICKY = [
    "a = '''''two'''''\nb = 1",
    "a = '''one''''\nb = ''",
    'a = """"two"""""\nb = 1',
    'a = """\\""""\nb = 1',
    "a = 1# ] } , = \nb = 2",
    "a = [1, # ]\n 2 # , 3\n]\nb = 1",
    "a = { b = [ { c = 1 } ], d.e = 2 }\nf = 1",
    "[[a]]\n[[a.b]]\n[[a.b]]\n[a.b.c]\n[[a]]\n[[a.b]]\nd = 1",
    "[a]\n[a.'b.c'.\"d\\u00e9\"]\n'' = 1\n\"e\" . x = 1",
    "a = [[], [[1]], {}]",
    "a=1979-05-27 07:32:00\nb=[07:32:00,1_0]",
    "",
    "# only",
]


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", " # end"])
def test_tricky_documents_are_indexed_as_tomllib_reads_them(text: str, end: str) -> None:
    assert set(positions(text + end)) == set(paths(tomllib.loads(text + end)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("a", "b", "c"), 2),
        (("list",), 3),
        (("list", 0), 4),
        (("list", 1, "x"), 6),
        (("text",), 8),
        (("after",), 11),
        (("key", 0), 13),
        (("key", 1, "name"), 16),
        (("key", 1, "sub", "deep"), 19),
        (("quoted key",), 21),
    ],
)
def test_each_key_has_its_line(path: KeyPath, line: int) -> None:
    text = '''# line 1
a.b.c = 1
list = [
  "one", # comment ]

  { x = 1 },
]
text = """
fake = 1
"""
after = 1

[[key]]
name = "a"
[[key]]
name = "b"

[key.sub]
deep = 1

["quoted key"]
'''
    assert positions(text)[path] == line
