"""What a consent leads to: the code, the proof that goes with it, and the token that names the user."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.v1internal_accounts import Account

ISSUER = "https://accounts.google.com"
VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


@dataclass
class Code:
    """A code for one use; `asked` says whether the owner was shown what is asked for."""

    query: Mapping[str, str]
    account: Account
    asked: bool = True
    at: float = field(default_factory=time.monotonic)
    used: bool = False
    refresh_tokens: list[str] = field(default_factory=list)
    access_tokens: list[str] = field(default_factory=list)


def pkce_failure(verifier: str | None, challenge: str | None) -> str:
    """Say what is wrong with the PKCE verifier; nothing where nothing is."""
    if challenge is None:
        return "" if verifier is None else "code_verifier or verifier is not needed."
    if verifier is None:
        return "Missing code verifier."
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return "" if VERIFIER.fullmatch(verifier) and digest == challenge else "Invalid code verifier."


def id_token(code: Code, client: str) -> str:
    """Write a token about the user; its signature is none of Google's."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": ISSUER,
        "azp": client,
        "aud": client,
        "sub": code.account.sub,
        "email": code.account.email,
        "email_verified": True,
        "iat": now,
        "exp": now + 3599,
    }
    if "nonce" in code.query:
        claims["nonce"] = code.query["nonce"]
    head = {"alg": "RS256", "kid": "fake", "typ": "JWT"}
    return ".".join((_segment(json.dumps(head)), _segment(json.dumps(claims)), _segment("FAKE-SIGNATURE")))


def _segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
