"""T10: which orders work, and what is said of those that do not."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app, lifespan
from gateway.config import ConfigError, load
from gateway.middleware import AccessLog, Auth, BodyLimit, Metrics, ModelMap, Protocol, RateLimit, RequestId, Usage
from gateway.pipeline import propose, violations
from gateway.registry import names
from tests.middleware.asgi import call, scope_of
from tests.properties.examples import EXAMPLES
from tests.scripted import Scripted, app_of, say

BUILTIN: dict[str, type] = {
    "request_id": RequestId,
    "access_log": AccessLog,
    "metrics": Metrics,
    "body_limit": BodyLimit,
    "auth": Auth,
    "rate_limit": RateLimit,
    "protocol": Protocol,
    "model_map": ModelMap,
    "usage": Usage,
}
DEFAULT = load({}, environ={}).config.pipeline.order

# who must stand outside whom, written down by hand
BEFORE = (
    ("request_id", "access_log"),
    ("body_limit", "protocol"),
    ("auth", "rate_limit"),
    ("auth", "model_map"),
    ("protocol", "model_map"),
    ("auth", "usage"),
    ("model_map", "usage"),
)


TIED = [name for name in BUILTIN if name != "metrics"]  # which needs nobody, and nobody needs it


def judge(order: Sequence[str]) -> None:
    """Fail where an order is judged otherwise than the rule says."""
    place = {name: number for number, name in enumerate(order)}
    works = all(place[first] < place[second] for first, second in BEFORE)
    assert (violations({name: BUILTIN[name] for name in order}, anonymous=False) == []) == works, order


def test_t10_every_permutation_is_judged_as_the_rule_says() -> None:
    for order in permutations(TIED):
        judge(order)


@EXAMPLES
@given(st.permutations(list(BUILTIN)))
def test_t10_any_permutation_of_all_is_judged_as_the_rule_says(order: list[str]) -> None:
    judge(order)


def test_t10_is_tried_with_every_middleware_that_is_built_in() -> None:
    assert {*BUILTIN} == {*names("gateway.middleware")}


def test_a_proposal_always_works_and_keeps_what_is_right() -> None:
    for order in list(permutations(TIED))[::37]:
        proposed = propose({name: BUILTIN[name] for name in order})
        assert violations({name: BUILTIN[name] for name in proposed}, anonymous=False) == []
    default = [name for name in DEFAULT if name in BUILTIN]
    assert propose({name: BUILTIN[name] for name in default}) == default


@pytest.mark.parametrize("name", ["protocol", "model_map", "auth"])
def test_what_nothing_works_without_cannot_be_left_out(name: str) -> None:
    order = [known for known in DEFAULT if known != name]
    with pytest.raises(ConfigError) as caught:
        app_of(Scripted([]), config={"pipeline": {"order": order}})
    whole = [known for known in DEFAULT if known in BUILTIN]
    assert f"leaves out '{name}', which is required; an order that works: {whole}" in str(caught.value)


def test_auth_may_be_left_out_where_everybody_may_come() -> None:
    order = [name for name in DEFAULT if name != "auth"]
    app_of(Scripted([]), config={"pipeline": {"order": order}, "auth": {"allow_anonymous": "always"}})


def test_a_wrong_order_is_refused_with_the_reason_and_one_that_works() -> None:
    with pytest.raises(ConfigError) as caught:
        app_of(Scripted([]), config={"pipeline": {"order": ["rate_limit", "auth", "protocol", "model_map"]}})
    assert "'rate_limit' needs principal from 'auth', which must come before it" in str(caught.value)
    assert "['auth', 'rate_limit', 'protocol', 'model_map']" in str(caught.value)


@pytest.mark.parametrize("anonymous", [False, True])
def test_an_auth_that_stands_too_far_in_is_refused_even_where_everybody_may_come(anonymous: bool) -> None:
    order = {name: BUILTIN[name] for name in ("rate_limit", "auth", "protocol", "model_map")}
    assert violations(order, anonymous=anonymous) == [
        "'rate_limit' needs principal from 'auth', which must come before it"
    ]


def test_what_needs_the_auth_that_is_left_out_is_told_too() -> None:
    assert violations({name: BUILTIN[name] for name in ("protocol", "model_map")}, anonymous=False) == [
        "leaves out 'auth', which is required",
        "'model_map' needs principal, which nothing in the order provides",
    ]


def test_it_is_told_with_what_is_wrong_elsewhere() -> None:
    with pytest.raises(ConfigError) as caught:
        create_app({"server": {"hots": "x"}, "pipeline": {"order": ["auth", "model_map"]}})
    assert [problem.message.partition(";")[0] for problem in caught.value.problems] == [
        "server.hots: unknown key",
        "pipeline.order: leaves out 'protocol', which is required",
        "pipeline.order: 'model_map' needs request, which nothing in the order provides",
    ]


@pytest.mark.parametrize("name", DEFAULT)
@pytest.mark.parametrize("use", ["nowhere.at_all:C", f"{__name__}:Shout"])
def test_a_table_that_a_built_in_middleware_may_not_have_is_all_that_is_told(name: str, use: str) -> None:
    with pytest.raises(ConfigError) as caught:
        create_app({"middleware": {name: {"use": use, "options": {"accept": []}}}})
    assert [problem.message for problem in caught.value.problems] == [
        f"middleware.{name}: is a built-in middleware, configured by its own section"
    ]


def test_where_everybody_may_come_no_auth_is_proposed() -> None:
    with pytest.raises(ConfigError) as caught:
        app_of(
            Scripted([]),
            config={"pipeline": {"order": ["model_map", "protocol"]}, "auth": {"allow_anonymous": "always"}},
        )
    assert str(caught.value).endswith("; an order that works: ['protocol', 'model_map']")


def test_an_order_of_ones_own_alone_is_completed() -> None:
    own = f"{__name__}:Shout"
    with pytest.raises(ConfigError) as caught:
        app_of(Scripted([]), config={"pipeline": {"order": [own]}})
    assert f"; an order that works: {[own, 'auth', 'protocol', 'model_map']}" in str(caught.value)


class Shout:
    """Somebody's own middleware, without provides and requires."""

    def __init__(self, app: ASGIApp, word: str = "") -> None:
        self.app, self.word = app, word

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def shouting(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"x-shout", self.word.encode() or b"nothing")]  # type: ignore[misc]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, shouting)  # type: ignore[arg-type]  # ASGI messages are plain dicts


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "said"), [("shout", "HEY"), (f"{__name__}:Shout", "nothing")])
async def test_ones_own_middleware_runs_where_it_stands(name: str, said: str) -> None:
    config = {
        "pipeline": {"order": [name, "auth", "protocol", "model_map"]},
        "middleware": {"shout": {"use": f"{__name__}:Shout", "options": {"word": "HEY"}}},
    }
    app = app_of(Scripted(say("Hello")), config=config)
    body = b'{"model": "demo", "messages": [{"role": "user", "content": "hi"}]}'
    async with lifespan(app):
        outcome = await call(app, scope_of(), [body])
    assert (outcome.status, outcome.headers["x-shout"]) == (200, said)


class First(Shout):
    """One that waits for the second, which waits for it."""

    provides, requires = frozenset({"first"}), frozenset({"second"})


class Second(Shout):
    provides, requires = frozenset({"second"}), frozenset({"first"})


def test_two_that_wait_for_each_other_are_told_without_a_way_out() -> None:
    first, second = f"{__name__}:First", f"{__name__}:Second"
    with pytest.raises(ConfigError) as caught:
        app_of(Scripted([]), config={"pipeline": {"order": ["auth", first, "protocol", second, "model_map"]}})
    assert str(caught.value).endswith(f"'{first}' needs second from '{second}', which must come before it")


def test_a_middleware_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigError, match="no_such_module"):
        app_of(Scripted([]), config={"pipeline": {"order": ["no_such_module:X", *DEFAULT]}})
