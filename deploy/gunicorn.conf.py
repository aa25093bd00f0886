"""gunicorn before the app: `gunicorn -c deploy/gunicorn.conf.py gateway.asgi:app`.

Four workers with gunicorn's own ASGI worker. Limits of keys over several workers need store.redis.
"""

import gc
import signal
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

bind = "127.0.0.1:8045"
worker_class = "asgi"
workers = 4
graceful_timeout = 30  # seconds that open streams get at SIGTERM; server.drain counts under `gateway run` only
keepalive = 620  # longer than any proxy keeps idle connections, of which Google's balancers have theirs for 600
backlog = 4096

_ENDING_S = 2  # for the errors of streams that are cut off to go out before gunicorn kills the worker
_FAILED_START = 3  # after any other code gunicorn starts the worker again and again
_CLOSES = "_will_close"  # tells whether an answer says so; before gunicorn 27 there is none
_IDLE = ("_awaiting_request", "_keepalive_handle")  # true of a connection that waits; before gunicorn 26 none is there


def post_fork(_: Any, __: Any) -> None:
    """Keep SIGTERM until there is somebody to hear it: one that comes while a worker starts would be lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def post_worker_init(worker: Any) -> None:
    """Let SIGTERM drain: what still comes in is served, and what is left near the end ends with its dialect's error.

    At a reload it would be the new workers' else, so nothing is refused before the listener is closed.
    """
    generations = getattr(getattr(worker.asgi, "state", None), "generations", None)
    if generations is None:
        worker.log.error("%s drains gateways alone; serve an app of your own without it", worker.cfg.config)
        raise SystemExit(_FAILED_START)

    def drain() -> None:
        _announce(worker)
        for server in worker.servers:
            server.close()
        _look_again(worker)
        worker.loop.call_later(max(0, worker.cfg.graceful_timeout - _ENDING_S), generations.abort)

    worker.loop.add_signal_handler(signal.SIGTERM, drain)
    worker.loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, {signal.SIGTERM})


def _announce(worker: Any) -> None:
    """Have each answer from now on say that its connection ends with it.

    Where a worker is no more alive gunicorn also ends, unannounced, those whose answer has begun before: a proxy may
    have sent its next request by then.
    """
    if hasattr(ASGIProtocol, _CLOSES):
        setattr(ASGIProtocol, _CLOSES, lambda *_: True)
    else:
        worker.handle_exit_signal()


def _look_again(worker: Any) -> None:
    if worker.nr_conns:
        worker.loop.call_later(1, _wind_down, worker)
    else:
        worker.handle_exit_signal()


def _wind_down(worker: Any) -> None:
    """Refuse what is new, and close connections that ask for nothing: gunicorn would wait until it kills the worker.

    The listener was closed a second ago, so that what it took last has been asked for.
    """
    worker.handle_exit_signal()
    worker.asgi.state.generations.drain()
    for connection in gc.get_objects():  # among others are some that do more than answer when asked for their class
        if issubclass(type(connection), ASGIProtocol) and any(getattr(connection, name, None) for name in _IDLE):
            connection._keepalive_timeout()  # noqa: SLF001 - gunicorn has nothing else for it
    _look_again(worker)
