"""What a caller sends: the prompt, and with it a picture or a long talk."""

from __future__ import annotations

import base64
import json

import pytest

from bench.asked import Asked, read_asked
from bench.asking import WIRES, write_request
from bench.script import PICTURE, TALK, WEIGHTS, WHOLE, Script, Wire
from gateway.config.schema import ServerConfig

UNDERSTOOD: tuple[Wire, ...] = ("chat", "anthropic", "gemini", "v1internal")


def sent(wire: Wire, script: Script) -> tuple[bytes, bytes]:
    request = write_request(1, wire, "some-model", script, stream=False, key="sk-key", headers="x-more: 1\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"\r\nx-more: 1\r\n" in head
    assert b"\r\ncontent-length: %d" % len(body) in head
    return head.split()[1].partition(b"?")[0], body


@pytest.mark.parametrize("wire", UNDERSTOOD)
@pytest.mark.parametrize("script", [WHOLE, PICTURE, TALK], ids=lambda script: script.kind)
def test_the_upstream_finds_the_prompt_behind_all_of_it(wire: Wire, script: Script) -> None:
    assert read_asked(*sent(wire, script)) == Asked(wire, script, stream=False)


@pytest.mark.parametrize("wire", WIRES)
def test_a_talk_is_a_little_less_than_the_gateway_takes(wire: Wire) -> None:
    _, body = sent(wire, TALK)
    assert 0.97 * ServerConfig().max_body < len(body) < ServerConfig().max_body
    assert len(body) > TALK.weight


@pytest.mark.parametrize("wire", WIRES)
def test_a_picture_is_one_of_a_megabyte(wire: Wire) -> None:
    _, body = sent(wire, PICTURE)
    start = base64.b64encode(b"\x89PNG\r\n\x1a\n\0").rstrip(b"=")
    assert body.count(start) == 1
    assert WEIGHTS["picture"] < len(body) < WEIGHTS["picture"] + 1000
    assert json.loads(body)


@pytest.mark.parametrize("script", [PICTURE, TALK], ids=lambda script: script.kind)
def test_an_upstream_that_did_not_get_all_of_it_refuses(script: Script) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": script.prompt}]}).encode()
    with pytest.raises(ValueError, match="bytes of"):
        read_asked(b"/v1/chat/completions", body)
