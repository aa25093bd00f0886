"""Make the app's logger: one line an event, JSON or console. Nothing is configured globally, nothing at import."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from gateway.config import LogConfig
from gateway.redact import redact

__all__ = ["Forward", "logger_of"]

_encode = msgspec.json.Encoder(enc_hook=repr).encode
_FOREIGN = frozenset({"message", "exception", "reason"})
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


def logger_of(config: LogConfig) -> FilteringBoundLogger:
    """Make a logger that writes to standard error by [log] level and format."""
    console = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    processors: list[Processor] = [_complete]
    if console:
        stamp = structlog.processors.TimeStamper("iso", utc=True)
        processors += [stamp, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    else:
        processors.append(_line)
    lazy = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr) if console else structlog.BytesLogger(sys.stderr.buffer),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[config.level]),
    )
    logger: FilteringBoundLogger = lazy.bind()  # the lazy one looks itself up at each line
    return logger


class Forward(logging.Handler):
    """Gives what the libraries log (uvicorn, asyncio) the form of the gateway's own lines."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        self._logger.log(
            level, "library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info or None
        )


def _line(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    event["timestamp"] = datetime.now(UTC)  # the encoder writes it as isoformat() does, in less time
    return _encode(event)


def _complete(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add the level and the exception, and mask what looks like a secret in the fields that carry foreign text."""
    event["level"] = method
    if "exc_info" in event:
        event = _add_exception(logger, method, event)
    for name in _FOREIGN.intersection(event):
        text: Any = event[name]
        if isinstance(text, str):
            event[name] = redact(text)
    return event


_add_exception = structlog.processors.ExceptionRenderer()
