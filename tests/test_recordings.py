"""Each file of tests/recordings is replayed: in its own dialect byte for byte, in the others as the same answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.recording import Recording
from gateway.replay import differences, replay
from gateway.routes import DialectName

pytestmark = pytest.mark.anyio

FILES = sorted((Path(__file__).parent / "recordings").glob("*.jsonl"))
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
