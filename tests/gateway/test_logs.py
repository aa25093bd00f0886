"""One line an event, in the form and from the level that [log] says, without secrets."""

import json
import logging
import os
import pty
import re
import sys
from io import StringIO
from typing import Any, cast

import pytest

from gateway.config import LogConfig, load
from gateway.errors import StreamBroken
from gateway.logs import Entries, Forward, logger_for, logger_of

LEVELS = ("debug", "info", "warning", "error", "critical")


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("form", ["json", "auto"])
def test_off_a_terminal_an_event_is_one_line_of_json(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(LogConfig(format=form)).info("request", path="/v1/a\nb", status=200, ids=("a", 1))
    (line,) = logged(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "request", "level": "info", "path": "/v1/a\nb", "status": 200, "ids": ["a", 1]}


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_event_that_is_entered_is_the_line_that_info_writes(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(LogConfig(format=form)).bind(process=7)
    assert isinstance(logger, Entries)
    logger.enter({"status": 200, "message": "Bearer canary-token", "event": "request"})
    entered = capsys.readouterr().err
    logger.info("request", status=200, message="Bearer canary-token")
    assert undated(entered) == undated(capsys.readouterr().err)
    assert "canary" not in entered


def test_what_a_caller_writes_cannot_steer_a_terminal_or_begin_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = "\x1b[2J\r\n2026 [error] forged \x9b31m \u202e"
    logger_of(LogConfig(format="console")).info("request", model=said, request=said)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.rstrip("\n").isprintable()
    assert "forged" in written


@pytest.mark.parametrize("one", ["\x1b", "\x7f", "\x80", "\x9b", "\x9f", "\u200f", "\u2028", "\u202e", "\u2069"])
def test_json_shows_what_would_steer_a_terminal_and_loses_nothing(one: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = f"caf\u00e9 {one}[2J \U0001f600"
    logger_of(LogConfig(format="json")).info("request", path=said)
    written = capsys.readouterr().err
    assert written.rstrip("\n").isprintable()
    assert (json.loads(written)["path"], "caf\u00e9" in written, "\U0001f600" in written) == (said, True, True)


@pytest.mark.parametrize("form", ["auto", "json", "console"])
def test_a_standard_error_of_text_alone_as_in_a_notebook_is_written_to(
    form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", StringIO())
    logger_of(LogConfig(format=form)).info("request", path="/caf\u00e9")
    written = cast(StringIO, sys.stderr).getvalue()
    assert ("request" in written, "/caf\u00e9" in written, written.count("\n")) == (True, True, 1)


@pytest.mark.parametrize("form", ["auto", "json", "console"])
def test_without_a_standard_error_lines_are_lost_and_nothing_else(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logger_of(LogConfig(format=form)).info("request")


@pytest.mark.parametrize("form", ["auto", "console"])
@pytest.mark.parametrize("journal", ["the journal's", "another"])
def test_a_line_in_the_journal_has_its_priority(form: Any, journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads) as reader, os.fdopen(writes, "w") as stream:
        about = os.fstat(writes)
        number = about.st_ino + (journal == "another")
        monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{number}")
        monkeypatch.setattr(sys, "stderr", stream)
        logger = logger_of(LogConfig(format=form, level="debug"))
        for level in LEVELS:
            getattr(logger, level)("said")
        stream.close()
        ranks = [re.match(r"<\d>|", line) for line in reader]
    expected = ["<7>", "", "<4>", "<3>", "<2>"] if journal == "the journal's" else [""] * len(LEVELS)
    assert [rank and rank[0] for rank in ranks] == expected


def undated(line: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "", line)


def test_what_only_warns_takes_no_entries() -> None:
    assert not isinstance(logger_of(LogConfig(level="warning")), Entries)


def test_standard_output_stays_clean(capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(LogConfig()).info("request")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_and_what_is_above_it_are_written(level: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(LogConfig(level=level))
    for name in LEVELS:
        getattr(logger, name)("an event")
    assert [line["level"] for line in logged(capsys)] == list(LEVELS[LEVELS.index(level) :])


def test_an_exception_is_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logger_of(LogConfig())
    try:
        raise ValueError("what was wrong")
    except ValueError:
        logger.exception("defect", request_id="req_1")
    (line,) = logged(capsys)
    assert (line["level"], line["request_id"]) == ("error", "req_1")
    assert line["exception"].endswith("ValueError: what was wrong")


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("field", ["message", "reason"])
def test_what_looks_like_a_secret_is_masked(form: Any, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(LogConfig(format=form)).info("request", **{field: "authorization: Bearer canary-token"})
    written = capsys.readouterr().err
    assert "***" in written
    assert "canary" not in written


def test_a_secret_in_an_exception_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("https://user:canary@example.com and sk-canary-canary")
    except ValueError:
        logger_of(LogConfig()).exception("defect")
    assert "canary" not in logged(capsys)[0]["exception"].splitlines()[-1]


def test_a_line_of_the_console_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    logger_of(LogConfig(format="console")).info("request", path="/a\nfaked \x1b[31mline")
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written


def test_on_a_terminal_it_is_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        logger_of(LogConfig()).info("request", status=200)
        assert not os.read(ours, 4096).startswith(b"{")
    os.close(ours)


def forward(**record: object) -> None:
    """Log what a library would."""
    handler = Forward(logger_of(LogConfig(level="debug")))
    made = logging.makeLogRecord({"name": "uvicorn.error", **record})
    if made.levelno >= handler.level:  # as its logger does
        handler.handle(made)


@pytest.mark.parametrize(
    ("number", "level"), [(30, "warning"), (35, "warning"), (40, "error"), (50, "critical"), (70, "critical")]
)
def test_what_a_library_logs_has_the_same_form(number: int, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    forward(levelno=number, msg="%d requests with Bearer canary-token", args=(3,))
    (line,) = logged(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("library", "uvicorn.error", level)
    assert line["message"] == "3 requests with Bearer ***"


@pytest.mark.parametrize("number", [5, 10, 20])
def test_what_a_library_only_mentions_is_left_out(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    forward(levelno=number, msg="started")
    assert logged(capsys) == []


def test_the_exception_of_a_library_is_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("what was wrong")
    except ValueError:
        forward(levelno=40, msg="a task failed", exc_info=sys.exc_info())
    (line,) = logged(capsys)
    assert line["exception"].endswith("ValueError: what was wrong")


def test_an_answer_that_had_to_be_cut_off_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise StreamBroken("the upstream's response broke off at Bearer canary-token")
    except StreamBroken:
        forward(levelno=40, msg="Exception in ASGI application\n", exc_info=sys.exc_info())
    (line,) = logged(capsys)
    assert (line["event"], line["level"], "exception" in line) == ("a response was cut off", "warning", False)
    assert line["reason"].startswith("the upstream's response broke off")
    assert "canary" not in line["reason"]


SECRETS = {
    "auth": {"keys": ["canary-key"]},
    "admin": {"password": "canary-password"},
    "store": {"redis": "redis://:canary%2Fredis@127.0.0.1:9/0"},
    "upstream": {
        "google": {"type": "v1internal", "headers": {"x-own": "canary-header"}, "oauth": {"client_secret": "canary-c"}},
        "mine": {"type": "gemini", "api_key": ["canary-api"], "base_url": "https://me:canary-base@127.0.0.1"},
    },
}


def test_what_a_middleware_is_given_from_elsewhere_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    options = {
        "words": ["in clear", "env:WORD"],
        "at": {"dsn": "pg://me:canary-dsn@db"},
        "token": "env:TOKEN",
        "on": "env:ON",
    }
    given = {"WORD": "canary-word", "TOKEN": "canary-token", "ON": "true"}
    loaded = load({"middleware": {"own": {"use": "own:Own", "options": options}}}, environ=given, dotenv=False)
    logger_for(loaded).warning("an event", reason="canary-word canary-token canary-dsn in clear true")
    (line,) = logged(capsys)
    assert line["reason"] == "*** *** *** in clear true"


@pytest.mark.parametrize("field", ["message", "reason", "exception"])
def test_a_secret_of_the_configuration_is_masked(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = "canary-key canary-password canary/redis canary%2Fredis canary-header canary-c canary-api canary-base"
    logger_for(load(SECRETS)).warning("an event", **{field: said})
    (line,) = logged(capsys)
    assert line[field] == "*** *** *** *** *** *** *** ***"
