"""Signatures go back to the family that made them, and to nobody else."""

from typing import Any

import pytest

from gateway import ir

from .asking import (
    CLAUDE,
    CLAUDE_SIGNATURE,
    GEMINI_2,
    GEMINI_3,
    GEMINI_SIGNATURE,
    GPT,
    assistant,
    call,
    contents,
    image,
    lost,
    result,
    sent,
    thought,
    user,
    written,
)

SENTINEL = "skip_thought_signature_validator"
GENUINE = ir.Signature("gemini", GEMINI_SIGNATURE, "f")
THINKS = ir.Reasoning(mode="budget", budget=2048)


def calls(*made: ir.ToolCall, **fields: Any) -> list[str | None]:
    """Give the signatures of the calls that one answer made."""
    turn = contents(user("u"), assistant(*made), **fields)[1]
    return [part.get("thoughtSignature") for part in turn[1]]


@pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2])
def test_genuine_signature_comes_back(model: str) -> None:
    assert calls(call("a", signature=GENUINE), model=model) == [GEMINI_SIGNATURE]


def test_bare_signature_comes_back_when_it_is_base64() -> None:
    assert calls(call("a", signature=ir.Signature(None, GEMINI_SIGNATURE))) == [GEMINI_SIGNATURE]


FOREIGN = [
    None,
    ir.Signature("claude", CLAUDE_SIGNATURE),
    ir.Signature("openai", "gAAAA"),
    ir.Signature(None, CLAUDE_SIGNATURE),
    ir.Signature(None, "claude#abc"),
    ir.Signature(None, SENTINEL),
    ir.Signature(None, ""),
    ir.Signature("gemini", "gw1.g.f.RWtC.00000000"),
]


@pytest.mark.parametrize("signature", FOREIGN)
def test_gemini_3_gets_the_sentinel_for_anything_else(signature: ir.Signature | None) -> None:
    assert calls(call("a", signature=signature)) == [SENTINEL]


@pytest.mark.parametrize("signature", FOREIGN)
@pytest.mark.parametrize("model", [GEMINI_2, CLAUDE, GPT])
def test_nobody_else_gets_the_sentinel(signature: ir.Signature | None, model: str) -> None:
    assert calls(call("a", signature=signature), model=model) == [None]


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_signature_of_gemini_never_reaches_others(model: str) -> None:
    turn = (ir.Text(text="t", signature=GENUINE), call("a", signature=GENUINE))
    answer = contents(user("u"), assistant(*turn), model=model)
    assert all("thoughtSignature" not in part for part in answer[1][1])


def test_only_the_first_of_parallel_calls_gets_the_sentinel() -> None:
    assert calls(call("a"), call("b"), call("c")) == [SENTINEL, None, None]


def test_signed_sibling_keeps_its_own() -> None:
    assert calls(call("a", signature=GENUINE), call("b")) == [GEMINI_SIGNATURE, None]


def test_every_step_of_a_loop_gets_one() -> None:
    turns = (user("u"), assistant(call("a")), user(result("a")), assistant(call("b")), user(result("b")))
    answer = contents(*turns)
    assert [answer[place][1][0]["thoughtSignature"] for place in (1, 3)] == [SENTINEL, SENTINEL]


@pytest.mark.parametrize(
    ("model", "expected"), [("gemini-pro-agent", SENTINEL), ("gemini-3.1-pro-high", SENTINEL), ("gemini-2.5-pro", None)]
)
def test_generation_decides_on_the_sentinel(model: str, expected: str | None) -> None:
    assert calls(call("a"), model=model) == [expected]


def test_switched_off_signatures_are_not_used() -> None:
    assert calls(call("a", signature=GENUINE), target={"signatures": False}) == [SENTINEL]


def test_text_and_images_carry_what_gemini_signed() -> None:
    turn = (ir.Text(text="t", signature=GENUINE), image(signature=GENUINE))
    parts = contents(user("u"), assistant(*turn), user("v"))[1][1]
    assert [part["thoughtSignature"] for part in parts] == [GEMINI_SIGNATURE, GEMINI_SIGNATURE]


@pytest.mark.parametrize("signature", [ir.Signature(None, GEMINI_SIGNATURE), ir.Signature("claude", CLAUDE_SIGNATURE)])
def test_text_carries_no_other_signature(signature: ir.Signature) -> None:
    assert contents(user("u"), assistant(ir.Text(text="t", signature=signature)))[1][1] == [{"text": "t"}]


def test_empty_signed_text_is_kept() -> None:
    parts = contents(user("u"), assistant("t", ir.Text(text="", signature=GENUINE)))[1][1]
    assert parts == [{"text": "t"}, {"text": "", "thoughtSignature": GEMINI_SIGNATURE}]


@pytest.mark.parametrize("issuer", ["gemini", "claude", None])
def test_thoughts_do_not_go_back_to_gemini(issuer: ir.Family | None) -> None:
    answer = written(user("u"), assistant(thought("Hm.", GEMINI_SIGNATURE, issuer), "t"))
    assert sent(answer)["contents"][1]["parts"] == [{"text": "t"}]
    assert answer.losses == ()


# Claude


def claude(*turns: ir.Turn, reasoning: ir.Reasoning = THINKS, **fields: Any) -> dict[str, Any]:
    return sent(written(*turns, model=CLAUDE, reasoning=reasoning, **fields))


def thinks(request: dict[str, Any]) -> bool:
    return "thinkingConfig" in request.get("generationConfig", {})


@pytest.mark.parametrize("issuer", ["claude", None])
def test_signed_thoughts_go_back_to_claude_in_front(issuer: ir.Family | None) -> None:
    turn = assistant("say", thought("Hm.", CLAUDE_SIGNATURE, issuer), call())
    request = claude(user("u"), turn, user(result()))
    assert request["contents"][1]["parts"] == [
        {"thought": True, "text": "Hm.", "thoughtSignature": CLAUDE_SIGNATURE},
        {"text": "say"},
        {"functionCall": {"id": "c1", "name": "f", "args": {}}},
    ]
    assert thinks(request)


def test_thoughts_between_the_words_of_claude_stay_there() -> None:
    said = assistant(thought("a"), "I look.", thought("b"), "There:", call("1"))
    parts = claude(user("u"), said, user(result("1")))["contents"][1]["parts"]
    assert [part.get("text") for part in parts] == ["a", "I look.", "b", "There:", None]


UNUSABLE = [
    thought(signature=None),
    thought(signature=GEMINI_SIGNATURE, issuer="gemini"),
    thought(signature=GEMINI_SIGNATURE, issuer=None),
    thought(signature="claude#abc", issuer=None),
    thought(signature="EqQBCkgIBxABGAIqQK3v"),  # Anthropic's own
    thought(""),
    ir.Thinking(text="", redacted="sealed"),
]


@pytest.mark.parametrize("part", UNUSABLE)
def test_thoughts_without_claudes_signature_are_dropped_not_spoken(part: ir.Thinking) -> None:
    request = claude(user("u"), assistant(part, "said"), user("v"))
    assert request["contents"][1]["parts"] == [{"text": "said"}]
    assert thinks(request)


@pytest.mark.parametrize("part", UNUSABLE)
def test_loop_without_signed_thoughts_switches_thinking_off(part: ir.Thinking) -> None:
    answer = written(user("u"), assistant(part, call()), user(result()), model=CLAUDE, reasoning=THINKS)
    assert not thinks(sent(answer))
    assert lost(answer, "change") == ["thinking"]


def test_thinking_that_only_the_configuration_wants_goes_as_a_hint() -> None:
    wanted = ir.Reasoning(mode="budget", budget=2048, include=True)
    answer = written(user("u"), assistant(call()), user(result()), model=CLAUDE, reasoning=wanted)
    assert not thinks(sent(answer))
    assert lost(answer) == lost(answer, "hint") == ["thinking"]


def test_no_thoughts_are_sent_where_thinking_is_off() -> None:
    request = claude(user("u"), assistant(thought(), call()), user(result()), reasoning=ir.Reasoning())
    assert request["contents"][1]["parts"] == [{"functionCall": {"id": "c1", "name": "f", "args": {}}}]


def test_words_beside_results_do_not_end_the_loop() -> None:
    assert not thinks(claude(user("u"), assistant(call()), user(result(), "hurry")))


def test_loop_of_an_earlier_question_does_not_matter() -> None:
    turns = (user("u"), assistant(call()), user(result()), assistant("done"), user("next"))
    assert thinks(claude(*turns))


def test_each_step_of_the_loop_is_looked_at() -> None:
    turns = (user("u"), assistant(thought(), call("a")), user(result("a")), assistant(call("b")), user(result("b")))
    assert not thinks(claude(*turns))


def test_redacted_thinking_is_a_hint() -> None:
    redacted = ir.Thinking(text="", redacted="sealed")
    assert lost(written(user("u"), assistant(redacted, "t"), user("v"), model=CLAUDE), "hint") == ["messages"]
