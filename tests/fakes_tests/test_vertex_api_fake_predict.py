"""Embeddings and Imagen in the fake of Vertex AI: what google-genai makes of them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import errors, types

from tests.fakes.gemini_api_embeddings import vector
from tests.fakes.vertex_api import FakeVertex
from tests.fakes_tests.test_vertex_api_fake import model, post, sdk

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

ONE, NEWER, SEVERAL, IMAGEN = (
    "gemini-embedding-001",
    "gemini-embedding-2",
    "text-embedding-005",
    "imagen-4.0-generate-001",
)
LONG = "a" * 4 * 2049  # tokens
# Imagen is on its way out; until then callers have it
DEPRECATED = pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")


async def test_google_genai_embeds_texts_by_predict(fake_vertex: FakeVertex) -> None:
    config = types.EmbedContentConfig(
        output_dimensionality=2, task_type="RETRIEVAL_DOCUMENT", title="t", auto_truncate=False
    )
    client = sdk(fake_vertex)
    answer = await client.aio.models.embed_content(model=SEVERAL, contents=["a", "b"], config=config)
    assert [one.values for one in answer.embeddings or []] == [vector("a", 2), vector("b", 2)]
    statistics = [one.statistics for one in answer.embeddings or []]
    assert [one and (one.token_count, one.truncated) for one in statistics] == [(1, False)] * 2
    assert answer.metadata is not None
    assert answer.metadata.billable_character_count == 2
    assert [call.method for call in fake_vertex.requests] == ["predict"]


async def test_google_genai_embeds_by_embed_content(fake_vertex: FakeVertex) -> None:
    config = types.EmbedContentConfig(output_dimensionality=2, task_type="CLUSTERING", document_ocr=True)
    picture = types.Part.from_bytes(data=b"x", mime_type="image/png")
    client = sdk(fake_vertex)
    answer = await client.aio.models.embed_content(model=NEWER, contents=["a", picture], config=config)
    (made,) = answer.embeddings or []
    assert made.values is not None
    assert len(made.values) == 2
    assert made.statistics is not None
    assert made.statistics.token_count == 259
    assert [call.method for call in fake_vertex.requests] == ["embedContent"]


async def test_google_genai_reads_that_a_text_was_cut(fake_vertex: FakeVertex) -> None:
    client = sdk(fake_vertex)
    answer = await client.aio.models.embed_content(model=SEVERAL, contents=LONG)
    statistics = (answer.embeddings or [types.ContentEmbedding()])[0].statistics
    assert statistics is not None
    assert (statistics.token_count, statistics.truncated) == (2048, True)
    newer = await client.aio.models.embed_content(model=NEWER, contents=LONG * 5)
    statistics = (newer.embeddings or [types.ContentEmbedding()])[0].statistics
    assert statistics is not None
    assert statistics.truncated


@DEPRECATED
async def test_google_genai_reads_pictures(fake_vertex: FakeVertex) -> None:
    config = types.GenerateImagesConfig(
        number_of_images=2,
        aspect_ratio="16:9",
        output_mime_type="image/jpeg",
        output_compression_quality=50,
        image_size="2K",
        negative_prompt="b",
        guidance_scale=1.0,
        person_generation=types.PersonGeneration.ALLOW_ADULT,
        safety_filter_level=types.SafetyFilterLevel.BLOCK_ONLY_HIGH,
        language=types.ImagePromptLanguage.en,
        enhance_prompt=True,
        add_watermark=False,
        seed=1,
    )
    client = sdk(fake_vertex)
    answer = await client.aio.models.generate_images(model=IMAGEN, prompt="a", config=config)
    images = [one.image for one in answer.generated_images or []]
    assert [image and image.mime_type for image in images] == ["image/jpeg"] * 2
    assert all(image and (image.image_bytes or b"").startswith(b"\x89PNG") for image in images)


@DEPRECATED
async def test_google_genai_reads_why_a_picture_is_withheld(fake_vertex: FakeVertex) -> None:
    client = sdk(fake_vertex)
    config = types.GenerateImagesConfig(include_rai_reason=True)
    said = await client.aio.models.generate_images(model=IMAGEN, prompt="!withheld", config=config)
    (image,) = said.generated_images or []
    assert "Responsible AI" in (image.rai_filtered_reason or "")
    unsaid = await client.aio.models.generate_images(model=IMAGEN, prompt="!withheld")
    assert not unsaid.generated_images


async def test_google_genai_reads_a_refusal(fake_vertex: FakeVertex) -> None:
    client = sdk(fake_vertex)
    with pytest.raises(errors.ClientError, match=r"250 instance\(s\) is allowed"):
        await client.aio.models.embed_content(model=SEVERAL, contents=["a"] * 251)


# what it refuses


def texts(*given: Any, **parameters: Any) -> Json:
    return {"instances": [{"content": text} for text in given], "parameters": parameters}


def content(*parts: Json, **options: Any) -> Json:
    return {"content": {"role": "user", "parts": list(parts)}, **options}


def asked(prompt: Any = "a", **parameters: Any) -> Json:
    return {"instances": [{"prompt": prompt}], "parameters": parameters}


A: Json = {"text": "a"}


@pytest.mark.parametrize(
    ("name", "verb", "body", "words"),
    [
        (SEVERAL, "predict", {"instances": []}, "at least one instance"),
        (SEVERAL, "predict", texts(""), "content is empty"),
        (SEVERAL, "predict", texts(7), "content is empty"),
        (SEVERAL, "predict", {"instances": ["a"]}, "content is empty"),
        (SEVERAL, "predict", {"instances": [{"content": "a", "taskType": "CLUSTERING"}]}, "parameter: taskType"),
        (SEVERAL, "predict", {"instances": [{"content": "a", "task_type": "SLEEPING"}]}, "Invalid task_type"),
        (SEVERAL, "predict", {"instances": [{"content": "a", "title": "t"}]}, "title is only valid"),
        (SEVERAL, "predict", texts("a", dimensions=2), "parameter: dimensions"),
        (SEVERAL, "predict", texts("a", outputDimensionality=769), "must be in the range [1, 768]"),
        (SEVERAL, "predict", texts("a", outputDimensionality=0), "must be in the range [1, 768]"),
        (ONE, "predict", texts("a", outputDimensionality=3073), "must be in the range [1, 3072]"),
        (SEVERAL, "predict", texts(*["a"] * 251), "250 instance(s) is allowed per prediction. Actual: 251"),
        (ONE, "predict", texts("a", "b"), "too many instances"),
        (SEVERAL, "predict", texts(*["a" * 8000] * 11), "is 22000 but the model supports up to 20000"),
        (SEVERAL, "predict", texts(LONG, autoTruncate=False), "is 2049 but the model supports up to 2048"),
        (SEVERAL, "predict", texts("a") | {"model": "m"}, 'Unknown name "model"'),
        (NEWER, "embedContent", {}, "must have a content field"),
        (NEWER, "embedContent", content(), "must have a content field"),
        (NEWER, "embedContent", content(A, model="m"), 'Unknown name "model"'),
        (NEWER, "embedContent", content(A, taskType="SLEEPING"), "Invalid value at 'task_type'"),
        (NEWER, "embedContent", content(A, embedContentConfig={"nothing": 1}), 'Unknown name "nothing"'),
        (NEWER, "embedContent", content(A, embedContentConfig={"title": "t"}), "title is only valid"),
        (NEWER, "embedContent", content(A, outputDimensionality=3073), "must be in the range [1, 3072]"),
        (NEWER, "embedContent", content({"text": LONG * 5}, autoTruncate=False), "supports up to 8192"),
        (IMAGEN, "predict", asked(""), "Exactly one instance"),
        (IMAGEN, "predict", {"instances": [{"prompt": "a"}, {"prompt": "b"}]}, "Exactly one instance"),
        (IMAGEN, "predict", asked(sampleCount=5), "between 1 and 4"),
        (IMAGEN, "predict", asked(sampleCount=0), "between 1 and 4"),
        (IMAGEN, "predict", asked(aspectRatio="3:2"), "Aspect ratio 3:2 is not supported"),
        (IMAGEN, "predict", asked(imageSize="2K"), "parameter: imageSize"),
        (IMAGEN, "predict", asked(sampleImageSize="8K"), "Unsupported sampleImageSize"),
        (IMAGEN, "predict", asked(seed=1), "Seed is not supported"),
        (IMAGEN, "predict", asked(outputOptions={"mimeType": "image/webp"}), "MIME type is not supported"),
        (IMAGEN, "predict", asked(outputOptions={"compressionQuality": 50}), "Compression quality"),
        (ONE, "countTokens", {"contents": [{"role": "user", "parts": [A]}]}, "Should provide instances"),
    ],
)
async def test_what_is_wrong_is_refused(fake_vertex: FakeVertex, name: str, verb: str, body: Json, words: str) -> None:
    status, answer = await post(fake_vertex, model(name, verb=verb), body)
    assert status == 400
    assert words in answer["error"]["message"]


async def test_a_location_may_take_fewer_texts(fake_vertex: FakeVertex) -> None:
    fake_vertex.most_instances = 5
    status, answer = await post(fake_vertex, model(SEVERAL, verb="predict"), texts(*"abcdef"))
    assert (status, answer["error"]["message"]) == (400, "5 instance(s) is allowed per prediction. Actual: 6")


async def test_tokens_of_texts_are_counted_by_instances(fake_vertex: FakeVertex) -> None:
    body = {"instances": [{"content": "a" * 8}]}
    assert await post(fake_vertex, model(ONE, verb="countTokens"), body) == (200, {"totalTokens": 2})


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        (SEVERAL, "embedContent"),
        (NEWER, "predict"),
        (SEVERAL, "generateContent"),
        (IMAGEN, "generateContent"),
        ("imagen-9", "predict"),
        ("gemini-2.5-flash", "predict"),
    ],
)
async def test_a_model_has_its_own_calls_only(fake_vertex: FakeVertex, name: str, verb: str) -> None:
    assert (await post(fake_vertex, model(name, verb=verb), texts("a")))[0] == 404
