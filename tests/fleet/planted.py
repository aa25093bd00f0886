"""Secrets of no known shape, a configuration that holds them all, and what looks for them in whatever was said."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from hashlib import sha256
from urllib.parse import quote

__all__ = ["CANARIES", "FERNET", "Evidence", "basic", "found", "toml_of"]

NAMES = (
    "caller",  # a key of a caller
    "stranger",  # a key that nobody knows
    "named",  # a caller's key with a name
    "admin",  # a key of an operator
    "password",  # the admin password
    "client-secret",
    "config-token",
    "mirror-token",
    "login-token",
    "openai-1",
    "openai-2",
    "anthropic-1",
    "anthropic-2",
    "gemini-1",
    "gemini-2",
    "azure-1",
    "azure-2",
    "header",  # a header of an upstream
    "redis",
    "postgres",
)
FERNET = base64.urlsafe_b64encode(sha256(b"the key of the store").digest()).decode()


def canary(name: str) -> str:
    """Make a secret of two halves, each of which is looked for, that is written otherwise in an address."""
    digest = sha256(name.encode()).hexdigest()
    return f"{digest[:14]}+{digest[14:28]}"


CANARIES: Mapping[str, str] = {**{name: canary(name) for name in NAMES}, "encryption-key": FERNET}
USERS = ("admin", "any", "operator")


def basic(user: str, password: str) -> str:
    """Write a user and a password as a header has them."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def forms(secret: str) -> set[str]:
    """Give what a secret may look like: halves of it, in an address, and in a header with a user's name."""
    halves = {secret[:14], secret[-14:]}
    return {*halves, quote(secret, safe=""), *(basic(user, secret)[12:-4] for user in USERS)}


class Evidence:
    """What was said, and where; `learnt`: secrets that came up on the way."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.learnt: dict[str, str] = {}

    def add(self, where: str, text: str | bytes) -> None:
        """Note what was said somewhere."""
        self.said.append((where, text.encode() if isinstance(text, str) else text))

    def leaks(self, kind: str) -> list[tuple[str, str, str]]:
        """Give where a secret is, in the places that begin so, which one, and what stands around it."""
        secrets = {**CANARIES, **self.learnt}
        told = [(where, text) for where, text in self.said if where.startswith(kind)]
        return [(where, name, around) for where, text in told for name, around in found(text, secrets)]


def found(text: bytes, secrets: Mapping[str, str] = CANARIES) -> Iterator[tuple[str, str]]:
    """Name the secrets of which something stands in a text, and give what stands around it."""
    for name, secret in secrets.items():
        at = max(text.find(form.encode()) for form in forms(secret))
        if at >= 0:
            yield name, text[max(at - 100, 0) : at + 50].decode(errors="replace")


def toml_of(google: str, consent: str, mirror: str, redis: str, form: str) -> str:
    """Write a configuration with all of them. `google`: the fake; `mirror`: what repeats whatever it is sent."""
    oauth = f'client_id = "our-desktop", client_secret = "{CANARIES["client-secret"]}", authorize_url = "{consent}"'
    own = f'headers = {{ x-own = "{CANARIES["header"]}" }}'
    # they are to be asked, however often they fail
    calm = "pool.cooldown = { min = 0, max = 0.01, unknown = 0.01 }"
    return f"""\
[log]
level = "debug"
format = "{form}"
file = "log/gateway.log"
bodies = "all"
[record]
dir = "recordings"
[auth]
keys = ["{CANARIES["caller"]}"]
[[key]]
name = "alice"
secret = "{CANARIES["named"]}"
[[key]]
name = "root"
secret = "{CANARIES["admin"]}"
scopes = ["admin"]
[store]
{f'redis = "{redis}"' if redis else ""}
encryption_key = ["{FERNET}"]
[admin]
password = "{CANARIES["password"]}"
[retry]
attempts = 1
max_wait = 0
[middleware.broken]
use = "broken:Broken"
[pipeline]
order = ["request_id", "access_log", "metrics", "broken", "body_limit", "auth", "rate_limit", "protocol", "model_map"]
[upstream.google]
type = "v1internal"
models = ["gemini-2.5-flash"]
base_urls = ["{google}"]
oauth = {{ {oauth}, token_url = "{google}/token", userinfo_url = "{google}/oauth2/v2/userinfo" }}
pool.refresh_tokens = ["{CANARIES["config-token"]}"]
{own}
[upstream.mirrored]
type = "v1internal"
models = ["m-400"]
base_urls = ["{mirror}/google"]
oauth = {{ {oauth}, token_url = "{google}/token", userinfo_url = "{mirror}/google/userinfo" }}
pool.refresh_tokens = ["{CANARIES["mirror-token"]}"]
{own}
{calm}
[upstream.refused]
type = "v1internal"
models = ["m-400"]
base_urls = ["{mirror}/google"]
oauth = {{ {oauth}, token_url = "{mirror}/token", userinfo_url = "{mirror}/google/userinfo" }}
pool.refresh_tokens = ["{CANARIES["login-token"]}"]
[upstream.openai]
api_key = ["{CANARIES["openai-1"]}", "{CANARIES["openai-2"]}"]
base_url = "{mirror}/v1"
{calm}
[upstream.responses]
type = "openai"
api = "responses"
api_key = ["{CANARIES["openai-1"]}", "{CANARIES["openai-2"]}"]
base_url = "{mirror}/v1"
{calm}
[upstream.anthropic]
api_key = ["{CANARIES["anthropic-1"]}", "{CANARIES["anthropic-2"]}"]
base_url = "{mirror}"
{calm}
[upstream.gemini]
api_key = ["{CANARIES["gemini-1"]}", "{CANARIES["gemini-2"]}"]
base_url = "{mirror}/google"
{calm}
[upstream.azure]
endpoint = "{mirror}"
api_key = ["{CANARIES["azure-1"]}", "{CANARIES["azure-2"]}"]
{calm}
"""
