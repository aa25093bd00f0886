"""Code that Gemini ran, as models of other families are told of it."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.executed import executed
from gateway.errors import InvalidRequest

from .caller import ask


def told(kind: str, value: Any, **beside: Any) -> tuple[str | None, list[str]]:
    """Give the words for a part, and where something is lost."""
    losses: list[ir.Loss] = []
    raw = Raw(json.dumps({kind: value, **beside}).encode())
    said = executed(ir.Opaque(dialect="gemini", kind=kind, value=raw, path="p"), losses)
    return None if said is None else said.text, [loss.path for loss in losses]


@pytest.mark.parametrize(
    ("kind", "value", "words", "lost"),
    [
        ("executableCode", {"language": "PYTHON", "code": "print(1)\n"}, "\n```python\nprint(1)\n```\n", []),
        ("executableCode", {"language": "LISP", "code": "()"}, "\n```\n()\n```\n", ["p.executableCode.language"]),
        ("executableCode", {"language": 1, "code": "1"}, "\n```python\n1\n```\n", []),
        (
            "codeExecutionResult",
            {"outcome": 1, "output": "1"},
            "\n```output\n1\n```\n",
            ["p.codeExecutionResult.outcome"],
        ),
        ("executableCode", {"code": "1", "id": "x"}, "\n```\n1\n```\n", ["p.executableCode.id"]),
        ("codeExecutionResult", {"output": "1\n"}, "\n```output\n1\n```\n", []),
        ("codeExecutionResult", {"outcome": "OUTCOME_OK"}, "", ["p.codeExecutionResult.outcome"]),
        ("toolCall", {}, None, []),
    ],
)
def test_words(kind: str, value: Any, words: str | None, lost: list[str]) -> None:
    assert told(kind, value) == (words, lost)


def test_what_stands_beside_it_is_told() -> None:
    _, lost = told("executableCode", {"code": "1"}, thought_signature="QUJD", new=1)
    assert lost == ["p.thoughtSignature", "p.new"]


def test_what_is_spelt_otherwise_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        told("executableCode", {"code": 1})
    assert caught.value.param == "p.executableCode.code"


def test_the_proto_s_own_spelling() -> None:
    contents = [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"executable_code": {"code": "1"}}]}]
    (part,) = ask({"contents": contents}).turns[1].parts
    assert isinstance(part, ir.Opaque)
    assert executed(part, []) == ir.Text(text="\n```\n1\n```\n")
