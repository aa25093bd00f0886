"""The one seam where bodies are decoded, and what both inbound dialects read alike."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.dialects.content import MAX_DEPTH, arguments, decode, media
from gateway.errors import InvalidRequest
from tests.strategies import words


class Text(Struct, tag="text"):
    text: str


class Image(Struct, tag="image"):
    url: str


class Body(Struct):
    model: str
    parts: list[Text | Image] = []
    extra: Raw | UnsetType = UNSET


def nested(levels: int) -> bytes:
    """A body that is `levels` deep, its own object included."""
    return b'{"model":"m","extra":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the request body is not valid JSON: it is empty"),
        (b" \n", "the request body is not valid JSON: it is empty"),
        (b"\xef\xbb\xbf{}", "the request body is not valid JSON: it starts with a byte order mark"),
        (b'{"model":"m"', "the request body is not valid JSON: Input data was truncated"),
        (b'{"model":"m"}x', "the request body is not valid JSON: trailing characters (byte 14)"),
        (b'{"model":NaN}', "the request body is not valid JSON: invalid character (byte 9)"),
        (b'{"model":"m","extra":NaN}', "the request body is not valid JSON: invalid character (byte 21)"),
        (b'{"model":"\xff"}', "the request body is not valid JSON: it is not UTF-8"),
        (b'{"model":"m","extra":"\xff"}', "the request body is not valid JSON: it is not UTF-8"),
        (
            b'{"model":"m","extra":"\\ud800"}',
            "the request body is not valid JSON: it is truncated, or has a lone surrogate escape",
        ),
        (b"[]", "the request body: expected `object`, got `array`"),
        (b'"x"', "the request body: expected `object`, got `str`"),
    ],
)
def test_a_broken_body_is_an_invalid_request(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, Body)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "model"),
        (b'{"model":1}', "model"),
        (b'{"model":"m","parts":[{"text":"x"}]}', "parts[0].type"),
        (b'{"model":"m","parts":[{"type":"video"}]}', "parts[0].type"),
        (b'{"model":"m","parts":[{"type":"text","text":"x"},{"type":"text","text":null}]}', "parts[1].text"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, Body)
    assert caught.value.param == param
    assert caught.value.message.startswith(f"{param}: ")


@pytest.mark.parametrize("levels", [2, MAX_DEPTH - 1, MAX_DEPTH])
def test_depth_up_to_the_limit_is_read(levels: int) -> None:
    assert decode(nested(levels), Body).model == "m"


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 700, 5_000, 200_000])
def test_more_depth_is_refused(levels: int) -> None:
    with pytest.raises(InvalidRequest, match="nested deeper than 200"):
        decode(nested(levels), Body)


def test_brackets_in_strings_are_not_depth() -> None:
    text = '[{"\\' * 300
    assert decode(json.dumps({"model": text, "extra": [text, {text: text}]}).encode(), Body).model == text


@given(st.lists(st.sampled_from(['"', "\\", "[", "{", "]", "}", "n", "é", "\n"]), max_size=600).map("".join))
def test_depth_is_counted_outside_strings_only(text: str) -> None:
    deep: object = text
    for _ in range(MAX_DEPTH - 1):
        deep = [text, deep]
    body = json.dumps({"model": text, "extra": deep}).encode()
    assert decode(body, Body).model == text
    with pytest.raises(InvalidRequest):
        decode(json.dumps({"model": text, "extra": [deep]}).encode(), Body)


@given(st.binary(max_size=40) | words(0, 40).map(lambda text: json.dumps({"model": text})[:-1].encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        decode(body, Body)
    except InvalidRequest as error:
        assert "\n" not in error.message


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, b"{}"),
        ("", b"{}"),
        (" \n", b"{}"),
        ("null", b"{}"),
        ("{}", b"{}"),
        ('{"a": 1,  "b":"\\u00e9"}', b'{"a": 1,  "b":"\\u00e9"}'),
        (b'{"a":1}', b'{"a":1}'),
        ("[1]", b'{"input":[1]}'),
        ('"x"', b'{"input":"x"}'),
        ("7", b'{"input":7}'),
        ('{ "$a" = x; }', b'{"input":"{ \\"$a\\" = x; }"}'),
        ('{"a":NaN}', b'{"input":"{\\"a\\":NaN}"}'),
        ('{"a":"\\ud83d!\\ud83d\\ude00"}', b'{"a":"\\ufffd!\\ud83d\\ude00"}'),
        ('{"a":1}{', b'{"input":"{\\"a\\":1}{"}'),
    ],
)
def test_arguments_are_one_object(raw: str | bytes | None, expected: bytes) -> None:
    assert bytes(arguments(raw)) == expected


@given(words(0, 30) | st.binary(max_size=20))
def test_any_arguments_become_an_object_that_keeps_the_text(raw: str | bytes) -> None:
    assert isinstance(json.loads(bytes(arguments(raw))), dict)


def test_arguments_nested_too_deep_are_kept_as_text() -> None:
    raw = '{"a":' + "[" * 900 + "]" * 900 + "}"
    assert json.loads(bytes(arguments(raw))) == {"input": raw}


@pytest.mark.parametrize(
    ("url", "media_type", "data"),
    [
        ("data:image/png;base64,AAAA", "image/png", "AAAA"),
        ("data:IMAGE/JPG;charset=utf-8;base64,AA==", "image/jpeg", "AA=="),
        ("DATA:image/PNG;charset=x;BASE64,AAAA", "image/png", "AAAA"),
        ("data:image/gif;base64,AA A\r\nA", "image/gif", "AAAA"),
        ("data:image/webp;base64,__-_", "image/webp", "//+/"),
        ("data:image/webp;base64,AAA", "image/webp", "AAA="),
        ("data:;base64,iVBORw0KGgoA", "image/png", "iVBORw0KGgoA"),
        ("/9j/AAAA", "image/jpeg", "/9j/AAAA"),
        ("data:image/jpeg;base64,iVBORw0KGgoA", "image/png", "iVBORw0KGgoA"),
        ("data:image/png;base64,UklGRgAA", "image/webp", "UklGRgAA"),
        ("data:audio/wav;base64,UklGRgAA", "audio/wav", "UklGRgAA"),
    ],
)
def test_data_urls_are_normalised(url: str, media_type: str, data: str) -> None:
    read = media(url=url, path="p")
    assert (read.media_type, read.data, read.url, read.path) == (media_type, data, None, "p")


@pytest.mark.parametrize(
    ("media_type", "filename", "expected"),
    [
        ("application/pdf", None, "application/pdf"),
        ("audio/mp3", None, "audio/mp3"),
        (None, "report.pdf", "application/pdf"),
        (None, "Photo.JPG", "image/jpeg"),
        (None, None, "application/pdf"),
        ("application/octet-stream", "report.pdf", "application/pdf"),
        ("Application/Octet-Stream; x=y", "Photo.JPG", "image/jpeg"),
        ("binary/octet-stream", "song.mp3", "audio/mpeg"),
        ("image/heic", None, "image/heic"),
    ],
)
def test_the_type_of_plain_data_comes_from_what_is_known(
    media_type: str | None, filename: str | None, expected: str
) -> None:
    assert media(media_type, data="AAAA", filename=filename, path="p").media_type == expected


def test_what_nothing_tells_the_type_of_is_what_its_place_is_for() -> None:
    assert media(data="AAAA", path="p").media_type == "application/pdf"
    assert media(data="AAAA", path="p", otherwise="image/png").media_type == "image/png"
    assert media(data="/9j/AAAA", path="p", otherwise="image/png").media_type == "image/jpeg"


def test_a_type_that_says_nothing_is_what_the_bytes_are() -> None:
    """Browsers write it for a file that they do not know, such as notes.md on Windows."""
    unsaid = "data:application/octet-stream;base64,"
    assert media(data=f"{unsaid}JVBERi0x", path="p", any_type=True).media_type == "application/pdf"
    notes = media(data=f"{unsaid}AAAA", filename="notes.txt", path="p", any_type=True)
    assert notes.media_type == "text/plain"
    assert media(data=f"{unsaid}AAAA", path="p", any_type=True).media_type == "application/octet-stream"
    with pytest.raises(InvalidRequest, match="octet-stream"):
        media(data=f"{unsaid}AAAA", path="p")


@pytest.mark.parametrize(
    ("url", "media_type"), [("https://x.test/a.png?s=1", "image/png"), ("HTTPS://x.test/a", "image/*")]
)
def test_addresses_stay_addresses(url: str, media_type: str) -> None:
    read = media(url=url, path="p")
    assert (read.media_type, read.data, read.url) == (media_type, None, url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data:",
        "data:image/png,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,AAAAA",
        "data:image/png;base64,AA*A",
        "data:image/png;base64,A=AA",
        "data:image/png;base64,====",
        "data:image/bmp;base64,AAAA",
        "data:text/html;base64,AAAA",
        "file:///etc/passwd",
        "ftp://x.test/a.png",
    ],
)
def test_what_is_no_medium_is_refused_by_its_path(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        media(url=url, path="messages[0].content[1].image_url.url")
    assert caught.value.param == "messages[0].content[1].image_url.url"


@given(st.binary(min_size=1, max_size=200), st.sampled_from((0, 65_536, 131_070)))
def test_sound_base64_stays_as_it_is(raw: bytes, zeros: int) -> None:
    data = b64encode(bytes(zeros) + raw).decode()
    assert media("image/png", data=data, path="p").data == data
