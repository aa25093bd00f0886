"""The local token estimate."""

import re
import struct
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.ir.estimate import estimate, estimate_text
from tests.cpu import cpu_seconds


def asking(*parts: ir.Part) -> ir.Request:
    return ir.Request(model="m", turns=(ir.Turn(role="user", parts=parts),))


def cost(*parts: ir.Part) -> int:
    return estimate(asking(*parts))


def media(media_type: str, data: bytes) -> ir.Media:
    return ir.Media(media_type=media_type, data=b64encode(data).decode())


def png(width: int, height: int, more: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(more)


def jpeg(width: int, height: int) -> bytes:
    preview = b"\xff\xe1" + struct.pack(">H", 9002) + bytes(9000)
    frame = b"\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + bytes(4)
    return b"\xff\xd8" + preview + b"\xff" + frame


def webp(kind: bytes, payload: bytes) -> bytes:
    return b"RIFF" + bytes(4) + b"WEBP" + kind + struct.pack("<I", len(payload)) + payload


def wav(seconds: int, rate: int) -> bytes:
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate // 2, rate, 2, 16)
    return head + b"data" + struct.pack("<I", seconds * rate) + bytes(seconds * rate)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("   \n", 0),
        ("a", 1),
        ("word", 1),
        ("words", 2),
        ("two words", 3),
        ("abcd1234x", 3),
        ("f(x)", 4),
        ("====", 2),
        ("漢字かなカナ한글", 8),
        ("é", 1),
        ("été", 3),
        ("привет", 4),
        ("𠀀", 1),
        ("🙂", 2),
        ("a漢b", 3),
        ("a\ud800", 2),
    ],
)
def test_text(text: str, tokens: int) -> None:
    assert estimate_text(text) == tokens


@given(st.text(st.characters(codec="ascii") | st.sampled_from("aaaa..  "), max_size=60))
def test_ascii_text_by_the_letter(text: str) -> None:
    words = sum(-(-len(run) // 4) for run in re.findall("[A-Za-z0-9]+", text))
    marks = sum(-(-len(run) // 3) for run in re.findall(r"[!-/:-@\[-`{-~]+", text))
    assert estimate_text(text) == words + marks


@given(st.text(), st.text())
def test_more_text_never_costs_less(first: str, second: str) -> None:
    assert estimate_text(first + second) >= max(estimate_text(first), estimate_text(second))


# long enough that a part of them stands for the rest
LONG = st.tuples(
    st.sampled_from(["word ", "a.b(c)\n", "漢字 ", "é!", "x" * 300 + " ", "   "]), st.integers(0, 6000)
).map(lambda drawn: drawn[0] * drawn[1])


@given(st.lists(LONG, max_size=4), LONG | st.text())
def test_more_at_the_end_of_a_long_text_never_costs_less(first: list[str], more: str) -> None:
    text = "".join(first)
    assert estimate_text(text + more) >= estimate_text(text)


def words(folder: str, kind: str) -> list[str]:
    return [file.read_text() for file in sorted((Path(__file__).parents[3] / folder).rglob(f"*.{kind}"))]


@pytest.mark.parametrize(("folder", "kind"), [("gateway", "py"), ("docs", "md"), ("deploy", "json")])
def test_a_long_text_costs_about_what_each_of_its_words_does(folder: str, kind: str) -> None:
    texts = words(folder, kind)
    each = sum(estimate_text(line) for text in texts for line in text.splitlines())
    assert len("".join(texts)) > 20_000
    assert estimate_text("\n".join(texts)) == pytest.approx(each, rel=0.05)
    assert sum(map(estimate_text, texts)) == pytest.approx(each, rel=0.02)


def test_a_message_costs_four_more() -> None:
    one = ir.Turn(role="user", parts=(ir.Text(text="word"),))
    assert [estimate(ir.Request(model="m", turns=(one,) * n)) for n in (1, 2, 20)] == [6, 11, 105]


def test_an_empty_request_costs_one() -> None:
    assert estimate(ir.Request(model="m", turns=())) == 1


def test_system_tools_and_the_wanted_form_cost() -> None:
    plain = asking(ir.Text(text="hi"))
    tool = ir.Tool(name="get", description="Get it.", schema=Raw(b'{"type":"object","properties":{}}'))
    dearer = [
        replace(plain, system=(ir.Text(text="be brief"),)),
        replace(plain, tools=(tool,)),
        replace(plain, output=ir.Output(kind="schema", schema=Raw(b'{"type":"object"}'))),
    ]
    assert all(estimate(request) > estimate(plain) for request in dearer)


def test_a_tool_costs_eight_and_its_parts() -> None:
    tool = ir.Tool(name="get", description="get", schema=Raw(b'{"a":1}'))
    plain = asking(*[ir.Text(text="word")] * 16)
    assert estimate(plain) == 21
    assert estimate(replace(plain, tools=(tool,) * 20)) == 21 + 21 * 13


def test_a_tool_without_a_schema_costs_its_words() -> None:
    assert estimate(replace(asking(), tools=(ir.Tool(name="get", description=None, schema=None),))) == 14


def test_each_word_of_the_system_and_each_byte_of_the_wanted_form_costs() -> None:
    plain = replace(asking(), system=(ir.Text(text="be brief"),))
    assert estimate(plain) == 12
    assert estimate(replace(plain, output=ir.Output(kind="schema", schema=Raw(b'{"type":"object"}')))) == 18


def test_white_space_in_json_costs_nothing() -> None:
    call = ir.ToolCall(id="t", name="f", arguments=Raw(b'{"a": [1, 2]}'))
    spaced = replace(call, arguments=Raw(b'{\n  "a":   [1,\n 2]\n}'))
    assert cost(call) == cost(spaced)


def test_arguments_that_broke_off_still_count() -> None:
    assert cost(ir.ToolCall(id="t", name="f", arguments=Raw(b'{"a": "some more words and'))) > 10


def test_signatures_and_sealed_thoughts_cost_nothing() -> None:
    bare = ir.Thinking(text="hm")
    assert cost(replace(bare, signature=ir.Signature("claude", "x" * 999))) == cost(bare)
    assert cost(bare, ir.Thinking(text="", redacted="x" * 999)) == cost(bare)


def test_blocks_of_one_dialect_cost_nothing() -> None:
    """Another dialect drops them."""
    opaque = ir.Opaque(dialect="anthropic", kind="server_tool_use", value=Raw(b'{"type":"server_tool_use"}'))
    assert cost(opaque) == BASE


BASE = cost()


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (media("image/png", png(750, 100)), 100),
        (media("image/png", png(8000, 8000)), 1600),
        (media("image/gif", b"GIF89a" + struct.pack("<HH", 750, 200)), 200),
        (media("image/jpeg", jpeg(750, 300)), 300),
        (media("image/webp", webp(b"VP8 ", bytes(6) + struct.pack("<HH", 750, 400))), 400),
        (media("image/webp", webp(b"VP8L", b"\x2f" + struct.pack("<I", 749 | 499 << 14))), 500),
        (
            media("image/webp", webp(b"VP8X", bytes(4) + (749).to_bytes(3, "little") + (599).to_bytes(3, "little"))),
            600,
        ),
        (media("image/png", b"no picture at all"), 1500),
        (media("image/webp", webp(b"VP9 ", bytes(20))), 1500),
        (media("image/png", png(0, 5)), 1500),
        (media("image/jpeg", b"\xff\xd8\xff"), 1500),
        (ir.Media(media_type="image/*", url="https://a.example/x"), 1500),
        (ir.Media(media_type="image/png", data="no base64: é"), 1500),
        (media("application/pdf", b"%PDF /Type /Pages /Type /Page /Type/Page\n"), 3000),
        (media("application/pdf", b"%PDF compressed"), 3000),
        (media("audio/wav", wav(10, 8000)), 320),
        (media("audio/mp3", bytes(16_000 * 10)), 320),
        (ir.Media(media_type="video/mp4", data="AAAA"), 1500),
    ],
)
def test_media(part: ir.Media, tokens: int) -> None:
    assert cost(part) - BASE == pytest.approx(tokens * 1.05, abs=2)


def test_an_image_costs_by_its_pixels_not_by_its_bytes() -> None:
    assert cost(media("image/png", png(100, 100))) == cost(media("image/png", png(100, 100, more=500_000)))


def test_a_small_image_costs_a_whole_token() -> None:
    assert cost(*[media("image/png", png(1, 1))] * 20) == BASE + 21


def test_images_in_tool_results_count() -> None:
    image = media("image/png", png(750, 1000))
    assert cost(ir.ToolResult(id="t", parts=(image,))) - BASE > 1000


def test_the_same_request_costs_the_same() -> None:
    request = asking(ir.Text(text="some words, twice"))
    assert estimate(request) == estimate(replace(request))


@pytest.mark.parametrize("piece", ["a", "a ", "漢", "é.", "{", "/Type "])
def test_a_megabyte_takes_little_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert cpu_seconds(lambda: estimate_text(text), below=1) < 1
