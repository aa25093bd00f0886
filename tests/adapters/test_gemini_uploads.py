"""Addresses of uploads through the gateway, and the resources that calls name."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.adapters.credential import Credential
from gateway.adapters.gemini_owners import Owners, made_by, referred_to
from gateway.adapters.gemini_uploads import Ticket, Uploads, bare
from gateway.dialects.gemini.resource_names import resources
from gateway.redact import Secret
from tests.adapters.forwarding import (
    PATH,
)
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def uploads() -> tuple[Uploads, Credential, FakeClock]:
    clock = FakeClock()
    owner = Credential(Secret("key-1"), clock)
    return Uploads([owner], clock), owner, clock


def ticket(uploads: Uploads, owner: Credential, query: str = "upload_id=a%2Fb&x=") -> str:
    path, _, moved = uploads.moved(f"{PATH}?{query}", owner, "alice").partition("?")
    assert path == PATH
    return moved


def test_an_address_is_good_however_it_is_written(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, clock = uploads
    query = ticket(made, owner)
    said = Ticket(owner, "alice", int(clock.time()) + 86_400)
    assert made.check(PATH, query) == said
    assert made.check(PATH.replace("l", "%6C"), f"key=mine&{query}".replace("a%2Fb", "a/b")) == said


def test_an_address_is_good_for_its_upload_and_its_caller_only(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, _ = uploads
    query = ticket(made, owner)
    assert made.check(PATH, query.replace("upload_id=a", "upload_id=c")) is None
    assert made.check(PATH, query.replace("alice", "bob")) is None
    assert made.check("/upload/v1beta/cachedContents/files", query) is None


@pytest.mark.parametrize("end", ["²", "٣", "9" * 5_000, "-1", "soon", ""])
def test_an_address_that_was_not_made_here_is_none(uploads: tuple[Uploads, Credential, FakeClock], end: str) -> None:
    """Whatever stands where one has the time of its end."""
    made, owner, _ = uploads
    assert made.check(PATH, urlencode({"gateway_ticket": f"proof.{owner.id[:16]}.{end}.alice"})) is None


async def test_an_address_ends_after_a_day(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, clock = uploads
    query = ticket(made, owner)
    await clock.advance(86_401)
    assert made.check(PATH, query) is None


def test_an_address_leads_to_none_that_ends_later(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, clock = uploads
    end = int(clock.time()) + 60
    _, _, query = made.moved(f"{PATH}?upload_id=b", owner, "alice", end).partition("?")
    assert made.check(PATH, query) == Ticket(owner, "alice", end)


def test_an_address_shows_no_key(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, _ = uploads
    assert "key-1" not in ticket(made, owner)


def test_google_sees_nothing_of_it() -> None:
    assert bare("a=1&key=k&upload_id=a%2Fb&gateway_ticket=t&flag") == "a=1&upload_id=a%2Fb&flag"
    assert bare("%6bey=k&a=%ff&gateway%5fticket=t") == "a=%ff"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1beta/files", []),
        ("/v1beta/files/f1", ["files/f1"]),
        ("/download/v1beta/files/f1:download", ["files/f1"]),
        ("/v1beta/fileSearchStores/s/documents/d", ["fileSearchStores/s/documents/d", "fileSearchStores/s"]),
        ("/v1beta/models/m:embedContent", []),
        ("/v1beta/models/veo/operations/o", ["models/veo/operations/o"]),
        ("/v1/tunedModels/t", ["tunedModels/t"]),
        ("/elsewhere/files/f1", []),
    ],
)
def test_a_path_names_its_resources_the_innermost_first(path: str, names: list[str]) -> None:
    assert resources(path) == names


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (b'{"name":"files/f1"}', "files/f1"),
        (b'{"file":{"name":"files/f1"}}', "files/f1"),
        (b'{"embedding":{}}', ""),
        (b'{"name":1}', ""),
        (b"[]", ""),
        (b"[" * 50_000, ""),
    ],
)
def test_an_answer_names_what_was_made(answer: bytes, name: str) -> None:
    assert made_by(answer) == name


def test_what_a_prompt_reads_is_no_word_that_looks_like_it() -> None:
    said: list[Any] = [
        {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc-1"},
        {"cachedContent": "cachedContents/c1", "fileSearchStoreNames": ["fileSearchStores/s1"]},
        {"text": "see files/main and https://host/files/two of cachedContents/none", "path": "files/three"},
    ]
    expected = ["files/abc-1", "cachedContents/c1", "fileSearchStores/s1"]
    written = json.dumps(said)
    assert [*referred_to(written.encode())] == expected
    assert [*referred_to(written.replace("/", "\\/").encode())] == expected


def test_only_so_many_owners_are_remembered() -> None:
    owners, owner = Owners(2), Credential(Secret("k"), FakeClock())
    for name in ("a", "b", "a", "c"):
        owners.note(name, owner)
    assert [owners.of([name]) for name in "abc"] == [owner, None, owner]
