"""The Kubernetes files: their schemas, what holds between them, and a gateway that starts with what they give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from gateway.config import ConfigError, load
from tests.deploy.proxies import DEPLOY, swapped
from tests.processes import gateway
from tests.redis_server import RedisServer

FOLDER = DEPLOY / "kubernetes"
KINDS = ("deployment", "service", "poddisruptionbudget", "secret.example")
FILES: dict[str, Any] = {kind: yaml.safe_load((FOLDER / f"{kind}.yaml").read_text("utf-8")) for kind in KINDS}
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
SPEC = FILES["deployment"]["spec"]
POD = SPEC["template"]["spec"]
(CONTAINER,) = POD["containers"]
TOML = (FOLDER / "gateway.toml").read_text("utf-8")
SECRET: dict[str, str] = FILES["secret.example"]["stringData"]
# gateway.server: the notice, and the errors of streams that are cut off; parts that wait for a database that is silent
ENDING_S = 1 + 2 + 20
KEY = "6Jd2dIDZk1hNJPc0xIjOyT6ZMpKQiI1jAnKBbDlkBvw="


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_a_file_is_valid(kind: str, version: str) -> None:
    kubernetes_validate.validate(FILES[kind], version, strict=True)


def test_kustomization_names_every_file_but_the_secret() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {
        *KUSTOMIZATION["resources"],
        *KUSTOMIZATION["configMapGenerator"][0]["files"],
        "kustomization.yaml",
        "secret.example.yaml",
    }


def test_what_is_named_exists() -> None:
    labels = SPEC["template"]["metadata"]["labels"]
    assert SPEC["selector"]["matchLabels"] == labels
    assert FILES["service"]["spec"]["selector"] == labels
    assert FILES["poddisruptionbudget"]["spec"]["selector"]["matchLabels"] == labels
    assert CONTAINER["envFrom"] == [{"secretRef": {"name": FILES["secret.example"]["metadata"]["name"]}}]
    configs = [volume["configMap"]["name"] for volume in POD["volumes"] if "configMap" in volume]
    assert configs == [made["name"] for made in KUSTOMIZATION["configMapGenerator"]]
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {volume["name"] for volume in POD["volumes"]}
    ports = {port["name"] for port in CONTAINER["ports"]}
    probes = [CONTAINER[f"{name}Probe"]["httpGet"]["port"] for name in ("startup", "liveness", "readiness")]
    assert {*probes, *(port["targetPort"] for port in FILES["service"]["spec"]["ports"])} == ports


def test_pods_may_go_one_by_one() -> None:
    assert SPEC["replicas"] > FILES["poddisruptionbudget"]["spec"]["minAvailable"] >= 1


def test_a_pod_has_no_rights_and_writes_to_its_volumes_only() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] == 1000
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_its_end_is_longer_than_draining() -> None:
    program, seconds = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    drain = load(FOLDER / "gateway.toml", environ=SECRET | real(), dotenv=False).config.server.drain
    assert POD["terminationGracePeriodSeconds"] > int(seconds) + drain + ENDING_S


def real(**given: str) -> dict[str, str]:
    """Give a Secret of one's own."""
    return {
        "GATEWAY_KEY": "sk-mine",
        "GATEWAY_ENCRYPTION_KEY": KEY,
        "DATABASE_URL": "postgresql://a:b@localhost/c",
        "REDIS_URL": "redis://localhost:6379/0",
        "OPENAI_API_KEY": "sk-openai",
    } | given


def test_the_example_has_every_variable_of_gateway_toml() -> None:
    assert real().keys() == SECRET.keys()
    load(FOLDER / "gateway.toml", environ=real(), dotenv=False)


def test_the_example_is_refused_as_it_is() -> None:
    with pytest.raises(ConfigError) as refused:
        load(FOLDER / "gateway.toml", environ=SECRET, dotenv=False)
    assert "auth.keys[0]: is a published sample key" in str(refused.value)


def test_a_gateway_starts_with_them_and_its_probes_are_answered(
    tmp_path: Path, redis: RedisServer, postgres_url: str
) -> None:
    local = swapped(TOML, ('host = "0.0.0.0"', 'host = "127.0.0.1"'), ("/app/data", str(tmp_path / "data")))
    given = real(DATABASE_URL=postgres_url, REDIS_URL=redis.url)
    with gateway(tmp_path, "run", toml=local, **given) as program, httpx.Client(base_url=program.url) as http:
        probes = {
            http.get(CONTAINER[f"{name}Probe"]["httpGet"]["path"]).status_code for name in ("liveness", "readiness")
        }
        models = http.get("/v1/models", headers={"authorization": "Bearer sk-mine"})
    assert (probes, models.status_code) == ({200}, 200)
