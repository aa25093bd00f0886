"""What the tests of `gateway login` share: a gateway.toml that leads to the fake, and a person with a browser."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.store.credentials import CredentialStore
from gateway.store.known import StoredCredential
from tests.fakes.google_browser import press
from tests.fakes.v1internal import FakeV1Internal
from tests.patience import patient
from tests.processes import PROGRAMS, environment
from tests.terminal import Screen, terminal

ROOT = Path(__file__).parents[3]
GATEWAY = PROGRAMS / "gateway"
PERSON = "new@example.invalid"
SECRET = "canary-client-secret"
LINK = r"(http://\S+/o/oauth2/v2/auth\?\S+)\s"
PASTE = "paste the address of that page here"


class Place:
    """A folder with a gateway.toml, where a person has an account at the fake, and the operator an OAuth client."""

    def __init__(self, fake: FakeV1Internal, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.variables: dict[str, str] = {}
        self.file = folder / "gateway.toml"
        self.file.write_text(self.upstream("antigravity"), "utf-8")
        fake.oauth.register("our-desktop", SECRET, desktop=True)
        self.person = fake.oauth.add_person(PERSON)

    def upstream(self, name: str, *lines: str) -> str:
        """Write the table of an upstream."""
        table = [
            f'[upstream.{name}]\ntype = "v1internal"',
            f'base_urls = ["{self.fake.base("a")}"]',
            f'oauth.client_id = "our-desktop"\noauth.client_secret = "{SECRET}"',
            f'oauth.authorize_url = "{self.fake.authorize_url}"\noauth.token_url = "{self.fake.token_url}"',
            f'oauth.userinfo_url = "{self.fake.userinfo_url}"',
            *lines,
        ]
        return "\n".join(table) + "\n"

    def browser(self, *words: str) -> None:
        """Let the machine have a browser, in which the person agrees."""
        program = self.folder / "browser"
        command = shlex.join([sys.executable, "-m", "tests.fakes.google_browser", "--account", PERSON, *words])
        program.write_text(f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {command} "$1" >/dev/null\n', "utf-8")
        program.chmod(0o700)
        self.variables["BROWSER"] = str(program)

    @contextmanager
    def login(self, *words: str, folder: Path | None = None) -> Generator[Screen, None, None]:
        """Run `gateway login` in a terminal."""
        variables = environment(self.folder) | self.variables
        with terminal([GATEWAY, "login", *words], folder or self.folder, variables) as screen:
            yield screen

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `gateway login` without a terminal, to its end."""
        return subprocess.run(
            [GATEWAY, "login", *words],
            cwd=self.folder,
            env=environment(self.folder) | self.variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=patient(30),
            check=False,
        )

    def agree(self, screen: Screen) -> str:
        """Take the link to another machine, and agree there; give the address of the browser's last page."""
        return press(link(screen), PERSON)

    def rows(self, upstream: str = "antigravity", data: Path | None = None) -> list[StoredCredential]:
        """Read the store."""
        store = CredentialStore((data or self.folder / "data") / "gateway.db", read_only=True)
        store.open()
        try:
            return [row for row in store.load(upstream).values() if not row.removed]
        finally:
            store.close()


def link(screen: Screen) -> str:
    """Give the link that is shown."""
    return screen.shows(LINK)[1]


def redirect_of(url: str) -> str:
    """Give the address to which the browser will be sent."""
    return parse_qs(urlsplit(url).query)["redirect_uri"][0]


def shown_json(text: str) -> dict[str, Any]:
    """Read the last line of what was printed."""
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found
