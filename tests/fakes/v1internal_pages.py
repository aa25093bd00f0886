"""The pages beside `/v1internal`: OAuth with its consent, and what sets and reads the fake from other processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.server import Page, act
from tests.fakes.v1internal_consent import Location, PageError
from tests.fakes.v1internal_errors import Refusal

if TYPE_CHECKING:
    from tests.fakes.v1internal import FakeV1Internal

# as the real page: no other site may frame it, and nobody learns its address
GUARDED = {"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
# what `/_oauth` may set
SETTABLE = frozenset({"expires_in", "lifetime_s", "code_lifetime_s", "rotate", "delay_s"})


def pages(fake: FakeV1Internal) -> dict[str, Page]:
    """Give the pages by their paths."""
    return _oauth(fake) | _administration(fake)


def _oauth(fake: FakeV1Internal) -> dict[str, Page]:
    async def token(request: web.Request) -> web.StreamResponse:
        record = await fake.record(request, "token")
        form = await request.post()
        record.body = {name: str(value) for name, value in form.items()}
        record.credential = record.body.get("refresh_token", "")
        fake.log.add(record)
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        try:
            answer, record.status = await fake.oauth.token(record.body), 200
        except Refusal as refusal:
            answer, record.status = refusal.body, refusal.status
        record.ended = True
        return web.json_response(answer, status=record.status)

    async def begin(request: web.Request) -> web.StreamResponse:
        fake.log.add(await fake.record(request, "auth"))
        return _shown(lambda: fake.consent.begin(request.query.items()))

    async def choose(request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        return _shown(lambda: fake.consent.choose(form))

    async def decide(request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        return _shown(lambda: fake.consent.decide(form))

    async def userinfo(request: web.Request) -> web.StreamResponse:
        record = await fake.record(request, "userinfo")
        fake.log.add(record)
        return await fake.answered(request, record, fake.userinfo)

    return {
        "/token": token,
        "/o/oauth2/v2/auth": begin,
        "/signin/oauth/chooser": choose,
        "/signin/oauth/consent": decide,
        "/oauth2/v1/userinfo": userinfo,
        "/oauth2/v2/userinfo": userinfo,
    }


def _administration(fake: FakeV1Internal) -> dict[str, Page]:
    oauth = fake.oauth

    async def ledger(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            fake.ledger.grace_s = (await request.json())["grace_s"]
        return web.json_response(fake.ledger.shown())

    async def token_calls(_: web.Request) -> web.StreamResponse:
        return web.json_response(oauth.calls.shown())

    def set_account(body: dict[str, Any]) -> None:
        account = oauth.find(body.pop("account"))
        for name, value in body.items():
            setattr(account, name, value)

    def set_oauth(body: dict[str, Any]) -> None:
        for name in SETTABLE.intersection(body):
            setattr(oauth, name, body[name])

    def register(body: dict[str, Any]) -> None:
        oauth.register(body["name"], body["secret"], *body.get("redirects", ()), desktop=body.get("desktop", False))

    return {
        "/_ledger": ledger,
        "/_token_calls": token_calls,
        "/_limit": act(lambda body: fake.limit(**body)),
        "/_account": act(set_account),
        "/_add": act(lambda body: oauth.add(**body)),
        "/_add_person": act(lambda body: oauth.add_person(**body)),
        "/_register": act(register),
        "/_oauth": act(set_oauth),
        "/_oauth_fail": act(lambda body: oauth.fail(**body)),
        "/_hold": act(lambda _: oauth.hold()),
        "/_release": act(lambda _: oauth.release()),
        "/_expire": act(lambda body: oauth.expire(body.get("credential"))),
        "/_revoke": act(lambda body: oauth.revoke(body["account"])),
    }


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.post()).items()}


def _shown(give: Callable[[], str | Location]) -> web.Response:
    try:
        answer = give()
    except PageError as error:
        return web.Response(status=error.status, text=error.page, content_type="text/html", headers=GUARDED)
    if isinstance(answer, Location):
        return web.Response(status=302, headers={"Location": answer.url, **GUARDED})
    return web.Response(text=answer, content_type="text/html", headers=GUARDED)
