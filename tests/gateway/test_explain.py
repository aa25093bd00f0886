"""What is explained is what is sent: the upstream's bytes equal the explained ones, before and after a change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.adapters.demo import Demo
from gateway.clock import System
from gateway.config import load
from gateway.explain import Asking, written
from gateway.upstream import Call, Journey
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.gateway.explained import BODIES, agreed, agrees, ask, live, of, only, settled

pytestmark = pytest.mark.anyio

Settle = Callable[[str], Path]

DIALECTS = list(BODIES)
TYPES = ("v1internal", "gemini")
MODELS = {
    "v1internal": ("gemini-2.5-flash", "gemini-3-flash"),
    "gemini": ("gemini-2.5-flash", "gemini-3-flash-preview"),
}

TABLE = """
[server]
data_dir = "data"
[log]
level = "error"
[upstream.google]
"""
CODE_ASSIST = """
type = "v1internal"
base_urls = ["{url}"]
headers = {{ x-mine = "hush" }}
oauth = {{ client_id = "our-client", client_secret = "our-secret", token_url = "{token}", userinfo_url = "{user}" }}
pool = {{ import = "tokens.json" }}
"""
PUBLIC = """
type = "gemini"
base_url = "{url}"
api_key = "key-1"
models = ["gemini-2.5-flash", "gemini-3-flash-preview"]
"""
DEMO = '[log]\nlevel = "error"\n[upstream.demo]\n[upstream.other]\ntype = "demo"\n'


class Change(NamedTuple):
    """One rule written in two ways; `moves`: the pairs (dialect, type of upstream) whose call it changes."""

    one: str
    other: str
    moves: frozenset[tuple[str, str]]


def pairs(dialects: str, types: tuple[str, ...] = TYPES) -> frozenset[tuple[str, str]]:
    return frozenset((dialect, kind) for dialect in dialects.split() for kind in types)


TRANSLATED = "openai-chat openai-responses anthropic"
CHANGES = {
    "alias": Change('[models.alias]\nmine = "{0}"', '[models.alias]\nmine = "{1}"', pairs(f"{TRANSLATED} gemini")),
    "thinking": Change(
        '[models.alias]\nmine = "{0}"\n[thinking]\n"gemini-*" = {{ include = true, budget = -1 }}',
        '[models.alias]\nmine = "{0}"\n[thinking]\n"gemini-*" = {{ include = true, budget = 600 }}',
        pairs(TRANSLATED, ("v1internal",)),
    ),
    "default": Change(
        '[models.alias]\nmine = "{0}"\n[defaults]\ntemperature = 0.25',
        '[models.alias]\nmine = "{0}"\n[defaults]\ntemperature = 0.75',
        pairs(f"{TRANSLATED} gemini"),
    ),
    "variant": Change(
        '[models.alias]\n"mine-x" = "{0}-y"\n[models.variant."-y"]\nthinking = "max"',
        '[models.alias]\n"mine-x" = "{0}-y"\n[models.variant."-y"]\nthinking = "off"',
        pairs(f"{TRANSLATED} gemini"),
    ),
}


class Upstream(NamedTuple):
    """One fake with the table of gateway.toml that leads to it."""

    fake: FakeV1Internal | FakeGemini
    table: str


@pytest.fixture
def upstreams(fake_v1internal: FakeV1Internal, fake_gemini: FakeGemini, tmp_path: Path) -> Mapping[str, Upstream]:
    """Stand behind both types of upstream; the account's project is known."""
    account = {"refresh_token": "rt-1", "project_id": "proj-1"}
    (tmp_path / "tokens.json").write_text(json.dumps({"projects": [account]}))
    urls = {"token": fake_v1internal.token_url, "user": fake_v1internal.userinfo_url}
    return {
        "v1internal": Upstream(fake_v1internal, TABLE + CODE_ASSIST.format(url=fake_v1internal.url, **urls)),
        "gemini": Upstream(fake_gemini, TABLE + PUBLIC.format(url=fake_gemini.url)),
    }


@pytest.fixture
def settle(tmp_path: Path) -> Settle:
    """Write gateway.toml."""
    return partial(settled, tmp_path)


def generated(fake: FakeV1Internal | FakeGemini) -> Record:
    """Give the last call for an answer; the gateway may ask for the models beside it."""
    return next(record for record in reversed(fake.requests) if record.method.lower().endswith("generatecontent"))


@pytest.mark.parametrize("rule", list(CHANGES))
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_changed_rule_changes_both_equally(
    dialect: str, kind: str, rule: str, upstreams: Mapping[str, Upstream], settle: Settle
) -> None:
    change, (fake, table) = CHANGES[rule], upstreams[kind]
    asking = ask(dialect, "mine-x" if rule == "variant" else "mine")
    told: list[tuple[bytes, str | None]] = []
    for text in (change.one, change.other):
        file = settle(f"{table}\n{text.format(*MODELS[kind])}\n")
        member = only(await of(file, asking))
        await live(file, asking)
        agrees(member, generated(fake))
        assert member.body is not None
        told.append((agreed(bytes(member.body), member), member.url))
    assert (told[0] != told[1]) is ((dialect, kind) in change.moves)


@pytest.mark.parametrize("kind", TYPES)
async def test_a_claude_request_with_tools_of_a_gemini_caller_is_explained_translated(
    kind: str, upstreams: Mapping[str, Upstream], settle: Settle
) -> None:
    fake, table = upstreams[kind]
    model = "claude-sonnet-4-6" if kind == "v1internal" else "gemini-2.5-flash"
    parameters = {"type": "OBJECT", "properties": {"a": {"type": "NUMBER"}}}
    tools = [{"functionDeclarations": [{"name": "add", "parameters": parameters}]}]
    file, asking = settle(table), ask("gemini", f"google/{model}", tools=tools)
    member = only(await of(file, asking))
    await live(file, asking)
    agrees(member, generated(fake))
    assert member.passed_on is (kind == "gemini")


async def test_the_other_envelope_is_explained_as_it_is_sent(upstreams: Mapping[str, Upstream], settle: Settle) -> None:
    fake, table = upstreams["v1internal"]
    file = settle(table.replace("base_urls", 'envelope = "gemini-cli"\nbase_urls'))
    asking = ask("openai-chat", "gemini-2.5-flash")
    member = only(await of(file, asking))
    await live(file, asking)
    agrees(member, generated(fake))
    assert list(member.varies) == ["user_prompt_id"]


async def test_a_project_that_an_earlier_run_has_found_is_in_the_body(
    upstreams: Mapping[str, Upstream], settle: Settle, tmp_path: Path
) -> None:
    fake, table = upstreams["v1internal"]
    (tmp_path / "tokens.json").write_text('[{"refresh_token": "rt-1"}]')
    file, asking = settle(table), ask("openai-chat", "gemini-2.5-flash")
    before = only(await of(file, asking))
    assert before.varies["project"] == "requested with an account's first call"
    await live(file, asking)
    agrees(only(await of(file, asking)), generated(fake))


async def test_while_all_accounts_rest_the_next_call_is_explained_and_what_a_caller_is_told(
    upstreams: Mapping[str, Upstream], settle: Settle, tmp_path: Path
) -> None:
    fake, table = upstreams["v1internal"]
    (tmp_path / "tokens.json").write_text('[{"refresh_token": "rt-1"}]')
    file, asking = settle(table), ask("openai-chat", "gemini-2.5-flash")
    await live(file, asking)
    fake.fail("429_quota_exhausted_hours", method=generated(fake).method)
    with pytest.raises(AssertionError, match="1 credential: 1 cooling until"):
        await live(file, asking)
    explanation = await of(file, asking)
    member = only(explanation)
    agrees(member, generated(fake))
    assert member.shortage is not None
    assert (member.shortage.status, member.shortage.code) == (429, "insufficient_quota")
    assert f"  not sent now, 429 insufficient_quota: {member.shortage.message}. Otherwise:" in written(explanation)


class Watched(Demo):
    """The demo, with the bodies that its journeys tell while they are under way."""

    def __init__(self, file: Path) -> None:
        super().__init__("demo", load(file, environ={}), System())
        self.told: list[bytes] = []

    def open(self, call: Call) -> Journey:
        journey = super().open(call)
        self.told.append(bytes(journey.body()))
        return journey


async def demo(file: Path, asking: Asking) -> bytes:
    member = only(await of(file, asking))
    watched = Watched(file)
    other = Watched(file)
    other.name = "other"
    await live(file, asking, {"demo": watched, "other": other})
    assert member.body is not None
    assert watched.told + other.told == [bytes(member.body)]
    assert (member.upstream == "other") is bool(other.told)
    return bytes(member.body)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_demo_is_told_what_is_explained(dialect: str, settle: Settle) -> None:
    asking = ask(dialect, "mine")
    one = await demo(settle(f'{DEMO}[models.alias]\nmine = "demo/one"\n'), asking)
    two = await demo(settle(f'{DEMO}[models.alias]\nmine = "other/two"\n'), asking)
    assert (one, two) == tuple(b'{"model":"%b","text":"Tell me of the sea."}' % name for name in (b"one", b"two"))
