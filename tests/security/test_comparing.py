"""No secret is compared by a way that takes longer the more of it was guessed: a look at the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    file
    for folder in ("gateway", "middleware", "adapters")
    for file in (ROOT / folder).rglob("*.py")
    if not {"middleware", "adapters"} & set(file.relative_to(ROOT / folder).parts[:-1])  # links to the other two
)
# names of what nobody may guess, and the longer names that mean something else
SECRET = re.compile(
    r"(?:^|_)(?:secrets?|passwords?|tokens?|csrf|nonce|verifier|digests?|proof|cookie|sha256|state|api_keys?)$"
)
COUNTED = re.compile(r"(?:^|_)(?:max|min|input|output|cached|total|thinking|budget|limited)_tokens$")
# compared are two secrets of the operator's own, or what SQL is made of: nobody outside chooses a side of these
ALLOWED = {
    ("adapters/account.py", "token == self._token"),
    ("adapters/account.py", "self._secret.reveal() != refresh_token"),
    ("adapters/account.py", "row.refresh_token != self._secret.reveal()"),
    ("adapters/account.py", "tokens.refresh_token == self._secret.reveal()"),
    ("adapters/credential_files.py", "found.refresh_token == MASK"),
    ("adapters/v1internal_joining.py", "row.refresh_token == refresh_token"),
    # and these states are how a credential is
    ("adapters/credential.py", "row.state != before.state"),
    ("adapters/credential.py", "row.state != self.row.state"),
    ("adapters/tending.py", "credential.state != was"),
    ("gateway/store/known.py", "state != row.state"),
    ("gateway/store/migrations/versions/v0002_whole_credentials.py", "row['state'] == _ASKED"),
}


def compared(tree: ast.AST) -> Iterator[tuple[str, ast.Compare]]:
    """Give each comparison for equality, with the name of a secret on one of its sides."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue  # which holds no secret
            for side in sides:
                name = named(side)
                if SECRET.search(name.lower()) and not (name.isupper() or COUNTED.search(name)):
                    yield name, node


def named(side: ast.expr) -> str:
    """Name what stands on a side: a variable, an attribute, what a call gives."""
    if isinstance(side, ast.Call):
        # secret.reveal(), digest_of(text), text.encode()
        inner = side.func.value if isinstance(side.func, ast.Attribute) else side.func
        return "secret" if getattr(side.func, "attr", "") == "reveal" else named(inner).replace("digest_of", "digest")
    if isinstance(side, ast.Attribute):
        return side.attr
    if isinstance(side, ast.Subscript):
        return named(side.slice) if isinstance(side.slice, ast.Constant) else named(side.value)
    if isinstance(side, ast.Constant):
        return str(side.value)
    return side.id if isinstance(side, ast.Name) else ""


def found(source: str) -> list[str]:
    return [ast.unparse(node) for _, node in compared(ast.parse(source))]


@pytest.mark.parametrize(
    "source",
    [
        "given == self._secret",
        "config.password.reveal() == given",
        "if digest_of(key) == known: ...",
        "row['token'] != token",
        "cookies['csrf'] == operator.csrf",
        "hashed == entry.sha256.encode()",
        "state != expected",
    ],
)
def test_a_comparison_of_secrets_is_noticed(source: str) -> None:
    assert found(source)


@pytest.mark.parametrize("source", ["max_tokens == limit", "given == 'token'", "compare_digest(token, given)"])
def test_another_one_is_not(source: str) -> None:
    assert found(source) == []


def test_no_secret_is_compared_for_equality() -> None:
    assert len(SOURCES) > 300
    told = {
        (str(file.relative_to(ROOT)), ast.unparse(node))
        for file in SOURCES
        for _, node in compared(ast.parse(file.read_text("utf-8")))
    }
    assert told == ALLOWED
