"""What a walk is for is noticed, and can be made to happen again."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import httpx
import pytest

from tests.fakes.v1internal_record import Record

from .site import Site
from .walking import Found, Walk

pytestmark = pytest.mark.anyio
WALKS = 20
HOMES = {
    "openai-chat": ("chat", "gpt-4.1"),
    "openai-responses": ("responses", "gpt-4.1"),
    "anthropic": ("anthropic", "claude-sonnet-4-6"),
    "gemini": ("gemini", "gemini-2.5-flash"),
}


class Refusing(Site):
    """Its upstreams refuse this many calls of each turn."""

    times: float = math.inf

    def direct(self, upstream: str, script: str) -> None:
        super().direct(upstream, script)
        for side in self.sides(upstream):
            side.fail("400", times=self.times)


class RefusingOnce(Refusing):
    """Its upstreams would take what the caller has written."""

    times = 1


class Forgetting(Site):
    """What users say does not reach its upstreams."""

    def calls(self, upstream: str) -> list[Record]:
        return [
            replace(call, body=json.loads(json.dumps(call.body).replace("us", "-"))) for call in super().calls(upstream)
        ]


class Misled(Site):
    """Its upstreams say more than is directed."""

    def direct(self, upstream: str, script: str) -> None:
        super().direct(upstream, f"{script}\n!say more")


class AtHome(Walk):
    """Its client asks an upstream of its own dialect only."""

    def move(self) -> None:
        self.upstream, self.model = HOMES[self.client.dialect]


async def walk(site: Site, kind: type[Walk] = Walk) -> None:
    """Walk until something is found."""
    for seed in range(WALKS):
        await kind(site, seed).go()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Refusing, "what was written here is refused"),
        (Forgetting, r"lost in silence: \['us"),
        (Misled, "text '.*more' in place of"),
    ],
)
async def test_what_must_not_happen_is_found(site: Site, kind: type[Site], words: str) -> None:
    with pytest.raises(Found, match=words) as found:
        await walk(kind(site.doors, site.fakes))
    assert str(found.value).startswith("seed ")
    assert "\nthe last body: {" in str(found.value)


async def test_a_refusal_behind_the_gateway_alone_is_found(site: Site) -> None:
    with pytest.raises(Found, match="refused behind the gateway alone"):
        await walk(RefusingOnce(site.doors, site.fakes), AtHome)


async def test_what_an_upstream_refuses_to_its_own_clients_too_is_no_finding(site: Site) -> None:
    await walk(Refusing(site.doors, site.fakes), AtHome)


@pytest.mark.parametrize(("status", "message"), [(400, "no"), (400, "other.place: no"), (500, "model: no")])
async def test_a_refusal_of_the_gateway_itself_says_where_the_caller_is_wrong(
    site: Site, status: int, message: str
) -> None:
    one = Walk(site, 0)
    one.body = {"model": "m"}
    await one.refused(httpx.Response(400, json={"error": {"message": "model: no"}}), [])
    with pytest.raises(AssertionError, match="refused without a path"):
        await one.refused(httpx.Response(status, json={"error": {"message": message}}), [])


async def test_the_same_seed_walks_the_same_way(site: Site) -> None:
    first, again, other = Walk(site, 5), Walk(site, 5), Walk(site, 6)
    for one in (first, again, other):
        await one.go()
    assert first.trail == again.trail != other.trail
