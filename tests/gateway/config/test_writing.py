"""gateway.toml as it is written: a person is to read it."""

import tomllib
from typing import Any

from gateway.config.writing import toml_of, tree_of

LONG = [f"env:TOKEN_OF_A_LONG_NAME_{place}" for place in range(6)]
VALUES: dict[Any, object] = {
    ("upstream", "google", "type"): "v1internal",
    ("upstream", "google", "pool", "refresh_tokens"): LONG,
    ("key",): [{"name": "ann", "models": ["a", "b"], "limits": {"per_minute": 3}}],
    ("models", "alias"): {"gpt-4*": "x", 'a "b"\\c': "ü"},
    ("server", "port"): 8000,
}


def test_what_is_written_reads_back() -> None:
    assert tomllib.loads(toml_of(VALUES)) == tree_of(VALUES)


def test_tables_stand_in_the_order_of_the_annotated_file() -> None:
    heads = [line for line in toml_of(VALUES).splitlines() if line.startswith("[")]
    assert heads == [
        "[server]",
        "[[key]]",
        "[key.limits]",
        "[models.alias]",
        "[upstream.google]",
        "[upstream.google.pool]",
    ]


def test_a_short_list_stands_in_one_line_and_a_long_one_in_many() -> None:
    lines = toml_of(VALUES).splitlines()
    assert 'models = ["a", "b"]' in lines
    assert f'    "{LONG[0]}",' in lines
    assert max(map(len, lines)) < 100
