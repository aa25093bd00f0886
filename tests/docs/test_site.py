"""The documentation site: built strictly, every page linked, nothing asked of any other server."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.chromium import Page
from tests.docs.examples import DOCS
from tests.packaging.fixtures import once
from tests.processes import PROGRAMS

ROOT = DOCS.parent
# what a browser fetches by itself
FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}
UNFETCHED = {"canonical", "next", "prev", "alternate"}


def build(folder: Path) -> None:
    command: list[str | Path] = [PROGRAMS / "mkdocs", "build", "--strict", "--site-dir", folder / "site"]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once."""
    return once(tmp_path_factory, "docs-site", _made) / "site"


def _made(folder: Path) -> None:
    folder.mkdir()
    build(folder)


class Fetches(HTMLParser):
    """Collect what a page fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = FETCHED.get(tag)
        if name and given.get(name) and given.get("rel") not in UNFETCHED:
            self.found.append(str(given[name]))


def test_every_page_is_in_it(site: Path) -> None:
    pages = {file.relative_to(DOCS).with_suffix("") for file in DOCS.rglob("*.md")}
    built = {file.parent.relative_to(site) for file in site.rglob("index.html")}
    assert {page for page in pages if page.name != "index"} - built == set()


def test_the_navigation_names_every_page() -> None:
    named = set(re.findall(r"- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    assert named == {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    outside = []
    for file in site.rglob("*.html"):
        page = Fetches()
        page.feed(file.read_text("utf-8"))
        outside += [(file.name, url) for url in page.found if re.match(r"(https?:)?//", url)]
    assert outside == []


def test_no_stylesheet_fetches_anything_from_elsewhere(site: Path) -> None:
    fetched = [url for file in site.rglob("*.css") for url in re.findall(r"url\(([^)]+)\)", file.read_text("utf-8"))]
    assert [url for url in fetched if re.match(r"[\"']?(https?:)?//", url)] == []


SEEN = ROOT / "tests" / "gateway" / "admin"
LIMIT_BYTES = 100_000


def test_pictures_are_small_and_those_that_the_tests_take() -> None:
    """They are copies out of the folder that GATEWAY_TEST_SCREENSHOTS names."""
    source = "".join(file.read_text("utf-8") for file in SEEN.glob("test_chromium*.py"))
    taken = {f"{name}-wide-light.png" for name in re.findall(r'picture\(page, "([\w-]+)"\)', source)}
    files = list((DOCS / "pictures").iterdir())
    assert {file.name for file in files if file.suffix != ".svg"} <= taken  # the bench draws its charts
    assert [file.name for file in files if file.stat().st_size > LIMIT_BYTES] == []


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Say nothing."""


async def test_a_browser_reads_and_searches_it(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{address}/architecture/")
    await page.get_by_role("heading", name="One streaming request").wait_for()
    await page.goto(f"{address}/")
    await page.get_by_role("textbox", name="Search").click()
    await page.keyboard.type("terminationGracePeriodSeconds")
    await page.locator(".md-search-result__link").first.wait_for()
    own = [url for url in asked if url.startswith((address, "data:", "blob:"))]
    assert own == asked
