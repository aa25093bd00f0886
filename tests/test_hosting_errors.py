"""What is said of a middleware of one's own that cannot be taken: one line each, with the place and the next step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.config import ConfigError, load, report
from gateway.explain import explain, smallest
from gateway.middleware.auth import PLACES
from tests.processes import PROGRAMS, environment, gateway, running

MODULE = """
from dataclasses import dataclass

WORDS = ["secret"]
COUNT = 3

class Redact:
    def __init__(self, app, words, level=1):
        if not words:
            raise ValueError("words:\\n  must not be empty")
        self.app = app
    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)

class Outer:
    class Inner(Redact):
        def __init__(self, app):
            self.app = app

class Lax(Redact):
    def __init__(self, app, **options):
        self.app = app

class Homeless(Redact):
    def __init__(self, **options):
        pass

class Mute:
    def __init__(self, app):
        self.app = app

def factory(app):
    return Lax(app)

def forgetful(app):
    Lax(app)

def counting(app):
    return 3
"""
FAILING = {
    "syntax": "def (:\n",
    "needy": "import no_such_library_of_theirs\n",
    "rude": "raise RuntimeError('two\\nlines')\n",
    "leaving": "from acme_redact import Nothing\n",
}
REST = ["auth", "protocol", "model_map"]
LOOKED = "; install it, or add its folder to PYTHONPATH"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "acme_redact.py").write_text(MODULE)
    for name, text in FAILING.items():
        (tmp_path / f"acme_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def refusal(folder: Path, text: str) -> list[str]:
    """Give the lines that stop the start, without the path of the file."""
    file = folder / "gateway.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        create_app(load(file, environ={}, dotenv=False))
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def named(use: str, options: str = "") -> str:
    """Name a middleware in a table; its path is said in line 4, its options in line 5."""
    order = ["redact", *REST]
    return f'[pipeline]\norder = {order}\n[middleware.redact]\nuse = "{use}"\n' + (
        f"options = {options}\n" if options else ""
    )


def bare(use: str) -> str:
    return f"[pipeline]\norder = {[use, *REST]}\n"


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (
            "no_such_company.asgi:Redact",
            'Python finds no module "no_such_company"' + LOOKED,
        ),
        (
            "acme_redact.asgi:Redact",
            'Python finds no module "acme_redact.asgi"' + LOOKED,
        ),
        ("acme_redact:Redakt", '"acme_redact" has no "Redakt"; did you mean "Redact"?'),
        ("acme_redact:Zzz", '"acme_redact" has no "Zzz"'),
        ("acme_redact:WORDS", '"acme_redact:WORDS" is a list, not a class that takes the app'),
        ("acme_redact:COUNT", '"acme_redact:COUNT" is an int, not a class that takes the app'),
        (
            "acme_redact:Mute",
            '"acme_redact:Mute" is not an ASGI middleware: it needs `async def __call__(self, scope, receive, send)`',
        ),
        (
            "acme_needy:Redact",
            "\"acme_needy\" cannot be imported: ModuleNotFoundError: No module named 'no_such_library_of_theirs'",
        ),
        ("acme_rude:Redact", '"acme_rude" cannot be imported: RuntimeError: two lines'),
        (
            "acme_syntax:Redact",
            '"acme_syntax" cannot be imported: SyntaxError: invalid syntax (acme_syntax.py, line 1)',
        ),
    ],
)
def test_a_path_that_leads_nowhere(folder: Path, use: str, text: str) -> None:
    assert refusal(folder, named(use)) == [f"gateway.toml:4: middleware.redact.use: {text}"]
    assert refusal(folder, bare(use)) == [f"gateway.toml:2: pipeline.order[0]: {text}"]


def test_a_name_that_its_module_misses_is_told_in_pythons_words(folder: Path) -> None:
    (line,) = refusal(folder, bare("acme_leaving:Redact"))
    begin = 'gateway.toml:2: pipeline.order[0]: "acme_leaving" cannot be imported: ImportError: cannot import name '
    assert line.startswith(begin + "'Nothing' from 'acme_redact'")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ('{ wrds = ["x"], words = ["x"] }', 'Redact has no option "wrds"; did you mean "words"?'),
        ("{ app = 1, words = [] }", 'Redact has no option "app"'),
        ("{ level = 2 }", 'Redact needs the option "words"'),
        ("{ words = [] }", "Redact cannot be made: ValueError: words: must not be empty"),
    ],
)
def test_options_that_do_not_fit(folder: Path, options: str, text: str) -> None:
    lines = refusal(folder, named("acme_redact:Redact", options))
    assert lines == [f"gateway.toml:5: middleware.redact.options: {text}"]


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("Auth", '{ keys = "sk-1" }', "TypeError: keys: give a list of keys, or a name for each, not one string"),
        ("Auth", '{ keys = ["sk-1", ""] }', "ValueError: keys: key-2 is empty"),
        ("Auth", '{ accept = ["bearr", "basic"] }', f"ValueError: accept: bearr is not one of {', '.join(PLACES)}"),
        (
            "RateLimit",
            "{ limits = { request_per_minute = 1 } }",
            'ValueError: request_per_minute: unknown limit; did you mean "requests_per_minute"?',
        ),
    ],
)
def test_options_that_ours_do_not_take(folder: Path, name: str, options: str, text: str) -> None:
    order = named(f"gateway.middleware:{name}", options).replace("['redact', 'auth', ", "['auth', 'redact', ")
    assert refusal(folder, order) == [f"gateway.toml:5: middleware.redact.options: {name} cannot be made: {text}"]


def test_options_that_are_missing(folder: Path) -> None:
    text = 'Redact needs the option "words"'
    assert refusal(folder, named("acme_redact:Redact")) == [f"gateway.toml:4: middleware.redact.use: {text}"]
    hint = "options go into a [middleware.NAME] with `use`"
    assert refusal(folder, bare("acme_redact:Redact")) == [f"gateway.toml:2: pipeline.order[0]: {text}; {hint}"]


def test_a_class_that_does_not_take_the_app(folder: Path) -> None:
    assert refusal(folder, named("acme_redact:Homeless")) == [
        "gateway.toml:4: middleware.redact.use: Homeless does not take the app as its first argument"
    ]


def test_a_table_without_use(folder: Path) -> None:
    text = named("x:Y", "{ words = [] }").replace('use = "x:Y"\n', "")
    assert refusal(folder, text) == ["gateway.toml:3: middleware.redact: use is required"]


def test_a_path_that_is_none(folder: Path) -> None:
    assert refusal(folder, named("acme_redact.Redact")) == [
        'gateway.toml:4: middleware.redact.use: "acme_redact.Redact" is not of the form "package.module:Class"'
    ]
    assert refusal(folder, bare("redact")) == ['gateway.toml:2: pipeline.order[0]: unknown middleware "redact"']


@pytest.mark.parametrize(("name", "made"), [("forgetful", "a NoneType"), ("counting", "an int")])
def test_a_function_that_makes_no_app(folder: Path, name: str, made: str) -> None:
    where = "gateway.toml:4: middleware.redact.use"
    assert refusal(folder, named(f"acme_redact:{name}")) == [f"{where}: {name} made {made}, not an ASGI app"]


def test_a_wrong_path_is_told_at_its_line_even_where_there_are_options(folder: Path) -> None:
    (line,) = refusal(folder, named("acme_redact:Zzz", "{ level = 2 }"))
    assert line == 'gateway.toml:4: middleware.redact.use: "acme_redact" has no "Zzz"'


def test_an_option_that_ours_does_not_know_is_told_by_its_name(folder: Path) -> None:
    order = named("gateway.middleware:BodyLimit", "{ limt = 3 }")
    told = 'BodyLimit has no option "limt"; did you mean "limit"?'
    assert refusal(folder, order) == [f"gateway.toml:5: middleware.redact.options: {told}"]


def test_one_that_stands_there_twice(folder: Path) -> None:
    text = f"[pipeline]\norder = {['auth', 'protocol', 'auth', 'model_map']}\n"
    assert refusal(folder, text) == ['gateway.toml:2: pipeline.order[2]: "auth" is listed twice']


def test_a_requirement_that_nothing_provides(folder: Path) -> None:
    with (folder / "acme_redact.py").open("a") as file:
        file.write("Lax.requires = {'team'}\n")
    assert refusal(folder, bare("acme_redact:Lax")) == [
        "gateway.toml:2: pipeline.order: 'acme_redact:Lax' needs team, which nothing in the order provides"
    ]


@pytest.mark.parametrize("which", ["provides", "requires"])
@pytest.mark.parametrize("given", ["'principal'", "5", "None", "{'principal', 5}", "property()"])
def test_marks_that_are_no_set_of_words(folder: Path, which: str, given: str) -> None:
    with (folder / "acme_redact.py").open("a") as file:
        file.write(f"Lax.{which} = {given}\n")
    text = f'"acme_redact:Lax" has a `{which}` that is not a set of names, such as frozenset({{"principal"}})'
    assert refusal(folder, bare("acme_redact:Lax")) == [f"gateway.toml:2: pipeline.order[0]: {text}"]


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    text = '[pipeline]\norder = ["acme_redact:Redakt", "redact", "acme_rude:X", "auth", "protocol", "model_map"]\n'
    lines = refusal(folder, text + '[middleware.redact]\nuse = "nowhere:X"\n')
    assert [line.split(": ")[1] for line in lines] == [
        "pipeline.order[0]",
        "middleware.redact.use",
        "pipeline.order[2]",
    ]


@pytest.mark.anyio
async def test_explain_names_the_place_that_the_start_names(folder: Path) -> None:
    order = ["request_id", "metrics", "auth", "acme_redact:forgetful", "protocol", "model_map"]
    (line,) = refusal(folder, f"[pipeline]\norder = {order}\n")
    assert line.startswith("gateway.toml:2: pipeline.order[3]: forgetful made")
    with pytest.raises(ConfigError) as caught:
        await explain(load(folder / "gateway.toml", environ={}, dotenv=False), smallest("demo", None))
    assert str(caught.value) == f"{folder}/{line}"


@pytest.mark.parametrize("use", ["acme_redact:factory", "acme_redact:Lax", "acme_redact:Outer.Inner"])
def test_whatever_makes_an_asgi_app_is_taken(folder: Path, use: str) -> None:
    (folder / "gateway.toml").write_text(bare(use))
    create_app(load(folder / "gateway.toml", environ={}, dotenv=False))


def test_a_table_that_nobody_names_is_not_imported(folder: Path) -> None:
    file = folder / "gateway.toml"
    file.write_text('[middleware.redact]\nuse = "nowhere:X"\n')
    create_app(load(file, environ={}, dotenv=False))


def test_check_says_that_nobody_names_a_table(folder: Path) -> None:
    file = folder / "gateway.toml"
    file.write_text('[middleware.redact]\nuse = "nowhere:X"\n')
    (row,) = [row for row in report(load(file, environ={}, dotenv=False)) if row.key == "middleware.redact.use"]
    assert row.reason == "not in pipeline.order"


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_command_ends_with_2_and_the_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "acme_redact.py").write_text(MODULE)
    arguments = ["check"] if command == "check" else ["--port", "0"]
    (tmp_path / "gateway.toml").write_text(named("acme_redact:Redakt"))
    with running([PROGRAMS / "gateway", *arguments], tmp_path, environment(tmp_path)) as program:
        assert program.ends() == 2
    assert 'middleware.redact.use: "acme_redact" has no "Redakt"; did you mean "Redact"?' in program.output
    assert "Traceback" not in program.output


def test_a_module_beside_the_configuration_is_found_from_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "acme_redact.py").write_text(MODULE)
    (tmp_path / "gateway.toml").write_text(named("acme_redact:Lax"))
    with gateway(elsewhere, "--config", str(tmp_path / "gateway.toml")) as program:
        assert program.url
