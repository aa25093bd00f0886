"""Who may do what: every route for every role, from another machine. What is not named here for a role is denied."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from gateway.app import lifespan
from gateway.routes import is_dialect_path
from tests.gateway.admin.accounts import ADMIN, Accounts, account, made
from tests.middleware.asgi import call, scope_of

pytestmark = pytest.mark.anyio

ID, OTHER = account().id, account(2).id
BASIC = f"Basic {base64.b64encode(':'.join(ADMIN).encode()).decode()}"
ROLES: Mapping[str, Mapping[str, str]] = {
    "nobody": {},
    "unknown key": {"x-api-key": "sk-no"},
    "chat key": {"x-api-key": "sk-chat"},
    "metrics key": {"x-api-key": "sk-metrics"},
    "admin key": {"x-api-key": "sk-admin"},
    "admin password": {"authorization": BASIC},
}
KEYS: Any = [
    {"name": name, "secret": f"sk-{scope}", "scopes": [scope]}  # one scope each
    for name, scope in (("chat", "chat"), ("metrics", "metrics"), ("chief", "admin"))
]
# what each role gets, in their order; the bodies are `{}`, so 400 is what one gets who was let in
TABLE = f"""
GET    /health                                            200 200 200 200 200 200
HEAD   /health                                            200 200 200 200 200 200
POST   /health                                            405 405 405 405 405 405
GET    /health/ready                                      200 200 200 200 200 200
GET    /health/                                           401 401 404 403 403 401
GET    /metrics                                           401 401 403 200 403 401
POST   /metrics                                           401 401 403 405 403 401
GET    /usage                                             401 401 200 200 200 401
HEAD   /usage                                             401 401 200 200 200 401
POST   /usage                                             401 401 405 405 405 401
GET    /usage/                                            401 401 404 403 403 401
POST   /v1/chat/completions                               401 401 400 403 403 401
GET    /v1/chat/completions                               401 401 405 403 403 401
POST   /openai/v1/chat/completions                        401 401 400 403 403 401
POST   /openai/deployments/demo/chat/completions          401 401 400 403 403 401
POST   /v1/embeddings                                     401 401 400 403 403 401
POST   /v1/images/generations                             401 401 400 403 403 401
POST   /v1/responses                                      401 401 400 403 403 401
POST   /v1/responses/input_tokens                         401 401 400 403 403 401
GET    /v1/responses/resp_1                               401 401 404 403 403 401
DELETE /v1/responses/resp_1                               401 401 404 403 403 401
GET    /v1/responses/resp_1/input_items                   401 401 404 403 403 401
POST   /v1/responses/resp_1/cancel                        401 401 404 403 403 401
POST   /v1/messages                                       401 401 400 403 403 401
POST   /v1/messages/count_tokens                          401 401 400 403 403 401
POST   /v1beta/models/demo:generateContent                401 401 400 403 403 401
POST   /v1beta/models/demo:streamGenerateContent          401 401 400 403 403 401
POST   /v1beta/models/demo:countTokens                    401 401 400 403 403 401
POST   /v1beta/models/demo:embedContent                   401 401 404 403 403 401
POST   /v1/models/demo:generateContent                    401 401 400 403 403 401
GET    /v1beta/files                                      401 401 404 403 403 401
POST   /upload/v1beta/files                               401 401 404 403 403 401
GET    /v1/models                                         401 401 200 403 403 401
GET    /v1/models/demo                                    401 401 200 403 403 401
GET    /v1beta/models                                     401 401 200 403 403 401
GET    /v1beta/models/demo                                401 401 200 403 403 401
GET    /v1/nothing                                        401 401 404 403 403 401
GET    /v1                                                401 401 404 403 403 401
GET    /openai/nothing                                    401 401 404 403 403 401
GET    /nothing                                           401 401 404 403 403 401
GET    /                                                  401 401 401 401 200 200
GET    /admin                                             401 401 401 401 200 200
GET    /admin/                                            401 401 401 401 404 404
GET    /admin/nothing                                     401 401 401 401 404 404
GET    /admin/credentials                                 401 401 401 401 200 200
DELETE /admin/credentials/{OTHER}                         401 401 401 401 204 204
POST   /admin/credentials/{ID}/enable                     401 401 401 401 200 200
POST   /admin/credentials/{ID}/disable                    401 401 401 401 200 200
POST   /admin/credentials/{ID}/check                      401 401 401 401 200 200
POST   /admin/credentials/{ID}/remove                     401 401 401 401 204 204
GET    /admin/keys                                        401 401 401 401 200 200
POST   /admin/keys                                        401 401 401 401 415 415
DELETE /admin/keys                                        401 401 401 401 405 405
DELETE /admin/keys/nobody                                 401 401 401 401 404 404
DELETE /admin/keys/chat                                   401 401 401 401 409 409
POST   /admin/keys/nobody/revoke                          401 401 401 401 404 404
GET    /admin/keys/chat                                   401 401 401 401 405 405
GET    /admin/usage                                       401 401 401 401 200 200
GET    /admin/models                                      401 401 401 401 200 200
GET    /admin/live                                        401 401 401 401 200 200
GET    /admin/configuration                               401 401 401 401 200 200
POST   /admin/logout                                      401 401 401 401 303 303
GET    /admin/login                                       200 200 200 200 303 303
POST   /admin/login                                       401 401 401 401 401 401
GET    /admin/login/once                                  403 403 403 403 403 403
GET    /admin/static/page.css                             200 200 200 200 200 200
GET    /oauth2                                            401 401 401 401 404 404
GET    /oauth2/nothing                                    401 401 401 401 404 404
GET    /oauth2/login                                      401 401 401 401 302 302
GET    /oauth2/callback                                   400 400 400 400 400 400
"""
ROUTES: Mapping[tuple[str, str], Mapping[str, int]] = {
    (method, path): dict(zip(ROLES, map(int, statuses), strict=True))
    for method, path, *statuses in (line.split() for line in TABLE.strip().splitlines())
}


def app(tmp_path: Path, **config: Any) -> Starlette:
    return made(tmp_path, Accounts(account(), account(2)), key=KEYS, **config)


async def statuses(app: Starlette, headers: Mapping[str, str], client: str = "10.0.{}.7") -> dict[str, int]:
    """Ask for everything, each from another address, so that nobody has failed too often."""
    found: dict[str, int] = {}
    async with lifespan(app):
        for number, (method, path) in enumerate(ROUTES):
            scope = scope_of(path, method=method, headers=headers, client=client.format(number))
            found[f"{method} {path}"] = (await call(app, scope)).status
    return found


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_for_every_role(tmp_path: Path, role: str) -> None:
    expected = {" ".join(route): of[role] for route, of in ROUTES.items()}
    assert await statuses(app(tmp_path), ROLES[role]) == expected


@pytest.mark.parametrize("allowed", ["never", "loopback"])
async def test_to_be_on_this_machine_opens_the_metrics_only(tmp_path: Path, allowed: str) -> None:
    expected = {" ".join(route): of["nobody"] for route, of in ROUTES.items()}
    opened = {"GET /metrics": 200, "POST /metrics": 405}
    made = app(tmp_path, auth={"allow_anonymous": allowed})
    assert await statuses(made, {}, client="127.0.0.1") == {**expected, **opened}


async def test_without_any_key_this_machine_may_chat_and_no_more(tmp_path: Path) -> None:
    expected = {
        " ".join(route): of["chat key"] if _is_callers(route[1]) else of["nobody"] for route, of in ROUTES.items()
    }
    opened = {"GET /metrics": 200, "POST /metrics": 405}
    made_ = made(tmp_path, Accounts(account(), account(2)))
    assert await statuses(made_, {}, client="127.0.0.1") == {**expected, **opened}


def _is_callers(path: str) -> bool:
    return is_dialect_path(path) or path in ("/nothing", "/health/", "/usage/", "/upload/v1beta/files")
