"""Whole numbers in the other forms that JSON has for them.

R's jsonlite writes 100000 as `1e+05`, and what was divided is often a float that is whole. JSON Schema calls both an
integer, and servers built on pydantic take them, Anthropic's too.
"""

import json

import pytest
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from gateway.dialects.content import decode
from gateway.dialects.place import Place
from gateway.errors import InvalidRequest
from gateway.routes import DialectName
from tests.translating import Sent, Upstreams

HI = [{"role": "user", "content": "Hi"}]


class Limits(Struct):
    most: int | None = None
    each: list[int] = []
    extra: Raw | UnsetType = UNSET


LIMITS = Decoder(Limits)


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Upstreams:
    return Upstreams(str(tmp_path_factory.mktemp("whole")))


def sent(upstreams: Upstreams, dialect: DialectName, target: str, **request: object) -> str:
    """Give the upstream body of a request."""
    given = upstreams.send(dialect, target, {"model": "m", **request})
    assert isinstance(given, Sent), given
    return json.dumps(json.loads(given.body))


@pytest.mark.parametrize("written", ["100000", "100000.0", "1e+05", "1E5"])
def test_each_form_of_a_number_is_read(written: str) -> None:
    body = f'{{"most":{written},"each":[1,{written}],"extra":{{"x": {written}}}}}'.encode()
    extra = Raw(f'{{"x": {written}}}'.encode())  # what nobody reads stays as it came
    assert decode(body, Limits) == Limits(most=100000, each=[1, 100000], extra=extra)


@pytest.mark.parametrize("written", ["100.5", '"100"', "true", "1e400"])
def test_what_is_no_whole_number_is_refused(written: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(f'{{"most":{written}}}'.encode(), Limits)
    assert caught.value.param == "most"


def test_a_fraction_within_a_member_is_named_in_full() -> None:
    with pytest.raises(InvalidRequest, match=r"^tool\.limits\.each\[0\]: expected `int`, got `float`$"):
        Place("tool").read(Raw(b'{"each":[1.5]}'), LIMITS, "limits")


@pytest.mark.parametrize("limit", [9000, 9000.0])
def test_other_dialects_are_asked_for_whole_tokens(upstreams: Upstreams, limit: float) -> None:
    chat = sent(upstreams, "openai-chat", "anthropic", max_tokens=limit, messages=HI)
    responses = sent(upstreams, "openai-responses", "v1internal Gemini 2.5", max_output_tokens=limit, input="Hi")
    thinking = {"type": "enabled", "budget_tokens": limit / 3}  # read apart from the body
    messages = sent(upstreams, "anthropic", "v1internal Gemini 2.5", max_tokens=limit, thinking=thinking, messages=HI)
    assert '"max_tokens": 9000,' in chat
    assert '"maxOutputTokens": 9000,' in responses
    assert '"thinkingBudget": 3000' in messages
    assert "000.0" not in chat + responses + messages
