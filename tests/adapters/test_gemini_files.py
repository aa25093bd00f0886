"""Files and caches: each belongs to a key, and an upload goes on with its own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import (
    NotFound,
    StreamBroken,
)
from gateway.transport import Broken
from tests.adapters.forwarding import (
    HERE,
    MODEL,
    PATH,
    Stub,
    cool,
    forward,
    reading,
    upload,
)
from tests.adapters.site import GeminiSite

pytestmark = pytest.mark.anyio


async def test_a_file_is_uploaded_through_the_gateway_and_found_again(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    made = await upload(gemini)
    name = made.json["file"]["name"]
    assert made.headers["x-goog-upload-status"] == "final"
    assert (await forward(gemini, "GET", f"/v1beta/{name}")).json["sizeBytes"] == "5"
    assert [file["name"] for file in (await forward(gemini, "GET", "/v1beta/files")).json["files"]] == [name]
    assert (await forward(gemini, "DELETE", f"/v1beta/{name}")).status == 200


async def test_what_belongs_to_a_key_goes_to_it_whoever_is_first(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2")
    name = (await upload(gemini)).json["file"]["name"]
    cool(gemini, adapter.credentials[0])
    other = (await upload(gemini)).json["file"]["name"]
    assert [gemini.fake.files.stored[one].owner for one in (name, other)] == ["key-1", "key-2"]
    await gemini.clock.advance(60)
    assert (await forward(gemini, "GET", f"/v1beta/{other}")).status == 200
    assert (await forward(gemini, "GET", f"/v1beta/{name}")).status == 200


async def test_a_request_for_an_answer_goes_to_the_key_of_its_file(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    uri = (await upload(gemini)).json["file"]["uri"]
    path = f"/v1beta/models/{MODEL}:countTokens"
    for _ in range(3):
        assert (await forward(gemini, "POST", path, reading(uri), model=MODEL)).status == 200
    assert {key for key, _ in gemini.seen("countTokens")} == {"key-1"}


async def test_whose_a_file_is_that_another_process_has_seen_made_is_found_out_once(gemini: GeminiSite) -> None:
    """As after a restart, or in another worker."""
    adapter = await gemini.open("key-1", "key-2")
    cool(gemini, adapter.credentials[0])
    file = (await upload(gemini)).json["file"]
    await gemini.clock.advance(60)
    name, path = file["name"], f"/v1beta/{file['name']}"
    prompt = reading(file["uri"])
    for kind, times, method, where, body, model in (
        ("files.get", 3, "GET", path, b"", ""),
        ("generateContent", 3, "POST", f"/v1beta/models/{MODEL}:generateContent", prompt, MODEL),
        ("files.delete", 1, "DELETE", path, b"", ""),
    ):
        await gemini.open("key-1", "key-2")
        for _ in range(times):
            assert (await forward(gemini, method, where, body, model=model)).status == 200
        assert gemini.seen(kind) == [("key-1", 403), *[("key-2", 200)] * times]
    assert name not in gemini.fake.files.stored


async def test_a_file_that_no_key_has_is_explained(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2")
    with pytest.raises(NotFound, match="files/gone is unknown to any of 2 API keys"):
        await forward(gemini, "GET", "/v1beta/files/gone")
    cool(gemini, adapter.credentials[0])
    with pytest.raises(NotFound, match="files/gone is unknown to the 1 that could be tried of 2"):
        await forward(gemini, "GET", "/v1beta/files/gone")
    assert adapter.states()["active"] == 1


async def test_with_one_key_google_answers_for_itself(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    heard = await forward(gemini, "GET", "/v1beta/files/gone")
    assert (heard.status, heard.json["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert adapter.usable


async def test_a_cache_is_made_and_found_again(gemini: GeminiSite) -> None:
    gemini.fake.caches.least_tokens = 1
    await gemini.open("key-1", "key-2")
    body = {"model": "models/gemini-2.5-flash", "contents": [{"parts": [{"text": "long"}]}]}
    name = (await forward(gemini, "POST", "/v1beta/cachedContents", body)).json["name"]
    assert (await forward(gemini, "GET", f"/v1beta/{name}")).json["model"] == "models/gemini-2.5-flash"


async def test_an_upload_leads_through_the_gateway_also_before_a_mirror(gemini: GeminiSite) -> None:
    await gemini.open(base_url=f"{gemini.fake.url}/mirror")
    assert (await upload(gemini)).json["file"]["sizeBytes"] == "5"


async def test_an_upload_that_goes_on_elsewhere_is_left_alone(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    server = Stub({"x-goog-upload-url": "https://other.invalid/upload?upload_id=1"})
    adapter._backend.transport = server  # type: ignore[assignment]  # all that is asked of it
    heard = await forward(gemini, "POST", "/upload/v1beta/files", {})
    assert heard.headers == server.headers


@pytest.mark.parametrize("name", ["x-goog-upload-url", "x-goog-upload-control-url"])
@pytest.mark.parametrize("query", ["key=key-1&upload_id=1", "upload_id=1&%6bey=key-1"])
async def test_an_upload_s_address_keeps_no_key(gemini: GeminiSite, name: str, query: str) -> None:
    adapter = await gemini.open()
    real = adapter._backend.transport
    base = adapter._backend.bases[0]
    adapter._backend.transport = Stub({name: f"{base}{PATH}?{query}"})  # type: ignore[assignment]  # all that is asked
    led = (await forward(gemini, "POST", PATH, {})).headers[name]
    adapter._backend.transport = Stub({name: f"https://other.invalid/up?{query}"})  # type: ignore[assignment]
    assert (await forward(gemini, "POST", PATH, {})).headers[name] == "https://other.invalid/up?upload_id=1"
    assert led.startswith(f"{HERE}{PATH}?upload_id=1&gateway_ticket=")
    address = urlsplit(led)
    assert adapter.vouched(PATH, address.query.encode()) == "alice"
    adapter._backend.transport = real
    await forward(gemini, "POST", PATH, b"words", query=address.query, x_goog_upload_command="upload, finalize")
    (call,) = gemini.fake.calls("files.upload")
    assert (call.query, call.headers["x-goog-api-key"]) == ({"upload_id": "1"}, "key-1")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_answer_that_breaks_off_gives_the_key_back(gemini: GeminiSite, method: str) -> None:
    adapter = await gemini.open()
    server = Stub({"content-type": "application/json", "content-length": "9"}, Broken("cut"))
    adapter._backend.transport = server  # type: ignore[assignment]  # all that is asked of it
    with pytest.raises(StreamBroken):
        await forward(gemini, method, "/v1beta/files")
    assert adapter.leases == 0


async def test_an_upload_goes_on_with_its_key_after_a_restart(gemini: GeminiSite) -> None:
    """The address says enough; nothing is remembered."""
    adapter = await gemini.open("key-1", "key-2")
    cool(gemini, adapter.credentials[0])
    start = {"x_goog_upload_protocol": "resumable", "x_goog_upload_command": "start"}
    begun = await forward(
        gemini, "POST", "/upload/v1beta/files", {}, x_goog_upload_header_content_type="text/plain", **start
    )
    address = urlsplit(begun.headers["x-goog-upload-url"])
    again = await gemini.open("key-1", "key-2")
    assert again.vouched("/upload/v1beta/files", address.query.encode()) == "alice"
    last = {"x_goog_upload_command": "upload, finalize", "x_goog_upload_offset": "0"}
    heard = await forward(gemini, "POST", "/upload/v1beta/files", b"words", query=address.query, **last)
    assert gemini.fake.files.stored[heard.json["file"]["name"]].owner == "key-2"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/upload/v1beta/files", b""),
        ("/upload/v1beta/files", b"upload_id=1"),
        ("/upload/v1beta/files", b"gateway_ticket=x.y.1.alice"),
        ("/v1beta/files", b"gateway_ticket=a.b.c.d"),
    ],
)
async def test_nobody_is_vouched_for_without_proof(gemini: GeminiSite, path: str, query: bytes) -> None:
    adapter = await gemini.open()
    assert adapter.vouched(path, query) == ""


async def test_an_upload_begun_anew_ends_with_the_first(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    end = int(gemini.clock.time()) + 60
    _, _, query = adapter._uploads.moved(f"{PATH}?upload_id=a", adapter.credentials[0], "alice", end).partition("?")
    led = {"x-goog-upload-url": f"{adapter._backend.bases[0]}{PATH}?upload_id=b", "content-length": "0"}
    adapter._backend.transport = Stub(led)  # type: ignore[assignment]  # all that is asked of it
    again = await forward(gemini, "POST", PATH, {}, query=query, x_goog_upload_command="start")
    assert parse_qs(urlsplit(again.headers["x-goog-upload-url"]).query)["gateway_ticket"][0].split(".")[2] == str(end)
