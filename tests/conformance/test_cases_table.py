"""Where each acceptance case is proved.

A test names its cases at the start of its docstring, so that a search for `B12` finds all that is proved of it. The
table says what a case is about, and for which callers (c: OpenAI Chat, r: OpenAI Responses, a: Anthropic Messages,
g: Gemini) it must be proved over HTTP, before Code Assist and before the public Gemini API alike; another one is of
OpenAI. What `test_models_*` name are numbers of another list.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CASES = {
    "A1": ("c", "a stream opens with the role and ends with [DONE]"),
    "A2": ("c", "usage is one chunk without choices before the end"),
    "A3": ("a", "a stream is its events in order"),
    "A4": ("r", "a stream is its events in order, numbered without a gap"),
    "A5": ("g", "a stream is data only, or a JSON array"),
    "A7": ("car", "a stream upstream is one answer for who does not stream"),
    "A8": ("ar", "an empty thought does not cut the text"),
    "A16": ("cagr", "a client that leaves closes the upstream connection"),
    "B1": ("agr", "a call in a stream"),
    "B2": ("c", "a call in a stream is a tool turn though upstream says STOP"),
    "B3": ("cagr", "calls in chunks of their own stay apart"),
    "B5": ("r", "a call after text is an item of its own"),
    "B7": ("car", "a call without arguments has an empty object"),
    "B10": ("car", "a long name is legal upstream and the caller's own in the answer"),
    "B12": ("cagr", "the tool choice is a mode"),
    "B13": ("car", "one call at a time"),
    "B14": ("c", "no parallel calls, without tools"),
    "B16": ("a", "thinking and a forced call"),
    "B18": ("cagr", "a choice of an undeclared tool is refused"),
    "C1": ("car", "results follow their calls in call order"),
    "C3": ("car", "a call that nobody answered gets a result"),
    "C5": ("r", "items of the assistant are one turn, results the next"),
    "C6": ("cr", "system and developer texts are the instruction"),
    "C7": ("a", "a rule in mid-conversation is the user's"),
    "C9": ("c", "thoughts alone leave no empty content"),
    "C10": ("c", "empty content beside calls is no text"),
    "C12": ("cagr", "an image is inline data"),
    "C13": ("c", "media types are normalised"),
    "C15": ("car", "an address is refused by the name of its field"),
    "C17": ("car", "what a tool says is text unless it is an object"),
    "C20": ("cagr", "a PDF is inline data"),
    "D1": ("ar", "max_tokens is the output limit"),
    "D6": ("cr", "effort is a level or a budget"),
    "D8": ("car", "a JSON schema is the schema of the answer"),
    "D11": ("c", "more than one answer is refused"),
    "D12": ("r", "a response to go on from that is not here is refused"),
    "D15": ("ca", "stops are a list without empty ones"),
    "E1": ("agr", "the signature of a call comes back"),
    "E2": ("cr", "kept, remembered, or replaced"),
    "E5": ("car", "a signature of unknown origin does not go upstream"),
    "E8": ("cagr", "thoughts are shown to who asked for them"),
    "F1": ("c", "references"),
    "F3": ("c", "only keywords that the upstream knows"),
    "F5": ("c", "what a schema leaves out is no error"),
    "F6": ("a", "arguments of earlier calls are left alone"),
    "G1": ("cagr", "every finish reason has its word"),
    "G2": ("cagr", "a blocked prompt is a refusal with its tokens"),
    "G4": ("cagr", "thoughts are counted once"),
    "G5": ("cagr", "cached tokens"),
    "G6": ("cagr", "usage without numbers changes nothing"),
    "H1": ("cagr", "a request that the upstream calls bad is a 400"),
    "H2": ("cagr", "a used-up quota is a 429 that says when"),
    "H4": ("cagr", "a drop after text is an error, and official SDKs raise"),
    "H6": ("cagr", "our dead credential is not the caller's fault"),
    "H8": ("cagr", "keys, models, bodies, methods, paths"),
    "I1": ("a", "tokens are counted without a network"),
    "I2": ("ar", "instructions and tools count"),
    "I5": ("gr", "contents and whole requests are counted"),
    "I6": ("cag", "lists of models"),
}
# of one upstream alone: its models, or its rules
PARTIAL = {
    "D4": ("c", "v1internal", "the budget of a Claude model is below its output"),
    "D10": ("c", "gemini", "JSON of a schema beside tools: in words before Gemini 3"),
}
# before OpenAI
OPENAI = {
    "A10": ("c", "a first chunk without choices is not passed on"),
    "A11": ("c", "a choice without a delta is skipped"),
    "A14": ("r", "an answer that nothing but [DONE] ends"),
    "B7": ("a", "a call without arguments has an empty object"),
    "B10": ("c", "a long name is legal upstream and the caller's own in the answer"),
    "B12": ("a", "the tool choice"),
    "B13": ("a", "one call at a time"),
    "B14": ("c", "no parallel calls, without tools"),
    "C3": ("a", "a call that nobody answered gets a result"),
    "C20": ("a", "a PDF goes with a name"),
    "D1": ("a", "the limit has the name that the model knows"),
    "D8": ("cagr", "a JSON schema is the schema of the answer"),
    "D9": ("r", "a flat format becomes a nested one"),
    "D11": ("c", "more than one answer is refused"),
    "D15": ("ca", "stops"),
    "H1": ("cagr", "a request that the upstream calls bad is a 400"),
    "H2": ("cagr", "a used-up quota is a 429 that says when"),
    "H4": ("cagr", "a drop after text is an error"),
    "H6": ("cagr", "our dead credential is not the caller's fault"),
    "I1": ("a", "tokens are counted without a network"),
}

BOTH = {"either", "every", "fresh", "upstream", "locked", "listing"}
FIXTURES = {
    "v1internal": BOTH | {"served", "lasting", "fake_v1internal"},
    "gemini": BOTH | {"google", "lasting_google", "fake_gemini"},
    "openai": {"openai", "chat", "responses", "plain", "fake_openai"},
}
CALLERS = {
    "c": re.compile(r"\bCHAT\b|openai(?!: OpenAIServed|-responses)|\bdialect\b|first_message"),
    "a": re.compile(r"\bMESSAGES\b|anthropic|\bdialect\b|\bcount\("),
    "g": re.compile(r"\bask\(|genai|\bcall\(|/v1beta|CALLERS|\bWish\("),
    "r": re.compile(r"/v1/responses|RESPONSES|openai-responses|stream_of\(|first_output\(|AI\w*, .*dialect"),
}
NAMED = re.compile(r"[A-I]\d+(?:, [A-I]\d+)*")


@dataclass(frozen=True)
class Proof:
    """What a test says it proves, the fixtures that it asks for, and its source."""

    cases: frozenset[str]
    fixtures: frozenset[str]
    source: str

    def fits(self, case: str, upstream: str, caller: str) -> bool:
        """Tell whether it proves this."""
        named = case in self.cases and bool(self.fixtures & FIXTURES[upstream])
        return named and CALLERS[caller].search(self.source) is not None


def read(file: Path) -> Iterator[Proof]:
    """Read the tests of a module."""
    text = file.read_text()
    for node in ast.parse(text).body:
        if not isinstance(node, ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        named = NAMED.match(ast.get_docstring(node) or "")
        lines = text.splitlines()[
            min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1 : node.end_lineno
        ]
        yield Proof(
            frozenset(named[0].split(", ") if named else ()),
            frozenset(argument.arg for argument in node.args.args),
            "\n".join(lines),
        )


FILES = [file for file in sorted(Path(__file__).parent.glob("test_*.py")) if not file.name.startswith("test_models")]
PROOFS = [proof for file in FILES for proof in read(file)]
WANTED = [
    (case, upstream, caller)
    for case, (callers, _) in CASES.items()
    for upstream in ("v1internal", "gemini")
    for caller in callers
]
WANTED += [(case, upstream, caller) for case, (callers, upstream, _) in PARTIAL.items() for caller in callers]
WANTED += [(case, "openai", caller) for case, (callers, _) in OPENAI.items() for caller in callers]


@pytest.mark.parametrize(("case", "upstream", "caller"), WANTED)
def test_a_case_is_proved(case: str, upstream: str, caller: str) -> None:
    assert [proof for proof in PROOFS if proof.fits(case, upstream, caller)]


def test_every_case_that_is_proved_is_in_the_table() -> None:
    assert {case for proof in PROOFS for case in proof.cases} <= CASES.keys() | PARTIAL.keys() | OPENAI.keys()
