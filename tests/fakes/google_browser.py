"""A browser without a window: it opens the consent page, presses its buttons, and follows the redirect.

    back = press(url, "user1@example.invalid")               # the address with the code, which is not opened
    press(url, "user1@example.invalid", decision="deny")
    visit(url, "user1@example.invalid")                      # opens the address too; gives what stands there

As a program it stands for the browser that other programs open: `BROWSER=f"{sys.executable} {google_browser.__file__}
--account E-MAIL [--deny] %s"`. These functions block: in an async test, `await to_thread.run_sync(press, url, email)`.
"""

from __future__ import annotations

import argparse
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from typing import IO

__all__ = ["Refused", "press", "visit"]

TIMEOUT_S = 20


class Refused(Exception):
    """An error page: its status and its text."""

    def __init__(self, status: int, page: str) -> None:
        super().__init__(f"{status} {page}")
        self.status = status
        self.page = page


@dataclass
class Form:
    """One form of a page, with its hidden values and its buttons."""

    action: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(known["action"]))
        elif tag == "input" and known.get("type") == "hidden":
            self.forms[-1].values[known["name"]] = known["value"]
        elif tag == "button" and "name" in known:
            self.forms[-1].buttons.append((known["name"], known["value"]))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing."""


def press(url: str, email: str, decision: str = "allow") -> str:
    """Choose an account and decide; give the address to which the page sends the browser."""
    page, place = _opened(url)
    for name, value in (("account", email), ("decision", decision)):
        if place:
            break
        page, place = _opened(*_pressed(url, page, name, value))
    return place


def visit(url: str, email: str, decision: str = "allow") -> str:
    """Choose an account, decide, and open where the page sends the browser; give what stands there."""
    with urllib.request.urlopen(press(url, email, decision), timeout=TIMEOUT_S) as response:
        page: bytes = response.read()
        return page.decode()


def _pressed(url: str, page: str, name: str, value: str) -> tuple[str, bytes]:
    forms = _Forms(page).forms
    form = next((one for one in forms if (name, value) in one.buttons), None)
    if form is None:
        offered = [button for one in forms for button in one.buttons]
        raise LookupError(f"the page has no button {name}={value}, but {offered}")
    sent = urllib.parse.urlencode(form.values | {name: value}).encode()
    return urllib.parse.urljoin(url, form.action), sent


def _opened(url: str, sent: bytes | None = None) -> tuple[str, str]:
    """Give the page, or where it sends the browser."""
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(url, sent, TIMEOUT_S) as response:
            return response.read().decode(), ""
    except urllib.error.HTTPError as error:
        with error:
            page = error.read().decode()
        if error.status is not None and 300 <= error.status < 400:
            return "", str(error.headers["location"])
        raise Refused(error.status or 0, page) from None


def main() -> None:
    """Go through a login."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--account", required=True, metavar="E-MAIL", help="the account to choose")
    parser.add_argument("--deny", action="store_true", help="press Deny")
    parser.add_argument("url", help="the consent page")
    options = parser.parse_args()
    visit(options.url, options.account, "deny" if options.deny else "allow")


if __name__ == "__main__":
    main()
