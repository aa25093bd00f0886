"""Where the sources of an answer stand: in the words that they are for, streamed and whole alike."""

import json
from typing import Any

from gateway import ir
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.openai_chat import OpenAIChat

from .anthropic import reader as anthropic
from .gemini import caller as gemini
from .openai_chat import chat

Json = dict[str, Any]


def text(words: str, *urls: str) -> list[ir.Event]:
    cited = [ir.CitationDelta(url=url, start=0, end=len(words.encode()), text="the page's own words") for url in urls]
    return [ir.BlockStarted(kind="text"), ir.TextDelta(words), *cited, ir.BlockEnded()]


SAID = [*text("Só: "), *text("blåu", "a"), *text(", not "), *text("grün", "b"), *text(".")]
EVENTS: list[ir.Event] = [ir.Started(), *SAID, ir.Finished(reason="stop")]


def test_chat_counts_characters_of_the_content() -> None:
    data = OpenAIChat().stream_writer(chat.answering()).feed(EVENTS)
    deltas = [json.loads(one)["choices"][0]["delta"] for one in chat.payloads(data) if one != "[DONE]"]
    (streamed,) = [delta["annotations"] for delta in deltas if "annotations" in delta]
    whole = chat.whole(EVENTS)["choices"][0]["message"]
    assert whole["annotations"] == streamed
    places = [(note["url_citation"]["start_index"], note["url_citation"]["end_index"]) for note in streamed]
    assert [whole["content"][start:end] for start, end in places] == ["blåu", "grün"]


def test_messages_cite_in_the_block() -> None:
    whole = json.loads(Anthropic().write_whole(anthropic.fold(EVENTS), anthropic.answering()))
    cited = {block["text"]: [one["url"] for one in block.get("citations", ())] for block in whole["content"]}
    assert cited == {"Só: ": [], "blåu": ["a"], ", not ": [], "grün": ["b"], ".": []}


def test_gemini_counts_bytes_of_the_whole_text() -> None:
    (candidate,) = gemini.whole(EVENTS)["candidates"]
    (part,) = candidate["content"]["parts"]
    segments = [support["segment"] for support in candidate["groundingMetadata"]["groundingSupports"]]
    said = part["text"].encode()
    assert [said[one["startIndex"] : one["endIndex"]].decode() for one in segments] == ["blåu", "grün"]
    assert [one["text"] for one in segments] == ["blåu", "grün"]
    last = gemini.sse(gemini.write(EVENTS))[-1]["candidates"][0]
    assert last["groundingMetadata"] == candidate["groundingMetadata"]


def test_sources_of_one_text_share_its_segment() -> None:
    urls = [f"u{number}" for number in range(9)]
    found = gemini.whole([ir.Started(), *text("x" * 100, *urls, "u0"), ir.Finished(reason="stop")])
    grounding = found["candidates"][0]["groundingMetadata"]
    assert [chunk["web"]["uri"] for chunk in grounding["groundingChunks"]] == urls
    (support,) = grounding["groundingSupports"]
    assert support["groundingChunkIndices"] == [*range(9)]
    assert support["segment"] == {"startIndex": 0, "endIndex": 100, "text": "x" * 100}
