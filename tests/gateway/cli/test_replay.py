"""`gateway replay`: the answer on standard output, the comparison as the exit code."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from gateway.recording import Recording, joined, pack, unpack
from tests.gateway.cli.conftest import Run

FILE = Path(__file__).parents[2] / "recordings" / "v1internal-to-anthropic-stream-calls.jsonl"


def test_it_prints_the_recorded_answer(run: Run) -> None:
    done = run("replay", str(FILE))
    assert (done.code, done.err) == (0, "")
    assert done.out.encode() == joined(Recording.read(FILE.read_bytes()).answer.pieces)


def test_another_dialect_gets_the_same_call(run: Run) -> None:
    done = run("replay", str(FILE), "--as", "openai-chat")
    assert (done.code, done.err) == (0, "")
    assert '"finish_reason":"tool_calls"' in done.out
    assert done.out.endswith("data: [DONE]\n\n")


def test_a_difference_is_exit_code_1_and_its_place(run: Run, tmp_path: Path) -> None:
    recording = Recording.read(FILE.read_bytes())
    file = tmp_path / "other.jsonl"
    file.write_bytes(replace(recording, answer=replace(recording.answer, pieces=())).written())
    done = run("replay", str(file))
    assert done.code == 1
    assert done.err.startswith(f"{file}: body, at byte 0: ")
    assert run("replay", str(file), "--as", "gemini").code == 0


def test_what_only_the_recorded_dialect_can_say_is_named(run: Run, tmp_path: Path) -> None:
    recording = Recording.read((FILE.parent / "openai-responses-to-openai-responses-whole-words.jsonl").read_bytes())
    said = msgspec.json.decode(unpack(recording.request.body)) | {"background": True}
    file = tmp_path / "later.jsonl"
    body = pack(msgspec.json.encode(said))
    file.write_bytes(replace(recording, request=replace(recording.request, body=body)).written())
    assert run("replay", str(file)).code == 0
    assert '"message":"background: ' in run("replay", str(file), "--as", "anthropic").out


def test_a_gateway_toml_does_not_matter(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("this is no TOML")
    assert run("replay", str(FILE)).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing.jsonl",), "nothing.jsonl: there is no such file"),
        ((".",), ".: cannot be read: Is a directory"),
        (("text",), "text: is not a recording: "),
        ((str(FILE), "--as", "antropic"), '--as: "antropic" is not one of'),
        ((str(FILE), "--as", "antropic"), "did you mean"),
    ],
)
def test_what_cannot_be_replayed_is_exit_code_2_and_one_line(
    run: Run, folder: Path, words: tuple[str, ...], said: str
) -> None:
    (folder / "text").write_text("text\n")
    done = run("replay", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_settings_that_this_version_does_not_have_are_named(run: Run, tmp_path: Path) -> None:
    recording = Recording.read(FILE.read_bytes())
    settings = {**recording.head.settings, "translate": {"louder": True}}
    file = tmp_path / "later.jsonl"
    file.write_bytes(replace(recording, head=replace(recording.head, settings=settings)).written())
    done = run("replay", str(file))
    assert done.code == 2
    assert "translate.louder" in done.err
