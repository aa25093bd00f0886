"""What `deploy/` has for Prometheus and Grafana, before a real Prometheus that has read a real gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.middleware.families import FAMILIES
from tests.processes import Program, gateway
from tests.prometheus import Prometheus, prometheus, promtool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"
SERIES = Path(__file__).with_name("alerts.yml")
BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "gateway.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
ALERTS = re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text("utf-8"))
# what an ordinary gateway with a few answers and a refusal has nothing of
EMPTY = {"Rejected by a limit", "Retries", "Store, Redis and configuration", "Stalls", "Cooldowns begun"}
EMPTY |= {"Losses by pair", "Failures by upstream and reason", "Credentials by state", "Current cooldowns"}

KEYS = '[auth]\nkeys = ["sk-1"]\n[usage.price.demo]\ninput = 1.0\noutput = 2.0\n'


# alerts


def test_promtool_takes_the_configuration_and_the_rules() -> None:
    code, said = promtool("check", "config", DEPLOY / "prometheus.yml")
    assert code == 0, said


def test_each_alert_is_heard_where_it_must_be_and_not_where_all_is_well() -> None:
    code, said = promtool("test", "rules", SERIES)
    assert code == 0, said


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tried_both_ways(alert: str) -> None:
    tried = re.findall(rf"alertname: {alert}\b(, exp_alerts: \[\])?", SERIES.read_text("utf-8"))
    assert {"" in tried, any(tried)} == {True}


def test_what_the_rules_ask_for_is_counted() -> None:
    assert asked_for((DEPLOY / "alerts.yml").read_text("utf-8")) <= NAMES


# the dashboard


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a gateway that has answered a little, and a Prometheus that has read it twice."""
    folder = tmp_path_factory.mktemp("deploy")
    with gateway(folder, toml=KEYS) as program:
        talk(program)
        target = program.url.removeprefix("http://")
        with prometheus(
            folder / "prometheus", f'{{job_name: gateway, static_configs: [{{targets: ["{target}"]}}]}}'
        ) as one:
            one.wait("count_over_time(gateway_build_info[1m]) > 2")
            yield one


def talk(program: Program) -> None:
    for key, stream, dialect in (
        ("sk-1", False, "chat/completions"),
        ("sk-1", True, "messages"),
        ("no", False, "messages"),
    ):
        body = {
            "model": "demo",
            "max_tokens": 9,
            "seed": 1,
            "stream": stream,
            "messages": [{"role": "user", "content": "Hi"}],
        }
        httpx.post(f"{program.url}/v1/{dialect}", json=body, headers={"x-api-key": key}, timeout=20)


def expressions(panel: dict[str, Any]) -> list[str]:
    found = [target["expr"] for target in panel["targets"]]
    return [
        one.replace("$__rate_interval", "1m").replace("$upstream", ".*").replace("$instance", ".*") for one in found
    ]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_prometheus_takes_each_panel_and_has_data_for_it(scraped: Prometheus, panel: dict[str, Any]) -> None:
    assert expressions(panel)
    found = [scraped.ask(one) for one in expressions(panel)]
    assert all(found) is (panel["title"] not in EMPTY)


def test_what_the_dashboard_asks_for_is_counted_and_nothing_is_left_out() -> None:
    shown = {name for panel in PANELS for one in expressions(panel) for name in asked_for(one)}
    assert shown == NAMES


def test_each_panel_says_what_it_shows() -> None:
    assert [
        panel["title"]
        for panel in PANELS
        if not panel["targets"][0]["expr"] or "unit" not in panel["fieldConfig"]["defaults"]
    ] == []
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


NAMES = {f"gateway_{one.name}{'_total' * (one.kind == 'counter')}" for one in FAMILIES} | {
    "gateway_credentials",
    "gateway_cooldowns",
    "gateway_redis_up",
    "gateway_config_rejected",
    "gateway_workers",
    "gateway_build_info",
}


def asked_for(text: str) -> set[str]:
    """Find the metrics that a query names."""
    queries = [line for line in text.splitlines() if "summary:" not in line and "action:" not in line]
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bgateway_\w+", "\n".join(queries))}
