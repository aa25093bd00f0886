import pytest

from gateway import ir
from gateway.middleware import Protocol
from gateway.routes import DialectName
from tests.middleware.asgi import Inner, call, scope_of

pytestmark = pytest.mark.anyio

CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


async def test_the_request_is_read_in_the_dialect_of_the_path() -> None:
    for path in ("/v1/chat/completions", "/v1/messages"):
        inner = Inner(reads=False)
        await call(Protocol(inner), scope_of(path), [CHAT[:10], CHAT[10:]])
        assert inner.context.request.turns == (ir.Turn(role="user", parts=(ir.Text(text="hi"),)),)
        assert inner.context.requested_model == "m"


@pytest.mark.parametrize(
    ("sent", "betas"),
    [([b"a, b"], ("a", "b")), ([b"a", b" b ,, a"], ("a", "b")), ([b""], ()), (["b\u00fc".encode(), b"c"], ("b", "c"))],
)
async def test_what_an_anthropic_caller_opts_into_is_taken_from_every_header(
    sent: list[bytes], betas: tuple[str, ...]
) -> None:
    inner = Inner(reads=False)
    scope = scope_of("/v1/messages")
    scope["headers"] += [(b"anthropic-beta", value) for value in sent]
    await call(Protocol(inner), scope, [CHAT.replace(b"{", b'{"max_tokens": 9, ', 1)])
    assert inner.context.request.betas == betas


async def test_others_opt_into_nothing() -> None:
    inner = Inner(reads=False)
    await call(Protocol(inner), scope_of(headers={"anthropic-beta": "a"}), [CHAT])
    assert inner.context.request.betas == ()


@pytest.mark.parametrize(("passed", "native"), [((), None), (("openai-chat",), CHAT), (("anthropic",), None)])
async def test_the_callers_own_words_are_kept_where_they_may_pass(
    passed: tuple[DialectName, ...], native: bytes | None
) -> None:
    inner = Inner(reads=False)
    await call(Protocol(inner, passed=passed), scope_of(), [CHAT])
    kept = inner.context.request.native
    assert (kept and bytes(kept.body)) == native


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/messages/count_tokens", 200), ("/v1/messages", 400)], ids=["counted", "asked"]
)
async def test_what_cannot_be_read_may_still_be_counted(path: str, status: int) -> None:
    body = CHAT.replace(b'"user"', b'"nobody"')
    assert (await call(Protocol(Inner(reads=False)), scope_of(path), [body])).status == status


@pytest.mark.parametrize(
    ("default", "sent", "stream"), [(False, b"", False), (True, b"", True), (True, b"false", False)]
)
async def test_a_default_for_stream_holds_only_where_the_caller_said_nothing(
    default: bool, sent: bytes, stream: bool
) -> None:
    inner = Inner(reads=False)
    body = CHAT.replace(b"{", b'{"stream": ' + sent + b", ", 1) if sent else CHAT
    await call(Protocol(inner, stream=default), scope_of(), [body])
    assert inner.context.request.stream is stream


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
async def test_a_default_for_stream_is_for_chat(path: str) -> None:
    inner = Inner(reads=False)
    await call(Protocol(inner, stream=True), scope_of(path), [CHAT.replace(b"{", b'{"input": "hi", ', 1)])
    assert not inner.context.request.stream


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff", b"nul", CHAT + b"x"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_body_that_cannot_be_read_is_400(path: str, body: bytes) -> None:
    outcome = await call(Protocol(Inner(reads=False)), scope_of(path), [body])
    assert (outcome.status, outcome.json["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/nothing"), ("GET", "/v1/messages"), ("POST", "/own")])
async def test_what_it_cannot_read_is_left_to_those_inside(method: str, path: str) -> None:
    inner = Inner()
    await call(Protocol(inner), scope_of(path, method=method), [CHAT])
    assert (inner.body, inner.context.request) == (CHAT, None)


@pytest.mark.parametrize(("replay", "read"), [(True, CHAT), (False, b"")])
async def test_those_inside_read_the_body_once_more_if_they_may(replay: bool, read: bytes) -> None:
    inner = Inner(reads=replay)
    await call(Protocol(inner, replay=replay), scope_of(), [CHAT[:10], CHAT[10:]])
    assert inner.body == read


async def test_a_caller_that_leaves_while_sending_ends_quietly() -> None:
    outcome = await call(Protocol(Inner(reads=False)), scope_of(), [])
    assert outcome.status == 0


async def test_a_compressed_body_without_body_limit_is_415() -> None:
    outcome = await call(Protocol(Inner(reads=False)), scope_of(headers={"content-encoding": "gzip"}), [CHAT])
    assert outcome.status == 415
