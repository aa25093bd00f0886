"""Fetch the files that callers only give the address of, for upstreams that take bytes (translate.fetch_urls).

A caller writes the address, so it may lead anywhere: https only, no user or password in it, public addresses only after
the name is resolved, the connection to the very address that was looked at, every redirect judged anew, and bounds for
time, size and number.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urljoin, urlsplit

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway import __version__, ir
from gateway.dialects.content import media as media_of
from gateway.errors import InvalidRequest
from gateway.transport import FirstByteTimeout, Forbidden, TooLarge, Transport, TransportError, Whole

__all__ = ["Fetched", "Fetcher", "addresses", "placed", "stand_ins"]

_MAX_FILES: Final = 20
_MAX_BYTES: Final = 10 * 1024 * 1024
_TIMEOUT_S: Final = 10.0
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {
    "user-agent": f"asgi-llm-gateway/{__version__}",
    "accept": "image/*, application/pdf, audio/*",
}

Fetched = Mapping[str, ir.Media]


def addresses(request: ir.Request) -> list[ir.Media]:
    """List what a request gives the address of only."""
    found = [media for media in _media(request) if media.data is None and media.url is not None]
    return list({media.url or "": media for media in found}.values())


def placed(request: ir.Request, fetched: Fetched, needed: Callable[[ir.Media], bool]) -> ir.Request:
    """Put what was fetched and is needed into the places of the addresses."""

    def part_of(part: ir.Part) -> ir.Part:
        if isinstance(part, ir.ToolResult):
            inner = (filled(one) if isinstance(one, ir.Media) else one for one in part.parts)
            return replace(part, parts=tuple(inner))
        return filled(part) if isinstance(part, ir.Media) else part

    def filled(media: ir.Media) -> ir.Media:
        found = fetched.get(media.url or "") if media.data is None and needed(media) else None
        return media if found is None else replace(media, data=found.data, media_type=found.media_type, url=None)

    turns = tuple(replace(turn, parts=tuple(map(part_of, turn.parts))) for turn in request.turns)
    return replace(request, turns=turns)


def stand_ins(wanted: Iterable[ir.Media]) -> Fetched:
    """Give something to put into the places of files that are not fetched now, only talked about."""
    return {media.url or "": _stand_in(media) for media in wanted}


def _stand_in(media: ir.Media) -> ir.Media:
    kind = "image/png" if media.media_type.endswith("/*") else media.media_type
    words = f"the bytes of {media.url}"
    return replace(media, data=b64encode(words.encode()).decode(), media_type=kind, url=None)


def _media(request: ir.Request) -> Iterable[ir.Media]:
    for turn in request.turns:
        for part in turn.parts:
            inner = part.parts if isinstance(part, ir.ToolResult) else (part,)
            yield from (one for one in inner if isinstance(one, ir.Media))


class Fetcher:
    """Fetches by one transport, which allows public addresses only; the log says why a server cannot be reached."""

    def __init__(self, transport: Transport, logger: FilteringBoundLogger) -> None:
        self._transport = transport
        self._logger = logger

    async def fetch(self, wanted: Iterable[ir.Media]) -> Fetched:
        """Fetch files, all at once and within 10 s; raise InvalidRequest naming the place of the first that fails."""
        files = list(wanted)
        if len(files) > _MAX_FILES:
            path = files[_MAX_FILES].path
            raise InvalidRequest(f"{path}: more than {_MAX_FILES} files to fetch; send the data as base64", param=path)
        found: list[ir.Media | InvalidRequest] = await asyncio.gather(*map(self._one, files))
        for one in found:
            if isinstance(one, InvalidRequest):
                raise one
        return {file.url: one for file, one in zip(files, found, strict=True) if file.url and isinstance(one, ir.Media)}

    async def _one(self, file: ir.Media) -> ir.Media | InvalidRequest:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await self._follow(file.url or "")
            return _read(file, answer)
        except InvalidRequest as error:
            return error
        except (TransportError, TimeoutError, ValueError) as error:
            if isinstance(error, TransportError):
                self._logger.info("a file cannot be fetched", host=urlsplit(file.url or "").hostname, reason=str(error))
            message = f"{file.path}: cannot be fetched: {_words(error)}; send the data as base64"
            return InvalidRequest(message, param=file.path)

    async def _follow(self, url: str) -> Whole:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._transport.fetch(
                "GET", _checked(url), headers=_HEADERS, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES
            )
            if answer.status not in _REDIRECTS:
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
        raise ValueError(f"it redirects more than {_MAX_REDIRECTS} times")


def _checked(url: str) -> str:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("the URL has characters that must be quoted")
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise ValueError("only https URLs are fetched")
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError("the URL must have a host, and neither user nor password")
    return url.partition("#")[0]


def _read(file: ir.Media, answer: Whole) -> ir.Media:
    if answer.status != 200:
        raise ValueError(f"its server responds with status {answer.status}")
    if not answer.body:
        raise ValueError("its server sends nothing")
    said = answer.headers.get("content-type")
    data, video = b64encode(answer.body).decode(), file.media_type.startswith("video/")
    return media_of(said, data=data, filename=file.filename, path=file.path, any_type=video)


def _words(error: Exception) -> str:
    """Say what is wrong without what a stranger's name resolves to."""
    if isinstance(error, Forbidden):
        return "its address is not public"
    if isinstance(error, TooLarge):
        return f"it is larger than {_MAX_BYTES // 2**20} MB"
    if isinstance(error, TimeoutError | FirstByteTimeout):
        return f"it takes longer than {_TIMEOUT_S:g} s"
    return "its server cannot be reached" if isinstance(error, TransportError) else str(error)
