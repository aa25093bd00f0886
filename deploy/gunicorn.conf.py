"""gunicorn before the app: `gunicorn -c deploy/gunicorn.conf.py gateway.asgi:app`.

Four workers with gunicorn's own ASGI worker. Limits of keys over several workers need store.redis.
"""

import signal
from typing import Any

bind = "127.0.0.1:8045"
worker_class = "asgi"
workers = 4
graceful_timeout = 30  # seconds that open streams get at SIGTERM; server.drain counts under `gateway run` only
keepalive = 75
backlog = 4096

_ENDING_S = 2  # for the errors of streams that are cut off to go out before gunicorn kills the worker


def post_worker_init(worker: Any) -> None:
    """Let SIGTERM drain: new work gets 503, and what is left near the end ends with its dialect's error."""
    generations = worker.asgi.state.generations

    def drain() -> None:
        generations.drain()
        worker.handle_exit_signal()
        worker.loop.call_later(max(0, worker.cfg.graceful_timeout - _ENDING_S), generations.abort)

    worker.loop.add_signal_handler(signal.SIGTERM, drain)
