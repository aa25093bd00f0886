"""A name or an id is one step of a path, whatever stands in it; what leads out of a folder is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.processes import Program, gateway
from tests.security.wires import Upstream, exchange, listening

REFUSAL = b'{"error":{"code":400,"message":"no such model","status":"INVALID_ARGUMENT","type":"invalid_request_error"}}'
REFUSED = b"HTTP/1.1 400 No\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(REFUSAL),
    REFUSAL,
)
NAMES = {
    "up": "..",
    "here": ".",
    "up and down": "../secret",
    "far up": "../../../../etc/passwd",
    "quoted": "%2e%2e",
    "half quoted": ".%2e",
    "a quoted slash": "..%2fsecret",
    "quoted twice": "%252e%252e",
    "empty segments": "a//b",
    "a backslash": "..\\secret",
    "a quoted backslash": "..%5csecret",
    "a nul": "a\0b",
    "a quoted nul": "a%00b",
    "a quoted line end": "a%0d%0ax:%20y",
    "a parameter": "..;/secret",
    "a query": "a?key=b",
    "a fragment": "a#b",
    "an address": "http://127.0.0.1/",
}
EACH_NAME = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
# what may stand between two slashes of an address of ours: quoted, and no step that leads anywhere
STEP = r"(?!\.{1,2}(?:[/?]|$))(?:[A-Za-z0-9._~:@-]|%(?!2[eE]|5[cC]%2[eE])[0-9A-F]{2})+"
CALLS = {
    "gemini": re.compile(
        rf"/v1beta/models/{STEP}:(?:generateContent|streamGenerateContent\?alt=sse|countTokens|(?:batchE|e)mbedContents?)"
    ),
    "azure": re.compile(rf"/openai/deployments/{STEP}/(?:chat/completions|embeddings)\?api-version=2024-10-01"),
    "openai": re.compile(r"/v1/(?:chat/completions|embeddings|models)"),
    "anthropic": re.compile(r"/v1/messages(?:/count_tokens)?"),
}
TOML = """
[upstream.gemini]
type = "gemini"
base_url = "{url}"
api_key = "k"
models = ["m"]
[upstream.azure]
type = "azure"
endpoint = "{url}"
api_key = "k"
api_version = "2024-10-01"
models = ["m"]
[upstream.openai]
type = "openai"
base_url = "{url}/v1"
api_key = "k"
models = ["m"]
[upstream.anthropic]
type = "anthropic"
base_url = "{url}"
api_key = "k"
models = ["m"]
[retry]
attempts = 1
"""
MESSAGES = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Stand behind all four, and know no model."""
    with listening(REFUSED) as one:
        yield one


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Program]:
    """Run a gateway before four kinds of upstreams."""
    with gateway(tmp_path_factory.mktemp("gateway"), toml=TOML.format(url=upstream.url)) as one:
        yield one


def asked(program: Program, method: str, target: str, *headers: str, body: object = None) -> tuple[int, bytes]:
    """Ask for a path as it is written here, which no client would leave so; give the status and the body."""
    sent = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", "host: localhost", f"content-length: {len(sent)}", "connection: close"]
    came = exchange(program.url, "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + sent)
    head, _, answer = came.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), answer


def targets(upstream: Upstream, since: int) -> list[str]:
    """Give the addresses that were asked for."""
    return [request.split(b" ", 2)[1].decode() for request in upstream.requests[since:]]


@EACH_NAME
@pytest.mark.parametrize("of", CALLS)
def test_a_model_name_stays_in_its_place(program: Program, upstream: Upstream, of: str, name: str) -> None:
    since = len(upstream.requests)
    with httpx.Client(base_url=program.url, timeout=30) as http:
        said = {"model": f"{of}/{name}", "max_tokens": 5, "messages": MESSAGES}
        answers = [http.post(path, json=said) for path in ("/v1/chat/completions", "/v1/messages")]
        answers.append(http.post("/v1/responses", json={"model": f"{of}/{name}", "input": "hi"}))
        answers.append(http.post("/v1/embeddings", json={"model": f"{of}/{name}", "input": "hi"}))
        steps = quote(f"{of}/{name}", safe="")
        answers.append(http.post(f"/v1beta/models/{steps}:generateContent", json={"contents": CONTENTS}))
        http.post("/v1/messages/count_tokens", json=said)  # which always answers
    assert {one.status_code for one in answers} <= {400, 404}, [one.text for one in answers]
    assert [one for one in targets(upstream, since) if not CALLS[of].fullmatch(one)] == []


@EACH_NAME
@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/v1/models/{}", ()),
        ("/v1/models/{}", ("anthropic-version: 2023-06-01",)),
        ("/v1beta/models/{}", ()),
        ("/openai/v1/models/{}", ()),
        ("/v1/responses/{}", ()),
        ("/v1/responses/{}/input_items", ()),
    ],
    ids=["openai", "anthropic", "gemini", "azure", "response", "items"],
)
def test_what_is_looked_up_here_is_not_there(
    program: Program, upstream: Upstream, target: str, headers: tuple[str, ...], name: str
) -> None:
    since = len(upstream.requests)
    status, _ = asked(program, "GET", target.format(name), *headers)
    assert status in (400, 404)
    assert targets(upstream, since) == []


FILES = [name for name in NAMES if name not in ("quoted twice", "a query", "a fragment", "a parameter")]


@pytest.mark.parametrize("name", [NAMES[name] for name in FILES], ids=FILES)
@pytest.mark.parametrize(
    "target", ["/v1beta/files/{}", "/v1beta/files/{}/x", "/upload/v1beta/files/{}", "/v1beta/cachedContents/{}"]
)
def test_a_file_elsewhere_is_not_asked_for(program: Program, upstream: Upstream, target: str, name: str) -> None:
    since = len(upstream.requests)
    assert asked(program, "GET", target.format(name))[0] in (400, 404)
    assert targets(upstream, since) == []


@pytest.mark.parametrize("name", ["quoted twice", "a parameter"])
def test_a_file_of_an_odd_name_is_asked_for_as_it_is_written(program: Program, upstream: Upstream, name: str) -> None:
    written = NAMES[name].replace("/", "")
    since = len(upstream.requests)
    assert asked(program, "GET", f"/v1beta/files/{written}")[0] == 400
    assert targets(upstream, since) == [f"/v1beta/files/{written}"]


@EACH_NAME
@pytest.mark.parametrize("target", ["/admin/static/{}", "/admin/static/vendor/{}"])
def test_nothing_beside_the_pages_files_is_given(program: Program, target: str, name: str) -> None:
    status, body = asked(program, "GET", target.format(name))
    assert status in (400, 401, 404)
    assert b"root:" not in body
    assert b"import " not in body


@pytest.mark.parametrize(
    "target", ["/admin/static/../pages.py", "/admin/static/%2e%2e/pages.py", "/admin/static//etc/passwd"]
)
def test_a_way_out_that_leads_to_a_file_gives_nothing(program: Program, target: str) -> None:
    """These files are there: only the folder keeps them back."""
    status, body = asked(program, "GET", target)
    assert status == 404
    assert b"class Pages" not in body
    assert b"root:" not in body
