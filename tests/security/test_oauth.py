"""Logins by OAuth 2.0 as RFC 9700 wants them: what is asked for, and what never is."""

from __future__ import annotations

import ast
import base64
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gateway.adapters.google_consent import begin
from gateway.config import OAuthConfig
from gateway.redact import Secret

ROOT = Path(__file__).parents[2]
REDIRECT = "http://127.0.0.1:51999/oauth2/callback"
OAUTH = OAuthConfig(client_id="client", client_secret=Secret("s-e-c-r-e-t"))
FOLDERS = ("gateway", "middleware", "adapters")
TEXTS = {
    str(file.relative_to(ROOT)): [
        node.value
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for folder in FOLDERS
    for file in (ROOT / folder).rglob("*.py")
}


def asked() -> tuple[dict[str, str], str]:
    """Begin a login; give what its address says, and its verifier."""
    consent = begin(OAUTH, REDIRECT)
    query = parse_qs(urlsplit(consent.url).query, strict_parsing=True)
    return {name: value for name, (value,) in query.items()}, consent.verifier


def test_a_code_is_asked_for_with_pkce_at_this_very_address() -> None:
    said, verifier = asked()
    assert (said["response_type"], said["code_challenge_method"], said["redirect_uri"]) == ("code", "S256", REDIRECT)
    assert len(base64.urlsafe_b64decode(said["code_challenge"] + "=")) == 32  # a SHA-256
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)  # RFC 7636 4.1
    assert "response_mode" not in said


def test_a_state_has_at_least_128_bits_and_is_never_the_same() -> None:
    states = {asked()[0]["state"] for _ in range(100)}
    assert len(states) == 100
    assert min(len(base64.urlsafe_b64decode(one + "=" * (-len(one) % 4))) for one in states) * 8 >= 128


def test_no_secret_stands_in_the_address() -> None:
    said, verifier = asked()
    assert not [name for name, value in said.items() if "s-e-c-r-e-t" in value or verifier in value]
    assert not {"client_secret", "code_verifier", "access_token", "refresh_token"} & said.keys()


def test_no_other_grant_is_used() -> None:
    """Neither the implicit one nor that with a password: no text of the sources could ask for them."""
    texts = [text for one in TEXTS.values() for text in one]
    assert {"S256", "code"} <= set(texts)  # they are read at all
    assert [text for text in texts if re.search(r"grant_type=(?!refresh_token|authorization_code)", text)] == []
    assert [text for text in texts if re.search(r"response_type=(?!code)", text)] == []
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    assert {"WebApplicationClient"} == names & {
        "WebApplicationClient",
        "MobileApplicationClient",  # oauthlib's implicit grant
        "LegacyApplicationClient",  # and the one with a password
        "BackendApplicationClient",
    }
