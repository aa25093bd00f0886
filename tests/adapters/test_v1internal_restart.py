"""What a new process knows of the one before."""

import stat

import pytest
from cryptography.fernet import Fernet

from gateway.adapters.v1internal import V1Internal
from gateway.config import ConfigError
from gateway.errors import NoCredential, UpstreamRateLimited
from tests.adapters.site import Site

pytestmark = pytest.mark.anyio


async def test_a_disabled_credential_stays_disabled(site: Site) -> None:
    await site.open()
    site.fake.oauth.fail("invalid_grant")
    with pytest.raises(NoCredential):
        await site.ask()
    adapter = await site.open()
    with pytest.raises(NoCredential):
        await site.ask()
    assert adapter.state() == "no credential: 1 disabled: invalid_grant"
    assert len(site.fake.calls("token")) == 1


async def test_a_cool_down_goes_on(site: Site) -> None:
    await site.open()
    site.fail("429_quota_exhausted_hours")
    with pytest.raises(UpstreamRateLimited):
        await site.ask()
    await site.clock.advance(100)
    await site.open()
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    assert caught.value.retry_after == pytest.approx(86_300, abs=1)  # cooldown.max, less what has passed


async def test_a_project_is_not_looked_for_twice(site: Site) -> None:
    await site.open()
    await site.ask()
    await site.open()
    await site.ask()
    assert len(site.fake.calls("loadCodeAssist")) == 1


async def test_a_wrong_oauth_client_is_forgiven_by_a_restart(site: Site) -> None:
    site.fake.oauth.clients = {"another": "secret"}
    adapter = await site.open()
    with pytest.raises(NoCredential, match="invalid_client"):
        await site.ask()
    site.fake.oauth.clients = None
    adapter = await site.open()
    assert adapter.usable
    assert await site.ask() == "hi"


async def test_an_account_to_be_verified_waits_over_a_restart_until_it_is_enabled(site: Site) -> None:
    await site.open()
    site.fail("403_validation_required")
    with pytest.raises(NoCredential, match="1 credential: 1 needs verification"):
        await site.ask()
    adapter = await site.open()
    with pytest.raises(NoCredential, match="1 credential: 1 needs verification"):
        await site.ask()
    assert (await adapter.check(adapter.credentials[0].id)).state == "needs_verification"
    assert (await adapter.enable(adapter.credentials[0].id)).state == "active"
    assert await site.ask() == "hi"


async def test_the_folder_and_the_file_are_the_owners_only(site: Site) -> None:
    await site.open()
    assert stat.S_IMODE(site.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((site.folder / "gateway.db").stat().st_mode) == 0o600


async def test_a_new_refresh_token_is_encrypted(site: Site) -> None:
    site.store = {"encryption_key": Fernet.generate_key().decode()}
    site.fake.oauth.rotate = True
    await site.open()
    await site.ask()
    await site.stop()
    assert b"rt-1~1" not in b"".join(file.read_bytes() for file in site.folder.iterdir())
    await site.open()
    assert await site.ask() == "hi"


async def test_a_wrong_key_stops_the_start(site: Site) -> None:
    site.store = {"encryption_key": Fernet.generate_key().decode()}
    await site.open()
    await site.stop()
    before = (site.folder / "gateway.db").read_bytes()
    site.store = {"encryption_key": Fernet.generate_key().decode()}
    with pytest.raises(ConfigError, match=r"store.encryption_key: does not open .*gateway.db"):
        V1Internal("google", site.loaded("rt-1"), site.clock)
    assert (site.folder / "gateway.db").read_bytes() == before


async def test_a_text_that_is_no_key_stops_the_start(site: Site) -> None:
    site.store = {"encryption_key": "secret"}
    with pytest.raises(ConfigError, match="store.encryption_key: is not a key"):
        V1Internal("google", site.loaded("rt-1"), site.clock)


async def test_without_a_disk_the_service_goes_on_from_memory(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.folder.parent.joinpath("data").write_text("a file in the folder's place")
    adapter = await site.open("rt-1", "rt-2")
    site.fake.oauth.fail("invalid_grant", token="rt-1")
    assert await site.ask() == "hi"
    assert await site.ask() == "hi"
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"
    await site.stop()
    assert capfd.readouterr().err.count("the credential store fails") == 1
