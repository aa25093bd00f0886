"""Models, counts, embeddings, files and cached contents of the public API's fake."""

from __future__ import annotations

import base64
import hashlib
import math
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tests.fakes.gemini_api_models import SERVED
from tests.fakes_tests.gemini_api_bodies import (
    EMBEDDING,
    GEMINI_2,
    GEMINI_2_PRO,
    OBJECT,
    GeminiClient,
    body,
    refusal,
)
from tests.fakes_tests.v1internal_bodies import Json, tools, user

CACHES = "/v1beta/cachedContents"
LONG = "x" * 8000
START = {
    "X-Goog-Upload-Protocol": "resumable",
    "X-Goog-Upload-Command": "start",
    "X-Goog-Upload-Header-Content-Type": "text/plain",
}


async def test_models_are_listed_page_by_page(gemini: GeminiClient) -> None:
    first = await gemini.get("/v1beta/models?pageSize=11")
    second = await gemini.get(f"/v1beta/models?pageSize=11&pageToken={first['nextPageToken']}")
    assert [one["name"] for one in first["models"] + second["models"]] == [f"models/{name}" for name in SERVED]
    assert "nextPageToken" not in second


async def test_a_model_says_what_it_is_for(gemini: GeminiClient) -> None:
    pro, embedding = [await gemini.get(f"/v1/models/{name}") for name in (GEMINI_2_PRO, EMBEDDING)]
    assert (pro["inputTokenLimit"], pro["outputTokenLimit"], pro["thinking"]) == (1048576, 65536, True)
    assert "generateContent" in pro["supportedGenerationMethods"]
    assert "embedContent" in embedding["supportedGenerationMethods"]


async def test_a_model_that_is_not_there_is_a_404(gemini: GeminiClient) -> None:
    response = await gemini.open("/v1beta/models/none", verb="GET")
    assert await refusal(response, 404) == "Model is not found: models/none for api version v1beta"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("pageToken=nonsense", "Invalid page token."),
        ("pageSize=-1", "must not be negative"),
        ("pageSize=x", "(TYPE_INT32)"),
        ("filter=a", 'Unknown name "filter": Cannot bind query parameter.'),
    ],
)
async def test_a_wrong_page_is_refused(gemini: GeminiClient, query: str, words: str) -> None:
    assert words in await refusal(await gemini.open(f"/v1beta/models?{query}", verb="GET"))


async def test_there_are_no_tuned_models_unless_some_are_set(gemini: GeminiClient) -> None:
    assert await gemini.get("/v1beta/tunedModels") == {}
    gemini.fake.tuned_models.append({"name": "tunedModels/mine"})
    assert await gemini.get("/v1beta/tunedModels") == {"tunedModels": [{"name": "tunedModels/mine"}]}


async def count(gemini: GeminiClient, sent: Json) -> int:
    response = await gemini.post("countTokens", sent, GEMINI_2)
    assert response.status == 200, await response.text()
    answer = await response.json()
    assert sum(one["tokenCount"] for one in answer["promptTokensDetails"]) == answer["totalTokens"]
    return int(answer["totalTokens"])


async def test_counting_a_whole_request_agrees_with_its_usage(gemini: GeminiClient) -> None:
    asked = body(user("!say hi"), systemInstruction=user("be brief"), tools=tools(OBJECT))
    counted = await count(gemini, {"generateContentRequest": {"model": f"models/{GEMINI_2}", **asked}})
    answer = await (await gemini.post("generateContent", asked, GEMINI_2)).json()
    assert counted == answer["usageMetadata"]["promptTokenCount"]
    assert counted > await count(gemini, {"contents": asked["contents"]}) > 0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "contents is not specified"),
        ({"generateContentRequest": body()}, "generate_content_request.model: model is required."),
        (
            {"contents": [user("a")], "generateContentRequest": body(model=f"models/{GEMINI_2}")},
            "contents and generate_content_request are mutually exclusive",
        ),
        ({"generateContentRequest": body(model="models/other")}, "does not match the model of the path"),
        ({"contents": [user("a")], "model": "models/other"}, "does not match the model of the path"),
        ({"contents": [user()]}, "contents.parts must not be empty"),
    ],
)
async def test_counting_refuses_what_it_does_not_understand(gemini: GeminiClient, sent: Json, words: str) -> None:
    assert words in await refusal(await gemini.post("countTokens", sent, GEMINI_2))


async def embed(gemini: GeminiClient, text: str, **more: Any) -> list[float]:
    response = await gemini.post("embedContent", {"content": user(text), **more}, EMBEDDING)
    values: list[float] = (await response.json())["embedding"]["values"]
    return values


async def test_a_vector_depends_on_its_text_and_has_length_one(gemini: GeminiClient) -> None:
    one, again, other = [await embed(gemini, text) for text in ("a", "a", "b")]
    assert (len(one), one == again, one == other) == (3072, True, False)
    assert math.isclose(sum(value * value for value in one), 1)
    assert len(await embed(gemini, "a", outputDimensionality=768)) == 768


async def test_a_batch_is_embedded_in_order(gemini: GeminiClient) -> None:
    requests = [{"model": f"models/{EMBEDDING}", "content": user(text)} for text in ("b", "a")]
    response = await gemini.post("batchEmbedContents", {"requests": requests}, EMBEDDING)
    embeddings = (await response.json())["embeddings"]
    assert [one["values"] for one in embeddings] == [await embed(gemini, text) for text in ("b", "a")]


@pytest.mark.parametrize(
    ("method", "sent", "words"),
    [
        ("embedContent", {}, "EmbedContentRequest.content: contents is not specified"),
        ("embedContent", {"content": user()}, "contents.parts must not be empty"),
        ("embedContent", {"content": user("a"), "outputDimensionality": 4096}, "must be in the range [1, 3072]"),
        ("embedContent", {"content": user("a"), "title": "t"}, "only allowed when task_type is RETRIEVAL_DOCUMENT"),
        ("embedContent", {"content": user("a"), "taskType": "GUESSING"}, 'v1beta.TaskType), "GUESSING"'),
        ("embedContent", {"content": user("a"), "model": "models/other"}, "does not match the model of the path"),
        ("batchEmbedContents", {}, "requests is required"),
        ("batchEmbedContents", {"requests": [{"content": user("a")}]}, "requests[0].model: model is required"),
        (
            "batchEmbedContents",
            {"requests": [{"model": "models/other", "content": user("a")}]},
            "does not match the model of the path",
        ),
        ("batchEmbedContents", {"requests": [{}] * 101}, "at most 100 requests can be in one batch"),
    ],
)
async def test_embedding_refuses_what_it_does_not_understand(
    gemini: GeminiClient, method: str, sent: Json, words: str
) -> None:
    assert words in await refusal(await gemini.post(method, sent, EMBEDDING))


async def start(gemini: GeminiClient, *, key: str = "key-1", length: int | None = None, **file: Any) -> str:
    """Begin an upload; give the address of its pieces."""
    announced = {} if length is None else {"X-Goog-Upload-Header-Content-Length": str(length)}
    response = await gemini.open("/upload/v1beta/files", {"file": file}, key=key, **START, **announced)
    assert (response.status, response.headers["x-goog-upload-status"]) == (200, "active")
    return response.headers["x-goog-upload-url"]


async def piece(
    gemini: GeminiClient, address: str, data: bytes, *, offset: int = 0, command: str = "upload, finalize"
) -> aiohttp.ClientResponse:
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    response = await gemini.session.post(address, data=data, headers=headers)
    await response.read()
    return response


async def uploaded(gemini: GeminiClient, data: bytes = b"hello", **file: Any) -> Json:
    response = await piece(gemini, await start(gemini, **file), data)
    assert response.headers["x-goog-upload-status"] == "final"
    answer: Json = (await response.json())["file"]
    return answer


async def test_an_upload_in_one_piece_makes_a_file(gemini: GeminiClient) -> None:
    file = await uploaded(gemini, displayName="d")
    digest = base64.b64encode(hashlib.sha256(b"hello").hexdigest().encode()).decode()
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("d", "text/plain", "5")
    assert (file["state"], file["sha256Hash"]) == ("ACTIVE", digest)
    assert file["uri"] == f"{gemini.fake.url}/v1beta/{file['name']}"
    assert await gemini.get(f"/v1beta/{file['name']}") == file


async def test_an_upload_comes_in_pieces_of_the_granularity(gemini: GeminiClient) -> None:
    gemini.fake.files.granularity = 4
    address = await start(gemini, length=6)
    first = await piece(gemini, address, b"1234", command="upload")
    last = await piece(gemini, address, b"56", offset=4)
    assert (first.headers["x-goog-upload-status"], last.headers["x-goog-upload-status"]) == ("active", "final")
    assert gemini.fake.files.stored[(await last.json())["file"]["name"]].data == b"123456"


@pytest.mark.parametrize(
    ("headers", "file", "words"),
    [
        ({"X-Goog-Upload-Protocol": "multipart"}, {}, "only the resumable upload protocol"),
        ({"X-Goog-Upload-Command": "upload"}, {}, "an upload begins with `start`"),
        ({"X-Goog-Upload-Header-Content-Type": ""}, {}, "mime type is required"),
        ({}, {"name": "files/Not Good"}, "invalid name `files/Not Good`"),
        ({}, {"uri": "x"}, "Unknown name \"uri\" at 'file'"),
    ],
)
async def test_an_upload_that_begins_wrong_is_refused(
    gemini: GeminiClient, headers: dict[str, str], file: Json, words: str
) -> None:
    response = await gemini.open("/upload/v1beta/files", {"file": file}, **START | headers)
    assert words in await refusal(response)


@pytest.mark.parametrize(
    ("piece_", "words"),
    [
        ({"command": "append"}, "Invalid upload command: append"),
        ({"offset": 3}, "Invalid upload offset: 3, expected 0."),
        ({"command": "upload"}, "must be a multiple of 8388608 bytes"),
        ({}, "Upload has 5 bytes, 6 were announced."),
    ],
)
async def test_a_wrong_piece_is_refused(gemini: GeminiClient, piece_: Any, words: str) -> None:
    assert words in await refusal(await piece(gemini, await start(gemini, length=6), b"hello", **piece_))


async def test_an_upload_that_is_over_takes_no_more(gemini: GeminiClient) -> None:
    address = await start(gemini)
    await piece(gemini, address, b"a")
    assert "is over" in await refusal(await piece(gemini, address, b"b", offset=1), 404)


async def test_a_name_is_given_once(gemini: GeminiClient) -> None:
    await uploaded(gemini, name="files/mine")
    response = await gemini.open("/upload/v1beta/files", {"file": {"name": "files/mine"}}, **START)
    assert "already exists" in await refusal(response, 409)


async def test_a_file_is_its_key_s(gemini: GeminiClient) -> None:
    file = await uploaded(gemini)
    part = {"fileData": {"fileUri": file["uri"], "mimeType": "text/plain"}}
    assert (await gemini.post("generateContent", body(user("a", part)))).status == 200
    words = f"You do not have permission to access the File {file['name'][6:]} or it may not exist."
    path = f"/v1beta/{file['name']}"
    assert await refusal(await gemini.open(path, verb="GET", key="key-2"), 403) == words
    assert await refusal(await gemini.post("generateContent", body(user("a", part)), key="key-2"), 403) == words
    assert await refusal(await gemini.open(path, verb="DELETE", key="key-2"), 403) == words
    assert await gemini.get("/v1beta/files", key="key-2") == {}


async def test_files_are_listed_the_newest_first_and_deleted(gemini: GeminiClient) -> None:
    names = [(await uploaded(gemini))["name"] for _ in range(3)]
    first = await gemini.get("/v1beta/files?pageSize=2")
    assert [file["name"] for file in first["files"]] == names[:0:-1]
    assert await (await gemini.open(f"/v1beta/{names[0]}", verb="DELETE")).json() == {}
    assert "nextPageToken" not in await gemini.get("/v1beta/files?pageSize=2")


async def test_a_file_that_is_not_active_cannot_be_used(gemini: GeminiClient) -> None:
    gemini.fake.files.looks = 1
    file = await uploaded(gemini)
    part = {"fileData": {"fileUri": file["uri"], "mimeType": "text/plain"}}
    words = await refusal(await gemini.post("generateContent", body(user("a", part))))
    assert words == f"The File {file['name'][6:]} is not in an ACTIVE state and usage is not allowed."
    assert (file["state"], (await gemini.get(f"/v1beta/{file['name']}"))["state"]) == ("PROCESSING", "ACTIVE")
    assert (await gemini.post("generateContent", body(user("a", part)))).status == 200


@pytest.mark.parametrize("uri", ["https://example.invalid/a.png", "gs://bucket/a.png", ""])
async def test_an_address_outside_the_files_is_refused(gemini: GeminiClient, uri: str) -> None:
    sent = body(user("a", {"fileData": {"fileUri": uri}}))
    assert await refusal(await gemini.post("generateContent", sent)) == f"Invalid or unsupported file uri: {uri}"


async def test_a_video_of_youtube_is_read(gemini: GeminiClient) -> None:
    sent = body(user("a", {"fileData": {"fileUri": "https://www.youtube.com/watch?v=abc-1"}}))
    assert (await gemini.post("generateContent", sent)).status == 200


async def cached(gemini: GeminiClient, **more: Any) -> Json:
    sent = body(user(LONG), model=f"models/{GEMINI_2}", **more)
    response = await gemini.open(CACHES, sent)
    assert response.status == 200, await response.text()
    answer: Json = await response.json()
    return answer


async def test_a_cache_comes_before_the_contents_of_a_call(gemini: GeminiClient) -> None:
    cache = await cached(gemini, systemInstruction=user("s"), ttl="300s", displayName="d")
    tokens = cache["usageMetadata"]["totalTokenCount"]
    plain, using = [
        (await gemini.whole("!say hi", GEMINI_2, **more))["usageMetadata"]
        for more in ({}, {"cachedContent": cache["name"]})
    ]
    assert (using["cachedContentTokenCount"], using["promptTokenCount"]) == (tokens, tokens + plain["promptTokenCount"])
    assert using["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": tokens}]
    assert using["totalTokenCount"] == using["promptTokenCount"] + using["candidatesTokenCount"]
    assert "contents" not in cache


async def test_a_cache_is_read_listed_and_deleted(gemini: GeminiClient) -> None:
    cache = await cached(gemini)
    path = f"/v1beta/{cache['name']}"
    assert await gemini.get(path) == cache
    assert await gemini.get(CACHES) == {"cachedContents": [cache]}
    assert await (await gemini.open(path, verb="DELETE")).json() == {}
    assert await refusal(await gemini.open(path, verb="GET"), 403) == "CachedContent not found (or permission denied)"


@pytest.mark.parametrize("moment", ["2100-01-01T00:00:00Z", "2100-01-01T02:00:00+02:00"])
async def test_a_cache_may_end_at_a_moment(gemini: GeminiClient, moment: str) -> None:
    name = (await cached(gemini, expireTime=moment))["name"]
    assert gemini.fake.caches.stored[name].expires == datetime(2100, 1, 1, tzinfo=UTC)


async def test_a_cache_is_its_key_s_and_ends(gemini: GeminiClient) -> None:
    name = (await cached(gemini))["name"]
    sent = body(cachedContent=name)
    assert await refusal(await gemini.post("generateContent", sent, GEMINI_2, key="key-2"), 403)
    gemini.fake.caches.stored[name].expires = datetime.now(UTC)
    assert await refusal(await gemini.post("generateContent", sent, GEMINI_2), 403)


@pytest.mark.parametrize("more", [{"systemInstruction": user("s")}, {"tools": tools(OBJECT)}, {"toolConfig": {}}])
async def test_a_cache_holds_instruction_and_tools_itself(gemini: GeminiClient, more: Json) -> None:
    sent = body(cachedContent=(await cached(gemini))["name"], **more)
    words = await refusal(await gemini.post("generateContent", sent, GEMINI_2))
    assert words.startswith("CachedContent can not be used with GenerateContent request setting system_instruction")


async def test_a_cache_is_for_one_model(gemini: GeminiClient) -> None:
    sent = body(cachedContent=(await cached(gemini))["name"])
    assert await refusal(await gemini.post("generateContent", sent, GEMINI_2_PRO)) == (
        "Model used by GenerateContent request (models/gemini-2.5-pro) and CachedContent (models/gemini-2.5-flash) "
        "has to be the same."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contents": [user("small")]}, "Cached content is too small. total_token_count="),
        ({"model": None}, "cached_content.model: model is required."),
        ({"ttl": "1 hour"}, "(type.googleapis.com/google.protobuf.Duration), 1 hour"),
        ({"expireTime": "tomorrow"}, "(type.googleapis.com/google.protobuf.Timestamp), tomorrow"),
        ({"expireTime": "2100-01-01T00:00:00"}, "cached_content.expire_time"),
        ({"ttl": "1s", "expireTime": "2030-01-01T00:00:00Z"}, "oneof field 'expiration' is already set"),
        ({"tools": tools({"type": "string"})}, "must be OBJECT"),
        ({"contents": [user(LONG, {"fileData": {"fileUri": "gs://a"}})]}, "Invalid or unsupported file uri: gs://a"),
        ({"generationConfig": {}}, 'Unknown name "generationConfig"'),
    ],
)
async def test_a_cache_that_cannot_be_made_is_refused(gemini: GeminiClient, change: Json, words: str) -> None:
    sent = body(user(LONG), model=f"models/{GEMINI_2}") | change
    assert words in await refusal(await gemini.open(CACHES, sent))


async def test_a_cache_for_no_model_is_a_404(gemini: GeminiClient) -> None:
    response = await gemini.open(CACHES, body(user(LONG), model="models/none"))
    assert "models/none is not found" in await refusal(response, 404)
