"""Which requests belong to one conversation."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import ir
from gateway.sessions import conversation, named
from gateway.upstream import Call


def said(role: Any, text: str) -> ir.Turn:
    return ir.Turn(role=role, parts=(ir.Text(text=text),))


def call(*turns: ir.Turn, principal: str = "alice", session: str = "", **request: Any) -> Call:
    return Call(
        request=ir.Request(model="m", turns=turns, **request), request_id="r", principal=principal, session=session
    )


HI = said("user", "hi")


def test_a_conversation_stays_itself_as_it_grows() -> None:
    assert conversation(call(HI)) == conversation(call(HI, said("model", "hello"), said("user", "and now?")))


@pytest.mark.parametrize(
    "other",
    [
        call(said("user", "hello")),
        call(HI, principal="bob"),
        call(HI, user="u-1"),
        call(HI, session="s-1"),
    ],
)
def test_another_beginning_caller_end_user_or_id_is_another_conversation(other: Call) -> None:
    assert conversation(call(HI)) != conversation(other)


def test_what_the_caller_names_counts_before_the_words() -> None:
    """A conversation that is summed up begins with other words."""
    assert conversation(call(HI, session="s")) == conversation(call(said("user", "summary"), session="s"))


def test_the_body_names_it_before_a_header_does() -> None:
    request = ir.Request(model="m", turns=(HI,), session="body")
    named_twice = Call(request=request, request_id="r", principal="alice", session="header")
    assert conversation(named_twice) == conversation(call(session="body"))


def test_one_caller_cannot_speak_for_another() -> None:
    assert conversation(call(HI, principal="bob", session="s")) != conversation(call(HI, session="s"))


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"x-claude-code-session-id", "Claude Code"),
        (b"session_id", "Codex"),
        (b"session-id", "Codex, newer"),
        (b"x-session-affinity", "opencode"),
        (b"x-opencode-session", "opencode, of its own provider"),
        (b"x-session-id", "others"),
    ],
)
def test_known_headers_name_a_conversation(header: bytes, client: str) -> None:
    assert named({b"accept": b"*/*", header: b"5f1c"}) == "5f1c", client


def test_no_header_names_none() -> None:
    assert named({b"accept": b"*/*", b"x-request-id": b"1"}) == ""
