"""compose.yaml: read as YAML, its variables filled in from .env.example, and its service's environment loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, load
from gateway.proxies import Proxies
from tests.deploy.proxies import DEPLOY

NOTICE_S, ENDING_S = 1, 2 + 20  # gateway.server, and parts that wait for a database that is silent
LINES = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
GIVEN = dict(line.split("=", 1) for line in LINES if line and not line.startswith("#"))
VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")
FILLED = GIVEN | {"API_KEYS": "sk-one,sk-two", "POSTGRES_PASSWORD": "abc"}


def filled(values: dict[str, str]) -> Any:
    """Give the file with its variables as docker compose fills them in."""

    def fill(found: re.Match[str]) -> str:
        name, how, other = found.groups()
        value = values.get(name, "")
        if how == ":?" and not value:
            raise KeyError(f"{name}: {other}")
        return value or other or ""

    return yaml.safe_load(VARIABLE.sub(fill, (DEPLOY / "compose.yaml").read_text("utf-8")))


SERVICES = filled(FILLED)["services"]


def test_it_has_the_gateway_redis_and_postgresql() -> None:
    assert set(SERVICES) == {"gateway", "redis", "postgres"}
    assert SERVICES["gateway"]["depends_on"].keys() == SERVICES.keys() - {"gateway"}
    assert all("healthcheck" in SERVICES[name] for name in ("redis", "postgres"))


def test_it_wants_a_password_for_the_database() -> None:
    with pytest.raises(KeyError, match="put it into deploy/.env"):
        filled(GIVEN)


def test_the_image_is_built_from_the_clone() -> None:
    context = (DEPLOY / SERVICES["gateway"]["build"]).resolve()
    assert (context / "Dockerfile").is_file()


def test_only_the_gateway_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]
    assert SERVICES["gateway"]["ports"] == ["127.0.0.1:8045:8045"]
    assert filled(FILLED)["networks"]["inside"] == {"internal": True}
    assert {name: service["networks"] for name, service in SERVICES.items()} == {
        "gateway": ["outside", "inside"],
        "redis": ["inside"],
        "postgres": ["inside"],
    }


def test_a_port_of_ones_own_is_that_of_the_container_too() -> None:
    """Compose takes it from the shell, too, which the container does not see."""
    service = filled(FILLED | {"PORT": "8000"})["services"]["gateway"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["environment"]["PORT"] == "8000"


def test_volumes_that_are_used_exist() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert used == set(filled(FILLED)["volumes"])
    assert "data:/app/data" in SERVICES["gateway"]["volumes"]


def test_it_has_no_rights_and_writes_to_its_volume_only() -> None:
    service = SERVICES["gateway"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_its_end_is_longer_than_draining() -> None:
    assert int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s")) > NOTICE_S + Config().server.drain + ENDING_S


def test_a_proxy_of_the_host_is_trusted_where_the_example_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker hands its connections on from an address of the network's, out of the pools that it has by default."""
    monkeypatch.chdir(tmp_path)
    said = dict(line.removeprefix("# ").split("=", 1) for line in LINES if "TRUSTED_PROXIES" in line)
    proxies = Proxies(load(environ=FILLED | said, dotenv=False).config.server.trusted_proxies)

    def seen(peer: str) -> str:
        head = (b"x-forwarded-for", b"198.51.100.1")
        scope = proxies.seen_through({"client": (peer, 1), "headers": [head]}, dict([head]))
        return str(scope["client"][0])

    peers = ("172.18.0.1", "172.31.0.1", "192.168.16.1", "203.0.113.1")
    assert [seen(peer) for peer in peers] == ["198.51.100.1"] * 3 + ["203.0.113.1"]


def test_what_it_sets_is_a_configuration_that_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(environ=FILLED | SERVICES["gateway"]["environment"], dotenv=False).config
    assert config.store.database.reveal() == "postgresql://gateway:abc@postgres/gateway"
    assert config.store.redis.reveal() == "redis://redis:6379/0"
    assert config.server.host == "0.0.0.0"
    assert [key.reveal() for key in config.auth.keys] == ["sk-one", "sk-two"]
