"""The fake of OpenAI reads who spoke last."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.openai_api_turns import of_items, of_messages

RULES: list[dict[str, Any]] = [{"role": role, "content": "Be brief."} for role in ("system", "developer")]
SAID: dict[str, Any] = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("read", [of_messages, of_items])
@pytest.mark.parametrize("rule", RULES, ids=["system", "developer"])
def test_a_rule_behind_what_the_user_said_is_nobodys_turn(read: Any, rule: dict[str, Any]) -> None:
    assert [turn.role for turn in read([SAID, rule]).turns] == ["user"]


@pytest.mark.parametrize("between", [{"type": "function_call", "call_id": "c2"}, {"type": "reasoning", "id": "rs_1"}])
def test_results_of_two_rounds_are_two_turns(between: dict[str, Any]) -> None:
    first, second = ({"type": "function_call_output", "call_id": call, "output": "1"} for call in ("c1", "c2"))
    answered = [turn for turn in of_items([SAID, first, between, second]).turns if turn.responses]
    assert len(answered) == 2
