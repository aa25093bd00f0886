"""With `translate.fetch_urls` the gateway fetches files for upstreams that take bytes, and for them only."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.fetching import Fetcher
from gateway.transport import Transport
from tests.conformance.gemini_api import public
from tests.conformance.served import CHAT, MESSAGES, RESPONSES, Served, user
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.pictures import PIXEL, Pictures

pytestmark = pytest.mark.anyio

DATA = base64.b64encode(PIXEL).decode()


@pytest.fixture
async def fetching(
    fake_gemini: FakeGemini, fake_openai: FakeOpenAI, tmp_path: Path, certificates: tuple[Path, Path], resolves: object
) -> AsyncIterator[Served]:
    """Run a gateway for which the tests' own server counts as public."""
    openai = {"type": "openai", "base_url": f"{fake_openai.url}/v1", "api_key": "key-1", "models": ["gpt-4.1"]}
    over = {
        "translate": {"fetch_urls": True},
        "models": {"alias": {"either": ["openai/gpt-4.1", "google/gemini-2.5-flash"]}},
    }
    async with public(fake_gemini, tmp_path, upstream={"openai": openai}, **over) as served:
        files = Transport(allows=lambda _: True, trusts=ssl.create_default_context(cafile=str(certificates[0])))
        served.gateway.relay.fetcher = Fetcher(files, served.gateway.logger)
        yield served
        await files.close()


def asked(path: str, url: str, model: str) -> dict[str, Any]:
    """Write a request that shows a picture by its address."""
    if path == RESPONSES:
        content: Any = [{"type": "input_text", "text": "!say seen"}, {"type": "input_image", "image_url": url}]
        return {"model": model, "input": [{"role": "user", "content": content}]}
    source = {"type": "image", "source": {"type": "url", "url": url}}
    picture = source if path == MESSAGES else {"type": "image_url", "image_url": {"url": url}}
    return {"model": model, "max_tokens": 50, "messages": [user([{"type": "text", "text": "!say seen"}, picture])]}


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
async def test_the_upstream_gets_the_bytes(fetching: Served, pictures: Pictures, path: str) -> None:
    body = asked(path, pictures.url("/dot.png"), fetching.model)
    response = await fetching.http.post(path, json=body)
    assert response.status_code == 200, response.text
    parts = fetching.calls[-1].body["contents"][-1]["parts"]
    assert {"inlineData": {"mimeType": "image/png", "data": DATA}} in parts
    assert pictures.requests == [("pictures.test", "/dot.png")]


async def test_one_address_is_fetched_once_a_request(fetching: Served, pictures: Pictures) -> None:
    picture = {"type": "image_url", "image_url": {"url": pictures.url("/dot.png")}}
    response = await fetching.post(CHAT, user([picture, {"type": "text", "text": "!say seen"}, picture]))
    assert response.status_code == 200, response.text
    assert str(fetching.calls[-1].body).count(DATA) == 2
    assert len(pictures.requests) == 1


async def test_an_upstream_that_fetches_gets_the_address(
    fetching: Served, pictures: Pictures, fake_openai: FakeOpenAI
) -> None:
    url = pictures.url("/dot.png")
    response = await fetching.http.post(MESSAGES, json=asked(MESSAGES, url, "openai/gpt-4.1"))
    assert response.status_code == 200, response.text
    assert url in str(fake_openai.requests[-1].body)
    assert pictures.requests == []


async def test_each_member_of_a_chain_gets_what_it_takes(
    fetching: Served, pictures: Pictures, fake_openai: FakeOpenAI
) -> None:
    url = pictures.url("/dot.png")
    fake_openai.fail("500", times=9)
    response = await fetching.http.post(MESSAGES, json=asked(MESSAGES, url, "either"))
    assert response.status_code == 200, response.text
    assert response.headers["x-gateway-upstream"].startswith("google/")
    assert url in str(fake_openai.requests[-1].body)
    assert DATA in str(fetching.calls[-1].body)


async def test_what_cannot_be_fetched_is_refused_before_the_upstream(fetching: Served, pictures: Pictures) -> None:
    response = await fetching.http.post(CHAT, json=asked(CHAT, pictures.url("/nothing.png"), fetching.model))
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == "messages[0].content[1].image_url.url"
    assert "status 404" in error["message"]
    assert fetching.calls == []
