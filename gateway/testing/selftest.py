"""A self-test: every check in every dialect that a gateway offers, and what came of each."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import httpx
import msgspec

from gateway.redact import redact
from gateway.testing.check import Check, NotOffered
from gateway.testing.checks_answers import ANSWERS
from gateway.testing.checks_conduct import CONDUCT
from gateway.testing.conversation import Caller, exchange
from gateway.testing.grammar import Broken, Json
from gateway.testing.grammars import GRAMMARS

__all__ = ["CHECKS", "Finding", "Report", "Selection", "selftest"]

Selection = Literal["all", "simple", "tools", "streaming-only", "no-streaming"]
Verdict = Literal["ok", "failed", "not offered"]

CHECKS: Final = (*ANSWERS, *CONDUCT)
_SELECTED: Final[Mapping[Selection, Callable[[Check], bool]]] = {
    "all": lambda _: True,
    "simple": lambda check: check.group == "simple",
    "tools": lambda check: check.group == "tools",
    "streaming-only": lambda check: check.streams,
    "no-streaming": lambda check: not check.streams,
}
_NO_ROUTE: Final = (404, 405, 501)
_LIST: Final = "/v1/models"


@dataclass(frozen=True)
class Finding:
    """What came of a check. `asked` and `heard`: the last exchange; `problem`: the rule that does not hold."""

    dialect: str
    check: str
    verdict: Verdict
    asked: str = ""
    heard: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What came of all. `offered`: the dialects that the gateway has."""

    url: str
    model: str
    offered: Sequence[str]
    findings: Sequence[Finding]

    @property
    def failed(self) -> Sequence[Finding]:
        """Give the checks that failed."""
        return [finding for finding in self.findings if finding.verdict == "failed"]

    @property
    def ok(self) -> bool:
        """Whether something is offered, and nothing failed."""
        return bool(self.offered) and not self.failed

    def object(self) -> Json:
        """Give it as JSON has it."""
        return asdict(self) | {"ok": self.ok}


async def selftest(
    url: str,
    selection: Selection = "all",
    *,
    model: str = "",
    key: str = "",
    dialects: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    silence_s: float = 1.0,
    settle_s: float = 10.0,
    timeout_s: float = 60.0,
    tell: Callable[[Finding], None] | None = None,
) -> Report:
    """Check the gateway at `url`.

    `model`: asked for in every dialect, "" = the first one that it lists. `headers`: for each request. `tell`: hears of
    each finding at once. `silence_s`: for which `demo` is asked to be silent; `settle_s`: by then the streams of those
    who left are over. `timeout_s`: for which an answer may fall silent; in all it may take twice as long.
    """
    async with httpx.AsyncClient(base_url=url.rstrip("/"), headers=dict(headers or {}), timeout=timeout_s) as http:
        model = model or await _first_model(http, key, 2 * timeout_s)
        findings: list[Finding] = []
        offered: list[str] = []
        for dialect in dialects or GRAMMARS:
            caller = Caller(http, dialect, model, key, silence_s, settle_s, 2 * timeout_s)
            async for finding in _examined(caller, selection):
                findings.append(finding)
                if tell is not None:
                    tell(finding)
            if findings[-1].check != "offered":
                offered.append(dialect)
        return Report(url, model, offered, findings)


async def _examined(caller: Caller, selection: Selection) -> AsyncIterator[Finding]:
    """Make the checks of one dialect, if there is anybody who speaks it."""
    missing = await _missing(caller)
    if missing is not None:
        yield missing
        return
    for check in CHECKS:
        if _SELECTED[selection](check):
            yield await _checked(check, caller)


async def _missing(caller: Caller) -> Finding | None:
    """Say so when the path of a dialect is not there, or nobody."""
    try:
        reply = await caller.post(b"{")
    except (Broken, httpx.HTTPError) as error:
        words = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}".rstrip(": ")
        return Finding(caller.dialect, "offered", "failed", caller.asked, problem=words)
    if reply.status not in _NO_ROUTE:
        return None
    return Finding(caller.dialect, "offered", "not offered", caller.asked, caller.heard)


async def _checked(check: Check, caller: Caller) -> Finding:
    caller.asked = caller.heard = ""
    verdict: Verdict = "failed"
    try:
        await check.run(caller)
    except NotOffered as reason:
        verdict, problem = "not offered", str(reason)
    except (Broken, httpx.HTTPError) as error:
        problem = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}".rstrip(": ")
    else:
        verdict, problem = "ok", ""
    heard, problem = (redact(words, [caller.key]) for words in (caller.heard, problem))  # an answer may repeat it
    return Finding(caller.dialect, check.name, verdict, caller.asked, heard, problem)


async def _first_model(http: httpx.AsyncClient, key: str, within_s: float) -> str:
    """Take the first model of the list; "" when there is none to be had."""
    try:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        reply = await exchange(http, "GET", _LIST, headers, None, within_s)
        return str(msgspec.json.decode(reply.body)["data"][0]["id"])
    except (Broken, httpx.HTTPError, ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
