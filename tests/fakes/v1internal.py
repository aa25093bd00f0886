"""A strict fake of Google's v1internal backend and of its OAuth token endpoint, over real HTTP on loopback.

    async with FakeV1Internal() as fake:
        ...                                  # fake.url, fake.base("b"), fake.token_url
        assert fake.requests[-1].request["contents"]

The answer to a generating call is directed by its last user text (`v1internal_script`); what the service would refuse
is refused in its words (`v1internal_checks`). One fake listens on several ports, its bases "a", "b" and "c".

It is a service of several accounts: `fake.oauth` has them with their tokens, and the record of all token calls
(`v1internal_oauth`, `v1internal_token_calls`), `fake.consent` their logins (`v1internal_consent`), `fake.limit` and
`fake.ledger` what each of them may call (`v1internal_ledger`).

It listens on real sockets in the loop of the test, so other processes can call it as long as the test awaits. A test
that blocks takes `in_thread`, or the fixture `threaded_v1internal`; load takes a process of its own, the program:
`python -m tests.fakes.v1internal --port N`, with `GET /_requests`, `/_ledger` and `/_token_calls`, and `POST /_reset`,
`/_ack`, `/_push` (`{"texts": [...]}`), `/_fail`, `/_limit`, `/_add`, `/_add_person`, `/_register`, `/_oauth_fail` (the
arguments of what is called so), `/_account` (`{"account": …}` and what to set), `/_oauth` (what to set), `/_ledger`
(`{"grace_s": …}`), `/_expire`, `/_revoke`, `/_hold` and `/_release`.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from tests.fakes import v1internal_control as control
from tests.fakes.gemini_api_wire import repeated
from tests.fakes.server import STREAM, Fake, Page, not_found, serve
from tests.fakes.v1internal_arrivals import Arrivals
from tests.fakes.v1internal_checks import counting, generation
from tests.fakes.v1internal_consent import Consent
from tests.fakes.v1internal_errors import Refusal, named, recorded
from tests.fakes.v1internal_ledger import Ledger, Limit, Reason
from tests.fakes.v1internal_models import ANTIGRAVITY, GEMINI_CLI, RESET_TIME
from tests.fakes.v1internal_oauth import Account, OAuth, Token
from tests.fakes.v1internal_pages import pages
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_reply import Reply, content_tokens, event, merged
from tests.fakes.v1internal_scopes import CLOUD, IDENTITY
from tests.fakes.v1internal_script import Plan, recording
from tests.fakes.v1internal_wire import events, read_event

__all__ = ["STREAM", "FakeV1Internal"]

PATH = re.compile(r"(?P<base>.*)/v1internal(?::(?P<method>\w+)|/(?P<operation>.+))")
TRACE = re.compile(rb'"traceId":"(\w+)"')


class FakeV1Internal(Fake[Token]):
    """The fake; everything a test sets or reads is an attribute."""

    def __init__(
        self,
        *,
        refresh_tokens: Iterable[str] = ("rt-1", "rt-2", "rt-3"),
        access_tokens: Iterable[str] = ("static-1",),
        bases: Iterable[str] = ("a", "b", "c"),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(bases, host, port)
        self.oauth = OAuth()
        self.consent = Consent(self.oauth)
        self.ledger = Ledger()
        self._arrivals = Arrivals()
        for place, token in enumerate(refresh_tokens, 1):
            self.oauth.add(token, email=f"user{place}@example.invalid")
        for token in access_tokens:
            self.oauth.add_static(token)
        # model -> what is left of its quota; None is a quota used up
        self.models: dict[str, float | None] = dict.fromkeys((*ANTIGRAVITY, *GEMINI_CLI), 1.0)
        self.projects: set[str] | None = None
        self.own_projects = False  # an account may name no other project than its own
        self.array_wrapped = False
        self.levels_known = True
        self.penalties_known = True
        self.all_signed = False  # older models of Gemini want signatures too

    async def __aexit__(self, *_: object) -> None:
        self._arrivals.stop()
        await super().__aexit__()

    def pages(self) -> dict[str, Page]:
        """Give the OAuth pages too."""
        return super().pages() | pages(self)

    def reset(self) -> None:
        """Forget calls, faults, limits and pushed directives; accounts, tokens and models stay."""
        super().reset()
        self.oauth.faults.clear()
        self.oauth.calls.all.clear()
        self.ledger.clear()

    def limit(
        self,
        account: str | None = None,
        model: str | None = None,
        *,
        calls: int,
        delay_s: float,
        reason: Reason = "RATE_LIMIT_EXCEEDED",
    ) -> None:
        """Let an account, or each, call a model, or each, this often; then a 429 tells it to wait."""
        owner = None if account is None else self.oauth.find(account)
        self.ledger.limit(Limit(owner, model, calls, delay_s, reason))

    def admit(self, record: Record) -> Token:
        """Say whose bearer this is; a quota project of the caller's is not served."""
        scopes = IDENTITY if record.method == "userinfo" else (CLOUD,)
        token = self.oauth.bearer(record.headers.get("authorization", ""), scopes)
        record.credential, record.email = token.credential, token.account.email
        if "x-goog-user-project" in record.headers:
            raise recorded("403_service_disabled", record.headers["x-goog-user-project"])
        return token

    def named(self, name: str, _: Record) -> Refusal:
        """Take a recorded error."""
        return named(name)

    @property
    def token_url(self) -> str:
        """Give the token endpoint."""
        return f"{self.url}/token"

    @property
    def authorize_url(self) -> str:
        """Give the consent page, at a name of loopback that is another site than 127.0.0.1, as Google is one."""
        return f"{self.url}/o/oauth2/v2/auth".replace("127.0.0.1", "localhost", 1)

    @property
    def userinfo_url(self) -> str:
        """Give the user information endpoint."""
        return f"{self.url}/oauth2/v2/userinfo"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer what is under `/v1internal`."""
        found = PATH.fullmatch(request.path)
        if found is None:
            return not_found()
        if self.ledger.limits:
            self._arrivals.start()
        earliest = self._arrivals.earliest()
        record = await self.record(request, found["method"] or "operation", found["base"].strip("/"))
        record.earliest = min(record.at, earliest)
        operation = partial(self._operation, name=found["operation"])
        return await self.tracked(request, record, operation if found["operation"] else self._method)

    async def _method(self, request: web.Request, record: Record, token: Token) -> web.StreamResponse:
        account = token.account
        if account.state == "disabled":
            raise recorded("403_tos_disabled")
        if record.method in {STREAM, "generateContent"}:
            return await self._generate(request, record, account)
        planes: dict[str, Callable[[], control.Json]] = {
            "countTokens": lambda: self._count(record.body),
            "loadCodeAssist": lambda: control.load_code_assist(account, record.body),
            "onboardUser": lambda: control.onboard_user(account, record.body),
            "fetchAvailableModels": lambda: control.fetch_available_models(self._quotas(account), record.body),
            "retrieveUserQuota": lambda: control.retrieve_user_quota(self._quotas(account), record.body),
            "retrieveUserQuotaSummary": lambda: control.retrieve_user_quota_summary(record.body),
        }
        if record.method in planes and record.http_method == "POST":
            return self._json(record, planes[record.method]())
        if record.method in control.UNUSED:
            return self._json(record, control.UNUSED[record.method](account))
        return not_found()

    async def _operation(self, _: web.Request, record: Record, token: Token, *, name: str) -> web.StreamResponse:
        return self._json(record, control.operation(token.account, name))

    async def userinfo(self, _: web.Request, record: Record, token: Token) -> web.StreamResponse:
        """Describe the user whose bearer this is."""
        return self._json(record, self.oauth.userinfo(token))

    def _quotas(self, account: Account) -> dict[str, control.Quota]:
        """Say what an account has left of each model: by the ledger, by its own quotas, or by those of all."""
        own = self.models | {name: left for name, left in account.quotas.items() if name in self.models}
        return {name: self.ledger.left(account, name) or (left, RESET_TIME) for name, left in own.items()}

    def _count(self, body: Any) -> control.Json:
        tokens = content_tokens(counting(body, served=self.models))
        return {"totalTokens": tokens} if tokens else {}

    async def _generate(self, request: web.Request, record: Record, account: Account) -> web.StreamResponse:
        if account.state == "validation_required":
            raise recorded("403_validation_required")
        call = generation(
            record.body,
            served=self.models,
            headers=record.headers,
            signatures=self.signatures,
            levels_known=self.levels_known,
            penalties_known=self.penalties_known,
            all_signed=self.all_signed,
            projects=self.projects,
            own_project=account.project if self.own_projects else "",
        )
        refusal = self.ledger.meter(account, call.model.name, record)
        if refusal is not None:
            return await self._told(request, record, account, refusal)
        plan = await self.planned(call, record)
        reply = Reply(call, plan, self.generated)
        chunks, trace = _stream(plan, reply)
        if (count := call.config.get("candidateCount", 1)) > 1:
            whole = [chunk for chunk in map(read_event, chunks) if chunk is not None]
            chunks = [event(one | {"response": repeated(one["response"], count)}) for one in whole]
        as_events = record.method == STREAM and record.query.get("alt") == "sse"
        if not as_events:
            whole = [chunk for chunk in map(read_event, chunks) if chunk is not None]
            chunks = [_dumped(whole if record.method == STREAM else merged(whole))]
        kind = "text/event-stream" if as_events else "application/json; charset=utf-8"
        sent = await self.send(request, plan, chunks, self._headers(record, kind, trace))
        record.tokens = (reply.prompt, reply.visible + reply.thoughts)
        return sent

    async def _told(
        self, request: web.Request, record: Record, account: Account, refusal: Refusal
    ) -> web.StreamResponse:
        """Send the 429 whole before the ledger hears that it was sent."""
        response = self.refused(record, refusal)
        await response.prepare(request)
        await response.write_eof()
        self.ledger.told(account, record.model or "")
        return response

    def _headers(self, record: Record, kind: str, trace: str = "") -> dict[str, str]:
        return {
            "Content-Type": kind,
            "Server": "ESF",
            "Vary": "Origin, X-Origin, Referer",
            "Server-Timing": f"gfet4t7; dur={int((time.monotonic() - record.at) * 1000)}",
            "x-cloudaicompanion-trace-id": trace or f"184a2570{self.log.counts.total():08x}",
        }

    def _json(self, record: Record, body: Any) -> web.Response:
        return web.Response(body=_dumped(body), headers=self._headers(record, "application/json; charset=utf-8"))

    def refused(self, record: Record, refusal: Refusal) -> web.Response:
        """Label an error as what the caller asked for."""
        wrapped = self.array_wrapped and isinstance(refusal.body, dict)
        kind = "text/event-stream" if record.method == STREAM else "application/json; charset=utf-8"
        return web.Response(
            status=refusal.status,
            body=_dumped([refusal.body] if wrapped else refusal.body),
            headers=self._headers(record, kind),
        )


def _dumped(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def _stream(plan: Plan, reply: Reply) -> tuple[Iterable[bytes], str]:
    if plan.fixture is None:
        return map(event, plan.chunks or reply.chunks()), reply.trace
    data = recording(plan.fixture)
    found = TRACE.search(data)
    return events(data), found[1].decode() if found else reply.trace


async def _serve(options: argparse.Namespace) -> None:
    fake = FakeV1Internal(
        refresh_tokens=options.refresh_token or ("rt-1", "rt-2", "rt-3"),
        access_tokens=options.access_token or ("static-1",),
        port=options.port,
    )
    fake.log.keep = options.keep
    fake.array_wrapped = options.array_wrapped
    await serve(fake, bases=lambda: fake.bases, token_url=lambda: fake.token_url)


def main() -> None:
    """Serve until interrupted; the first line of output is JSON with the addresses."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.v1internal", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of base a; b and c take the next two; 0: any")
    parser.add_argument("--refresh-token", action="append", metavar="TOKEN", help="a refresh token to know")
    parser.add_argument("--access-token", action="append", metavar="TOKEN", help="an access token to know")
    parser.add_argument("--keep", type=int, default=1000, help="calls to remember")
    parser.add_argument("--array-wrapped", action="store_true", help="wrap error bodies in a list")
    try:
        uvloop.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
