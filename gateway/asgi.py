"""`uvicorn gateway.asgi:app`, `gunicorn -k asgi gateway.asgi:app`: the app of the configuration found at import."""

import sys

from starlette.applications import Starlette

import gateway
from gateway.config import ConfigError
from gateway.memory import begin, settle, tidy

__all__ = ["app"]

_FAILED_START = 3  # uvicorn ends with it too; gunicorn starts a worker that ends with any other code again and again


def _made() -> Starlette:
    begin()
    try:
        made = gateway.create_app()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_FAILED_START) from None
    made.state.generations.settle, made.state.generations.tidy = settle, tidy
    return made


app = _made()
