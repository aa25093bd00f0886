"""Whatever the kind of upstream: of the headers of its answers, good ones and refusals, a caller sees none of these."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.server import EVENTS, JSON, Call, Fault
from tests.faults.site import KINDS, Site, other_and_same, running
from tests.security.test_answer_headers import HOP_BY_HOP, OTHERS, SAID

pytestmark = pytest.mark.anyio

PLANTED = [line.encode() for line in (*HOP_BY_HOP[1:], *OTHERS)]  # the connection itself is the server's
REFUSAL = b'{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"no","type":"invalid_request_error"}}'


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run the module's tests in one loop."""
    return "asyncio"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with running(tmp_path_factory.mktemp("site"), retry={"attempts": 1}) as one:
        yield one


async def answering(call: Call) -> None:
    answer = await call.answer()
    kind = b"content-type: " + answer.headers["content-type"].encode()
    await call.begin(kind, *PLANTED)
    await call.say(answer.content)
    await call.end()


async def refusing(call: Call) -> None:
    lines = (b"HTTP/1.1 400 No", JSON, *PLANTED, b"content-length: %d" % len(REFUSAL), b"", REFUSAL)
    await call.write(b"\r\n".join(lines))


async def redirecting(call: Call) -> None:
    await call.write(b"\r\n".join((b"HTTP/1.1 302 Found", EVENTS, *PLANTED, b"content-length: 0", b"", b"")))


FAULTS: dict[Fault, set[int]] = {answering: {200}, refusing: {400}, redirecting: {502}}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_none_of_an_upstreams_own_headers_is_seen(site: Site, kind: str, fault: Fault) -> None:
    at = site.at(kind)
    at.server.always = fault
    for dialect in {*other_and_same(kind)}:
        for stream in (True, False):
            answer = await at.answer(dialect, stream=stream)
            assert answer.status in FAULTS[fault]
            assert {*answer.headers} <= SAID
            assert [line for line in answer.headers.items() if "planted" in line[1]] == []
