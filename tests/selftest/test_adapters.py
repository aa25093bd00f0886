"""`check_adapter`: each built-in kind passes before the strict fake of its service, and one with a fault does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, json

from gateway import ir
from gateway.adapters.demo import Demo
from gateway.clock import System
from gateway.config import load
from gateway.errors import GatewayError, StreamBroken, UpstreamUnavailable
from gateway.testing import FakeUpstream, Received, Reply, Script, Wrong, check_adapter
from gateway.transport import Transport
from gateway.upstream import Call, ModelInfo, Step
from tests.adapters.site import AnthropicSite, AzureSite, GeminiSite, OpenAISite, Place, Site
from tests.adapters.vertex_site import VertexSite
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex

pytestmark = pytest.mark.anyio

CALL = '!tool get_weather {"city": "Paris"}'
CUT = "!say one two three\n!cut 1"
GOOGLE = Script(tool=CALL, error="!error 500_internal", cut=CUT)
OPENAI = Script(tool=CALL, error="!error 500_server", cut=CUT)
ANTHROPIC = Script(tool=CALL, error="!error 500_api", cut=CUT)


async def passes(site: Place[Any], script: Script, **upstream: Any) -> None:
    try:
        await check_adapter(lambda: site.made(**upstream), model=site.model, script=script)
    finally:
        await site.close()


async def test_v1internal_passes(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    await passes(Site(fake_v1internal, tmp_path), GOOGLE)


async def test_gemini_passes(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    await passes(GeminiSite(fake_gemini, tmp_path), GOOGLE)


async def test_vertex_passes(fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = VertexSite(fake_vertex, tmp_path / "data", monkeypatch)
    site.find(fake_vertex.login.service_account())
    await passes(site, GOOGLE)


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_openai_passes(fake_openai: FakeOpenAI, tmp_path: Path, api: str) -> None:
    await passes(OpenAISite(fake_openai, tmp_path), OPENAI, api=api)


async def test_azure_passes(fake_azure: FakeAzure, tmp_path: Path) -> None:
    await passes(AzureSite(fake_azure, tmp_path), OPENAI)


async def test_anthropic_passes(fake_anthropic: FakeAnthropic, tmp_path: Path) -> None:
    await passes(AnthropicSite(fake_anthropic, tmp_path), ANTHROPIC)


async def test_demo_passes(tmp_path: Path) -> None:
    script = Script(tool=CALL, error="!error 429", cut="!cut")
    loaded = load({"server": {"data_dir": str(tmp_path)}}, environ={})
    await check_adapter(lambda: Demo("demo", loaded, System()), model="demo", script=script)


# one of a third party, before the scripted upstream


class Words:
    """An adapter of a service that says `{"said": …}`."""

    usable = True
    name = "words"

    def __init__(self, url: str) -> None:
        self.url = url
        self.transport: Transport | None = None

    def models(self) -> Mapping[str, ModelInfo]:
        return {"w": ModelInfo(id="w")}

    def open(self, call: Call) -> Journey:
        return Journey(self, call)

    async def count(self, call: Call) -> int | None:
        return None

    async def start(self, transport: Transport) -> None:
        self.transport = transport

    async def stop(self) -> None:
        """Nothing to end."""

    def state(self) -> str:
        return "usable"

    def events(self, text: str) -> list[ir.Event]:
        said: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta(text), ir.BlockEnded()]
        return [*said, ir.UsageReported(ir.Usage(input=2, output=3)), ir.Finished(reason="stop")]


class Journey:
    losses: tuple[ir.Loss, ...] = ()

    def __init__(self, adapter: Words, call: Call) -> None:
        self.adapter = adapter
        self.request = call.request

    def body(self) -> Raw:
        return Raw(json.encode({"say": self.request.turns[-1].parts[0].text}))  # type: ignore[union-attr]  # a text

    async def go(self) -> Said:
        assert self.adapter.transport is not None
        body = bytes(self.body())
        whole = await self.adapter.transport.fetch("POST", self.adapter.url, headers={}, body=body, timeout_s=20)
        if whole.status != 200:
            raise UpstreamUnavailable(f"the service answered {whole.status}")
        return Said(self.adapter.events(json.decode(whole.body)["said"]))

    def after(self, error: GatewayError) -> Step | GatewayError:
        return error

    def done(self, usage: ir.Usage | None) -> None:
        """Nothing was lent."""


class Said:
    def __init__(self, events: list[ir.Event]) -> None:
        self.usage = ir.Usage(input=2, output=3)
        self._left = [events]

    async def read(self) -> list[ir.Event] | None:
        return self._left.pop() if self._left else None

    def close(self) -> None:
        """Nothing is held."""


def serve(asked: Received) -> Reply:
    return DOWN if asked.json()["say"] == "be down" else HELLO


HELLO, DOWN = Reply.json({"said": "hello there"}), Reply.json({"error": "down"}, 503)


async def examine(make: Callable[[str], Words]) -> FakeUpstream:
    async with FakeUpstream(answer=serve) as upstream:
        await check_adapter(lambda: make(upstream.url), model="w", script=Script(error="be down"))
    return upstream


async def test_an_adapter_of_a_third_party_passes_before_the_scripted_upstream() -> None:
    upstream = await examine(Words)
    assert [call.json()["say"] for call in upstream.requests] == ["hello there"] * 2 + ["be down"] + ["hello there"] * 2
    assert {(call.method, call.path) for call in upstream.requests} == {("POST", "/")}


class Renamed(Words):
    def models(self) -> Mapping[str, ModelInfo]:
        return {"w": ModelInfo(id="other")}


class Unusable(Words):
    def state(self) -> str:
        return "fine"


class Endless(Words):
    def events(self, text: str) -> list[ir.Event]:
        return super().events(text)[:-1]


class Unopened(Words):
    def events(self, text: str) -> list[ir.Event]:
        return super().events(text)[1:]


class Uncounted(Words):
    def events(self, text: str) -> list[ir.Event]:
        return [event for event in super().events(text) if not isinstance(event, ir.UsageReported)]


class Broken(Words):
    def events(self, text: str) -> list[ir.Event]:
        return [ir.Failed(StreamBroken("always"))]


class Mute(Words):
    def events(self, text: str) -> list[ir.Event]:
        return super().events("something else")


class Raising(Journey):
    async def go(self) -> Said:
        raise KeyError("said")


class Fragile(Words):
    def open(self, call: Call) -> Journey:
        return Raising(self, call)


class Insisting(Journey):
    def after(self, error: GatewayError) -> Step | GatewayError:
        return Step(counted=False)


class Stubborn(Words):
    def open(self, call: Call) -> Journey:
        return Insisting(self, call)


class Negative(Words):
    async def count(self, call: Call) -> int | None:
        return -1


class Holding(Journey):
    async def go(self) -> Said:
        """Begin another answer, and never end it."""
        assert self.adapter.transport is not None
        body = bytes(self.body())
        await self.adapter.transport.send("POST", self.adapter.url, headers={}, body=body)
        return await super().go()


class Leaking(Words):
    def open(self, call: Call) -> Journey:
        return Holding(self, call)


FAULTS: list[tuple[type[Words], str]] = [
    (Renamed, "models that have another id"),
    (Unusable, "its state is 'fine'"),
    (Endless, "the response ends without an end"),
    (Unopened, "BlockStarted in state idle"),
    (Uncounted, "its usage is"),
    (Broken, "it ends with Failed"),
    (Mute, "without 'hello'"),
    (Fragile, "KeyError: 'said'"),
    (Stubborn, "and no end"),
    (Negative, "the prompt has -1 tokens"),
    (Leaking, "connections stay open after it"),
]


@pytest.mark.parametrize(("adapter", "words"), FAULTS, ids=[adapter.__name__ for adapter, _ in FAULTS])
async def test_a_fault_is_found(adapter: type[Words], words: str) -> None:
    with pytest.raises(Wrong) as wrong:
        await examine(adapter)
    assert any(words in finding for finding in wrong.value.findings), wrong.value


class Silent(Journey):
    async def go(self) -> Said:
        await asyncio.Event().wait()
        return await super().go()


class Hanging(Words):
    def open(self, call: Call) -> Journey:
        return Silent(self, call)


async def test_an_adapter_that_never_answers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.testing.adapters._END_S", 0.1)
    with pytest.raises(Wrong) as wrong:
        await examine(Hanging)
    assert "- an answer: no end within 0.1 s" in str(wrong.value)
