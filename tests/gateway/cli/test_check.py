"""`gateway check`: every value with its source, and what has no effect yet."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import registry
from tests.disk import full_disk
from tests.gateway.cli.conftest import Run
from tests.gateway.config.test_annotated import FILE, VARIABLES

Write = Callable[[str], Path]
NAMESAKES = """
[gateway.middleware]
auth = acme:Open
acme-stamp = acme:Stamp
acme-odd = !
[gateway.adapters]
demo = acme:Shout
openai = acme:Shout
[gateway.dialects]
anthropic = acme:Claude
acme = nowhere:Acme
"""


@pytest.fixture
def annotated(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Check the annotated gateway.toml with its example variables set, as JSON by key."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    done = run("check", "--json", "-c", str(FILE))
    assert (done.code, done.err) == (0, "")
    return {row["key"]: row for row in json.loads(done.out)}


def test_the_annotated_configuration_passes(annotated: Any) -> None:
    assert annotated["server.port"]["value"] == "8045"
    assert annotated["upstream.openai.api_key"]["value"] == "[***]"


@pytest.mark.parametrize(
    "key",
    [
        "antigravity.type",
        "antigravity.models",
        "gemini.api_key",
        "openai.max_tokens_field",
        "azure.api_version",
        "anthropic.type",
        "vertex.type",
        "vertex.project",
        "vertex.location",
    ],
)
def test_the_keys_of_each_kind_of_upstream_are_in_effect(annotated: Any, key: str) -> None:
    assert annotated[f"upstream.{key}"]["in_effect"]


def test_the_order_is_in_effect(annotated: Any) -> None:
    assert annotated["pipeline.order"]["in_effect"]


def test_each_value_stands_with_its_source(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[server]\nport = 8080\n\n[usage]\nlog_every = 60\n")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    done = run("check")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.out.splitlines()}
    assert done.code == 0
    assert lines["configuration:"].endswith("gateway.toml")
    assert lines["server.port"] == "8080 (gateway.toml:2)"
    assert lines["server.drain"] == "30 (default)"
    assert lines["log.level"] == '"debug" (env LOG_LEVEL)'
    assert lines["usage.log_every"] == "60 (gateway.toml:5)"


def test_a_reference_to_an_unset_variable_gives_nothing(run: Run, write: Write) -> None:
    write('[server]\nport = "env:NOT_SET"\n[retry]\non = ["env:NOT_SET"]\n')
    lines = {line.split()[0]: line for line in run("check").out.splitlines()}
    assert lines["server.port"].endswith("8045   (default)")
    assert lines["retry.on"].endswith("(default)")


def test_without_a_file_it_says_so(run: Run) -> None:
    assert run("check").out.startswith("configuration: none, built-in defaults\n")


def test_no_config_and_no_dotenv_are_kept_out(run: Run, write: Write, folder: Path) -> None:
    write("this is no TOML")
    (folder / ".env").write_text("PORT=1")
    assert "(.env PORT)" in run("check", "--no-config").out
    assert "(.env PORT)" not in run("check", "--no-config", "--no-dotenv").out


def test_an_order_that_cannot_work_is_exit_2_with_one_that_does(run: Run, write: Write) -> None:
    write('[pipeline]\norder = ["rate_limit", "auth", "protocol", "model_map"]\n')
    done = run("check")
    assert done.code == 2
    assert done.err == (
        "gateway.toml:2: pipeline.order: 'rate_limit' needs principal from 'auth', which must come before it; "
        "an order that works: ['auth', 'rate_limit', 'protocol', 'model_map']\n"
    )


def test_the_extra_of_a_database_is_missed_as_at_the_start(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    write('[store]\ndatabase = "postgresql://localhost/x"\n')
    done = run("check")
    said = "gateway.toml:2: store.database: needs the extra postgres: pip install 'asgi-llm-gateway[postgres]'\n"
    assert (done.code, done.err) == (2, said)


def test_a_password_that_is_not_escaped_in_the_address_of_redis_is_not_told(run: Run, write: Write) -> None:
    write('[store]\nredis = "redis://:aB3/xyz@host:6379/0"\n')
    done = run("check")
    said = "gateway.toml:2: store.redis: is not a URL of the form redis://host:6379/0, rediss://… or unix://…\n"
    assert (done.code, done.err) == (2, said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),  # a batch has 512
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "of-nobody"),
    ],
)
def test_what_opentelemetry_does_not_take_is_one_line(run: Run, write: Write, name: str, value: str) -> None:
    """The start failed with a traceback."""
    write('[metrics]\notlp = "http://127.0.0.1:9"\n')
    done = run("check", **{name: value})
    said = f"gateway.toml:2: metrics.otlp: OpenTelemetry does not take its variables ({name}): "
    assert (done.code, done.err.startswith(said), done.err.count("\n")) == (2, True, 1)


def test_no_secret_is_printed(run: Run, write: Write) -> None:
    write('[auth]\nkeys = ["canary-1"]\n[admin]\npassword = "canary-2"\n[upstream.demo]\n')
    assert "canary" not in run("check").out


def test_a_variable_that_may_be_meant_for_a_key_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SERVER_PORT", "9000")
    done = run("check")
    said = 'environment: GATEWAY_SERVER_PORT: is not read; did you mean "GATEWAY_SERVER__PORT"?'
    assert (done.code, done.err) == (0, f"warning: {said}\n")


@pytest.mark.parametrize("place", ["file", "file/data"])
def test_a_data_dir_that_cannot_be_written_is_told(run: Run, write: Write, folder: Path, place: str) -> None:
    (folder / "file").touch()
    write(f'[server]\ndata_dir = "{place}"\n')
    done = run("check")
    said = f"gateway.toml:2: server.data_dir: cannot be written: {folder / 'file'}: Not a directory"
    assert (done.code, done.err) == (0, f"warning: {said}; data is kept in memory only\n")


def test_so_is_one_whose_name_is_too_long(run: Run, write: Write, folder: Path) -> None:
    write(f'[server]\ndata_dir = "{"x" * 300}"\n')
    done = run("check")
    said = f"gateway.toml:2: server.data_dir: cannot be written: {folder / ('x' * 300)}: File name too long"
    assert (done.code, done.err) == (0, f"warning: {said}; data is kept in memory only\n")


def test_a_folder_of_recordings_that_cannot_be_written_is_told(run: Run, write: Write, folder: Path) -> None:
    (folder / "file").touch()
    write('[record]\ndir = "file/recordings"\n')
    done = run("check")
    said = f"gateway.toml:2: record.dir: cannot be written: {folder / 'file'}: Not a directory"
    assert (done.code, done.err) == (0, f"warning: {said}; nothing is recorded\n")


def test_so_is_one_whose_disk_takes_a_file_but_not_what_is_in_it(run: Run, write: Write, folder: Path) -> None:
    write("[upstream.demo]\n")
    with full_disk(room=2**15):
        done = run("check")
    said = f"configuration: server.data_dir: cannot be written: {folder}: File too large"
    assert (done.code, done.err) == (0, f"warning: {said}; data is kept in memory only\n")


ASTRAY = """
[upstream.a]
type = "openai"
api_key = "k-1"
models = ["gpt-4.1"]
[upstream.b]
type = "openai"
api_key = "k-2"
models = ["gpt-4o"]
alias.old = "gpt-3"
[models.alias]
one = "gpt-4.0"
"models by date" = "gpt-4.1-20260101"
many = ["gpt-4o", "nothing", "b/anything", "lost"]
drawn = { "gpt-4o" = 3, "gone" = 1 }
lost = "gpt-4o"
[models.family]
opus = "nowhere"
"""


def test_a_rule_that_nobody_has_written_is_not_named(run: Run, write: Write) -> None:
    write('[upstream.demo]\n[upstream.gemini]\napi_key = "a-key"\nmodels = ["gemini-2.5-flash"]\n')
    done = run("check")
    assert (done.code, done.err) == (0, "")


def test_a_rule_that_leads_nowhere_is_named(run: Run, write: Write) -> None:
    write(ASTRAY)
    done = run("check")
    assert done.code == 0
    said = "leads nowhere: no upstream is known to serve it"
    assert done.err.splitlines() == [
        f'warning: gateway.toml:12: models.alias.one: "gpt-4.0" {said}; did you mean "gpt-4.1"?',
        f'warning: gateway.toml:14: models.alias.many[1]: "nothing" {said}',
        f'warning: gateway.toml:14: models.alias.many[3]: "lost" {said}',
        f'warning: gateway.toml:15: models.alias.drawn.gone: "gone" {said}',
        f'warning: gateway.toml:18: models.family.opus: "nowhere" {said}',
        f'warning: gateway.toml:10: upstream.b.alias.old: "gpt-3" {said}; did you mean "gpt-4o"?',
    ]


def test_no_rule_leads_nowhere_where_unknown_names_are_passed_on(run: Run, write: Write) -> None:
    write(ASTRAY + '[models]\ndefault_upstream = "a"\n')
    assert run("check").err == ""


def test_a_look_at_data_dir_leaves_nothing(run: Run, folder: Path) -> None:
    assert run("check").code == 0
    assert [*folder.iterdir()] == []


@pytest.fixture
def namesakes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a distribution before ours that calls its own parts as ours are called."""
    about = folder / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(NAMESAKES)
    monkeypatch.syspath_prepend(folder)
    registry._paths.cache_clear()
    yield
    registry._paths.cache_clear()


@pytest.mark.usefixtures("namesakes")
def test_a_namesake_of_a_built_in_part_takes_no_place_and_is_named(run: Run, write: Write) -> None:
    write('[pipeline]\norder = ["auth", "protocol", "model_map"]\n[upstream.demo]\n')
    done = run("check")
    assert done.code == 0
    assert done.err.splitlines() == [
        'warning: gateway.toml:3: upstream.demo: "acme:Shout" is also registered as "demo", and is not used',
        'warning: gateway.toml:2: pipeline.order: "acme:Open" is also registered as "auth", and is not used',
    ]


@pytest.mark.usefixtures("namesakes")
def test_a_dialect_that_no_path_leads_to_is_not_loaded(run: Run, write: Write) -> None:
    write("[upstream.demo]\n")
    assert (run("check").code, run("explain", "demo").code) == (0, 0)


@pytest.mark.usefixtures("namesakes")
def test_a_table_of_ones_own_is_meant_by_its_name(run: Run, write: Write) -> None:
    order = '[pipeline]\norder = ["auth", "protocol", "model_map"]\n'
    write(f'{order}[middleware.auth]\nuse = "gateway.middleware:Auth"\noptions.keys = ["sk-1"]\n')
    assert "registered" not in run("check").err
