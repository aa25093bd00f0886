"""A notice of Code Assist in the place of an answer: the caller reads it, the operator is told."""

import json

import pytest

from gateway.adapters.v1internal_notice import read_notice
from tests.adapters.site import Site

OLD = "This version of Antigravity is no longer supported. Please update to receive the latest features!"
NOTHING = {"promptTokenCount": 0, "totalTokenCount": 0}


def event(text: str, **fields: object) -> bytes:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
    return b"data: " + json.dumps({"response": {"candidates": [candidate], **fields}}).encode() + b"\n\n"


@pytest.mark.anyio
async def test_the_operator_is_told_and_the_caller_reads_it(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.level = "warning"
    await site.open()
    site.fake.script.push("!fixture 33")
    assert await site.ask() == OLD
    (line,) = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "does not serve" in line]
    assert (line["level"], line["notice"]) == ("warning", OLD)


@pytest.mark.parametrize(
    "said",
    [
        OLD,
        "This version of Antigravity is no longer supported. Please upgrade to receive the latest features.",
        "Your current version of Antigravity is out of date. Please visit https://a.example to install the latest one.",
    ],
)
@pytest.mark.parametrize("fields", [{}, {"usageMetadata": NOTHING}])
def test_a_notice(said: str, fields: dict[str, object]) -> None:
    """As seen in lbjlaq/Antigravity-Manager#1404, #3075 and #2134."""
    assert read_notice(event(said, **fields)) == said


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        (OLD, {"usageMetadata": {"promptTokenCount": 5}}),
        (f"It says: {OLD}", {}),
        (OLD.replace("Antigravity", "A" * 41), {}),
        (f"{OLD} \\n", {}),
        ("This version of TLS is no longer", {}),
    ],
)
def test_what_a_model_says_is_none(said: str, fields: dict[str, object]) -> None:
    assert not read_notice(event(said, **fields))
