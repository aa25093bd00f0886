"""Rows 8 and 12 of docs/faults.md: event streams and UTF-8 that are legal but odd, or not sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from tests.conformance.openai_api import ENDS
from tests.faults.site import CHATS, DIALECTS, KINDS, PAIRS, Site, is_same
from tests.faults.wires import spoilt

pytestmark = pytest.mark.anyio

Frames = list[bytes]
DONE = b"data: [DONE]\n\n"
STRANGE = b'event: strange\ndata: {"type":"strange"}\n\n'
SAID = "one two three"


def renamed(frame: bytes) -> bytes:
    return b"event: strange\n" + re.sub(rb"event: [^\n]*\n", b"", frame)


FRAMINGS: dict[str, Callable[[Frames], Sequence[bytes]]] = {
    "no-blank-line-at-the-end": lambda said: [*said[:-1], said[-1].rstrip()],
    "comments": lambda said: [line for one in said for line in (b": hm\n\n", b":\n" + one)],
    "cr-only": lambda said: [one.replace(b"\r\n", b"\n").replace(b"\n", b"\r") for one in said],
    "bom": lambda said: [b"\xef\xbb\xbf" + said[0], *said[1:]],
    "two-data-lines": lambda said: [one.replace(b"data: {", b"data: {\ndata:", 1) for one in said],
    "unknown-event": lambda said: [said[0], STRANGE, *said[1:]],
    "unknown-names": lambda said: list(map(renamed, said)),
    "done-twice": lambda said: [*said, DONE, DONE],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_row_08_events_are_read_as_the_whatwg_says(site: Site, kind: str, framing: str) -> None:
    at = site.at(kind)
    at.server.always = spoilt(FRAMINGS[framing])
    for dialect in DIALECTS:
        heard = await at.hear(dialect)
        assert (heard.text, heard.finish, heard.error) == (SAID, ENDS[dialect][0], None)


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"], ids=["open", "one-line", "blank-line"])
async def test_row_08_an_answer_without_done_ends_by_its_finish_reason(site: Site, kind: str, end: bytes) -> None:
    at = site.at(kind)
    at.server.always = spoilt(lambda said: [b"".join(said).removesuffix(DONE).rstrip() + end])
    for dialect in DIALECTS:
        if end != b"\n\n" and is_same(kind, dialect):
            continue  # what no blank line ends passes as it came, under the upstream's own name of the model
        heard = await at.hear(dialect)
        assert (heard.text, heard.finish, heard.error) == (SAID, ENDS[dialect][0], None)


WORD = "zażółć 😀"
STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
PAIR = pytest.mark.parametrize(("kind", "dialect"), PAIRS)


def saying(word: bytes) -> Callable[[Frames], Sequence[bytes]]:
    """Say another word in the place of the last one, and cut behind each byte that is not ASCII."""
    return lambda said: re.findall(rb"[\x00-\x7f]*[\x80-\xff]|.+\Z", b"".join(said).replace(b"three", word), re.DOTALL)


@STREAM
@PAIR
async def test_row_12_characters_may_be_cut_anywhere(site: Site, kind: str, dialect: str, stream: bool) -> None:
    at = site.at(kind)
    at.server.always = spoilt(saying(WORD.encode()))
    heard = await at.hear(dialect, stream=stream)
    assert (heard.text, heard.finish, heard.error) == (f"one two {WORD}", ENDS[dialect][0], None)


@STREAM
@PAIR
async def test_row_12_what_is_no_utf8_is_one_replacement(site: Site, kind: str, dialect: str, stream: bool) -> None:
    at = site.at(kind)
    for broken in (b"th\xffee", b"th\xe2\x82ee", b"th\xf0\x9f\x98ee"):
        at.server.always = spoilt(saying(broken))
        heard = await at.hear(dialect, stream=stream)
        assert (heard.text, heard.finish, heard.error) == ("one two th\ufffdee", ENDS[dialect][0], None)


@STREAM
@PAIR
async def test_row_12_half_of_a_character_in_an_escape_that_comes_in_pieces(
    site: Site, kind: str, dialect: str, stream: bool
) -> None:
    at = site.at(kind)
    at.server.always = spoilt(lambda said: re.findall(rb"(?s).*?[\\u]|.+", b"".join(saying(rb"th\ud83dee")(said))))
    heard = await at.hear(dialect, stream=stream)
    assert (heard.text, heard.finish, heard.error) == ("one two th\ufffdee", ENDS[dialect][0], None)


@STREAM
@PAIR
async def test_row_12_half_of_a_character_in_an_escape_is_one_replacement(
    site: Site, kind: str, dialect: str, stream: bool
) -> None:
    at = site.at(kind)
    for half in (rb"th\ud83dee", rb"th\uDE00ee"):
        at.server.always = spoilt(saying(half))
        heard = await at.hear(dialect, stream=stream)
        assert (heard.text, heard.finish, heard.error) == ("one two th\ufffdee", ENDS[dialect][0], None)


def halved(frame: bytes) -> bytes:
    """Cut within a character, as a program does that cuts strings of UTF-16."""
    if SAID.encode() in frame:
        return frame.replace(b"three", rb"th\ud83d\ude00ee")
    return frame.replace(b"two ", rb"two th\ud83d").replace(b"three", rb"\ude00ee")


@PAIR
async def test_row_12_halves_of_a_character_in_two_events_come_together(site: Site, kind: str, dialect: str) -> None:
    at = site.at(kind)
    at.server.always = spoilt(lambda said: list(map(halved, said)))
    heard = await at.hear(dialect)
    assert (heard.text, heard.finish, heard.error) == ("one two th😀ee", ENDS[dialect][0], None)
