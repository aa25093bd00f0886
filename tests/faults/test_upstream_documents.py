"""Rows 9 and 11 of docs/faults.md: what comes under status 200 and is no answer, or none that can be read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.automata import Heard
from tests.conformance.openai_api import CALLERS, ENDS
from tests.faults.server import EVENTS, JSON, Call
from tests.faults.site import DIALECTS, GOOGLES, KINDS, At, Site, is_same
from tests.faults.wires import before, body, cut, told

pytestmark = pytest.mark.anyio

SNIPPET = 200
KEYS = (
    "sk-proj-Abc123Def456Ghi789Jkl012",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "ya29.a0AfH6SMBx1234567890abcdef",
)
PAGE = f"<html><head><title>Sign in</title></head><body>{' '.join(KEYS)} {'lost ' * 500}</body></html>".encode()
LABELS = {"events": EVENTS, "html": b"content-type: text/html; charset=utf-8", "plain": b"content-type: text/plain"}
OTHERS = [kind for kind in KINDS if kind not in GOOGLES]
KIND = pytest.mark.parametrize("kind", KINDS)


async def refused(at: At, dialect: str, *, stream: bool = True) -> str:
    """Ask; give the message of the 502 in the caller's shape, which is that of a malformed answer."""
    answer = await at.answer(dialect, stream=stream)
    error = CALLERS[dialect].whole(answer.body).error
    assert error is not None
    assert (answer.status, (await at.site.line(answer))["error"]) == (502, "UpstreamMalformed")
    return str(error["message"])


def is_short_and_hides_keys(message: str) -> bool:
    head, _, snippet = message.partition(": ")
    return "cannot be read" in head and len(snippet) <= SNIPPET and not any(key in message for key in KEYS)


@KIND
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_row_09_a_page_is_malformed_and_shown_in_short(site: Site, kind: str, label: str, stream: bool) -> None:
    at = site.at(kind)
    at.server.always = body(PAGE, headers=[LABELS[label]])
    for dialect in DIALECTS:
        message = await refused(at, dialect, stream=stream)
        assert "Sign in" in message
        assert is_short_and_hides_keys(message)


@KIND
@pytest.mark.parametrize("pieces", [[], [b"\n \n"]], ids=["nothing", "blank"])
async def test_row_09_a_document_of_nothing_is_said_to_be_empty(site: Site, kind: str, pieces: list[bytes]) -> None:
    at = site.at(kind)
    at.server.always = body(*pieces, headers=[JSON])
    for dialect in DIALECTS:
        assert await refused(at, dialect, stream=False) == "the upstream's response is empty"


@pytest.mark.parametrize("label", [EVENTS, JSON], ids=["events", "json"])
@pytest.mark.parametrize("kind", OTHERS)
async def test_row_09_an_array_in_the_place_of_a_stream_is_malformed(site: Site, kind: str, label: bytes) -> None:
    at = site.at(kind)
    at.server.always = array(label)
    for dialect in DIALECTS:
        assert is_short_and_hides_keys(await refused(at, dialect))


@pytest.mark.parametrize("label", [EVENTS, JSON], ids=["events", "json"])
@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_09_an_array_of_googles_chunks_is_an_answer(site: Site, kind: str, label: bytes) -> None:
    at = site.at(kind)
    at.server.always = array(label)
    for dialect in DIALECTS:
        heard = await at.hear(dialect)
        assert (heard.text, heard.finish, heard.error) == ("one two three", ENDS[dialect][0], None)


@KIND
@pytest.mark.parametrize("label", [JSON, LABELS["html"]], ids=["json", "html"])
async def test_row_09_events_that_come_as_a_document_are_an_answer(site: Site, kind: str, label: bytes) -> None:
    async def fault(call: Call) -> None:
        await call.begin(label)
        await call.say(*await call.frames())
        await call.end()

    at = site.at(kind)
    at.server.always = fault
    for dialect in DIALECTS:
        heard = await at.hear(dialect)
        assert (heard.text, heard.finish, heard.error) == ("one two three", ENDS[dialect][0], None)


def array(label: bytes) -> Any:
    """Send all chunks or events as one array, with keys in front of them."""

    async def fault(call: Call) -> None:
        said = [told(one) for one in await call.frames() if b"data: {" in one]
        google = call.head.startswith(b"POST /v1internal") or b"enerateContent" in call.head
        await body(json.dumps(said if google else [{"keys": KEYS}, *said]).encode(), headers=[label])(call)

    return fault


async def cut_within_an_event(call: Call) -> None:
    """Cut the second event that says something, and go on with the rest."""
    frames = await call.frames()
    said = before(frames, b"three")
    await call.begin(EVENTS)
    await call.say(*said, cut(frames[len(said)]) + b"\n\n", *frames[len(said) + 1 :])
    await call.end()


def ill(heard: Heard) -> bool:
    return heard.text.strip() == "one two" and heard.finish is None and heard.error is not None


@pytest.mark.parametrize("kind", OTHERS)
async def test_row_09_json_that_is_cut_is_malformed(site: Site, kind: str) -> None:
    at = site.at(kind)
    at.server.always = cut_within_an_event
    for dialect in DIALECTS:
        answer = await at.answer(dialect)
        if is_same(kind, dialect):
            assert re.search(rb"data: \{[^\n]*[^}\n]\n\n", answer.body)  # the cut event passes
            continue
        heard = at.heard(dialect, answer)
        assert ill(heard)
        assert heard.error is not None
        assert is_short_and_hides_keys(heard.error["message"])
        assert (await site.line(answer))["error"] == "UpstreamMalformed"


@pytest.mark.parametrize("kind", GOOGLES)
async def test_row_09_an_event_of_googles_that_is_cut_is_left_out(site: Site, kind: str) -> None:
    """The last one says why the answer ends; without it there is no clean end."""
    at = site.at(kind)
    at.server.always = cut_within_an_event
    for dialect in DIALECTS:
        heard = await at.hear(dialect)
        if kind == "v1internal-claude":  # its finish comes by itself
            assert (heard.text.strip(), heard.finish, heard.error) == ("one two", ENDS[dialect][0], None)
        else:
            assert ill(heard)


@KIND
@pytest.mark.parametrize("encoding", ["br", "zstd"])
async def test_row_11_an_encoding_that_nobody_asked_for_is_refused(site: Site, kind: str, encoding: str) -> None:
    at = site.at(kind)
    at.server.always = body(b"\x28\xb5\x2f\xfd", headers=[EVENTS, f"content-encoding: {encoding}".encode()])
    for dialect in DIALECTS:
        answer = await at.answer(dialect)
        error = CALLERS[dialect].whole(answer.body).error
        assert error is not None
        assert (answer.status, repr(encoding) in error["message"]) == (502, True)


@KIND
@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_row_15_a_page_under_401_or_403_says_nothing_of_the_credential(
    site: Site, kind: str, status: bytes
) -> None:
    """A proxy or a firewall has written it; what the upstream itself refuses is JSON."""
    at = site.at(kind)

    async def fault(call: Call) -> None:
        head = b"HTTP/1.1 %b\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n"
        await call.write(head % (status, len(PAGE)) + PAGE)

    at.server.always = fault
    answer = await at.answer("anthropic")
    assert (answer.status, (await site.line(answer))["error"]) == (502, "UpstreamUnavailable")
    assert f"a web page came instead of a response (status {status[:3].decode()})" in answer.body.decode()
    assert not any(key.encode() in answer.body for key in KEYS)
    at.server.always = None
    assert (await at.hear("anthropic")).text == "one two three"
