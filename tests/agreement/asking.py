"""What callers of each dialect post, and the counts that they read in an answer, as in one of an upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.testing.asking import ASKING, Wish
from gateway.testing.grammars import GRAMMARS
from tests.walks.material import Luck

from .material import Json

__all__ = ["DIALECTS", "Ask", "Tokens", "asked", "counted", "counting", "embedding", "failed", "unreadable"]

DIALECTS: Final = tuple(ASKING)
Tokens = tuple[int, int, int]  # of the prompt, of what of it was cached, of the answer


@dataclass(frozen=True)
class Ask:
    """One request. `counts`: it is of a kind that limits and the ledger count; `generates`: that has an answer."""

    dialect: str
    path: str
    body: bytes
    stream: bool = False
    counts: bool = True
    generates: bool = True

    def headers(self, secret: str) -> dict[str, str]:
        """Give those of a caller with this key."""
        return {**ASKING[self.dialect].headers(secret), "content-type": "application/json"}


def asked(luck: Luck, dialect: str, model: str, text: str, *, stream: bool) -> Ask:
    """Ask for an answer to a text."""
    asking = ASKING[dialect]
    body = asking.body(model, Wish(luck.word("us") + f"\n{text}", stream=stream))
    return Ask(dialect, asking.path(model, stream), json.dumps(body).encode(), stream)


def unreadable(luck: Luck, model: str) -> Ask:
    """Ask for what nobody can read."""
    dialect = luck.choice(DIALECTS)
    asking = ASKING[dialect]
    body = asking.body(model, Wish("hi"))
    wrong = luck.choice((b'{"a": ', b"{}", json.dumps(dict.fromkeys(body, 3) | {"model": model}).encode()))
    return Ask(dialect, asking.path(model, False), wrong)


def counting(luck: Luck, model: str) -> Ask:
    """Ask how many tokens something has."""
    dialect = luck.choice(("openai-responses", "anthropic", "gemini"))
    body = ASKING[dialect].body(model, Wish(luck.word("us")))
    paths = {
        "openai-responses": "/v1/responses/input_tokens",
        "anthropic": "/v1/messages/count_tokens",
        "gemini": f"/v1beta/models/{model}:countTokens",
    }
    wanted = {name: body[name] for name in ("model", "messages", "input", "contents") if name in body}
    return Ask(dialect, paths[dialect], json.dumps(wanted).encode(), counts=False, generates=False)


def embedding(luck: Luck, model: str) -> Ask:
    """Ask for the place of a text among others."""
    body = {"model": model, "input": luck.word("us")}
    return Ask("openai-chat", "/v1/embeddings", json.dumps(body).encode(), generates=False)


def failed(ask: Ask, status: int, answer: bytes) -> bool:
    """Say whether an answer is an error, or ends with one; it keeps the rules of its dialect."""
    grammar = GRAMMARS[ask.dialect]
    if status != 200:
        grammar.error(status, answer)
        return True
    return ask.generates and (grammar.stream if ask.stream else grammar.whole)(answer).error is not None


def counted(dialect: str, answer: bytes) -> Tokens | None:
    """Read what an answer, or as much of it as there is, says of its tokens; None where it says nothing."""
    usage: Json = {}
    for said in _objects(answer):
        for holder in (said, said.get("response") or {}, said.get("message") or {}):
            usage |= holder.get("usage") or holder.get("usageMetadata") or {}
    if usage.keys() == {"prompt_tokens", "total_tokens"}:  # of embeddings
        usage["completion_tokens"] = 0
    return GRAMMARS[dialect].counts(usage)[:3] if usage else None


def _objects(answer: bytes) -> Iterator[Json]:
    """Give the events of a stream, or the one object of an answer; what has broken off is none."""
    lines = [line.removeprefix(b"data:") for line in answer.splitlines() if line.startswith(b"data:")]
    for one in lines or [answer]:
        try:
            said = json.loads(one)
        except ValueError:
            continue
        if isinstance(said, dict):
            yield said
