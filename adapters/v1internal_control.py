"""The calls beside generating: finding a project, onboarding, models and quotas, counting tokens.

loadCodeAssist ─► project
      └── none ─► onboardUser ─► operation, polled until done ─► project
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, field

from gateway.adapters.exchange import fetch
from gateway.adapters.failures import Failure
from gateway.adapters.v1internal_errors import RULES, read_failure
from gateway.clock import Clock
from gateway.dialects.gemini.errors import mask
from gateway.errors import UpstreamCredential, UpstreamMalformed, UpstreamUnavailable
from gateway.transport import Transport

__all__ = ["Control", "Tell", "countable", "silent"]

_T = TypeVar("_T")

Tell = Callable[[str], Awaitable[None]]  # hears of each step in a few words

_POLLS: Final = 10
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 5.0
_METADATA: Final = {  # the values for clients that are none of Google's
    "ideType": "IDE_UNSPECIFIED",
    "platform": "PLATFORM_UNSPECIFIED",
    "pluginType": "PLUGIN_UNSPECIFIED",
}
_LIST: Final = "fetchAvailableModels"
_OPERATION: Final = re.compile(r"[\w-]+(?:/[\w.-]+)+", re.ASCII)
_USERINFO_URL: Final = "https://www.googleapis.com/oauth2/v2/userinfo"
_FREE_TIER: Final = "free-tier"
_REFUSALS: Final = frozenset({400, 403, 404, 412})
_UNCOUNTED: Final = frozenset({"thought", "thoughtSignature", "thought_signature"})
_PART: Final = msgspec.json.Decoder(dict[str, object])


class _Tier(Struct, rename="camel"):
    id: str = ""
    is_default: bool | None = None


class _Ineligible(Struct, rename="camel"):
    reason_code: str = ""
    reason_message: str | None = None
    validation_url: str | None = None


class _Named(Struct):
    id: str = ""


class _Assist(Struct, rename="camel"):
    current_tier: _Tier | None = None
    allowed_tiers: list[_Tier] | None = None
    ineligible_tiers: list[_Ineligible] | None = None
    project: str | _Named | None = field(default=None, name="cloudaicompanionProject")


class _Onboarded(Struct, rename="camel"):
    project: str | _Named | None = field(default=None, name="cloudaicompanionProject")


class _Problem(Struct):
    message: str = "no reason was given"


class _Operation(Struct):
    name: str = ""
    done: bool | None = None
    response: _Onboarded | None = None
    error: _Problem | None = None


class _Count(Struct, rename="camel"):
    total_tokens: int | None = None


class _User(Struct):
    email: str = ""


_ASSIST: Final = msgspec.json.Decoder(_Assist)
_OPERATIONS: Final = msgspec.json.Decoder(_Operation)
_COUNT: Final = msgspec.json.Decoder(_Count, strict=False)
_USER: Final = msgspec.json.Decoder(_User)
_encode = msgspec.json.Encoder().encode


async def silent(_: str) -> None:
    """Hear of a step, and tell nobody."""


class Control:
    """The small calls of one upstream; every one raises Failure. `serving`: the bases of requests, if others."""

    def __init__(
        self,
        bases: Sequence[str],
        headers: Mapping[str, str],
        clock: Clock,
        userinfo_url: str,
        *,
        serving: Sequence[str] = (),
    ) -> None:
        self._bases = bases
        self._serving = serving or bases
        self._headers = headers
        self._clock = clock
        self._userinfo_url = userinfo_url or _USERINFO_URL

    async def discover(self, transport: Transport, token: str, tell: Tell = silent) -> tuple[str, str]:
        """Find the project that Google made for an account, onboarding it if need be.

        Give it with where it came from; "" when there is none.
        """
        assist = await self._load(transport, token)
        project = _project(assist)
        if project:
            return project, "discovered"
        why = _barred(assist)
        try:
            project = await self._onboard(transport, token, _tier(assist), tell)
        except Failure as failure:
            if why and (failure.cause == "project" or failure.status in _REFUSALS):
                failure.error.message += f"; {why}"
            raise
        if why and not project:
            raise Failure(UpstreamCredential(f"the upstream created no project for the account; {why}"), "project")
        return project, "onboarded"

    async def project(self, transport: Transport, token: str) -> str:
        """Ask for the project that an account has already, "" for none."""
        return _project(await self._load(transport, token))

    async def models(self, transport: Transport, token: str, project: str) -> bytes:
        """Fetch the list of models, which differs from base to base: where requests go there are newer ones."""
        try:
            return await self._serve(transport, token, _LIST, {"project": project} if project else {})
        except Failure as failure:
            if failure.status != 403 or not project:
                raise
        return await self._serve(transport, token, _LIST, {})

    async def quota(self, transport: Transport, token: str, project: str) -> bytes:
        """Fetch what is left of each model, as the other client of the service is told."""
        return await self._call(transport, token, "retrieveUserQuota", {"project": project} if project else {})

    async def summary(self, transport: Transport, token: str, project: str) -> bytes:
        """Fetch what is left of the quotas that models share: the weekly ones are told here alone."""
        return await self._serve(transport, token, "retrieveUserQuotaSummary", {"project": project} if project else {})

    async def count(self, transport: Transport, token: str, model: str, contents: object) -> int | None:
        """Count the tokens of contents; None when the answer has no number."""
        body = {"request": {"model": f"models/{model}", "contents": contents}}
        answer = await self._call(transport, token, "countTokens", body)
        return _read(_COUNT, answer).total_tokens or None

    async def email(self, transport: Transport, token: str) -> str:
        """Ask whose token it is."""
        answer = await self._send(transport, "GET", self._userinfo_url, token, None)
        return _read(_USER, answer).email

    async def _load(self, transport: Transport, token: str) -> _Assist:
        try:
            answer = await self._call(transport, token, "loadCodeAssist", {"metadata": _METADATA})
        except Failure as failure:
            if failure.reason != "SECURITY_POLICY_VIOLATED":
                raise
            return _Assist(current_tier=_Tier(id="standard-tier"))  # behind a service perimeter
        return _read(_ASSIST, answer)

    async def _onboard(self, transport: Transport, token: str, tier: str, tell: Tell) -> str:
        await tell(f"the account is new to the service: setting it up ({tier})")
        # no project of the caller's goes along: the free tier refuses one
        body = {"tierId": tier, "metadata": _METADATA}
        operation = _read(_OPERATIONS, await self._call(transport, token, "onboardUser", body))
        pause_s = _FIRST_PAUSE_S
        for poll in range(_POLLS):
            if operation.error is not None:
                words = mask(operation.error.message)
                raise Failure(UpstreamCredential(f"the upstream did not set the account up: {words}"), "project")
            if operation.done:
                return _id(operation.response.project if operation.response else None)
            await tell(f"waiting for the service to set it up (attempt {poll + 1} of at most {_POLLS})")
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s + 1, _LONGEST_PAUSE_S)
            answer = await self._poll(transport, token, operation.name, body)
            operation = _read(_OPERATIONS, answer)
        raise Failure(UpstreamUnavailable("the upstream did not finish onboarding the account in time"), "refresh")

    async def _poll(self, transport: Transport, token: str, name: str, body: object) -> bytes:
        if not _OPERATION.fullmatch(name):
            return await self._call(transport, token, "onboardUser", body)
        return await self._through(self._bases, transport, "GET", f"/v1internal/{name}", token, None)

    async def _serve(self, transport: Transport, token: str, method: str, body: object) -> bytes:
        """Call a method where requests go."""
        return await self._through(self._serving, transport, "POST", f"/v1internal:{method}", token, _encode(body))

    async def _call(self, transport: Transport, token: str, method: str, body: object) -> bytes:
        return await self._through(self._bases, transport, "POST", f"/v1internal:{method}", token, _encode(body))

    async def _through(
        self, bases: Sequence[str], transport: Transport, method: str, path: str, token: str, body: bytes | None
    ) -> bytes:
        """Call the bases in turn until one answers for good."""
        for base in bases[:-1]:
            try:
                return await self._send(transport, method, base + path, token, body)
            except Failure as failure:
                if not _is_of_base(failure):
                    raise
        return await self._send(transport, method, bases[-1] + path, token, body)

    async def _send(self, transport: Transport, method: str, url: str, token: str, body: bytes | None) -> bytes:
        headers = {**self._headers, "authorization": f"Bearer {token}"}
        return await fetch(transport, method, url, headers, body, read_failure, self._clock)


def _is_of_base(failure: Failure) -> bool:
    """Tell whether another base may answer: where a request would turn to it, and where this one knows nothing."""
    status = failure.status
    return RULES[failure.cause].base or status is None or status == 404 or status >= 500


def _project(assist: _Assist) -> str:
    """Read the project; raise Failure when the owner of the account must act before there can be one."""
    project = _id(assist.project)
    barred = next((t for t in assist.ineligible_tiers or () if t.reason_code == "VALIDATION_REQUIRED"), None)
    if not project and barred is not None and assist.current_tier is None:
        error = UpstreamCredential("the upstream requires the account's owner to verify it")
        raise Failure(error, "verification", link=barred.validation_url)
    return project


def _barred(assist: _Assist) -> str:
    """Say why tiers are not for this account, "" where nothing is said of it."""
    reasons = (tier.reason_message or tier.reason_code for tier in assist.ineligible_tiers or ())
    return mask("; ".join(dict.fromkeys(filter(None, reasons))))


def _tier(assist: _Assist) -> str:
    allowed = assist.allowed_tiers or []
    chosen = next((tier for tier in allowed if tier.is_default), allowed[0] if allowed else assist.current_tier)
    return (chosen.id if chosen is not None else "") or _FREE_TIER


def _id(project: str | _Named | None) -> str:
    return project.id if isinstance(project, _Named) else project or ""


def _read(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError):
        raise Failure(UpstreamMalformed("the upstream's response cannot be read"), "server") from None


def countable(contents: object) -> list[dict[str, object]]:
    """Make contents that countTokens takes: it knows neither thoughts nor signatures, so these become plain text."""
    return [
        {**content, "parts": parts}
        for content in cast(list[dict[str, Any]], contents)  # as write_request made them
        if (parts := [plain for part in content["parts"] if (plain := _plain(part))])
    ]


def _plain(part: dict[str, object] | Raw) -> dict[str, object]:
    """Give a part without what is not counted; one that Gemini alone knows is still as its caller wrote it."""
    given = _PART.decode(part) if isinstance(part, Raw) else part
    plain = {name: value for name, value in given.items() if name not in _UNCOUNTED}
    return {} if plain == {"text": ""} else plain
