"""The browser without a window, by itself and as what `BROWSER` names."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlencode

import pytest

from tests.fakes import google_browser
from tests.fakes.google_browser import visit
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes_tests.google_login import ASKED, USER
from tests.patience import patient

OPENS = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


@pytest.fixture
def url(threaded_v1internal: FakeV1Internal) -> str:
    """Give a consent page that goes back to a page of the fake which shows its calls."""
    redirect = f"{threaded_v1internal.url}/_requests"
    threaded_v1internal.oauth.register("i", "s", redirect)
    return f"{threaded_v1internal.authorize_url}?{urlencode(ASKED | {'redirect_uri': redirect})}"


def test_the_page_at_the_end_is_shown(url: str) -> None:
    assert '"method": "auth"' in visit(url, USER)


@pytest.mark.parametrize(("option", "codes"), [("", 1), ("--deny", 0)])
def test_a_program_opens_it_by_the_variable_browser(
    threaded_v1internal: FakeV1Internal, url: str, option: str, codes: int
) -> None:
    browser = f"{sys.executable} {google_browser.__file__} --account {USER} {option} %s"
    environment = {"BROWSER": browser, "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", OPENS, url], env=environment, check=True, timeout=patient(20))
    assert len(threaded_v1internal.oauth.codes) == codes
    assert not threaded_v1internal.consent.pending
