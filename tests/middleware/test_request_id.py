import pytest

from gateway.middleware import RequestId
from tests.middleware.asgi import Inner, call, scope_of

pytestmark = pytest.mark.anyio


async def test_an_id_is_made_and_sent_back_in_both_headers() -> None:
    inner = Inner()
    outcome = await call(RequestId(inner), scope_of())
    assert outcome.headers["x-request-id"] == outcome.headers["request-id"] == inner.context.request_id
    assert outcome.headers["x-request-id"].startswith("req_")


async def test_the_callers_own_id_is_kept() -> None:
    outcome = await call(RequestId(Inner()), scope_of(headers={"x-request-id": "trace-7.A_b"}))
    assert outcome.headers["x-request-id"] == "trace-7.A_b"


@pytest.mark.parametrize("given", ["", "a b", "é", "x" * 129, "a\r\nset-cookie: b", "a/b"])
async def test_an_id_that_is_no_plain_word_is_replaced(given: str) -> None:
    outcome = await call(RequestId(Inner()), scope_of(headers={"x-request-id": given}))
    assert outcome.headers["x-request-id"].startswith("req_")


async def test_other_scopes_pass_untouched() -> None:
    seen: list[object] = []

    async def app(scope: object, receive: object, send: object) -> None:
        seen.append((scope, receive, send))

    scope, receive, send = {"type": "lifespan"}, object(), object()
    await RequestId(app)(scope, receive, send)  # type: ignore[arg-type]  # what passes is never called
    assert seen == [(scope, receive, send)]
