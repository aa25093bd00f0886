"""The other processes of this host that serve from the same data_dir: each answers behind a socket in a folder there.

    FOLDER/HOST-PID-RANDOM.sock    a line in, the answer out, the end

Who may enter the folder may ask; it is made 0700. A process that was killed leaves its socket, and the next one that
asks takes it away. Where there are no such sockets, on Windows, each process stands alone.
"""

import asyncio
import os
import platform
import secrets
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from gateway.store.folder import made

__all__ = ["Siblings"]

_PATIENCE_S: Final = 2.0  # with one that hangs
_LONGEST: Final = 100  # bytes that every system takes as the address of a socket
_BACKLOG: Final = 64
# from Python 3.13 on a loop would look for the socket, to take it away: by an address that has lost its meaning then
_OURS: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class Siblings:
    """Answers them, and asks them. `answer`: gives what is said to a line."""

    def __init__(self, folder: Path, answer: Callable[[bytes], bytes]) -> None:
        host = sha256(platform.node().encode()).hexdigest()[:8]  # a folder on the network is not ours alone
        self._folder = folder
        self._mark = f"{host}-"
        self._file = folder / f"{self._mark}{os.getpid()}-{secrets.token_hex(4)}.sock"
        self._answer = answer
        self._server: asyncio.Server | None = None

    @property
    def name(self) -> str:
        """What the others know this one by."""
        return self._file.name

    async def others(self) -> list[str]:
        """Name those that can be asked."""
        return [file.name for file in await asyncio.to_thread(self._others)] if self._server is not None else []

    async def start(self) -> str:
        """Listen; say why the others cannot ask, "" when they can."""
        if not hasattr(socket, "AF_UNIX"):
            return "this system has no local sockets"
        try:
            listener = await asyncio.to_thread(self._listen)
        except OSError as error:
            return f"{self._folder}: {error.strerror or error}"
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, **_OURS)
        return ""

    async def stop(self) -> None:
        """Listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await asyncio.to_thread(self._forget)

    async def ask(self, words: bytes) -> list[bytes]:
        """Give what each of the others says, as far as it does."""
        if self._server is None:
            return []
        others = await asyncio.to_thread(self._others)
        said = await asyncio.gather(*(_ask(file, words) for file in others))
        return [answer for answer in said if answer]

    def _listen(self) -> socket.socket:
        try:
            return self._bound()
        except FileNotFoundError:
            return self._bound()  # one that ended just now took the folder away

    def _bound(self) -> socket.socket:
        for folder in (self._folder.parent, self._folder):  # the mode holds for the last one only
            made(folder)
        listener = socket.socket(socket.AF_UNIX)
        try:
            with _address(self._file) as address:
                listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        return listener

    def _others(self) -> list[Path]:
        return sorted(file for file in self._folder.glob(f"{self._mark}*.sock") if file != self._file)

    def _forget(self) -> None:
        with suppress(OSError):
            self._file.unlink()
            self._folder.rmdir()  # the last one takes it away

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TimeoutError):  # ValueError: a line without end
            async with asyncio.timeout(_PATIENCE_S):
                writer.write(self._answer(await reader.readline()))
                await writer.drain()
        writer.close()


async def _ask(file: Path, words: bytes) -> bytes:
    """Ask one; b"" where nobody answers."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(sock=_connected(file))
            try:
                writer.write(words + b"\n")
                return await reader.read()
            finally:
                writer.close()
    except ConnectionRefusedError:
        await asyncio.to_thread(file.unlink, missing_ok=True)  # it was killed
    except (OSError, TimeoutError):
        pass
    return b""


def _connected(file: Path) -> socket.socket:
    asker = socket.socket(socket.AF_UNIX)
    asker.setblocking(False)
    try:
        with _address(file) as address:
            asker.connect(address)  # at once; BlockingIOError where too many wait
    except OSError:
        asker.close()
        raise
    return asker


@contextmanager
def _address(file: Path) -> Generator[str]:
    """Name a socket as shortly as it must be."""
    if len(os.fsencode(file)) <= _LONGEST:
        yield str(file)
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}"
    finally:
        os.close(folder)
