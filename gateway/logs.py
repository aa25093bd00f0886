"""Make the app's logger: one line an event, JSON or console. Nothing is configured globally, nothing at import."""

import logging
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from gateway.config import ConfigError, Loaded, LogConfig, secrets_of
from gateway.errors import GatewayError
from gateway.legible import legible
from gateway.logfile import LogFile
from gateway.logpipe import LogPipe
from gateway.redact import Hider, redact

__all__ = ["Entries", "Forward", "Newest", "logger_for", "logger_of"]

_encode = msgspec.json.Encoder(enc_hook=repr).encode
_FOREIGN = frozenset({"message", "exception", "reason", "base"})
_MASKED = _FOREIGN | {"path", "model"}  # a caller's words: those that led somewhere, and have no message, are no secret
_LINES = frozenset({"exception"})  # which has several
_DELETE = b"\x7f"
# C1 controls, of which a terminal takes some for the beginning of an order; ends of lines; what turns the reading about
_STEERING = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_RANKS = {"debug": "<7>", "warning": "<4>", "error": "<3>", "critical": "<2>"}  # of a line without one: info
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class Entries(structlog.BoundLoggerBase):
    """What a logger of the app can besides: take an event as it stands, where there is one for each request."""

    def enter(self, event: EventDict) -> None:
        """Log an event of level info and use it up; on the usual way each layer copies it."""
        logged: Any = {**self._context, **event} if self._context else event
        for process in self._processors:
            logged = process(self._logger, "info", logged)
        self._logger.info(logged)


def logger_for(loaded: Loaded) -> FilteringBoundLogger:
    """Make the logger of an app; raise ConfigError for a log file that cannot be opened."""
    config, folder, hide = loaded.config.log, loaded.folder, Hider(secrets_of(loaded.config))
    if not config.file or loaded.read_only:
        return logger_of(config, hide=hide)
    try:
        file = LogFile(config.file, config.rotated, config.keep, folder)
    except (OSError, ValueError) as error:
        raise ConfigError([loaded.problem(("log", "file"), f"cannot be opened: {error}")]) from None
    return logger_of(config, file, hide)


def logger_of(
    config: LogConfig, file: LogFile | None = None, hide: Callable[[str], str] = redact
) -> FilteringBoundLogger:
    """Make a logger that writes to standard error by [log] level and format, and to a file.

    `hide`: masks secrets in what is not the gateway's own words.
    """
    colors = sys.stderr is not None and sys.stderr.isatty()
    console = config.format == "console" or (config.format == "auto" and colors)
    processors: list[Processor] = [_completing(hide)]
    if file is not None:
        processors.append(
            _to(file, structlog.dev.ConsoleRenderer(colors=False) if config.format == "console" else None)
        )
    if console:
        stamp = structlog.processors.TimeStamper("iso", utc=True)
        processors += [stamp, _legible, structlog.dev.ConsoleRenderer(colors=colors)]
    else:
        processors.append(_line)
    if _read_by_journald():
        processors.append(_ranked)
    lazy = structlog.wrap_logger(
        _Lossy(_writer(console=console)),
        processors=processors,
        wrapper_class=_wrapper(_LEVELS[config.level]),
    )
    logger: FilteringBoundLogger = lazy.bind()  # the lazy one looks itself up at each line
    return logger


def _writer(*, console: bool) -> Callable[[Any], None]:
    """Write text or bytes to standard error as it is: it may be closed, and a notebook's takes text alone."""
    if sys.stderr is None:
        return lambda _: None
    raw = getattr(sys.stderr, "buffer", None)
    pipe = LogPipe.of(raw) if raw is not None else None
    if pipe is not None:
        write, encoding = pipe.write, sys.stderr.encoding
        if console:
            return lambda line: write(f"{line}\n".encode(encoding, "backslashreplace"))
        return lambda line: write(line + b"\n")
    text = structlog.PrintLogger(sys.stderr).msg
    if console:
        return text
    return structlog.BytesLogger(raw).msg if raw is not None else lambda line: text(line.decode())


def _wrapper(level: int) -> type[FilteringBoundLogger]:
    filtering = structlog.make_filtering_bound_logger(level)
    return type("Logger", (filtering, Entries), {}) if level <= _LEVELS["info"] else filtering


class _Lossy:
    """A sink of which nobody hears when its reader has gone or stands still, or its disk is full: what logs goes on."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        self._msg = write

    def msg(self, message: str | bytes) -> None:
        """Write a line, or lose it."""
        try:
            self._msg(message)
        except (OSError, ValueError):  # the latter of a file that is closed
            return

    debug = info = warning = error = critical = msg


def _read_by_journald() -> bool:
    """Tell whether standard error is the stream that systemd has made for its journal (systemd.exec(5))."""
    try:
        about = os.fstat(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # there is none, or it has no descriptor
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


class Newest:
    """A logger for what outlives its configuration: it writes as the newest one, `logger`, does."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self.logger = logger

    @property
    def bound(self) -> FilteringBoundLogger:
        """Give it under the type that it has to its users."""
        return cast(FilteringBoundLogger, self)  # each of its methods is the logger's

    def __getattr__(self, name: str) -> Any:
        """Give the newest logger's own."""
        return getattr(self.logger, name)


class Forward(logging.Handler):
    """Gives what the libraries log (uvicorn, asyncio) the form of the gateway's own lines."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an answer that could only be cut off is no defect of the server's."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, GatewayError):
            self._logger.warning("a response was cut off", reason=error.message)
            return
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        self._logger.log(
            level, "library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info or None
        )


def _to(file: LogFile, renderer: structlog.dev.ConsoleRenderer | None) -> Processor:
    """Write each event to the file, too."""

    def write(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if renderer is None:
            file.write(_line(logger, method, {**event}))
        else:
            stamped = _legible(logger, method, {"timestamp": datetime.now(UTC).isoformat(), **event})
            file.write(str(renderer(logger, method, stamped)).encode())
        return event

    return write


def _line(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    """Write JSON that a terminal shows and does not obey; the encoder itself escapes only what is below a space."""
    event["timestamp"] = datetime.now(UTC)  # the encoder writes it as isoformat() does, in less time
    line = _encode(event)
    if line.isascii() and _DELETE not in line:
        return line
    return _STEERING.sub(_escaped, line.decode()).encode()


def _ranked(_: WrappedLogger, method: str, line: Any) -> str | bytes:
    """Put the priority before a line, where journald takes it from."""
    rank = _RANKS.get(method, "")
    return rank + line if isinstance(line, str) else rank.encode() + line


def _legible(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = legible(value, "\n" if name in _LINES else "")
    return event


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _completing(hide: Callable[[str], str]) -> Processor:
    """Add the level and the exception, and mask secrets in the fields that carry foreign text."""

    def complete(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["level"] = method
        if "exc_info" in event:
            event = _add_exception(logger, method, event)
        if event.keys().isdisjoint(_FOREIGN):
            return event
        for name in _MASKED:
            text: Any = event.get(name)
            if isinstance(text, str):
                event[name] = hide(text)
        return event

    return complete


_add_exception = structlog.processors.ExceptionRenderer()
