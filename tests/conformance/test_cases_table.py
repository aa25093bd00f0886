"""Where each acceptance case is proved.

A test names its cases at the start of its docstring, so that a search for `B12` finds all that is proved of it. The
table says what a case is about, and for which callers (c: OpenAI Chat, r: OpenAI Responses, a: Anthropic Messages,
g: Gemini) it must be proved over HTTP, before Code Assist and before the public Gemini API alike; another one is of
OpenAI. What the matrix runs needs no other test. What `test_models_*` name are numbers of another list.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.matrix.cells import CELLS
from tests.conformance.matrix.upstreams import KINDS

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
    "D11": ("c", "v1internal", "more than one answer of a Claude model is refused"),
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
    "D12": ("r", "a response to go on from is the upstream's own"),
    "D15": ("ca", "stops"),
    "H1": ("cagr", "a request that the upstream calls bad is a 400"),
    "H2": ("cagr", "a used-up quota is a 429 that says when"),
    "H4": ("cagr", "a drop after text is an error"),
    "H6": ("cagr", "our dead credential is not the caller's fault"),
    "I1": ("a", "tokens are counted without a network"),
}
# before Anthropic
ANTHROPIC = {
    "A16": ("cagr", "a client that leaves closes the upstream connection"),
    "B1": ("cagr", "a call in a stream"),
    "B12": ("cagr", "the tool choice"),
    "B13": ("c", "one call at a time"),
    "B16": ("a", "thinking and a forced call"),
    "C3": ("c", "a call that nobody answered gets a result"),
    "C10": ("c", "empty content beside calls is no text"),
    "C12": ("cagr", "pictures"),
    "C13": ("c", "the type of a picture by its usual name"),
    "C20": ("a", "a PDF"),
    "D2": ("c", "an answer without a limit gets that of the model"),
    "D4": ("c", "the budget is below the limit"),
    "D8": ("cagr", "a JSON schema is the schema of the answer"),
    "D11": ("c", "more than one answer is refused"),
    "D15": ("ca", "stops"),
    "E8": ("cagr", "thoughts are shown to who asked for them"),
    "G5": ("ca", "cached tokens"),
    "H1": ("cagr", "a request that the upstream calls bad is a 400"),
    "H2": ("cagr", "a used-up quota is a 429 that says when"),
    "H4": ("cagr", "a drop after text is an error"),
    "H6": ("cagr", "our dead credential is not the caller's fault"),
    "I1": ("a", "tokens are counted"),
    "I2": ("ar", "instructions and tools count"),
}
# before Vertex AI, its Gemini models and its Claude models alike
VERTEX = {
    "A16": ("cagr", "a client that leaves closes the upstream connection"),
    "B1": ("cagr", "a call in a stream"),
    "B12": ("cagr", "the tool choice"),
    "C1": ("cagr", "results follow their calls in call order"),
    "C12": ("cagr", "pictures"),
    "C20": ("cagr", "a PDF"),
    "D1": ("cagr", "the limit, and the end that it makes"),
    "D8": ("cagr", "a JSON schema is the schema of the answer"),
    "D15": ("cag", "stops"),
    "E1": ("cagr", "signatures come back as they were issued"),
    "E8": ("cagr", "thoughts are shown to who asked for them"),
    "G1": ("cagr", "what is withheld is no clean end"),
    "H1": ("cagr", "a request that the upstream calls bad is a 400"),
    "H2": ("cagr", "a used-up quota is a 429 that says when"),
    "H4": ("cagr", "a drop after text is an error"),
    "H6": ("cagr", "our dead credential is not the caller's fault"),
    "I1": ("ag", "tokens are counted"),
}
# before Azure OpenAI, by both kinds of address
AZURE = {
    "C1": ("cagr", "results follow their calls in call order"),
    "C12": ("cagr", "pictures"),
    "D8": ("cagr", "a JSON schema is the schema of the answer"),
    "G1": ("cagr", "what is withheld is no clean end"),
    "H1": ("cagr", "a request that the upstream calls bad is a 400"),
    "H2": ("cagr", "a used-up quota is a 429 that says when"),
    "H4": ("cagr", "a drop after text is an error"),
    "H6": ("cagr", "our dead credential is not the caller's fault"),
}
# cells of the matrix, which runs them from every caller to every upstream
IN_MATRIX = {
    "A16": "caller leaves",
    "B1": "one tool",
    "B12": "forced tool",
    "C1": "parallel tools",
    "C12": "image",
    "C20": "document",
    "D1": "length",
    "D8": "structured output",
    "D15": "stop",
    "E1": "thinking",
    "G1": "refusal",
    "H4": "error after",
}
# of one upstream each
OWN = {"openai": OPENAI, "anthropic": ANTHROPIC, "vertex": VERTEX, "azure": AZURE}

BOTH = {"either", "every", "fresh", "upstream", "locked", "listing"}
FIXTURES = {
    "v1internal": BOTH | {"served", "lasting", "fake_v1internal"},
    "gemini": BOTH | {"google", "lasting_google", "fake_gemini"},
    "openai": {"openai", "pair", "chat", "responses", "plain", "fake_openai"},
    "anthropic": {"claude", "sonnet", "fake_anthropic"},
    "vertex": {"vertex", "any_vertex", "fake_vertex"},
    "azure": {"azure", "dated", "fake_azure"},
}
CALLERS = {
    "c": re.compile(r"\bCHAT\b|openai(?!: OpenAIServed|-responses)|\bdialect\b|first_message"),
    "a": re.compile(r"\bMESSAGES\b|anthropic|\bdialect\b|\bcount\("),
    "g": re.compile(r"\bask\(|genai|\bcall\(|/v1beta|CALLERS|\bWish\("),
    "r": re.compile(
        r"/v1/responses|RESPONSES|openai-responses|stream_of\(|first_output\(|dialect = pair"
        r"|(?:AI|Claude|Vertex|Azure)\w*, .*dialect"
    ),
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
WANTED += [
    (case, upstream, one) for upstream, own in OWN.items() for case, (callers, _) in own.items() for one in callers
]


@pytest.mark.parametrize(("case", "upstream", "caller"), WANTED)
def test_a_case_is_proved(case: str, upstream: str, caller: str) -> None:
    in_matrix = IN_MATRIX.get(case) in CELLS and any(kind.startswith(upstream) for kind in KINDS)
    assert in_matrix or [proof for proof in PROOFS if proof.fits(case, upstream, caller)]


def known_cases() -> set[str]:
    """Give the cases of all tables."""
    return CASES.keys() | PARTIAL.keys() | {case for own in OWN.values() for case in own}


# every acceptance case, by the letter of its part
NUMBERS = {
    "A": (1, 2, 3, 4, 5, 7, 8, 10, 11, 14, 16),
    "B": (1, 2, 3, 5, 7, 10, 12, 13, 14, 16, 18),
    "C": (1, 3, 5, 6, 7, 9, 10, 12, 13, 15, 17, 20),
    "D": (1, 2, 4, 6, 8, 9, 10, 11, 12, 15),
    "E": (1, 2, 5, 8),
    "F": (1, 3, 5, 6),
    "G": (1, 2, 4, 5, 6),
    "H": (1, 2, 4, 6, 8),
    "I": (1, 2, 5, 6),
}


def test_every_case_is_in_the_table() -> None:
    assert known_cases() == {f"{part}{number}" for part, numbers in NUMBERS.items() for number in numbers}


def test_every_case_that_is_proved_is_in_the_table() -> None:
    known = known_cases()
    assert {case for proof in PROOFS for case in proof.cases} <= known
