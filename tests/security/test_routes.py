"""Every path that is served stands in docs/reference.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import routes
from gateway.admin.administration import Administration
from gateway.app import Gateway
from gateway.config import load

TEXT = (Path(__file__).parents[2] / "docs" / "reference.md").read_text("utf-8")
SECTION = TEXT.split("\n## Paths\n")[1].split("\n## ")[0]
BELOW = ("/openai/v1", "/openai")  # of what stands below /v1, told beside it
# paths of forms and files, which the section on the page tells of in words
OF_THE_PAGE = re.compile(
    r"/admin|/admin/(?:login(?:/once)?|logout|static/.*)|/admin/(?:credentials|keys)/\{\w+\}/(?:remove|revoke)"
)


def served() -> list[str]:
    """List them, by the tables that the router reads and by what an app answers itself."""
    found = {f"POST {path}" for path in routes._EXACT}
    found |= {f"POST /openai/deployments/{{name}}{path}" for path in routes._OPENAI}
    found |= {"POST /v1/responses", "POST /v1/responses/input_tokens"}
    for what, methods in routes._ON_RESPONSE.items():
        found |= {f"{method} /v1/responses/{{id}}{what and '/'}{what}" for method in methods}
    found |= {f"GET {path}" for path in routes._MODEL_LISTS} | {"GET /v1/models/{id}", "GET /v1beta/models/{id}"}
    found |= {f"POST /v1beta/models/{{model}}:{verb}" for verb in routes._VERBS}
    return sorted(found)


def own() -> list[str]:
    """List the operators' endpoints of an app."""
    gateway = Gateway(load({}, environ={}))
    places = administration(gateway.administration)
    return sorted({"/health", "/health/ready", gateway.loaded.config.metrics.path, "/usage", *places})


def administration(one: Administration) -> set[str]:
    return set(one._map()) | {"/"}


def is_told(line: str) -> bool:
    method, path = line.split()
    if f"`{method} {path}" in SECTION:
        return True
    short = "…" + path[path.rindex("/", 0, path.rindex("/")) :] if path.count("/") > 2 else path
    if any(f"`{one}`" in SECTION for one in (short, "…" + path[path.rindex("/") :])):
        return True
    inner = next((path.removeprefix(prefix) for prefix in BELOW if path.startswith(prefix)), path)
    return path != inner and f"`{method} /v1{inner}`" in SECTION and "below `/openai/v1`" in SECTION


@pytest.mark.parametrize("line", served())
def test_a_route_of_callers_is_in_the_docs(line: str) -> None:
    assert is_told(line)


@pytest.mark.parametrize("path", own())
def test_a_route_of_operators_is_in_the_docs(path: str) -> None:
    assert f" {path}`" in SECTION or f"`{path}`" in SECTION or OF_THE_PAGE.fullmatch(path) or f"{path}?" in SECTION


def test_a_route_that_is_not_told_is_noticed() -> None:
    assert not is_told("POST /v1/nothing/at/all")
    assert not is_told("GET /v1/chat/completions")
