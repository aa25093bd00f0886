"""The upstreams of the matrix: what each is asked for, what its fake is directed by, and how its requests are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.matrix.wishes import PDF
from tests.fakes.v1internal_reply import PIXEL

__all__ = ["KINDS", "UPSTREAMS", "Reader", "Upstream"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """Finds in a request of one API what a caller has said in any. `signed`: whether what the upstream signed is back.

    `media`: each picture and document.
    """

    system: Callable[[Json], str]
    media: Callable[[Json], Sequence[str]]
    tools: Callable[[Json], Sequence[str]]
    forced: Callable[[Json], str]
    schema: Callable[[Json], Json]
    stop: Callable[[Json], Sequence[str]]
    limit: Callable[[Json], int | None]
    results: Callable[[Json], Sequence[str]]
    seals: Callable[[Json], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """One upstream, asked for one model; `thinker` is asked where thoughts are wanted.

    `opening`: events of a stream up to the first words. `error`: the fake's own name of an inner error. `stopped`: what
    makes its fake say "one" and be stopped. `dialect`: which callers speak as it does. `adaptive`: it thinks by no
    budget.
    """

    table: str
    model: str
    reader: Reader
    thinker: str = ""
    opening: int = 1
    error: str = "500_internal"
    stopped: str = "one"
    dialect: str = ""
    adaptive: bool = False

    @property
    def is_claude(self) -> bool:
        """Whether the model is Anthropic's."""
        return self.model.startswith("claude-")

    def asked(self, *, thinking: bool) -> str:
        """Name the model as a caller does."""
        return f"{self.table}/{(thinking and self.thinker) or self.model}"


def _found(node: Any, name: str) -> list[Any]:
    """Find every value of a key, at any depth."""
    if isinstance(node, dict):
        here = [node[name]] if name in node else []
        return here + [found for value in node.values() for found in _found(value, name)]
    return [found for one in node for found in _found(one, name)] if isinstance(node, list) else []


def _media(sent: Json) -> Sequence[str]:
    text = json.dumps(sent).replace("-", "+").replace("_", "/")  # Google's SDK writes the other alphabet
    return ["picture"] * text.count(PIXEL) + ["document"] * text.count(PDF)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else "".join(part["text"] for part in value)


# Google's


def _config(sent: Json) -> Json:
    config: Json = sent.get("generationConfig", {})
    return config


def _declared(sent: Json) -> Sequence[str]:
    return [one["name"] for tool in sent.get("tools", []) for one in tool.get("functionDeclarations", [])]


def _demanded(sent: Json) -> str:
    calling = sent.get("toolConfig", {}).get("functionCallingConfig", {})
    return "".join(calling.get("allowedFunctionNames", [])) if calling.get("mode") == "ANY" else ""


def _unordered(schema: Json) -> Json:
    return {name: value for name, value in schema.items() if name != "propertyOrdering"}


def _outputs(sent: Json) -> Sequence[str]:
    return [str(one["response"].get("output", "")) for one in _found(sent["contents"], "functionResponse")]


GOOGLE = Reader(
    system=lambda sent: _words(sent.get("systemInstruction", {}).get("parts", [])),
    media=_media,
    tools=_declared,
    forced=_demanded,
    schema=lambda sent: _config(sent).get("responseJsonSchema") or _unordered(_config(sent)["responseSchema"]),
    stop=lambda sent: _config(sent).get("stopSequences", []),
    limit=lambda sent: _config(sent).get("maxOutputTokens"),
    results=_outputs,
    seals=lambda sent: _found(sent["contents"], "thoughtSignature"),
)


# Anthropic's


def _given_back(sent: Json) -> Sequence[str]:
    blocks = [block for message in sent["messages"] for block in message["content"] if isinstance(block, dict)]
    return [_words(block["content"]) for block in blocks if block["type"] == "tool_result"]


ANTHROPIC = Reader(
    system=lambda sent: _words(sent.get("system", "")),
    media=_media,
    tools=lambda sent: [tool["name"] for tool in sent.get("tools", [])],
    forced=lambda sent: sent.get("tool_choice", {}).get("name", ""),
    schema=lambda sent: sent["output_config"]["format"]["schema"],
    stop=lambda sent: sent.get("stop_sequences", []),
    limit=lambda sent: sent.get("max_tokens"),
    results=_given_back,
    seals=lambda sent: _found(sent["messages"], "signature"),
)


# OpenAI's


def _instructed(sent: Json) -> str:
    turns: list[Json] = sent.get("messages") or sent["input"]
    said = [one for one in turns if one.get("role") in ("system", "developer")]
    return str(sent.get("instructions", "")) + "".join(_words(one["content"]) for one in said)


def _limit(sent: Json) -> int | None:
    return next((sent[name] for name in sent if name.startswith("max_")), None)


def _choice(sent: Json) -> str:
    choice: Json = sent["tool_choice"]
    return str(choice.get("function", choice)["name"])


CHAT = Reader(
    system=_instructed,
    media=_media,
    tools=lambda sent: [tool["function"]["name"] for tool in sent.get("tools", [])],
    forced=_choice,
    schema=lambda sent: sent["response_format"]["json_schema"]["schema"],
    stop=lambda sent: sent.get("stop", []),
    limit=_limit,
    results=lambda sent: [_words(one["content"]) for one in sent["messages"] if one["role"] == "tool"],
    seals=lambda _: [],
)
RESPONSES = Reader(
    system=_instructed,
    media=_media,
    tools=lambda sent: [tool["name"] for tool in sent.get("tools", [])],
    forced=_choice,
    schema=lambda sent: sent["text"]["format"]["schema"],
    stop=lambda _: [],
    limit=_limit,
    results=lambda sent: [one["output"] for one in sent["input"] if one.get("type") == "function_call_output"],
    seals=lambda sent: _found(sent["input"], "encrypted_content"),
)

_UNTIL_END = "oneEND two"  # the only one whose fake stops by itself

UPSTREAMS: dict[str, Upstream] = {
    "v1internal-gemini": Upstream(table="google", model="gemini-3-flash", reader=GOOGLE),
    "v1internal-claude": Upstream(table="google", model="claude-sonnet-4-6", reader=GOOGLE),
    "gemini": Upstream(table="gemini", model="gemini-3-flash-preview", reader=GOOGLE, dialect="gemini"),
    "vertex-gemini": Upstream(table="vertex", model="gemini-3-flash-preview", reader=GOOGLE, dialect="gemini"),
    "vertex-gemini-2.5": Upstream(table="vertex", model="gemini-2.5-flash", reader=GOOGLE, dialect="gemini"),
    "vertex-claude": Upstream(
        table="vertex", model="claude-sonnet-4-5", reader=ANTHROPIC, opening=4, stopped=_UNTIL_END, dialect="anthropic"
    ),
    "openai-chat": Upstream(
        table="openai",
        model="gpt-4.1",
        reader=CHAT,
        thinker="o4-mini",
        opening=2,
        error="500_server",
        dialect="openai-chat",
    ),
    "openai-responses": Upstream(
        table="responses",
        model="gpt-4.1",
        reader=RESPONSES,
        thinker="o4-mini",
        opening=5,
        error="500_server",
        dialect="openai-responses",
    ),
    "azure": Upstream(
        table="azure",
        model="gpt-4.1",
        reader=CHAT,
        thinker="o4-mini",
        opening=3,
        error="500_server",
        dialect="openai-chat",
    ),
    "azure-v1": Upstream(
        table="azure-v1",
        model="gpt-4.1",
        reader=CHAT,
        thinker="o4-mini",
        opening=3,
        error="500_server",
        dialect="openai-chat",
    ),
    "anthropic": Upstream(
        table="anthropic",
        model="claude-sonnet-4-5",
        reader=ANTHROPIC,
        opening=4,
        stopped=_UNTIL_END,
        dialect="anthropic",
    ),
    "anthropic-adaptive": Upstream(
        table="anthropic",
        model="claude-opus-5-5",
        reader=ANTHROPIC,
        opening=4,
        stopped=_UNTIL_END,
        dialect="anthropic",
        adaptive=True,
    ),
}
# one model of each family at each kind of upstream; callers read nothing else in the answers of the others
KINDS = [name for name in UPSTREAMS if name not in ("vertex-gemini-2.5", "azure-v1", "anthropic-adaptive")]
