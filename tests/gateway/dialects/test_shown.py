"""Pictures that an answer showed in Markdown are pictures again when the caller sends the conversation back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.shown import markdown, read_shown

DATA = "iVBORw0KGgoAAA=="
SHOWN = markdown("image/png", DATA)
BLUE = {"role": "user", "content": "Make it blue."}
CODECS = pytest.mark.parametrize("codec", [OpenAIChat(), Anthropic()], ids=["openai-chat", "anthropic"])


def said(codec: OpenAIChat | Anthropic, content: Any, **fields: Any) -> list[ir.Part]:
    """Read what an assistant is said to have said."""
    messages = [{"role": "user", "content": "Draw."}, {"role": "assistant", "content": content, **fields}, BLUE]
    body = msgspec.json.encode({"model": "m", "max_tokens": 9, "messages": messages})
    request = codec.read_request(body)
    assert not [loss for loss in request.losses if loss.severity != "hint"]
    return list(request.turns[1].parts)


def plain(parts: list[ir.Part]) -> list[str]:
    """Give words as they are, and pictures by what they are."""
    return [part.text if isinstance(part, ir.Text) else f"<{part.media_type} {part.data}>" for part in parts]  # type: ignore[union-attr] # only those two come


@CODECS
def test_a_picture_among_the_words_is_one_again(codec: OpenAIChat | Anthropic) -> None:
    picture = f"<image/png {DATA}>"
    assert plain(said(codec, SHOWN)) == [picture]
    text = f"Here:\n\n{SHOWN}\n\n{SHOWN} and so on."
    assert plain(said(codec, text)) == ["Here:\n\n", picture, picture, " and so on."]
    assert plain(said(codec, [{"type": "text", "text": f"Here: {SHOWN}"}])) == ["Here: ", picture]


@CODECS
def test_the_words_of_others_stay_words(codec: OpenAIChat | Anthropic) -> None:
    request = codec.read_request(
        msgspec.json.encode({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": SHOWN}]})
    )
    assert request.turns[0].parts == (ir.Text(text=SHOWN),)


@pytest.mark.parametrize(
    "text",
    [
        "![image](https://example.org/a.png)",
        f"![a cat](data:image/png;base64,{DATA})",
        "![image](data:image/png;base64,AAA)",
        "![image](data:image/png;base64,…)",
        "![image](data:image/svg+xml;base64,AAAA)",
        "![image](data:image/png;base64,AAAA",
    ],
)
def test_markdown_of_another_form_stays_words(text: str) -> None:
    words = ir.Text(text=text)
    assert read_shown(words, "messages") == (words,)


def test_a_mark_of_the_cache_is_behind_all_of_it() -> None:
    mark = ir.Mark(path="cache_control")
    *before, last = read_shown(ir.Text(text=f"Here: {SHOWN}", mark=mark), "messages")
    assert ([part.mark for part in before], last.mark) == ([None], mark)


def test_pictures_beside_the_words_of_an_answer_are_read() -> None:
    beside = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}, "index": 0}
    assert plain(said(OpenAIChat(), "", images=[beside])) == [f"<image/png {DATA}>"]
    assert plain(said(OpenAIChat(), "Here.", images=[beside])) == ["Here.", f"<image/png {DATA}>"]


def test_pictures_of_no_known_form_are_told() -> None:
    message = {"role": "assistant", "content": "Here.", "images": [{"png": "x"}]}
    request = OpenAIChat().read_request(msgspec.json.encode({"model": "m", "messages": [BLUE, message, BLUE]}))
    assert [(loss.path, loss.severity) for loss in request.losses] == [("messages[1].images", "content")]
