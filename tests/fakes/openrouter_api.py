"""A strict fake of OpenRouter (`/v1/chat/completions`): the models of several makers, whose thoughts it signs.

What a model has signed stands in `reasoning_details`, and comes back there: Google's models refuse a call of the
current turn without its signature, Anthropic's refuse thoughts that they did not sign. A refusal of a provider stands
in `error.metadata.raw`. The forms are those of the package @openrouter/sdk (`ReasoningDetailUnion`), the refusals what
callers have published.

    google      reasoning.text, unsigned; reasoning.encrypted with the id of the first call, else without one
    anthropic   reasoning.text, in pieces, its signature last; a thought that begins with "hidden" is encrypted
    openai      reasoning.summary; reasoning.encrypted
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.openai_api_chat import Asked
from tests.fakes.openai_api_errors import OpenAIRefusal
from tests.fakes.openai_api_reply import ChatReply, pieces
from tests.fakes.openai_api_shapes import array, integer, obj, optional, tagged, text
from tests.fakes.v1internal_script import Plan, Say, Think, Tool

__all__ = ["FakeOpenRouter"]

Json = dict[str, Any]

SENTINEL = "skip_thought_signature_validator"
FORMATS = {"google": "google-gemini-v1", "anthropic": "anthropic-claude-v1", "openai": "openai-responses-v1"}
PROVIDERS = {"google": "Google AI Studio", "anthropic": "Anthropic", "openai": "OpenAI"}
HIDDEN = "hidden"
LONGEST = 65_536
NEWER = "max_completion_tokens"  # taken for the older name
COUNTING = "usage"  # it says the tokens anyway
PRESERVE = (
    "Gemini models require OpenRouter reasoning details to be preserved in each request. Please refer to our docs: "
    "https://openrouter.ai/docs/guides/best-practices/reasoning-tokens#preserving-reasoning-blocks. Upstream error: "
)

_common = {"id": optional(text()), "format": optional(text()), "index": integer()}
_shaped = array(
    tagged(
        {
            "reasoning.text": obj(
                {"type": text()}, {"text": optional(text()), "signature": optional(text()), **_common}
            ),
            "reasoning.summary": obj({"type": text(), "summary": text()}, _common),
            "reasoning.encrypted": obj({"type": text(), "data": text()}, _common),
        }
    )
)


class FakeOpenRouter(FakeOpenAI):
    """The fake. `seals`: what it has signed, and what that stands for. `credits`: the tokens that are paid for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(plain=True, **options)
        self.seals: dict[str, str] = {}
        self.credits: int | None = None

    def judge(self, asked: Asked) -> None:
        """Refuse what a compatible server would, then what the provider would."""
        given = {name: value for name, value in asked.body.items() if name != COUNTING}
        body = {"max_tokens" if name == NEWER else name: value for name, value in given.items()}
        super().judge(replace(asked, body=body | {"messages": [_taken(message) for message in asked.messages]}))
        self._judge_credits(body)
        vendor = _vendor(asked)
        for place, message in enumerate(asked.messages):
            if "reasoning_details" in message:
                _shaped(message["reasoning_details"], f"messages[{place}].reasoning_details")
        judge = {"google": self._judge_google, "anthropic": self._judge_anthropic, "openai": self._judge_openai}
        judge[vendor](asked)

    def reply(self, asked: Asked, plan: Plan) -> ChatReply:
        """Make the writer of an answer."""
        return _Reply(asked, plan, self.generated, seals=self.seals)

    def _judge_credits(self, body: Json) -> None:
        """Ask for as much money as the longest answer would cost."""
        wanted = body.get("max_tokens") or LONGEST
        if self.credits is not None and wanted > self.credits:
            message = (
                f"This request requires more credits, or fewer max_tokens. You requested up to {wanted} tokens, but "
                f"can only afford {self.credits}. To increase, visit https://openrouter.ai/settings/credits and "
                "upgrade to a paid account"
            )
            raise OpenAIRefusal(402, {"message": message, "code": 402, "metadata": {"provider_name": None}})

    def _judge_google(self, asked: Asked) -> None:
        """Look at the steps since the user's last words."""
        roles = [message["role"] for message in asked.messages]
        since = len(roles) - roles[::-1].index("user") if "user" in roles else 0
        for place, message in enumerate(asked.messages):
            calls = message.get("tool_calls") or []
            details = _of(message, "google")
            if any(data != SENTINEL and data not in self.seals for data in _data(details)):
                raise _provider("google", _google("Corrupted thought signature."))
            first = calls[0]["id"] if calls else None
            if place >= since and calls and first not in [detail.get("id") for detail in details]:
                name = calls[0]["function"]["name"]
                said = (
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                    "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                    f"data, function call `default_api:{name}` , position {place + 1}."
                )
                raise _provider("google", PRESERVE + _google(said))

    def _judge_anthropic(self, asked: Asked) -> None:
        for place, message in enumerate(asked.messages):
            for at, detail in enumerate(_of(message, "anthropic")):
                if detail["type"] == "reasoning.encrypted":
                    good = detail["data"] in self.seals
                else:
                    good = self.seals.get(detail.get("signature") or "") == detail.get("text")
                if not good:
                    said = f"messages.{place}.content.{at}: Invalid `signature` in `thinking` block"
                    error = {"type": "invalid_request_error", "message": said}
                    raise _provider("anthropic", json.dumps({"type": "error", "error": error}))

    def _judge_openai(self, asked: Asked) -> None:
        for message in asked.messages:
            for data in _data(_of(message, "openai")):
                if data not in self.seals:
                    said = f"The encrypted content {data[:4]}... could not be verified."
                    error = {"message": said, "type": "invalid_request_error", "code": "invalid_encrypted_content"}
                    raise _provider("openai", json.dumps({"error": error}))


@dataclass(frozen=True)
class _Reply(ChatReply):
    seals: dict[str, str] | None = None

    def _deltas(self) -> Iterator[Json]:
        """Give the thoughts, the words, the calls; the signature of a call comes with its first piece."""
        for detail in self._thoughts():
            said = detail.get("text") or detail.get("summary") or ""
            field = "summary" if "summary" in detail else "text"
            for piece in pieces(said):
                bare = {key: value for key, value in detail.items() if key != "signature"}
                yield {"content": "", "reasoning": piece, "reasoning_details": [bare | {field: piece}]}
            if "signature" in detail:
                bare = {key: value for key, value in detail.items() if key != "text"}
                yield {"content": "", "reasoning": None, "reasoning_details": [bare]}
            if "data" in detail:
                yield {"content": "", "reasoning": None, "reasoning_details": [detail]}
        for one in self.plan.items:
            if isinstance(one, Say):
                yield from ({"content": piece} for piece in pieces(one.text))
        signed = list(self._signatures())
        for call in self._called():
            yield {"content": "", "tool_calls": [call]} | ({"reasoning_details": signed} if signed else {})
            signed = []
        if signed:
            yield {"content": "", "reasoning_details": signed}

    def _message(self) -> Json:
        message = super()._message()
        message.pop("reasoning_content", None)
        thoughts = list(self._thoughts())
        said = "".join(one.get("text") or one.get("summary") or "" for one in thoughts)
        details = [{**one, "index": index} for index, one in enumerate([*thoughts, *self._signatures()])]
        return message | {"reasoning": said or None} | ({"reasoning_details": details} if details else {})

    def _thoughts(self) -> Iterator[Json]:
        vendor = _vendor(self.asked)
        common = {"format": FORMATS[vendor], "index": 0}
        for place, one in enumerate(self.plan.items):
            if not isinstance(one, Think):
                continue
            seal = self._seal(f"{vendor}-{self.serial}-{place}", one.text)
            if vendor == "google":
                yield {"type": "reasoning.text", "text": one.text, **common}
            elif vendor == "openai":
                yield {"type": "reasoning.summary", "summary": one.text, "id": "rs_1", **common}
                yield {"type": "reasoning.encrypted", "data": seal, "id": "rs_1", **common}
            elif one.text.startswith(HIDDEN):
                yield {"type": "reasoning.encrypted", "data": seal, **common}
            else:
                yield {"type": "reasoning.text", "text": one.text, "signature": seal, **common}

    def _signatures(self) -> Iterator[Json]:
        """Give what Google's models sign at the end: the first call, else the answer."""
        if _vendor(self.asked) != "google" or not any(isinstance(one, Think | Tool) for one in self.plan.items):
            return
        calls = [self._call(place, tool) for place, tool in enumerate(self._calls)]
        named = {"id": calls[0]["id"]} if calls else {}
        data = self._seal(f"call-{self.serial}-{self.choice}", "")
        yield {"type": "reasoning.encrypted", "data": data, **named, "format": FORMATS["google"], "index": 0}

    def _seal(self, label: str, thought: str) -> str:
        value = "E" + sha256(f"seal {label}".encode()).hexdigest()
        assert self.seals is not None
        self.seals[value] = thought
        return value


def _vendor(asked: Asked) -> str:
    vendor = str(asked.model.name).partition("/")[0]
    return vendor if vendor in FORMATS else "openai"


def _taken(message: Json) -> Json:
    """Leave out what is taken of calls without being looked at."""
    if "tool_calls" not in message:
        return message
    calls = [{name: value for name, value in call.items() if name != "extra_content"} for call in message["tool_calls"]]
    return message | {"tool_calls": calls}


def _of(message: Json, vendor: str) -> list[Json]:
    return [one for one in message.get("reasoning_details") or [] if one.get("format") == FORMATS[vendor]]


def _data(details: Iterable[Json]) -> list[str]:
    return [detail["data"] for detail in details if "data" in detail]


def _google(message: str) -> str:
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    return json.dumps({"error": error}, indent=2)


def _provider(vendor: str, raw: str) -> OpenAIRefusal:
    metadata = {"raw": raw, "provider_name": PROVIDERS[vendor], "is_byok": False}
    return OpenAIRefusal(400, {"message": "Provider returned error", "code": 400, "metadata": metadata})
