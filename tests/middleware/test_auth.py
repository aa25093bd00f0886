import base64
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest

from gateway.context import Principal
from gateway.errors import StoreUnavailable, Unauthenticated
from gateway.keys import Keys, digest_of, id_of, indexed
from gateway.lockout import Lockout
from gateway.middleware import Auth
from gateway.middleware.auth import PLACES, Key
from gateway.redact import redact
from tests.clocks import FakeClock
from tests.middleware.asgi import Inner, Outcome, call, scope_of

pytestmark = pytest.mark.anyio

KEY = "sk-right"


def keys(expires: date | None = None, scopes: frozenset[str] = frozenset({"chat"})) -> dict[str, Key]:
    return {sha256(KEY.encode()).hexdigest(): (Principal(name="alice", id="a", scopes=scopes), expires)}


def at(place: str, key: str = KEY) -> tuple[dict[str, str], str]:
    """Headers and query with a key in one place."""
    basic = base64.b64encode(f"anyone:{key}".encode()).decode()
    return {
        "bearer": ({"authorization": f"Bearer {key}"}, ""),
        "basic": ({"authorization": f"Basic {basic}"}, ""),
        "query": ({}, f"beta=true&key={key}"),
    }.get(place, ({place: key}, ""))


async def ask(app: Auth, headers: dict[str, str] | None = None, query: str = "", client: str = "127.0.0.1") -> Outcome:
    return await call(app, scope_of(headers=headers, query=query, client=client))


@pytest.mark.parametrize("place", PLACES)
async def test_a_key_counts_in_each_place(place: str) -> None:
    inner = Inner()
    assert (await ask(Auth(inner, keys()), *at(place))).status == 200
    assert inner.context.principal.name == "alice"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_key_may_have_letters_of_any_language_in_each_place(place: str, encoding: str) -> None:
    given = "schlüssel-ä".encode(encoding)
    basic = base64.b64encode(b"anyone:" + given)
    headers = {"bearer": b"Bearer " + given, "basic": b"Basic " + basic}
    name = "authorization" if place in headers else place
    scope = scope_of(query=f"key={quote(given)}" if place == "query" else "")
    scope["headers"] = [] if place == "query" else [(name.encode(), headers.get(place, given))]
    assert (await call(Auth(Inner(), ["schlüssel-ä"]), scope)).status == 200


@pytest.mark.parametrize("place", [place for place in PLACES if place != "query"])
async def test_blanks_behind_a_header_are_no_part_of_the_key(place: str) -> None:
    """The fast parser of HTTP leaves them there."""
    headers, _ = at(place)
    assert (await ask(Auth(Inner(), keys()), {name: f"{value} \t" for name, value in headers.items()})).status == 200


async def test_what_is_no_base64_is_no_key() -> None:
    scope = scope_of()
    scope["headers"] = [(b"authorization", "Basic schlüssel".encode())]
    assert (await call(Auth(Inner(), keys()), scope)).status == 401


@pytest.mark.parametrize("place", PLACES)
async def test_a_wrong_key_is_401_in_each_place(place: str) -> None:
    outcome = await ask(Auth(Inner(), keys()), *at(place, "sk-wrong"))
    assert (outcome.status, outcome.json["error"]["code"]) == (401, "invalid_api_key")
    assert "sk-wrong" not in outcome.body.decode()


@pytest.mark.parametrize("headers", [None, {"x-api-key": "sk-wrong"}])
async def test_a_client_is_told_not_to_try_a_refused_key_again(headers: dict[str, str] | None) -> None:
    """Claude Code tries it eleven times, over three minutes in which it says nothing, unless it is told."""
    assert (await ask(Auth(Inner(), keys()), headers)).headers["x-should-retry"] == "false"


@pytest.mark.parametrize("place", PLACES)
async def test_the_key_does_not_go_further(place: str) -> None:
    inner = Inner()
    await ask(Auth(inner, keys()), *at(place))
    scope = inner.scopes[0]
    assert KEY not in str(scope["headers"]) + str(scope["query_string"]) + str(inner.context.headers)
    if place == "query":
        assert scope["query_string"] == b"beta=true"


async def test_no_other_place_goes_further_either() -> None:
    inner = Inner()
    others = {"authorization": "Basic c2stb3RoZXI6c2stb3RoZXI=", "x-goog-api-key": "sk-other", "api-key": "sk-other"}
    headers = {"x-api-key": KEY, **others, "proxy-authorization": "Basic c2stb3RoZXI6c2stb3RoZXI="}
    app = Auth(inner, keys(), ["x-api-key"])
    assert (await ask(app, headers, "alt=&key=sk-other&key=sk-more&flag")).status == 200
    scope = inner.scopes[0]
    assert scope["query_string"] == b"alt=&flag"
    assert not {name.decode() for name, _ in scope["headers"]} & headers.keys()


@pytest.mark.parametrize("name", ["key", "%6bey", "k%65%79"])
async def test_a_key_in_the_query_leaves_the_rest_as_it_was_written(name: str) -> None:
    inner = Inner()
    assert (await ask(Auth(inner, keys()), query=f"a=%ff&{name}={KEY}&monkey=b+c%20d&&flag")).status == 200
    assert inner.scopes[0]["query_string"] == b"a=%ff&monkey=b+c%20d&&flag"


async def test_a_key_in_the_query_beside_another_goes_no_further_however_it_is_written() -> None:
    inner = Inner()
    assert (await ask(Auth(inner, keys()), {"x-api-key": KEY}, f"%6bey={KEY}&alt=sse")).status == 200
    assert inner.scopes[0]["query_string"] == b"alt=sse"


async def test_only_the_first_place_present_is_checked() -> None:
    headers = {"authorization": "Bearer sk-wrong", "x-api-key": KEY}
    assert (await ask(Auth(Inner(), keys()), headers)).status == 401
    assert (await ask(Auth(Inner(), keys(), accept=["x-api-key", "bearer"]), headers)).status == 200


async def test_a_place_that_is_not_accepted_does_not_count() -> None:
    assert (await ask(Auth(Inner(), keys(), accept=["bearer"]), {"x-api-key": KEY})).status == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
async def test_schemes_have_no_case(scheme: str) -> None:
    assert (await ask(Auth(Inner(), keys()), {"authorization": f"{scheme} {KEY}"})).status == 200


async def test_an_unknown_scheme_counts_as_absent() -> None:
    headers = {"authorization": f"Digest {KEY}", "x-api-key": KEY}
    assert (await ask(Auth(Inner(), keys()), headers)).status == 200


async def test_no_key_is_401_with_what_to_do() -> None:
    outcome = await ask(Auth(Inner(), keys()))
    assert (outcome.status, "`Bearer KEY` in `Authorization`" in outcome.json["error"]["message"]) == (401, True)


@pytest.mark.parametrize(
    ("accept", "ways"),
    [
        (["query"], "`key` in the query"),
        (["api-key", "basic"], "`api-key` or as the password of Basic"),
        (list(PLACES), "`Bearer KEY` in `Authorization`, as `x-api-key` or as `x-goog-api-key`"),
    ],
)
async def test_no_key_names_the_places_that_are_accepted(accept: Any, ways: str) -> None:
    outcome = await ask(Auth(Inner(), keys(), accept=accept))
    message = outcome.json["error"]["message"]
    assert message == redact(message) == f"no API key: send one as {ways}"


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "anything"}])
async def test_where_there_is_no_key_to_know_one_is_told_how_to_make_one(headers: dict[str, str]) -> None:
    proxied = await ask(Auth(Inner()), headers | {"x-forwarded-for": "1.2.3.4"})
    nobody = await ask(Auth(Inner(), allow_anonymous="never"), headers)
    made = "this gateway has no key yet: `gateway keys new NAME` makes one"
    until = "; until then only programs on its machine are admitted, by a local address and without a proxy"
    assert [one.status for one in (proxied, nobody)] == [401, 401]
    assert [one.json["error"]["message"] for one in (proxied, nobody)] == [made + until, made]


@pytest.mark.parametrize(
    ("expires", "status"),
    [
        (date(2001, 1, 1), 401),
        (timedelta(seconds=-1), 401),
        (timedelta(hours=1), 200),
        (date(2999, 1, 1), 200),
    ],
)
async def test_expiry(expires: date | timedelta, status: int) -> None:
    end = datetime.now(UTC) + expires if isinstance(expires, timedelta) else expires
    assert (await ask(Auth(Inner(), keys(end)), *at("bearer"))).status == status


async def test_a_key_without_scope_chat_is_403() -> None:
    outcome = await ask(Auth(Inner(), keys(scopes=frozenset({"metrics"}))), *at("bearer"))
    assert outcome.status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8045", "127.0.0.1:1", "[::1]:8045", "[::1]"])
@pytest.mark.parametrize("key", [None, "anything"])
async def test_a_program_on_this_machine_needs_no_key(host: str, key: str | None) -> None:
    headers = {"host": host, **({"x-api-key": key} if key else {})}
    inner = Inner()
    assert (await ask(Auth(inner), headers)).status == 200
    assert inner.context.principal.name == "anonymous"


@pytest.mark.parametrize("client", ["127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_has_many_addresses(client: str) -> None:
    assert (await ask(Auth(Inner()), client=client)).status == 200


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({}, "10.0.0.7"),
        ({}, "::ffff:10.0.0.7"),
        ({}, ""),
        ({"x-forwarded-for": "1.2.3.4"}, "127.0.0.1"),
        ({"forwarded": "for=1.2.3.4"}, "127.0.0.1"),
        ({"host": "gateway.example"}, "127.0.0.1"),
        ({"host": "localhost.evil.example"}, "127.0.0.1"),
        ({"host": "localhost:80@evil.example"}, "127.0.0.1"),
        ({"host": "[::1].evil.example"}, "127.0.0.1"),
        ({"origin": "https://evil.example"}, "127.0.0.1"),
        ({"origin": "null"}, "127.0.0.1"),
        ({"origin": "http://["}, "127.0.0.1"),
        ({"host": "localhost", "origin": "http://localhost.evil.example"}, "127.0.0.1"),
        ({"origin": "http://localhost:8046"}, "127.0.0.1"),
    ],
)
async def test_everybody_else_needs_one(headers: dict[str, str], client: str) -> None:
    assert (await ask(Auth(Inner()), headers, client=client)).status == 401


async def test_the_gateways_own_origin_is_not_foreign() -> None:
    assert (await ask(Auth(Inner()), {"origin": "http://localhost:8045"})).status == 200


async def test_as_soon_as_a_key_exists_everybody_needs_one() -> None:
    assert (await ask(Auth(Inner(), keys()))).status == 401


async def test_never_means_never() -> None:
    assert (await ask(Auth(Inner(), allow_anonymous="never"))).status == 401


async def test_always_means_without_any_key_but_not_with_a_wrong_one() -> None:
    app = Auth(Inner(), keys(), allow_anonymous="always")
    assert (await ask(app, client="10.0.0.7")).status == 200
    assert (await ask(app, *at("bearer", "sk-wrong"))).status == 401


async def test_always_means_with_any_key_while_there_is_none() -> None:
    app = Auth(Inner(), allow_anonymous="always")
    assert (await ask(app, *at("bearer", "sk-any"), client="10.0.0.7")).status == 200


# keys that anybody can know


@pytest.mark.parametrize("key", ["123456", "sk-text", "sk-your-api-key"])
async def test_a_published_key_is_for_this_machine(key: str) -> None:
    app = Auth(Inner(), [key, KEY])
    asked = [(client, await ask(app, {"x-api-key": key}, client=client)) for client in ("127.0.0.1", "::1", "10.0.0.7")]
    assert [(client, outcome.status) for client, outcome in asked] == [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("10.0.0.7", 401),
    ]
    assert "published sample key" in asked[-1][1].json["error"]["message"]
    assert await attempts(app, 12, "10.0.0.7", key=KEY) == [200] * 12


async def test_nor_does_it_open_elsewhere_what_operators_have() -> None:
    app = Auth(Inner(), ["123456"])
    with pytest.raises(Unauthenticated, match="published sample key"):
        await app.seek("123456", "10.0.0.7")
    assert await app.seek("123456", "127.0.0.1") is not None
    assert await app.seek("123456", "") is not None  # by a socket file


# addresses that the gateway has made


def vouching(path: str, query: bytes) -> str:
    """Vouch for alice at one address."""
    return "a" if (path, query) == ("/upload/v1beta/files", b"ticket") else ""


def upload(query: str, headers: dict[str, str] | None = None, method: str = "POST") -> Any:
    return {**scope_of("/upload/v1beta/files", query=query, headers=headers, client="10.0.0.9"), "method": method}


async def test_an_address_of_our_own_needs_no_key() -> None:
    inner = Inner()
    assert (await call(Auth(inner, keys(), vouch=vouching), upload("ticket"))).status == 200
    assert inner.context.principal.name == "alice"


async def test_any_other_address_does() -> None:
    assert (await call(Auth(Inner(), keys(), vouch=vouching), upload("tickets"))).status == 401


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "TRACE"])
async def test_an_address_is_good_for_sending_only(method: str) -> None:
    assert (await call(Auth(Inner(), keys(), vouch=vouching), upload("ticket", method=method))).status == 401


async def test_a_wrong_key_counts_for_more_than_the_address() -> None:
    scope = upload("ticket", {"x-goog-api-key": "sk-wrong"})
    assert (await call(Auth(Inner(), keys(), vouch=vouching), scope)).status == 401


async def test_an_address_ends_with_its_key() -> None:
    expired = keys(expires=date(2020, 1, 1))
    assert (await call(Auth(Inner(), expired, vouch=vouching), upload("ticket"))).status == 401
    assert (await call(Auth(Inner(), {}, vouch=vouching), upload("ticket"))).status == 401


async def test_nobody_is_not_somebody_without_a_hash() -> None:
    nameless = {"": (Principal(name="nameless", id=""), None)}
    assert (await call(Auth(Inner(), nameless, vouch=vouching), upload("tickets"))).status == 401


# failed attempts


async def attempts(app: Auth, number: int, client: str = "127.0.0.1", key: str = "sk-wrong") -> list[int]:
    return [(await ask(app, {"x-api-key": key}, client=client)).status for _ in range(number)]


async def test_after_ten_unknown_keys_in_a_minute_an_address_is_not_heard() -> None:
    app = Auth(Inner(), keys(), lockout=Lockout(FakeClock()))
    assert await attempts(app, 12) == [401] * 10 + [429] * 2  # this machine, too
    refused = await ask(app, {"x-api-key": "sk-wrong"})
    assert (refused.json["error"]["code"], int(refused.headers["retry-after"]) > 0) == ("rate_limit_exceeded", True)
    assert await attempts(app, 1, "10.0.0.8") == [401]


async def test_a_known_key_is_heard_all_the_same() -> None:
    app = Auth(Inner(), keys(), lockout=Lockout(FakeClock()))
    await attempts(app, 12)
    assert await attempts(app, 2, key=KEY) == [200, 200]


async def test_to_have_no_key_or_one_that_is_over_is_no_attempt() -> None:
    app = Auth(Inner(), keys(date(2001, 1, 1)), lockout=Lockout(FakeClock()))
    assert await attempts(app, 12, key=KEY) == [401] * 12
    assert [(await ask(app)).status for _ in range(12)] == [401] * 12
    assert await attempts(app, 1) == [401]


async def test_what_was_let_in_is_noted() -> None:
    known = Keys(indexed({"alice": KEY}))
    app = Auth(Inner(), known)
    await attempts(app, 1)
    assert known.used == set()
    await attempts(app, 1, key=KEY)
    assert known.used == {id_of(digest_of(KEY))}


# a key that others have made, or may have made


class Late(Keys):
    """Keys of which it learns when it is asked to; None = it cannot."""

    def __init__(self, others: dict[str, Key] | None, mine: dict[str, Key]) -> None:
        super().__init__(mine)
        self.others, self.asked = others, 0

    async def catch_up(self) -> None:
        self.asked += 1
        if self.others is None:
            raise StoreUnavailable("the key store does not respond", retry_after=3)
        self._know({**self._by_digest, **self.others})


MINE = indexed({"bob": "sk-bob"})


@pytest.mark.parametrize("place", PLACES)
async def test_the_store_is_asked_before_a_key_is_refused(place: str) -> None:
    known, inner = Late(keys(), MINE), Inner()
    app = Auth(inner, known)
    assert (await ask(app, *at(place))).status == 200
    assert (inner.context.principal.name, known.asked) == ("alice", 1)
    assert (await ask(app, *at(place, "sk-wrong"))).status == 401


async def test_the_store_is_asked_before_an_address_of_our_own_is_refused() -> None:
    known = Late(keys(), MINE)
    assert (await call(Auth(Inner(), known, vouch=vouching), upload("tickets"))).status == 401
    assert known.asked == 0
    assert (await call(Auth(Inner(), known, vouch=vouching), upload("ticket"))).status == 200
    assert (await call(Auth(Inner(), Late(None, MINE), vouch=vouching), upload("ticket"))).status == 503


async def test_nobody_else_makes_it_ask() -> None:
    known = Late(keys(), MINE)
    assert await attempts(Auth(Inner(), known), 3, key="sk-bob") == [200] * 3
    assert (await ask(Auth(Inner(), known))).status == 401
    assert (await ask(Auth(Inner(), known, allow_anonymous="always"))).status == 200
    none_yet = Late({}, {})
    assert await attempts(Auth(Inner(), none_yet), 3, key="any") == [200] * 3
    assert (known.asked, none_yet.asked) == (0, 0)


async def test_an_address_that_failed_too_often_does_not_make_it_ask() -> None:
    known = Late({}, MINE)
    assert await attempts(Auth(Inner(), known, lockout=Lockout(FakeClock())), 12) == [401] * 10 + [429] * 2
    assert known.asked == 10


async def test_a_key_that_nobody_can_check_is_no_attempt() -> None:
    known = Late(None, MINE)
    app = Auth(Inner(), known, lockout=Lockout(FakeClock()))
    assert await attempts(app, 12) == [503] * 12
    refused = await ask(app, {"x-api-key": "sk-wrong"})
    assert (refused.json["error"]["code"], refused.headers["retry-after"]) == ("store_unavailable", "3")
    assert (await ask(app)).status == 401
    assert await attempts(app, 1, key="sk-bob") == [200]
    known.others = keys()
    assert await attempts(app, 1) == [401]


async def test_the_session_of_a_key_is_not_over_while_nobody_can_check_it() -> None:
    known = Late(None, MINE)
    app = Auth(Inner(), known)
    with pytest.raises(StoreUnavailable):
        await app.holds("a", "chat")
    assert await app.holds(id_of(digest_of("sk-bob")), "chat")
    known.others = keys()
    assert [await app.holds("a", "chat"), await app.holds("a", "admin"), await app.holds("b", "chat")] == [
        True, False, False,
    ]  # fmt: skip
