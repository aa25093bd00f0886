"""Where Google's access tokens come from, over real HTTP: a strict fake of its login services.

    async with FakeLogin() as login:
        login.service_account()          # the content of a credentials file, whose key is made at run time
        login.tokens                     # access token -> who may use it, and for what

`/token` takes signed assertions and refresh tokens, `/v1/token` exchanges the tokens of others (`/subject-token` gives
out one), `/v1/projects/-/serviceAccounts/…:generateAccessToken` impersonates, and the rest is the metadata server,
which answers nobody without `Metadata-Flavor`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.v1internal_errors import Refusal, google
from tests.fakes.v1internal_ports import Ports

__all__ = ["CLOUD", "EMAIL", "FakeLogin", "Grant"]

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[Json | str]]

GOOGLE = "https://oauth2.googleapis.com/token"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "robot@fake-project-000.iam.gserviceaccount.com"
TARGET = "target@fake-project-000.iam.gserviceaccount.com"
CLIENT, CLIENT_SECRET, REFRESH = "fake-client.apps.googleusercontent.com", "fake-client-secret", "1//fake-refresh"
AUDIENCE = "//iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/pool/providers/provider"
SUBJECT, SUBJECT_TYPE = "fake-subject-token", "urn:ietf:params:oauth:token-type:jwt"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
LONGEST_S = 3600


@dataclass(frozen=True)
class Grant:
    """What an access token is good for."""

    identity: str
    scopes: frozenset[str]
    ends_at: float


@cache
def _key() -> rsa.RSAPrivateKey:
    """Make a short one: whoever loads it looks whether its factors are primes, which takes 38 ms with 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


class FakeLogin:
    """The fake; everything a test sets or reads is an attribute. `calls` counts what was asked for, by its name."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.project = "fake-project-000"
        self.lifetime_s = 3599
        self.tokens: dict[str, Grant] = {}
        self.calls: Counter[str] = Counter()
        self.faults: list[tuple[str, Refusal]] = []
        self.refresh_tokens = {REFRESH}
        self.subjects = {SUBJECT}
        self.gate: asyncio.Event | None = None
        self._ports = Ports(("login",), host, 0)

    async def __aenter__(self) -> Self:
        app = web.Application()
        for method, path, handler in (
            ("POST", "/token", self._token),
            ("POST", "/v1/token", self._exchange),
            ("GET", "/subject-token", self._subject),
            ("POST", "/v1/projects/-/serviceAccounts/{email}", self._impersonate),
        ):
            app.router.add_route(method, path, _answered(handler))
        app.router.add_route("GET", "/{path:.*}", self._metadata)
        await self._ports.open(app)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
        await self._ports.close()

    @property
    def url(self) -> str:
        """Give the address."""
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        """Give host and port, as the variable of the metadata server wants them."""
        return f"{self._ports.host}:{self._ports.numbers['login']}"

    # what stands in files

    def service_account(self, **over: Any) -> Json:
        """Give the file of a service account."""
        key = _key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "fake-key",
            "private_key": key.decode(),
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
            **over,
        }

    def user(self, **over: Any) -> Json:
        """Give the file that `gcloud auth application-default login` leaves."""
        return {
            "type": "authorized_user",
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH,
            "quota_project_id": "fake-quota-project",
            **over,
        }

    def workload(self, source: Json, *, impersonates: bool = False) -> Json:
        """Give the file of workload identity, whose subject token comes from `source`."""
        account = f"{self.url}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
        return {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": SUBJECT_TYPE,
            "token_url": f"{self.url}/v1/token",
            "credential_source": source,
            **({"service_account_impersonation_url": account} if impersonates else {}),
        }

    def impersonated(self, source: Json) -> Json:
        """Give the file by which other credentials act as a service account."""
        account = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
        return {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": account,
            "source_credentials": source,
            "delegates": [],
        }

    # what a test does to it

    def fail(self, refusal: Refusal, times: int = 1, call: str = "") -> None:
        """Refuse the next calls for a token, or those of this name, whatever they show."""
        self.faults += [(call, refusal)] * times

    def hold(self) -> None:
        """Let calls wait until `release`."""
        self.gate = asyncio.Event()

    def release(self) -> None:
        """Let the waiting calls go on."""
        if self.gate is not None:
            self.gate.set()
        self.gate = None

    def issue(self, identity: str, scopes: str = CLOUD) -> str:
        """Make an access token."""
        token = f"ya29.fake-{len(self.tokens) + 1}"
        self.tokens[token] = Grant(identity, frozenset(scopes.split()), time.time() + self.lifetime_s)
        return token

    @property
    def living(self) -> set[str]:
        """Give the access tokens that are good now for the whole cloud."""
        now = time.time()
        return {token for token, one in self.tokens.items() if one.ends_at >= now and CLOUD in one.scopes}

    def expire(self) -> None:
        """End every token."""
        self.tokens = {token: Grant(one.identity, one.scopes, 0.0) for token, one in self.tokens.items()}

    # the endpoints

    async def _ready(self, name: str) -> None:
        self.calls[name] += 1
        if self.gate is not None:
            await self.gate.wait()
        for fault in self.faults:
            if fault[0] in ("", name):
                self.faults.remove(fault)
                raise fault[1]

    async def _token(self, request: web.Request) -> Json:
        form = await _form(request)
        grants = {JWT_GRANT: ("assertion", self._asserted), "refresh_token": ("refresh_token", self._refreshed)}
        if form.get("grant_type") not in grants:
            raise refused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")
        name, grant = grants[form["grant_type"]]
        await self._ready(name)
        return grant(form)

    def _asserted(self, form: Mapping[str, str]) -> Json:
        claims = _claims(form.get("assertion", ""))
        if claims.get("iss") != EMAIL:
            raise refused("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") not in {GOOGLE, f"{self.url}/token"}:
            raise refused("invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {GOOGLE}")
        issued, ends, now = claims.get("iat", 0), claims.get("exp", 0), time.time()
        if not (issued <= now + 60 and now < ends <= issued + LONGEST_S):
            raise refused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            )
        if not claims.get("scope"):
            raise refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self._issued(EMAIL, claims["scope"])

    def _refreshed(self, form: Mapping[str, str]) -> Json:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, CLIENT_SECRET):
            raise refused("invalid_client", "The OAuth client was not found.", 401)
        if form.get("refresh_token") not in self.refresh_tokens:
            raise refused("invalid_grant", "Token has been expired or revoked.")
        return self._issued("user@example.invalid", form.get("scope", CLOUD))

    async def _exchange(self, request: web.Request) -> Json:
        form = await _form(request)
        await self._ready("exchange")
        wanted = {
            "grant_type": EXCHANGE_GRANT,
            "audience": AUDIENCE,
            "requested_token_type": ACCESS_TOKEN,
            "subject_token_type": SUBJECT_TYPE,
        }
        for name, value in wanted.items():
            if form.get(name) != value:
                raise refused("invalid_request", f"Invalid value for '{name}'.")
        if form.get("subject_token") not in self.subjects:
            raise refused("invalid_grant", "The credential is not valid: it failed validation by the provider.")
        return self._issued("principal://fake", form.get("scope", "")) | {"issued_token_type": ACCESS_TOKEN}

    async def _subject(self, request: web.Request) -> Json | str:
        self.calls["subject"] += 1
        if request.headers.get("X-Fake-Source") != "yes":
            raise Refusal(403, {"error": "the source wants its header"})
        return {"value": next(iter(self.subjects))} if request.query.get("format") == "json" else SUBJECT

    async def _impersonate(self, request: web.Request) -> Json:
        await self._ready("impersonate")
        email, _, verb = request.match_info["email"].partition(":")
        if verb != "generateAccessToken" or email != TARGET:
            raise google(404, "Not found; Gaia id not found for email " + email)
        self.admit(request.headers.get("authorization", ""), "https://www.googleapis.com/auth/iam", CLOUD)
        asked = await request.json()
        if not asked.get("scope"):
            raise google(400, "Scope required.")
        life = int(str(asked.get("lifetime", "3600s")).removesuffix("s"))
        token = self.issue(TARGET, " ".join(asked["scope"]))
        ends = datetime.fromtimestamp(time.time() + min(life, self.lifetime_s), UTC)
        return {"accessToken": token, "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403, text="Missing required header: Metadata-Flavor", headers=FLAVOR)
        try:
            found = await self._looked_up(request)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status, headers=FLAVOR)
        if found is None:
            return web.Response(status=404, text="Not found", headers=FLAVOR)
        if isinstance(found, str):
            return web.Response(text=found, content_type="application/text", headers=FLAVOR)
        return web.json_response(found, headers=FLAVOR)

    async def _looked_up(self, request: web.Request) -> Json | str | None:
        path = request.path.removeprefix("/computeMetadata/v1")
        if path == "/instance/service-accounts/default/token":
            await self._ready("metadata")
            return self._issued(EMAIL, request.query.get("scopes", CLOUD).replace(",", " "))
        account = {"aliases": ["default"], "email": EMAIL, "scopes": [CLOUD]}
        pages: dict[str, Json | str] = {
            "/": "computeMetadata/",
            "/project/project-id": self.project,
            "/instance/service-accounts/default/": account,
            "/universe/universe-domain": "googleapis.com",
        }
        return pages.get(path)

    def _issued(self, identity: str, scopes: str) -> Json:
        return {
            "access_token": self.issue(identity, scopes),
            "expires_in": self.lifetime_s,
            "scope": scopes,
            "token_type": "Bearer",
        }

    # who shows a token

    def admit(self, authorization: str, *scopes: str) -> Grant:
        """Say whose bearer this is, or refuse it; one of the scopes is enough."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("CREDENTIALS_MISSING")
        grant = self.tokens.get(token.strip())
        if grant is None:
            raise unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
        if grant.ends_at < time.time():
            raise unauthenticated("ACCESS_TOKEN_EXPIRED")
        if grant.scopes.isdisjoint(scopes):
            raise _scopes_lacking()
        return grant


def refused(error: str, description: str, status: int = 400) -> Refusal:
    """Write an error of RFC 6749."""
    return Refusal(status, {"error": error, "error_description": description})


def unauthenticated(reason: str) -> Refusal:
    """Write the 401 of a bearer that is missing, unknown or too old."""
    return google(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {"service": "aiplatform.googleapis.com"},
            }
        ],
    )


def _scopes_lacking() -> Refusal:
    return google(
        403,
        "Request had insufficient authentication scopes.",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "domain": "googleapis.com",
                "metadata": {"service": "aiplatform.googleapis.com"},
            }
        ],
    )


def _answered(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            found = await handler(request)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        return web.Response(text=found) if isinstance(found, str) else web.json_response(found)

    return answer


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise refused("invalid_request", "Bad content type.")
    return {name: str(value) for name, value in (await request.post()).items()}


def _claims(assertion: str) -> Json:
    """Give the claims of an assertion that our key has signed."""
    try:
        header, claims, signature = assertion.split(".")
        head = json.loads(_bytes(header))
        if (head.get("alg"), head.get("typ")) != ("RS256", "JWT"):
            raise refused("invalid_grant", "Invalid JWT: wrong algorithm.")
        signed = f"{header}.{claims}".encode()
        _key().public_key().verify(_bytes(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        found: Json = json.loads(_bytes(claims))
    except InvalidSignature:
        raise refused("invalid_grant", "Invalid JWT Signature.") from None
    except ValueError:
        raise refused("invalid_grant", "Invalid JWT: cannot be read.") from None
    return found


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
