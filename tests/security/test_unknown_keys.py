"""A key that nobody has is refused in the same words and the same time, however near to a real one it is."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.app import create_app, lifespan
from gateway.context import Principal
from gateway.keys import Keys
from tests.cpu import cpu_seconds
from tests.middleware.asgi import Outcome, call, scope_of

pytestmark = pytest.mark.anyio

KEY = "gw-" + "k" * 40
WRONG = {
    "unknown": "gw-" + "z" * 40,
    "all but the last character": KEY[:-1] + "x",
    "the beginning": KEY[:10],
    "more": KEY + "k",
    "its hash": sha256(KEY.encode()).hexdigest(),
    "another case": KEY.upper(),
    "empty": "",
    "very long": "k" * 10_000,
    "no ascii": "schlüssel",
}
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1beta/models/demo:generateContent")
ID = re.compile(rb"req_[0-9a-f]+")
# a hash whose first 8 digits are a known key's is compared as a whole: 60 digits in constant time
OFTEN, TRIES = 20_000, 7
RATIO = 6


async def answers(folder: Path, path: str) -> dict[str, Outcome]:
    """Ask with each of them, from another address, so that none has failed too often."""
    app = create_app({"server": {"data_dir": str(folder)}, "auth": {"keys": [KEY]}})
    async with lifespan(app):
        return {
            name: await call(
                app, scope_of(path, headers={"authorization": f"Bearer {given}"}, client=f"10.0.0.{number}")
            )
            for number, (name, given) in enumerate(WRONG.items())
        }


@pytest.mark.parametrize("path", PATHS)
async def test_all_wrong_keys_are_refused_in_the_same_words(tmp_path: Path, path: str) -> None:
    given = await answers(tmp_path, path)
    assert {one.status for one in given.values()} == {401}
    assert len({ID.sub(b"", one.body) for one in given.values()}) == 1
    assert len({frozenset(one.headers) for one in given.values()}) == 1


def seconds(keys: Keys, digest: str) -> float:
    """Measure many looks."""

    def look() -> None:
        for _ in range(OFTEN):
            keys.find(digest)

    return cpu_seconds(look, tries=TRIES)


def test_a_hash_that_begins_as_a_known_one_takes_no_longer_the_more_of_it_is_right() -> None:
    known = sha256(KEY.encode()).hexdigest()
    keys = Keys({known: (Principal(name="a", id="a"), None)})
    other = "0" if known[-1] != "0" else "1"
    near = seconds(keys, known[:-1] + other)
    far = seconds(keys, known[:8] + (other * 56))
    assert near < far * 2
    assert far < near * 2
    assert keys.find(known[:-1] + other) is None


def test_very_many_keys_do_not_make_it_slower() -> None:
    """A list that is searched would take 10,000 times as long."""
    few, many = (
        Keys(
            {sha256(b"%d" % number).hexdigest(): (Principal(name="a", id=str(number)), None) for number in range(size)}
        )
        for size in (1, 10_000)
    )
    unknown = sha256(b"unknown").hexdigest()
    assert seconds(many, unknown) < seconds(few, unknown) * RATIO
