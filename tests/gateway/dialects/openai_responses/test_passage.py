"""An upstream's own stream on its way to a Responses caller."""

from __future__ import annotations

import json

import pytest

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.errors import StreamBroken

CREATED = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":%b,"response":{"id":"resp_1"}}\n\n'
)


@pytest.mark.parametrize(("number", "following"), [(b"0", 1), (b"41", 42), (b"9" * 5000, 0)])
def test_a_stream_that_breaks_ends_with_the_next_number(number: bytes, following: int) -> None:
    request = ir.Request(model="m", turns=())
    asked = Answering(request=request, model="m", id="1", created=0, request_id="r", estimate=lambda: 0)
    passage = OpenAIResponses().passage(asked)
    passage.feed([ir.Passed(CREATED % number)])
    name, data = passage.close(StreamBroken("cut")).decode().rstrip().split("\n")
    said = json.loads(data.removeprefix("data: "))
    assert (name, said["type"], said["sequence_number"]) == ("event: response.failed", "response.failed", following)
    assert (said["response"]["id"], said["response"]["status"]) == ("resp_1", "failed")
