"""`uvicorn gateway.asgi:app`, `gunicorn -k asgi gateway.asgi:app`: the app of the configuration found at import."""

import logging
import re
import sys
from typing import Final

from starlette.applications import Starlette

import gateway
from gateway.config import ConfigError
from gateway.memory import begin, settle, tidy

__all__ = ["app"]

_FAILED_START = 3  # uvicorn ends with it too; gunicorn starts a worker that ends with any other code again and again
_KEY: Final = re.compile(r"(?:(?<=[?&])|^)(?:k|%6[Bb])(?:e|%65)(?:y|%79)=[^&\s]*&?")
_ADDRESSES: Final = ("r", "q", "f")  # gunicorn's names of the request line, the query and the referer


class _Keyless(logging.Filter):
    """Takes keys from the lines of gunicorn's access log, which it makes of the request as it was sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take them from this one."""
        atoms = record.args
        if isinstance(atoms, dict):
            for name in _ADDRESSES:
                said = atoms.get(name)
                if isinstance(said, str):
                    atoms[name] = _KEY.sub("", said)
        return True


def _made() -> Starlette:
    begin()
    logging.getLogger("gunicorn.access").addFilter(_Keyless())
    try:
        made = gateway.create_app()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_FAILED_START) from None
    made.state.generations.settle, made.state.generations.tidy = settle, tidy
    return made


app = _made()
