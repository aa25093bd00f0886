"""A log that is read from a pipe: whoever stops reading loses lines, and holds nobody up for long."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import pytest

from gateway.config import LogConfig
from gateway.logpipe import LogPipe
from gateway.logs import logger_of
from tests.clocks import FakeClock
from tests.patience import patient

pytestmark = pytest.mark.skipif(not hasattr(select, "poll"), reason="nothing tells whether a pipe is full")

LINE = b'{"event":"request"}\n'


class Pipe:
    """Both ends of one."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.file: IO[bytes] = os.fdopen(writer, "wb")

    def read(self) -> bytes:
        """Take all that is there."""
        found = b""
        while select.select([self.reader], [], [], 0)[0]:
            found += os.read(self.reader, 1 << 20)
        return found

    def fill(self) -> None:
        """Write until nothing more goes in, as long as nobody reads."""
        writer = self.file.fileno()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"\n" * select.PIPE_BUF)
        except BlockingIOError:
            os.set_blocking(writer, True)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.file.close()
    os.close(made.reader)


def test_lines_arrive_as_they_are(pipe: Pipe) -> None:
    log = LogPipe(pipe.file, wait_ms=1000)
    long = b"x" * 20_000 + b"\n"
    for line in (LINE, long, LINE):
        log.write(line)
    assert pipe.read() == LINE + long + LINE


def test_who_stops_reading_is_waited_for_once_in_a_while_and_loses_lines(pipe: Pipe) -> None:
    clock = FakeClock()
    log = LogPipe(pipe.file, clock.monotonic, wait_ms=50)
    pipe.fill()
    took_s = []
    for _ in range(3):
        began = time.monotonic()
        log.write(LINE)
        took_s.append(time.monotonic() - began)
    assert took_s[0] >= 0.05
    assert max(took_s[1:]) < patient(0.04)
    assert pipe.read().strip() == b""
    log.write(LINE)
    assert pipe.read() == LINE


def test_a_line_that_was_cut_ends_before_the_next_one(pipe: Pipe) -> None:
    log = LogPipe(pipe.file, wait_ms=1)
    long = b"x" * (1 << 20) + b"\n"
    log.write(long)
    cut = pipe.read()
    log.write(LINE)
    log.write(LINE)
    assert long.startswith(cut)
    assert 0 < len(cut) < len(long)
    assert pipe.read() == b"\n" + LINE + LINE


@pytest.mark.parametrize("format_", ["json", "console"])
def test_standard_error_may_be_one(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, format_: Literal["json", "console"]
) -> None:
    monkeypatch.setattr("gateway.logpipe._WAIT_MS", 1)
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(pipe.file.fileno()), "w"))
    logger = logger_of(LogConfig(format=format_))
    logger.info("begun", name="Zoë")
    said = pipe.read().decode()
    assert "begun" in said
    assert said.endswith("\n")
    pipe.fill()
    logger.info("held up")
    assert "held up" not in pipe.read().decode()
    logger.info("goes on")
    assert "goes on" in pipe.read().decode()
    sys.stderr.close()


def test_a_file_is_none(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        assert LogPipe.of(file) is None
