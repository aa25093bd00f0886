"""Mends of passed conversations with Anthropic's API."""

from __future__ import annotations

import pytest

from gateway.dialects.shown import markdown
from tests.conformance.editing import (
    CLAUDES,
    GEMINIS,
    OF_CLAUDE,
    SAID,
    UNSIGNED,
    USER,
    WORDS,
    Json,
    encoded,
    messages,
    result,
    text,
    thought,
    turn,
    use,
)

pytestmark = pytest.mark.anyio
DRAWN_PICTURE = markdown("image/png", "AAAA")
SHOWN_WORDS = text("[shown by the assistant:]")
PICTURE = (
    SHOWN_WORDS,
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
)
BARE_CALL = [USER, turn("assistant", use()), turn("user", result())]
INTERRUPTED = {
    "type": "tool_result",
    "tool_use_id": "t1",
    "content": "[no result: the tool call was interrupted]",
    "is_error": True,
}


INTERRUPTED_0 = INTERRUPTED | {"tool_use_id": "t0"}
MIDWAY = {"role": "system", "content": "be brief"}


@pytest.mark.parametrize(
    ("given", "kept", "edit", "lost"),
    [
        # envelopes, pitfalls 27, 28
        ([turn("assistant", thought(CLAUDES), WORDS)], [turn("assistant", thought("Q0xB"), WORDS)], "own", 0),
        ([turn("assistant", thought(GEMINIS), WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", thought(CLAUDES[:-1] + "x"), WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", thought(GEMINIS)), USER], [USER], "own", 1),
        ([turn("assistant", thought("bare"), WORDS)], None, None, 0),
        # as Gemini's SDKs give them to LangChain, whose conversation goes on here
        ([turn("assistant", thought(encoded(CLAUDES)), WORDS)], [turn("assistant", thought("Q0xB"), WORDS)], "own", 0),
        ([turn("assistant", thought(encoded(GEMINIS)), WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", thought(encoded(CLAUDES)[:-2]), WORDS)], [turn("assistant", WORDS)], "own", 1),
        # thoughts that nobody has signed: "thinking.signature: Field required"
        ([turn("assistant", UNSIGNED, WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", UNSIGNED | {"signature": None}, WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", UNSIGNED), USER], [USER], "own", 1),
        ([turn("assistant", thought("gw1.c.t.dW5zaWduZWQ.b1affd81"), WORDS)], [turn("assistant", WORDS)], "own", 1),
        # 49, 50: what another model said of blanks alone, and the one empty text of an answer that said nothing
        ([USER, turn("assistant", text("\n\n"), use()), turn("user", result())], BARE_CALL, "blank", 0),
        ([USER, turn("assistant", text("")), USER], [USER, USER], "blank", 0),
        ([USER, {"role": "assistant", "content": ""}, USER], [USER, USER], "blank", 0),
        ([USER, turn("assistant"), USER], [USER, USER], "blank", 0),
        (
            [USER, turn("assistant", WORDS, text(" "), text(""), text("x"), text("\t")), USER],
            [USER, turn("assistant", text("w "), text("x\t")), USER],
            "blank",
            0,
        ),
        ([USER, turn("assistant", text("w"), {"type": "text", "text": None}), turn("user", text(" "))], None, None, 0),
        ([USER, turn("assistant", use()), turn("user", result(content=""))], None, None, 0),
        ([USER, turn("assistant", "no block"), turn("user", text(""))], None, None, 0),  # which Anthropic judges
        # an answer begun
        ([USER, turn("assistant", WORDS, text("So:\n "))], [USER, turn("assistant", WORDS, text("So:"))], "blank", 0),
        (
            [USER, {"role": "assistant", "content": "So: "}],
            [USER, {"role": "assistant", "content": "So:"}],
            "blank",
            0,
        ),
        ([USER, turn("assistant", text("So: ")), USER], None, None, 0),
        # what another model drew, as callers of this dialect are shown it
        (
            [USER, turn("assistant", text(f"Here: {DRAWN_PICTURE}"), use()), turn("user", result()), USER],
            [USER, turn("assistant", text("Here: "), use()), turn("user", result(), *PICTURE), USER],
            "shown, results, order",
            1,
        ),
        ([{"role": "assistant", "content": DRAWN_PICTURE}, USER], [turn("user", *PICTURE), USER], "shown", 1),
        ([{"role": "user", "content": DRAWN_PICTURE}, SAID, turn("user", text("![image](data:"))], None, None, 0),
        ([turn("assistant", text("![image](data:image/png;base64,A)")), USER], None, None, 0),
        # 17
        (
            [turn("assistant", thought("s", cache_control={"type": "ephemeral"}), WORDS | {"cache_control": {}})],
            [turn("assistant", thought("s"), WORDS | {"cache_control": {}})],
            "marks",
            1,
        ),
        # 46
        (
            [turn("assistant", use()), USER],
            [turn("assistant", use()), turn("user", INTERRUPTED, {"type": "text", "text": "hi"})],
            "results",
            0,
        ),
        (
            [turn("assistant", use("t0"), use()), turn("user", result("t0"), WORDS)],
            [turn("assistant", use("t0"), use()), turn("user", INTERRUPTED, result("t0"), WORDS)],
            "results",
            0,
        ),
        (
            [turn("assistant", use()), turn("assistant", WORDS)],
            [turn("assistant", use()), turn("user", INTERRUPTED), turn("assistant", WORDS)],
            "results",
            0,
        ),
        ([USER, turn("assistant", use())], None, None, 0),
        (
            [turn("assistant", use("t0"), use()), turn("user", result("t0")), turn("user", result()), USER],
            [turn("assistant", use("t0"), use()), turn("user", result("t0"), result()), USER],
            "results",
            0,
        ),
        (
            [turn("assistant", use()), USER, turn("user", result())],
            [turn("assistant", use()), turn("user", result(), {"type": "text", "text": "hi"})],
            "results, order",
            0,
        ),
        # instructions between a call and its result
        (
            [turn("assistant", use()), MIDWAY, turn("user", result())],
            [turn("assistant", use()), turn("user", result()), MIDWAY],
            "results",
            0,
        ),
        (
            [turn("assistant", use("t0"), use()), MIDWAY, turn("user", WORDS, result()), MIDWAY, USER, SAID, USER],
            [
                turn("assistant", use("t0"), use()),
                turn("user", INTERRUPTED_0, result()),
                MIDWAY,
                turn("user", WORDS),
                MIDWAY,
                USER,
                SAID,
                USER,
            ],
            "results",
            0,
        ),
        (
            [turn("assistant", use()), MIDWAY, USER],
            [turn("assistant", use()), turn("user", INTERRUPTED), MIDWAY, USER],
            "results",
            0,
        ),
        (
            [turn("assistant", WORDS, use("t0")), turn("assistant", use()), turn("user", result("t0"), result())],
            [turn("assistant", WORDS, use("t0"), use()), turn("user", result("t0"), result())],
            "results",
            0,
        ),
        (
            [turn("assistant", use("t0"), use()), turn("user", result("t0")), turn("assistant", WORDS), USER],
            [
                turn("assistant", use("t0"), use()),
                turn("user", INTERRUPTED, result("t0")),
                turn("assistant", WORDS),
                USER,
            ],
            "results",
            0,
        ),
        # 85
        (
            [turn("assistant", use()), turn("user", result(content="old"), WORDS, result())],
            [turn("assistant", use()), turn("user", result(), WORDS)],
            "results, order",
            1,
        ),
        (
            [turn("assistant", use()), turn("user", result(content="old")), turn("user", result()), SAID],
            [turn("assistant", use()), turn("user", result()), SAID],
            "results",
            1,
        ),
        ([SAID, turn("user", result()), turn("assistant", use()), turn("user", result())], None, None, 0),
        # 47
        (
            [turn("assistant", use()), turn("user", WORDS, result())],
            [turn("assistant", use()), turn("user", result(), WORDS)],
            "order",
            0,
        ),
        # 51
        (
            [turn("assistant", use("functions.Bash:0")), turn("user", result("functions.Bash:0"))],
            [turn("assistant", use("functions_Bash_0_5b7d2d4a")), turn("user", result("functions_Bash_0_5b7d2d4a"))],
            "ids",
            0,
        ),
        # results without a call stay
        ([turn("user", result("gone"), WORDS)], None, None, 0),
    ],
)
def test_a_mend_of_a_conversation(given: list[Json], kept: list[Json] | None, edit: str | None, lost: int) -> None:
    body = OF_CLAUDE | {"messages": given}
    written, names, losses = messages(body, model=body["model"])
    if edit == "ids":
        ids = [block.get("id") or block["tool_use_id"] for one in written["messages"] for block in one["content"]]
        assert len(set(ids)) == 1
        assert set(ids[0]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    else:
        assert written["messages"] == (given if kept is None else kept)
    assert (names, len(losses)) == (edit.split(", ") if edit else [], lost)


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        # a server that counts its calls from 0 in each turn, before Claude goes on
        (
            [USER, *(2 * [turn("assistant", use("a")), turn("user", result("a"))])],
            ["a", "a", "a_2", "a_2"],
        ),
        # 5.1: twice in one turn, with the results in order
        (
            [
                USER,
                turn("assistant", use("a"), use("a"), use("b")),
                turn("user", result("b"), result("a"), result("a")),
            ],
            ["a", "a_2", "b", "b", "a", "a_2"],
        ),
        # a name that is in use already
        (
            [USER, turn("assistant", use("a"), use("a_2"), use("a")), turn("user", *map(result, ("a", "a_2", "a")))],
            ["a", "a_2", "a_3", "a", "a_2", "a_3"],
        ),
        # what is illegal stays unique, too
        (
            [USER, turn("assistant", use("a:0"), use("a:0")), turn("user", result("a:0"), result("a:0"))],
            ["a_0_0ed32d33", "a_0_0ed32d33_2"] * 2,
        ),
    ],
)
def test_calls_have_ids_of_their_own(given: list[Json], ids: list[str]) -> None:
    """Anthropic: "`tool_use` ids must be unique", in the whole conversation."""
    body = OF_CLAUDE | {"messages": given}
    written, names, losses = messages(body, model=body["model"])
    blocks = [block for one in written["messages"][1:] for block in one["content"]]
    assert [block.get("id") or block["tool_use_id"] for block in blocks] == ids
    assert (names, losses) == (["ids"], [])
