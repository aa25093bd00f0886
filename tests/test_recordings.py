"""Each file of tests/recordings is replayed: in its own dialect byte for byte, in the others as the same answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config import ConfigError
from gateway.recording import Member, Recording
from gateway.replay import differences, replay
from gateway.routes import DialectName

pytestmark = pytest.mark.anyio

FILES = sorted((Path(__file__).parent / "recordings").glob("*.jsonl"))
DAMAGED = Path(__file__).parent / "recordings" / "v1internal-to-anthropic-stream-calls.jsonl"
DIALECTS: tuple[DialectName, ...] = ("openai-chat", "openai-responses", "anthropic", "gemini")


def read(file: Path) -> Recording:
    return Recording.read(file.read_bytes())


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
async def test_the_answer_is_the_recorded_one(file: Path) -> None:
    recording = read(file)
    assert differences(recording, await replay(recording)) == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
async def test_a_caller_of_another_dialect_gets_it_too(file: Path, dialect: DialectName) -> None:
    recording = read(file)
    own, other = await replay(recording), await replay(recording, dialect)
    assert other.status == own.status
    assert other.calls_left == 0
    words = [word for word in (b"seen", b"first", b"hello", b"Hello") if word in own.body]
    assert [word for word in words if word not in other.body] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"path": "/v1/nope"}, "POST /v1/nope is not a request to a model"),
        ({"path": "/v1/models"}, "POST /v1/models is not a request to a model"),
        ({"method": "GET"}, "GET /v1/messages is not a request to a model"),
    ],
)
async def test_a_request_that_asks_no_model_cannot_be_replayed(changes: dict[str, str], said: str) -> None:
    recording = read(DAMAGED)
    with pytest.raises(ValueError, match=said):
        await replay(replace(recording, request=replace(recording.request, **changes)))


async def test_a_chain_that_does_not_lead_to_the_upstream_cannot_be_replayed() -> None:
    recording = read(DAMAGED)
    for targets in (), (Member("google", "another"),):
        with pytest.raises(ValueError, match="it called google/claude-sonnet-4-6, which its chain does not include"):
            await replay(replace(recording, head=replace(recording.head, targets=targets)))


def test_a_time_that_cannot_be_written_is_none_of_a_recording() -> None:
    recording = read(DAMAGED)
    late = replace(recording, head=replace(recording.head, stamp=("id", 10**12)))
    with pytest.raises(ValueError, match="is not a recording: Expected `int` <= 253402300799"):
        Recording.read(late.written())


@pytest.mark.parametrize(
    ("upstreams", "said"),
    [
        ({}, "its settings have no upstream 'google', which was called in the recording"),
        ({"other": {"type": "demo"}}, "its settings have no upstream 'google', which was called in the recording"),
        (None, "its settings have no upstream 'google', which was called in the recording"),
        ("x", "upstream: expected a table, got a string"),
        ({"google": {"type": ["demo"]}}, "upstream.google.type: expected a string, got a list"),
        ({"google": {"type": {}}}, "upstream.google.type: expected a string, got a table"),
    ],
)
async def test_settings_without_the_upstream_cannot_be_replayed(upstreams: object, said: str) -> None:
    recording = read(DAMAGED)
    settings = {**recording.head.settings, "upstream": upstreams}
    with pytest.raises((ValueError, ConfigError), match=said):
        await replay(replace(recording, head=replace(recording.head, settings=settings)))
