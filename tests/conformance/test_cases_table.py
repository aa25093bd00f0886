"""Where each acceptance case is proved.

A test names its cases at the start of its docstring, so that a search for `B12` finds all that is proved of it. The
table says what a case is about, and for which callers (c: OpenAI Chat, a: Anthropic Messages, g: Gemini) it must be
proved over HTTP, before Code Assist and before the public Gemini API alike. What `test_models_*` name are numbers of
another list.
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
    "A5": ("g", "a stream is data only, or a JSON array"),
    "A7": ("ca", "a stream upstream is one answer for who does not stream"),
    "A8": ("a", "an empty thought does not cut the text"),
    "A16": ("cag", "a client that leaves closes the upstream connection"),
    "B1": ("ag", "a call in a stream"),
    "B2": ("c", "a call in a stream is a tool turn though upstream says STOP"),
    "B3": ("cag", "calls in chunks of their own stay apart"),
    "B7": ("ca", "a call without arguments has an empty object"),
    "B10": ("ca", "a long name is legal upstream and the caller's own in the answer"),
    "B12": ("cag", "the tool choice is a mode"),
    "B13": ("ca", "one call at a time"),
    "B14": ("c", "no parallel calls, without tools"),
    "B16": ("a", "thinking and a forced call"),
    "B18": ("cag", "a choice of an undeclared tool is refused"),
    "C1": ("ca", "results follow their calls in call order"),
    "C3": ("ca", "a call that nobody answered gets a result"),
    "C6": ("c", "system and developer texts are the instruction"),
    "C7": ("a", "a rule in mid-conversation is the user's"),
    "C9": ("c", "thoughts alone leave no empty content"),
    "C10": ("c", "empty content beside calls is no text"),
    "C12": ("cag", "an image is inline data"),
    "C13": ("c", "media types are normalised"),
    "C15": ("ca", "an address is refused by the name of its field"),
    "C17": ("ca", "what a tool says is text unless it is an object"),
    "C20": ("cag", "a PDF is inline data"),
    "D1": ("a", "max_tokens is the output limit"),
    "D6": ("c", "effort is a level or a budget"),
    "D8": ("ca", "a JSON schema is the schema of the answer"),
    "D11": ("c", "more than one answer is refused"),
    "D15": ("ca", "stops are a list without empty ones"),
    "E1": ("ag", "the signature of a call comes back"),
    "E2": ("c", "kept, remembered, or replaced"),
    "E5": ("ca", "a signature of unknown origin does not go upstream"),
    "E8": ("cag", "thoughts are shown to who asked for them"),
    "F1": ("c", "references"),
    "F3": ("c", "only keywords that the upstream knows"),
    "F5": ("c", "what a schema leaves out is no error"),
    "F6": ("a", "arguments of earlier calls are left alone"),
    "G1": ("cag", "every finish reason has its word"),
    "G2": ("cag", "a blocked prompt is a refusal with its tokens"),
    "G4": ("cag", "thoughts are counted once"),
    "G5": ("cag", "cached tokens"),
    "G6": ("cag", "usage without numbers changes nothing"),
    "H1": ("cag", "a request that the upstream calls bad is a 400"),
    "H2": ("cag", "a used-up quota is a 429 that says when"),
    "H4": ("cag", "a drop after text is an error, and official SDKs raise"),
    "H6": ("cag", "our dead credential is not the caller's fault"),
    "H8": ("cag", "keys, models, bodies, methods, paths"),
    "I1": ("a", "tokens are counted without a network"),
    "I2": ("a", "instructions and tools count"),
    "I5": ("g", "contents and whole requests are counted"),
    "I6": ("cag", "lists of models"),
}
# of one upstream alone: its models, or its rules
PARTIAL = {
    "D4": ("c", "v1internal", "the budget of a Claude model is below its output"),
    "D10": ("c", "gemini", "JSON of a schema beside tools: in words before Gemini 3"),
}

BOTH = {"either", "every", "fresh", "upstream", "locked", "listing"}
FIXTURES = {
    "v1internal": BOTH | {"served", "lasting", "fake_v1internal"},
    "gemini": BOTH | {"google", "lasting_google", "fake_gemini"},
}
CALLERS = {
    "c": re.compile(r"\bCHAT\b|openai|\bdialect\b|first_message"),
    "a": re.compile(r"\bMESSAGES\b|anthropic|\bdialect\b|\bcount\("),
    "g": re.compile(r"\bask\(|genai|\bcall\(|/v1beta"),
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
    (case, upstream, caller) for case, (callers, _) in CASES.items() for upstream in FIXTURES for caller in callers
]
WANTED += [(case, upstream, caller) for case, (callers, upstream, _) in PARTIAL.items() for caller in callers]


@pytest.mark.parametrize(("case", "upstream", "caller"), WANTED)
def test_a_case_is_proved(case: str, upstream: str, caller: str) -> None:
    assert [proof for proof in PROOFS if proof.fits(case, upstream, caller)]


def test_every_case_that_is_proved_is_in_the_table() -> None:
    assert {case for proof in PROOFS for case in proof.cases} <= CASES.keys() | PARTIAL.keys()
