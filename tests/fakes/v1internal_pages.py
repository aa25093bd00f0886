"""The pages beside `/v1internal`: OAuth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from tests.fakes.server import Page
from tests.fakes.v1internal_errors import Refusal

if TYPE_CHECKING:
    from tests.fakes.v1internal import FakeV1Internal


def pages(fake: FakeV1Internal) -> dict[str, Page]:
    """Give the pages by their paths."""

    async def token(request: web.Request) -> web.StreamResponse:
        record = await fake.record(request, "token")
        form = await request.post()
        record.body = {name: str(value) for name, value in form.items()}
        record.credential = record.body.get("refresh_token", "")
        fake.log.add(record)
        try:
            answer, record.status = await fake.oauth.token(record.body), 200
        except Refusal as refusal:
            answer, record.status = refusal.body, refusal.status
        record.ended = True
        return web.json_response(answer, status=record.status)

    async def consent(request: web.Request) -> web.StreamResponse:
        fake.log.add(await fake.record(request, "auth"))
        try:
            raise web.HTTPFound(fake.oauth.consent(request.query))
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    async def userinfo(request: web.Request) -> web.StreamResponse:
        record = await fake.record(request, "userinfo")
        fake.log.add(record)
        return await fake.answered(request, record, fake.userinfo)

    return {
        "/token": token,
        "/o/oauth2/v2/auth": consent,
        "/oauth2/v1/userinfo": userinfo,
        "/oauth2/v2/userinfo": userinfo,
    }
