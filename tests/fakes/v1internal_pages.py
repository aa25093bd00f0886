"""The pages beside `/v1internal`: OAuth, and the administration of a fake that runs as a program."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.v1internal_errors import Refusal

if TYPE_CHECKING:
    from tests.fakes.v1internal import FakeV1Internal

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """Serves a fake's other pages."""

    def __init__(self, fake: FakeV1Internal) -> None:
        self.fake = fake

    def routes(self) -> dict[str, Page]:
        """Give the paths."""
        fake = self.fake
        return {
            "/token": self._token,
            "/o/oauth2/v2/auth": self._consent,
            "/oauth2/v1/userinfo": self._userinfo,
            "/oauth2/v2/userinfo": self._userinfo,
            "/_requests": self._requests,
            "/_reset": _act(lambda _: fake.reset()),
            "/_ack": _act(lambda body: fake.ack(body.get("count", 1))),
            "/_push": _act(lambda body: fake.script.push(*body["texts"])),
            "/_fail": _act(lambda body: fake.fail(**body)),
        }

    async def _token(self, request: web.Request) -> web.StreamResponse:
        record = await self.fake.record(request, "token")
        form = await request.post()
        record.body = {name: str(value) for name, value in form.items()}
        record.credential = record.body.get("refresh_token", "")
        self.fake.log.add(record)
        try:
            answer, record.status = await self.fake.oauth.token(record.body), 200
        except Refusal as refusal:
            answer, record.status = refusal.body, refusal.status
        record.ended = True
        return web.json_response(answer, status=record.status)

    async def _consent(self, request: web.Request) -> web.StreamResponse:
        self.fake.log.add(await self.fake.record(request, "auth"))
        try:
            raise web.HTTPFound(self.fake.oauth.consent(request.query))
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    async def _userinfo(self, request: web.Request) -> web.StreamResponse:
        record = await self.fake.record(request, "userinfo")
        self.fake.log.add(record)
        return await self.fake.answered(request, record, self.fake.userinfo)

    async def _requests(self, _: web.Request) -> web.StreamResponse:
        log = self.fake.log
        return web.json_response(
            {
                "requests": [record.shown() for record in log.requests],
                "counts": dict(log.counts),
                "open_connections": self.fake.open_connections,
                "open_streams": log.open_streams,
                "disconnects": log.disconnects,
            }
        )


def _act(act: Callable[[dict[str, Any]], None]) -> Page:
    async def handle(request: web.Request) -> web.StreamResponse:
        act(json.loads(await request.read() or b"{}"))
        return web.Response(status=204)

    return handle
