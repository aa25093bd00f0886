"""A name that stands twice in a request goes on once, with the value that was checked: readers may take either one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import Decoder

from gateway.dialects.edits import ONCE, repeats
from gateway.dialects.gemini.edits import pass_on
from gateway.dialects.gemini.model_names import named_as
from gateway.dialects.raw import Fields
from gateway.ir import Request
from tests.conformance.making import EMBED, standing
from tests.conformance.raw import PATHS, passing
from tests.conformance.test_making import SMALL, openai
from tests.fakes.openai_api import FakeOpenAI

FIELDS = Decoder(Fields)
SAID = {
    "openai-chat": b'"messages":[{"role":"user","content":"hi"}]',
    "openai-responses": b'"store":false,"input":"hi"',
    "anthropic": b'"max_tokens":9,"messages":[{"role":"user","content":"hi"}]',
}
TWICE = {
    "plain": b'{"model":"other",%b,"model":"m"}',
    "escaped first": b'{"mod\\u0065l":"other",%b,"model":"m"}',
    "escaped last": b'{"model":"other",%b,"\\u006Dodel":"m"}',
    "both escaped, side by side": b'{%b,"mo\\u0064el":"other","mode\\u006C":"m"}',
    "with white space": b'{ "model" : "other" ,\r\n\t%b , "model" : "m" }\n',
    "another one": b'{"model":"m","stream":true,%b,"stream":false}',
}


@pytest.mark.anyio
@pytest.mark.parametrize("how", TWICE)
@pytest.mark.parametrize("dialect", PATHS)
async def test_one_model_goes_to_an_upstream_of_the_dialect(tmp_path: Path, dialect: str, how: str) -> None:
    async with passing(dialect, tmp_path) as passed:
        passed.raw.says(b"{}", kind="application/json")
        await passed.post(TWICE[how] % SAID[dialect])
    asked = passed.raw.asked[-1].body
    assert names(asked) == names(asked, once=True)
    assert passed.raw.sent == json.loads(TWICE[how] % SAID[dialect])  # which takes the last one


@pytest.mark.anyio
async def test_one_model_goes_to_embeddings(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with standing(tmp_path, openai(fake_openai)) as http:
        response = await http.post(
            EMBED, content=b'{"model":"gpt-4.1","input":"a","mod\\u0065l":"%b"}' % SMALL.encode()
        )
    assert response.status_code == 200, response.text
    assert fake_openai.requests[-1].raw == b'{"model":"%b","input":"a"}' % SMALL.encode()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b'{"model":"models/a","model":"models/m"}', b'{"model":"models/m"}'),
        (b'{ "model" : "models/a" , "mod\\u0065l" : "models/m" }', b'{"model":"models/m"}'),
        (b'{"requests":[{"model":"models/a","model":"models/m"}]}', b'{"requests":[{"model":"models/m"}]}'),
        (b'{"requests":[],"requests":[{"model":"models/m"}]}', b'{"requests":[{"model":"models/m"}]}'),
        (
            b'{"batch":{"inputConfig":{"requests":{"requests":[{"request":{"model":"a","model":"m"}}]}}}}',
            b'{"batch":{"inputConfig":{"requests":{"requests":[{"request":{"model":"m"}}]}}}}',
        ),
    ],
)
def test_one_model_stands_wherever_a_native_call_names_one(given: bytes, kept: bytes) -> None:
    assert named_as(given, "m") == kept


def test_a_gemini_request_says_everything_once() -> None:
    body = Raw(b'{"model":"models/other","contents":[],"model":"models/m"}')
    taken = pass_on(Request(model="m", turns=()), body)
    assert (bytes(taken.body), taken.edits) == (b'{"model":"models/m","contents":[]}', (ONCE,))


def names(body: bytes, *, once: bool = False) -> list[str]:
    """Give the names at the top of an object, in their order."""
    found: list[str] = []

    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found[:] = [name for name, _ in pairs]  # the outermost object is the last one
        return dict(pairs)

    json.loads(body, object_pairs_hook=hook)
    return list(dict.fromkeys(found)) if once else found


MEMBERS = st.dictionaries(
    st.text("ab\u00e9\\ ", max_size=3), st.sampled_from(['"a"', '"\\""', "1", '{"b": ",\\"b\\":"}'])
)
SPACE = st.sampled_from(["", " ", "\n\t "])


@given(MEMBERS, SPACE, st.booleans())
def test_white_space_and_escapes_are_no_repetition(members: dict[str, str], space: str, ascii_only: bool) -> None:
    assert not repeated(list(members.items()), space, ascii_only=ascii_only)


@given(MEMBERS.filter(bool), SPACE, st.booleans(), st.data())
def test_each_repetition_is_found(members: dict[str, str], space: str, ascii_only: bool, data: st.DataObject) -> None:
    pairs = list(members.items())
    again = (data.draw(st.sampled_from(pairs))[0], data.draw(st.sampled_from(["1", '""', '"a"'])))
    pairs.insert(data.draw(st.integers(0, len(pairs))), again)
    assert repeated(pairs, space, ascii_only=ascii_only)


def repeated(pairs: list[tuple[str, str]], space: str, *, ascii_only: bool) -> bool:
    written = (f"{json.dumps(name, ensure_ascii=ascii_only)}{space}:{space}{value}" for name, value in pairs)
    body = Raw(f"{space}{{{space}{f'{space},{space}'.join(written)}{space}}}{space}".encode())
    return repeats(body, FIELDS.decode(body))
