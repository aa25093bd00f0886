"""[server] data_dir, [upstream.X] and its pool, before a fake of the service."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.app import create_app, lifespan
from gateway.config import CooldownConfig
from gateway.errors import NoCredential
from gateway.store.known import Change, Quota
from tests.adapters.pools import pool_of
from tests.adapters.site import GeminiSite, Site
from tests.clocks import FakeClock
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.config.asking import ask
from tests.patience import patient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(fake_v1internal, tmp_path / "data")
    yield made
    await made.close()


@pytest.fixture
async def gemini(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[GeminiSite]:
    made = GeminiSite(fake_gemini, tmp_path / "data")
    yield made
    await made.close()


@pytest.mark.parametrize(("kind", "status"), [("demo", 200), ("v1internal", 503), ("gemini", 503), ("openai", 503)])
async def test_the_type_says_who_answers(kind: str, status: int) -> None:
    assert (await ask(create_app({"upstream": {"x": {"type": kind}}, "log": {"level": "error"}}))).status == status


@pytest.mark.parametrize("bases", [["a"], ["b"], ["b", "a"]])
async def test_base_urls_are_asked_in_their_order(site: Site, bases: list[str]) -> None:
    await site.open(base_urls=[site.fake.base(base) for base in bases])
    site.fail("500_internal", base=bases[0], times=1 if bases[1:] else 0)
    await site.ask()
    assert [base for base, _, _ in site.seen()] == bases


async def test_the_database_is_in_the_data_folder(site: Site, folder: Path) -> None:
    site.folder = folder / "elsewhere"
    await site.open()
    assert (folder / "elsewhere" / "gateway.db").is_file()


async def test_the_oauth_client_asks_for_tokens_at_its_address(site: Site) -> None:
    oauth = {"client_id": "mine", "client_secret": "hush", "token_url": site.fake.token_url}
    await site.open(oauth=oauth)
    await site.ask()
    (call,) = site.fake.calls("token")
    assert (call.body["client_id"], call.body["client_secret"]) == ("mine", "hush")


async def test_the_e_mail_is_asked_for_at_userinfo_url(site: Site) -> None:
    await site.open(pool={"project_ids": {"user1@example.invalid": "mine"}})
    await site.ask()
    assert len(site.fake.calls("userinfo")) == 1


async def test_api_keys_are_the_credentials(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2")
    assert adapter.state() == "usable: 2 of 2 credentials"
    await gemini.ask()
    assert gemini.fake.calls()[0].headers["x-goog-api-key"] == "key-1"


@pytest.mark.parametrize("below", ["", "/mirror"])
async def test_the_base_url_is_where_the_keys_go(gemini: GeminiSite, below: str) -> None:
    await gemini.open(base_url=gemini.fake.url + below)
    await gemini.ask()
    assert gemini.fake.calls()[0].path.startswith(f"{below}/v1beta/models/")


async def test_refresh_tokens_are_the_credentials(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2")
    assert adapter.state() == "usable: 2 of 2 credentials"
    await site.ask()
    assert site.fake.calls("token")[0].body["refresh_token"] == "rt-1"


@pytest.mark.parametrize(("minimum", "warned"), [(1, False), (2, True)])
async def test_fewer_than_min_credentials_is_a_warning(
    minimum: int, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = {"refresh_tokens": ["rt-1"], "min_credentials": minimum}
    upstream = {"type": "v1internal", "models": ["claude-x"], "oauth": {"client_id": "a"}, "pool": pool}
    async with lifespan(create_app({"upstream": {"google": upstream}})):
        pass
    said = [line for line in capsys.readouterr().err.splitlines() if "few credentials" in line]
    assert [json.loads(line)["min_credentials"] for line in said] == [minimum] * warned


@pytest.mark.parametrize(("early", "refreshes"), [(300, 1), (1000, 2)])
async def test_refresh_before_says_how_early_a_token_is_renewed(site: Site, early: int, refreshes: int) -> None:
    await site.open(pool={"refresh_before": early})
    await site.ask()
    await site.clock.advance(3599 - 600)
    await site.ask()
    async with asyncio.timeout(patient(10)):
        while len(site.fake.calls("token")) < refreshes:  # noqa: ASYNC110 - it is renewed beside the call
            await asyncio.sleep(0)
    await site.stop()
    assert len(site.fake.calls("token")) == refreshes


@pytest.mark.parametrize(
    ("cooldown", "asked_s", "rests_s"),
    [
        (CooldownConfig(min=7), 1, 7),
        (CooldownConfig(max=8), 900, 8),
        (CooldownConfig(unknown=9), None, 9),
    ],
)
def test_a_cool_down_keeps_the_configured_bounds(
    cooldown: CooldownConfig, asked_s: float | None, rests_s: float
) -> None:
    pool = pool_of(1, FakeClock(), cooldown=cooldown)
    pool.cool(pool.credentials[0], "claude-x", asked_s)
    assert pool.rest_s("claude-x") == rests_s


@pytest.mark.parametrize(
    ("strategy", "serves"),
    [("round_robin", 3), ("sticky", 1), ("fill_first", 1), ("least_used", 3), ("quota", 3)],
)
async def test_the_strategy_says_who_is_next(site: Site, strategy: str, serves: int) -> None:
    await site.open("rt-1", "rt-2", "rt-3", pool={"strategy": strategy, "uses_per_turn": 1})
    for _ in range(6):
        await site.ask("the same conversation")
    assert len({token for _, token, _ in site.seen()}) == serves


@pytest.mark.parametrize(("floor", "serves"), [(0.0, True), (0.1, False)])
def test_a_quota_floor_leaves_the_rest_alone(floor: float, serves: bool) -> None:
    clock = FakeClock()
    pool = pool_of(1, clock, quota_floor=floor)
    one, now = pool.credentials[0], clock.time()
    one.learn(Change(id=one.id, quota={"claude-x": Quota(0.1, now + 60, now)}))
    assert pool.has("claude-x") is serves


@pytest.mark.parametrize(("fallback", "asks"), [("discover", 1), ("fail", 0)])
async def test_project_fallback_says_whether_the_service_is_asked(site: Site, fallback: str, asks: int) -> None:
    await site.open(pool={"project_fallback": fallback})
    if asks:
        await site.ask()
    else:
        with pytest.raises(NoCredential):
            await site.ask()
    assert len(site.fake.calls("loadCodeAssist")) == asks
