"""Files by their addresses: each service of Google's fetches some itself, and is told what they are."""

import pytest

from gateway import ir
from gateway.dialects.gemini.request import GeminiTarget, write_request
from gateway.dialects.gemini.target import Surface
from gateway.errors import InvalidRequest

from .asking import GEMINI_3, sent, user

PLACE = "messages[0].content[0]"
PICTURE, FILM = "https://example.org/a.png", "https://www.youtube.com/watch?v=abc"


def at(url: str, media_type: str = "image/*") -> ir.Media:
    return ir.Media(media_type=media_type, url=url, path=PLACE)


def parts(media: ir.Media, surface: Surface) -> object:
    target = GeminiTarget(model=GEMINI_3, family="gemini", surface=surface)
    return sent(write_request(ir.Request(model="m", turns=(user(media),)), target))["contents"][0]["parts"]


@pytest.mark.parametrize("surface", ["gemini", "vertex"])
@pytest.mark.parametrize("url", [FILM, "https://youtu.be/abc"])
def test_a_film_at_youtube_goes_by_its_address(url: str, surface: Surface) -> None:
    film = {"mimeType": "video/mp4", "fileUri": url}
    assert parts(at(url), surface) == parts(at(url, "video/*"), surface) == [{"fileData": film}]


@pytest.mark.parametrize(("url", "kind"), [(PICTURE, "image/png"), ("gs://bucket/a.pdf", "application/pdf")])
def test_vertex_takes_other_addresses_too(url: str, kind: str) -> None:
    assert parts(at(url, kind), "vertex") == [{"fileData": {"mimeType": kind, "fileUri": url}}]


@pytest.mark.parametrize(
    ("media", "surface", "words"),
    [
        (at("https://example.org/a"), "vertex", "needs the media type"),
        (at("http://example.org/a.png", "image/png"), "vertex", "fetches nothing"),
        (at(PICTURE, "image/png"), "gemini", "fetches nothing"),
        (at(FILM), "v1internal", "fetches nothing"),
    ],
)
def test_what_is_not_fetched_is_refused_by_its_place(media: ir.Media, surface: Surface, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        parts(media, surface)
    assert caught.value.param == PLACE
