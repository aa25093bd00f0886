"""Signatures need no memory: they come home to another process, and where a client drops them, from a shared one.

Every gateway here is a `gateway run` of its own.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import tomlkit

from tests.conformance import anthropic_api, gemini_api, vertex_api
from tests.conformance import served as code_assist
from tests.conformance.replies import FC, chunk, script
from tests.conformance.travelling import BUDGET, CALLERS
from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.server import STREAM
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex
from tests.gateway.dialects.anthropic.reader import content, parse
from tests.patience import patient
from tests.ports import free_port
from tests.processes import gateway
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

SENTINEL = "skip_thought_signature_validator"
ASK = "please call f"
NO_PARAMETERS: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
TRANSLATED = ("anthropic", "openai-chat", "openai-responses")  # towards Google's upstreams
UPSTREAMS = ("v1internal", "gemini", "vertex")
# Claude's; callers of Anthropic's own dialect are passed on to Anthropic as they are, and keep what they drop
ANTHROPICS = ("anthropic", "vertex-claude")
THINKING = {"claude": TRANSLATED, **dict.fromkeys(ANTHROPICS, ("openai-chat", "openai-responses"))}
REMEMBERED = {**dict.fromkeys(UPSTREAMS, TRANSLATED), **THINKING}
# of each caller his own: what another has left in a process is no help
SIGNED = {dialect: b64encode(b"\x12@signed for " + dialect.encode()).decode() for dialect in CALLERS}
THOUGHT = {dialect: f"I shall call f for {dialect}" for dialect in CALLERS}
MODELS = {
    "v1internal": code_assist.GEMINI_3,
    "gemini": gemini_api.GEMINI_3,
    "claude": code_assist.CLAUDE,
    "anthropic": anthropic_api.OLD,
    "vertex": vertex_api.GEMINI,
    "vertex-claude": vertex_api.CLAUDE,
}
FAKES: dict[str, Any] = {
    "v1internal": (FakeV1Internal, code_assist.settings),
    "gemini": (FakeGemini, gemini_api.settings),
    "claude": (FakeV1Internal, code_assist.settings),
    "anthropic": (FakeAnthropic, anthropic_api.settings),
    "vertex": (FakeVertex, vertex_api.settings),
    "vertex-claude": (FakeVertex, vertex_api.settings),
}


class Standing:
    """A fake upstream, before which gateways come and go."""

    def __init__(self, upstream: str, fake: Any, folder: Path) -> None:
        self.model = MODELS[upstream]
        self.fake = fake
        self.enveloped = upstream in ("v1internal", "claude")
        self.thinks = upstream in ("claude", *ANTHROPICS)
        self._upstream = upstream
        self._folder = folder

    @asynccontextmanager
    async def running(self, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
        """Run a gateway; the next one knows nothing of it."""
        toml = tomlkit.dumps(FAKES[self._upstream][1](self.fake, self._folder, **over))
        with gateway(self._folder, toml=toml, **self._login()) as program:
            url = await anyio.to_thread.run_sync(lambda: program.url)
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                yield http

    def _login(self) -> dict[str, str]:
        """Give the variables that lead to the credentials of Vertex AI."""
        if not isinstance(self.fake, FakeVertex):
            return {}
        file = self._folder / "service_account.json"
        file.write_text(json.dumps(self.fake.login.service_account()))
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}

    def text(self, dialect: str) -> str:
        """Give what a caller asks, to whom the model is to say, signed, that f is to be called."""
        if self.thinks:
            return f"!think {THOUGHT[dialect]}\n!tool f {{}}\n!then\n!say done"
        said = chunk(FC("f", {}, sig=SIGNED[dialect]), fin="STOP")
        if self.enveloped:
            self.fake.script.push(script(said))
        else:
            self.fake.script.push(f"!chunk {json.dumps(said)}")
        return ASK

    @property
    def signatures(self) -> list[Any]:
        """The signatures of the calls that the upstream was last sent."""
        return [part.get("thoughtSignature") for part in self.parts if "functionCall" in part]

    @property
    def thoughts(self) -> list[tuple[str, Any]]:
        """The thoughts, and what signs them."""
        if self._upstream in ANTHROPICS:
            fake = self.fake.claude if isinstance(self.fake, FakeVertex) else self.fake
            said = [one for one in fake.calls(MESSAGES)[-1].body["messages"] if isinstance(one["content"], list)]
            blocks = [block for one in said for block in one["content"] if block["type"] == "thinking"]
            return [(block["thinking"], block["signature"]) for block in blocks]
        return [(part["text"], part.get("thoughtSignature")) for part in self.parts if part.get("thought")]

    @property
    def parts(self) -> list[dict[str, Any]]:
        contents = self.fake.calls(STREAM)[-1].request["contents"]
        return [part for content in contents for part in content["parts"]]


@asynccontextmanager
async def standing(upstream: str, folder: Path) -> AsyncIterator[Standing]:
    """Run the fake of an upstream."""
    async with FAKES[upstream][0]() as fake:
        yield Standing(upstream, fake, folder)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_it_comes_home_to_another_process(upstream: str, tmp_path: Path) -> None:
    """E1, E2: turn 1 on one process, restart, turn 2 on another."""
    await _come_home(upstream, tuple(CALLERS), tmp_path)


@pytest.mark.parametrize("upstream", THINKING)
async def test_a_signed_thought_comes_home_to_another_process(upstream: str, tmp_path: Path) -> None:
    """E1 of Claude; the strict upstreams take it back only as they have signed it."""
    await _come_home(upstream, TRANSLATED, tmp_path)


@pytest.mark.parametrize("upstream", THINKING)
async def test_several_signed_thoughts_come_home_to_another_process(upstream: str, tmp_path: Path) -> None:
    """A message of Chat has room for one signature beside its thoughts, so they are carried whole."""
    text = "!think I look\n!think I shall call f\n!tool f {}\n!then\n!say done"
    chat = CALLERS["openai-chat"]
    async with standing(upstream, tmp_path) as one:
        async with one.running() as http:
            said = await chat.first(http, one.model, text)
        async with one.running(translate={"lossy": "strict"}) as http:
            response = await chat.second(http, one.model, text, said)
        assert response.status_code == 200, response.text
        assert [words for words, signature in one.thoughts if signature] == ["I look", "I shall call f"]


async def _come_home(upstream: str, dialects: tuple[str, ...], folder: Path) -> None:
    async with standing(upstream, folder) as one:
        texts, said = {}, {}
        async with one.running() as http:
            for dialect in dialects:
                texts[dialect] = one.text(dialect)
                said[dialect] = await CALLERS[dialect].first(http, one.model, texts[dialect])
        async with one.running() as http:
            for dialect in dialects:
                response = await CALLERS[dialect].second(http, one.model, texts[dialect], said[dialect])
                assert response.status_code == 200, (dialect, response.text)
                _assert_home(one, dialect)


@pytest.mark.parametrize("upstream", REMEMBERED)
async def test_a_client_that_drops_it_is_remembered_by_the_same_process(upstream: str, tmp_path: Path) -> None:
    """E2: dropped, cache warm"""
    async with standing(upstream, tmp_path) as one, one.running() as http:
        for dialect in REMEMBERED[upstream]:
            response = await _dropped(one, dialect, http, http)
            assert response.status_code == 200, (dialect, response.text)
            _assert_home(one, dialect)


@pytest.mark.parametrize("upstream", REMEMBERED)
async def test_a_client_that_drops_it_is_remembered_by_another_process_through_redis(
    upstream: str, tmp_path: Path, redis: RedisServer
) -> None:
    """E2: dropped, another host"""
    shared = {"store": {"redis": redis.url, "encryption_key": ["a" * 43 + "="]}}
    async with standing(upstream, tmp_path) as one, one.running(**shared) as here, one.running(**shared) as there:
        for http in (here, there):  # until it is connected
            assert await _redis(http) == "ok"
        for dialect in REMEMBERED[upstream]:
            with anyio.fail_after(
                patient(25)
            ):  # nobody waits long for Redis, and a busy machine may be too late for it
                await _dropped(one, dialect, here, there)
                while not _is_home(one, dialect):
                    await anyio.sleep(0.5)
                    await _dropped(one, dialect, here, there)
            _assert_home(one, dialect)


@pytest.mark.parametrize("upstream", ["claude", *ANTHROPICS])
@pytest.mark.parametrize("kept", [{}, {"store": False}, {"include": ["reasoning.encrypted_content"]}])
async def test_thoughts_that_are_not_shown_come_home(upstream: str, kept: dict[str, Any], tmp_path: Path) -> None:
    """A Responses caller who asks for no summary, as most do, has their signature or the name of the answer only."""
    async with standing(upstream, tmp_path) as one, one.running(translate={"lossy": "strict"}) as http:
        asked: dict[str, Any] = {"model": one.model, "reasoning": {"effort": "low"}, "tools": [NO_PARAMETERS], **kept}
        asking = {"role": "user", "content": one.text("openai-responses")}
        said = (await http.post("/v1/responses", json={**asked, "input": [asking]})).json()
        assert [item["type"] for item in said["output"]] == ["reasoning", "function_call"]
        assert said["output"][0]["summary"] == []
        back = {"type": "function_call_output", "call_id": said["output"][1]["call_id"], "output": "ok"}
        ways = [{"input": [asking, *said["output"], back]}]
        ways += [] if "store" in kept else [{"input": [back], "previous_response_id": said["id"]}]
        for way in ways:
            response = await http.post("/v1/responses", json={**asked, **way})
            assert response.status_code == 200, response.text
            ((words, signature),) = one.thoughts
            assert signature
            assert words == (THOUGHT["openai-responses"] if upstream == "claude" else "")


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_that_are_not_shown_come_home_to_another_process(stream: bool, tmp_path: Path) -> None:
    """Code Assist takes no signature of Claude's without the words that it signs: thinking.thinking, field required."""
    async with standing("claude", tmp_path) as one:
        text = one.text("anthropic")
        hidden: dict[str, Any] = {"thinking": {**BUDGET, "display": "omitted"}, "stream": stream}
        messages, responses = CALLERS["anthropic"], CALLERS["openai-responses"]
        asked = messages.ask(one.model, text) | hidden
        without: dict[str, Any] = {"reasoning": {"effort": "low"}, "stream": stream}
        wanted = responses.ask(one.model, text) | without
        async with one.running() as http:
            first = await http.post("/v1/messages", json=asked)
            blocks = content(parse(first.content)) if stream else first.json()["content"]
            second = await http.post("/v1/responses", json=wanted)
            items = responses.said(second.content) if stream else second.json()["output"]
        assert [block.get("thinking") for block in blocks] == ["", None]
        assert [item.get("summary") for item in items] == [[], None]
        async with one.running() as http:
            for path, body in (
                ("/v1/messages", messages.reply(asked, blocks)),
                ("/v1/responses", responses.reply(wanted, items)),
            ):
                response = await http.post(path, json=body)
                assert response.status_code == 200, response.text
                ((words, signature),) = one.thoughts
                assert (words, signature != "") == (THOUGHT["anthropic"], True)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_forgotten_it_is_the_sentinel_for_gemini(upstream: str, tmp_path: Path) -> None:
    """E2: dropped, gateway restarted"""
    async with standing(upstream, tmp_path) as one, one.running() as here, one.running() as there:
        for dialect in TRANSLATED:
            response = await _dropped(one, dialect, here, there)
            assert response.status_code == 200, (dialect, response.text)
            assert one.signatures == [SENTINEL]


@pytest.mark.parametrize("upstream", THINKING)
async def test_forgotten_it_is_nothing_for_claude(upstream: str, tmp_path: Path) -> None:
    """The call goes up without thoughts, and thinking is off for this answer, or Claude would refuse it."""
    async with standing(upstream, tmp_path) as one, one.running() as here, one.running() as there:
        for dialect in THINKING[upstream]:
            response = await _dropped(one, dialect, here, there)
            assert response.status_code == 200, (dialect, response.text)
            assert one.thoughts == []


async def test_without_redis_memory_serves_and_nobody_sees_an_error(tmp_path: Path) -> None:
    away = {"store": {"redis": f"redis://127.0.0.1:{free_port()}/0"}}
    async with standing("v1internal", tmp_path) as one, one.running(**away) as http:
        assert await _redis(http, wanted="away") == "away"
        for dialect in TRANSLATED:
            response = await _dropped(one, dialect, http, http)
            assert response.status_code == 200
            assert one.signatures == [SIGNED[dialect]]


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_damaged_one_does_not_go_upstream(upstream: str, tmp_path: Path) -> None:
    async with standing(upstream, tmp_path) as one:
        async with one.running() as http:
            said = {dialect: await CALLERS[dialect].first(http, one.model, one.text(dialect)) for dialect in TRANSLATED}
        async with one.running() as http:
            for dialect, caller in ((name, CALLERS[name]) for name in TRANSLATED):
                for change in (_first_letter, _last_letter, _cut):
                    damaged = caller.damaged(said[dialect], change)
                    response = await caller.second(http, one.model, ASK, damaged)
                    assert response.status_code == 200, (dialect, response.text)
                    assert one.signatures == [SENTINEL]


async def test_one_of_another_family_does_not_go_upstream(tmp_path: Path) -> None:
    """E5: the conversation goes on with another model."""
    async with standing("claude", tmp_path) as one, standing("v1internal", tmp_path) as other, one.running() as http:
        other.fake = one.fake
        for dialect in TRANSLATED:
            caller = CALLERS[dialect]
            said = await caller.first(http, one.model, one.text(dialect))
            response = await caller.second(http, other.model, ASK, said)
            assert response.status_code == 200, (dialect, response.text)
            assert one.signatures == [SENTINEL]
            assert one.thoughts == []
            one.fake.reset()
            said = await caller.first(http, other.model, other.text(dialect))
            response = await caller.second(http, one.model, ASK, said)
            assert response.status_code == 200, (dialect, response.text)
            assert (one.thoughts, one.signatures) == ([], [None])
            one.fake.reset()


async def _dropped(one: Standing, dialect: str, here: httpx.AsyncClient, there: httpx.AsyncClient) -> httpx.Response:
    """Ask here, drop what signs the answer, and go on there."""
    caller, text = CALLERS[dialect], one.text(dialect)
    said = caller.stripped(await caller.first(here, one.model, text))
    return await caller.second(there, one.model, text, said)


def _is_home(one: Standing, dialect: str) -> bool:
    return bool(one.thoughts) if one.thinks else one.signatures == [SIGNED[dialect]]


def _assert_home(one: Standing, dialect: str) -> None:
    if not one.thinks:
        assert one.signatures == [SIGNED[dialect]]
        return
    ((words, signature),) = one.thoughts
    assert words == THOUGHT[dialect]
    assert signature


async def _redis(http: httpx.AsyncClient, wanted: str = "ok") -> str:
    """Wait until a gateway is ready, and has found out how its Redis is."""
    found: tuple[int, str] = (0, "")
    with anyio.fail_after(patient(10)):
        while found != (200, wanted):
            ready = await http.get("/health/ready")
            found = ready.status_code, ready.json()["redis"]
    return found[1]


def _first_letter(value: str) -> str:
    return chr(ord(value[0]) ^ 1) + value[1:]


def _last_letter(value: str) -> str:
    return value[:-1] + ("0" if value[-1] != "0" else "1")


def _cut(value: str) -> str:
    return value[:-4]
