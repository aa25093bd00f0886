"""Wait for what comes of the consent: the browser brings it to the listener, or a person pastes it.

browser ──► listener, for 5 minutes ──────────┐
standard input, for 10 minutes ───────────────┴─► the code
"""

import asyncio
import os
import re
import subprocess
import sys
import threading
from asyncio import Future
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from socket import socket
from typing import Final
from urllib.parse import parse_qsl, unquote

import click

from gateway.cli.login_listener import listening
from gateway.redirect import WrongState, code_of
from gateway.upstream import Consent, LoginFailed

__all__ = ["LISTEN_S", "PASTE_S", "code_in", "open_browser", "shows", "wait"]

LISTEN_S: Final = 300.0
PASTE_S: Final = 600.0  # for who carries the link to another machine
_PIECE_BYTES: Final = 64 * 1024
_CODE: Final = re.compile(r"[\x21-\x7e]{8,}")


async def wait(consent: Consent, listener: socket, listen_s: float = LISTEN_S, paste_s: float = PASTE_S) -> str:
    """Give the code; raise LoginFailed for a refusal, and when nothing came in time."""
    loop = asyncio.get_running_loop()
    answer: Future[str] = loop.create_future()
    ended: Future[str] = loop.create_future()
    _read_lines(lambda line: _take(line, consent, answer), ended)
    async with listening(listener, consent, answer):
        await asyncio.wait([answer], timeout=listen_s)
    if not (answer.done() or ended.done()):
        click.echo("the browser can no longer come back here; its address can still be pasted", err=True)
        await asyncio.wait([answer, ended], timeout=paste_s - listen_s, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        raise LoginFailed("no response came in time: start the login again")
    return answer.result()


def code_in(consent: Consent, pasted: str) -> str:
    """Read the address of the last page, or only the code of it; raise ValueError for another text, or LoginFailed."""
    query = (pasted.partition("?")[2] or pasted).partition("#")[0]
    if {"code", "error"} & dict(parse_qsl(query)).keys():
        return code_of(consent, query)
    if "=" in query or "://" in pasted or not _CODE.fullmatch(pasted):
        raise ValueError("that has no response in it: paste the whole address of the browser's last page")
    return unquote(pasted)


def open_browser(url: str) -> None:
    """Open the link, where a browser can be seen; it may live longer than this command, and has no part of it."""
    if shows(sys.platform, os.environ):
        # isolated: a folder's own webbrowser.py is not run
        command, none = [sys.executable, "-I", "-m", "webbrowser", url], subprocess.DEVNULL
        given = {"stdin": none, "stdout": none, "stderr": none, "start_new_session": True}
        threading.Thread(target=subprocess.run, args=(command,), kwargs=given, daemon=True).start()


def shows(platform: str, variables: Mapping[str, str]) -> bool:
    """Tell whether there is a screen, or a browser was named; one of those for terminals would take this one over."""
    named = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return platform in ("win32", "darwin") or any(variables.get(name) for name in named)


def _take(line: str, consent: Consent, answer: Future[str]) -> None:
    pasted = line.strip()
    if answer.done() or not pasted:
        return
    try:
        answer.set_result(code_in(consent, pasted))
    except (WrongState, ValueError) as error:
        click.echo(str(error), err=True)
    except LoginFailed as error:
        answer.set_exception(error)


def _read_lines(take: Callable[[str], None], ended: Future[str]) -> None:
    """Hand over the lines of standard input; a thread waits for them, which ends with the process."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed
            for line in _lines():
                loop.call_soon_threadsafe(take, line)
            loop.call_soon_threadsafe(ended.set_result, "")

    threading.Thread(target=read, daemon=True).start()


def _lines() -> Iterator[str]:
    rest = b""
    with suppress(OSError, ValueError, AttributeError):  # there is no standard input
        number = sys.stdin.fileno()
        while piece := os.read(number, _PIECE_BYTES):  # sys.stdin itself would be locked at the end of the process
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
    yield rest.decode("utf-8", "replace")
