"""Whatever an operator writes, loading ends with a configuration or with ConfigError."""

import tomllib
from contextlib import suppress
from datetime import date, time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, ConfigError, Problem, load, report, schema_keys

NAMES = st.sampled_from(["a", "demo", "openai", "antigravity", "azure", "", "x/y", "*", "haiku"])
WORDS = st.sampled_from(
    ["", "demo/x", "a", "32MB", "env:A", "env:B", "env:", "file:x", "file:\0", "-1", "[", "é\n", "always"]
)
SCALARS = st.one_of(
    WORDS, st.text(max_size=3), st.integers(-2, 10**400), st.floats(), st.booleans(),
    st.just(date(2027, 1, 1)), st.just(time(1)), st.none(),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, object]:
    tree: dict[str, object] = {}
    for key in draw(st.lists(st.sampled_from(schema_keys()), max_size=6)):
        steps = [draw(NAMES) if step == "*" else step for step in key.split(".")]
        table = tree
        for step in steps[: draw(st.integers(0, len(steps) - 1))]:
            inner = table.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            table = inner
        table[steps[-1]] = draw(VALUES)
    return tree


@given(mappings())
def test_any_mapping_loads_or_is_refused(tree: dict[str, object]) -> None:
    with suppress(ConfigError):
        assert report(load(tree, environ={"A": "1", "B": ""}, dotenv=False))


@given(st.dictionaries(st.sampled_from(["PORT", "API_KEYS", "BIG_MODEL", "OPENAI_API_KEY", "USE_VERTEX_AUTH"]), WORDS))
def test_any_environment_loads_or_is_refused(environ: dict[str, str]) -> None:
    with suppress(ConfigError):
        load(environ=environ, dotenv=False, no_config=True)


@given(st.sampled_from(schema_keys()), st.text(max_size=4))
def test_any_value_of_a_native_variable_loads_or_is_refused(key: str, value: str) -> None:
    name = "GATEWAY_" + key.replace("*", "A").replace(".", "__").upper()
    with suppress(ConfigError):
        load({}, environ={name: value}, dotenv=False)


@given(st.text(max_size=40))
def test_any_text_loads_or_is_refused_with_its_line(text: str) -> None:
    file = Path("fuzz.toml")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        loaded = load(file, environ={}, dotenv=False)
    except ConfigError as error:
        assert all(isinstance(problem, Problem) and problem.file == "fuzz.toml" for problem in error.problems)
    else:
        assert isinstance(loaded.config, Config)
        assert isinstance(tomllib.loads(text), dict)
