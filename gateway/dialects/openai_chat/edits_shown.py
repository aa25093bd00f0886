"""Pictures among the words of an answer, when the conversation goes on at an upstream that speaks Chat Completions.

assistant: "Here: ![image](data:…)", calls   tool: …   ─►   assistant: "Here: ", calls   tool: …   user: picture
assistant: "Here: ", images                            ─►   the same, where a message may have no images
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import Words
from gateway.dialects.gemini.history import SHOWN, SHOWN_BACK
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import FIELDS, MANY, NULL, RAWS, TEXT, Fields, read
from gateway.dialects.shown import OPENING, link, without_pictures

from .outbound_content import read_pictures
from .outbound_parts import image

__all__ = ["among", "shown"]


_MARK: Final = OPENING.encode()
_encode: Final = msgspec.json.Encoder().encode


def among(message: Fields, path: str) -> Fields:
    """Write the pictures beside the words of an answer among them, where `shown` finds them."""
    written = "".join(link("image/*", url) for url in read_pictures(message.get("images", NULL)))
    left, pictures = without_pictures(written, path)
    if left or not pictures:
        return message
    content = message.get("content", NULL)
    parts = read(content, RAWS)
    said = (read(content, TEXT) or "") + written if parts is None else [*parts, {"type": "text", "text": written}]
    return {name: one for name, one in message.items() if name != "images"} | {"content": Raw(_encode(said))}


def shown(words: Words[OpenAITarget]) -> None:
    """Let the user show the pictures among what the model said: as words each costs a million tokens."""
    said = words.fields.get("messages", NULL)
    if _MARK not in bytes(said):
        return
    before = read(said, RAWS) or []
    after = list(_messages(before, words))
    if after != before:
        words.put("messages", after)


def _messages(given: list[Raw], words: Words[OpenAITarget]) -> Iterator[object]:
    waiting: list[object] = []  # until the results of the calls beside it have been told
    for place, raw in enumerate(given):
        message, path = read(raw, FIELDS) or {}, f"messages[{place}]"
        role = read(message.get("role", NULL), TEXT)
        if role != "tool":
            yield from waiting
            waiting = []
        content, pictures = _parted(message.get("content", NULL), path) if role == "assistant" else (None, [])
        if not pictures:
            yield raw
            continue
        words.lose(path, SHOWN_BACK, "change")
        waiting = [{"role": "user", "content": [{"type": "text", "text": SHOWN.text}, *map(image, pictures)]}]
        if content or "tool_calls" in message:
            yield {**message, "content": content}
    yield from waiting


def _parted(content: Raw, path: str) -> tuple[object, list[ir.Media]]:
    """Part a content from the pictures among its words; None when nothing is left of it."""
    text = read(content, TEXT)
    if text is not None:
        left, pictures = without_pictures(text, path)
        return left or None, pictures
    parts = read(content, MANY) or []
    apart = [without_pictures(read(part.get("text", NULL), TEXT) or "", path) for part in parts]
    kept = [
        {**part, "text": said} if found else part
        for part, (said, found) in zip(parts, apart, strict=True)
        if said or not found
    ]
    return kept or None, [one for _, found in apart for one in found]
