"""A place that tells otherwise than the others is noticed, and so is a gateway that counts wrongly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from .material import Json
from .site import Site, running
from .walking import Found, Walk

pytestmark = pytest.mark.anyio
SEED = 0
STEPS = 100  # at most; what is sought is found in the first few


class Log(Site):
    """Its access log tells of a token more."""

    async def line(self, id_: str) -> Json:
        line = await super().line(id_)
        return line | {"output_tokens": line["output_tokens"] + 1} if "output_tokens" in line else line


class Answer(Site):
    """Its callers are told that a token was cached."""

    def answer(self, response: httpx.Response) -> bytes:
        return super().answer(response).replace(b'"cached_tokens":0', b'"cached_tokens":1')


class Headers(Site):
    """Its callers are told that a request more is left."""

    def room(self, response: httpx.Response) -> int | None:
        room = super().room(response)
        return room if room is None else room + 1


class Upstream(Site):
    """Its upstreams have told of no tokens."""

    def sent(self, upstream: str) -> bytes:
        return re.sub(rb'"usage(Metadata)?"', b'"other"', super().sent(upstream))


class Calls(Site):
    """Its upstreams have never been called twice."""

    def called(self) -> tuple[tuple[str, str], ...]:
        return super().called()[-1:]


class Ledger(Site):
    """Its ledger knows no errors."""

    async def ledger(self, by: str) -> Json:
        report = await super().ledger(by)
        return report | {"rows": [row | {"errors": 0} for row in report["rows"]]}


class Own(Site):
    """Its keys are told of a request less."""

    async def own(self, secret: str) -> Json:
        told = await super().own(secret)
        today = told["usage"]["today"]
        return told | {"usage": told["usage"] | {"today": today | {"requests": today["requests"] - 1}}}


class Metrics(Site):
    """Its metrics have other statuses."""

    async def metrics(self) -> str:
        return (await super().metrics()).replace('status="200"', 'status="201"')


class Streams(Site):
    """Its metrics say that a stream is open for ever."""

    async def metrics(self) -> str:
        return (await super().metrics()).replace("gateway_open_streams 0.0", "gateway_open_streams 1.0")


class Live(Site):
    """Its list of what runs never gets shorter."""

    async def live(self) -> list[Json]:
        self.rows = [*getattr(self, "rows", ()), *await super().live()]
        return self.rows


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Log, r"(the access log: output_tokens|the ledger: .*) is "),
        (Answer, "the answer: walk-"),
        (Headers, "its headers: walk-"),
        (Upstream, "the access log: input_tokens is .*, not None"),
        (Calls, r"the access log: attempts is \d, not 1"),
        (Ledger, r"the ledger: \('key', 'key-\d'\) is Sums"),
        (Own, "/usage: today is Sums"),
        (Metrics, r"the metrics: \('requests_total', .*, '201'\) is 1, not None"),
        (Streams, "what is under way: open_streams is 1.0, not None"),
        (Live, "what is under way: walk-"),
    ],
)
async def test_a_place_that_does_not_agree_is_noticed(site: Site, kind: type[Site], words: str) -> None:
    with pytest.raises(Found, match=words) as found:
        await Walk(kind(site.http, site.fakes, site.folder), SEED).go(STEPS)
    assert str(found.value).startswith(f"seed {SEED}: ")
    assert f"\n  walk-{SEED}-1, " in str(found.value)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("gateway.book.Book.end", r"the ledger: \('key', 'all'\) is Sums"),
        ("gateway.costs.Costs.used", r"/usage: \('left', '"),
        ("gateway.limiter.Limiter.refused", r"the metrics: \('limit_refusals_total', '"),
        ("gateway.middleware.metrics.Metrics._count_answer", r"the metrics: \('tokens_total', "),
        ("gateway.middleware.metrics.Metrics._ended", "what is under way: requests_under_way is 1.0, not None"),
    ],
)
async def test_a_gateway_that_does_not_count_is_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch, what: str, words: str
) -> None:
    monkeypatch.setattr(what, _nothing)
    with pytest.raises(Found, match=words):
        await Walk(site, SEED).go(STEPS)


async def test_the_same_seed_walks_the_same_way(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    first, again, other = [await _way(folder, seed) for folder, seed in zip(folders, (5, 5, 6), strict=True)]
    assert first == again != other


async def _way(folder: Path, seed: int) -> list[str]:
    """Walk a little, and give what was asked."""
    async with running(folder) as site:
        walk = Walk(site, seed)
        await walk.go(8)
    return [step for step in walk.trail if not step.startswith(" ")]


def _nothing(*_: Any) -> None:
    pass
