"""Names that callers and upstreams choose, and what servers say, cannot steer the terminal that a command prints to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import selftest_work, usage_work
from gateway.cli.credentials_text import table as credentials
from gateway.cli.doctor_finding import hidden, problem
from gateway.cli.doctor_finding import text as findings
from gateway.cli.models_ask import Asked, Model, Upstream
from gateway.legible import legible
from gateway.store.journal import Ended
from gateway.store.reports import Report, Sums
from gateway.testing import Finding
from gateway.testing import Report as Outcome
from tests.gateway.admin.accounts import account
from tests.gateway.cli.conftest import Run, folder, run
from tests.gateway.store.test_filling import write

__all__ = ["folder", "run"]  # fixtures

STEERING = "a\r\nforged\x1b[2J\x1b]0;title\x07\x00\x7f\x9b31m\u2028b\u202ec"


def of_usage(said: str) -> str:
    return usage_work.table(Report(by="model", since=None, until=None, rows=[Sums(name=said)], total=Sums()))


def of_models(said: str) -> str:
    model = Model(name=said, upstreams=[said], display_name=said, max_input=1, max_output=1, thinking=None, variants=[])
    upstream = Upstream(name="one", type="openai", usable=True, state=said, trouble=said)
    asked = Asked(upstreams=[upstream], models=[model])
    command = import_module("gateway.cli.models")  # the name in the package is the command's
    return "\n".join([command._table(asked), *command._notes(asked)])


def of_credentials(said: str) -> str:
    names: dict[str, Any] = dict.fromkeys(("account", "project", "project_source", "reason", "last_error"), said)
    view = account(state="cooling", cooling={said: 0.0}, quota={said: (0.5, None)}, uses=1, **names)
    return credentials([view])


def of_doctor(said: str) -> str:
    return findings([hidden(problem("models", said, said), str)])


def of_selftest(said: str) -> str:
    found = Finding(dialect="gemini", check="text", verdict="failed", asked="POST /", heard=said, problem=said)
    report = Outcome("http://localhost", said, ("gemini",), (found,))
    return "\n".join([selftest_work.line(found), selftest_work.summary(report)])


TEXTS: Mapping[str, Callable[[str], str]] = {
    "usage": of_usage,
    "models": of_models,
    "credentials list": of_credentials,
    "doctor": of_doctor,
    "selftest": of_selftest,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_command_shows_it_in_plain_characters(text: Callable[[str], str]) -> None:
    lines = text(STEERING).split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert "forged" not in [line[:6] for line in lines]


def test_what_a_caller_called_a_model_is_printed_so(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[upstream.demo]\n")
    asked = Ended(id="1", key="k", key_id="k", dialect="gemini", model=STEERING, started_at=time.time(), end="done")
    write(folder / "data" / "journal", "1", [asked])
    done = run("usage", "--by", "model")
    assert done.code == 0
    assert done.out.replace("\n", "").isprintable()
    assert legible(STEERING.partition("\x00")[0]) in done.out  # no database keeps that


def test_it_is_escaped_and_nothing_else_is() -> None:
    assert legible("Zoë 😀 \\ \"'") == "Zoë 😀 \\ \"'"
    assert legible("no\x1b[2J\r\nproject: \x9bZoë", "\n") == "no\\u001b[2J\\r\nproject: \\u009bZoë"
