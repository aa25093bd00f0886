"""What can be pasted into `gateway login`, and how long it waits."""

import asyncio
import io
import os
import threading
from collections.abc import Generator

import pytest

from gateway.cli.login_answer import code_in, shows, wait
from gateway.cli.login_listener import opened
from gateway.redirect import WrongState
from gateway.upstream import Consent, LoginFailed
from tests.patience import patient

pytestmark = pytest.mark.anyio

CONSENT = Consent(url="", state="st-ate", verifier="v", redirect_uri="")
LINK = "http://localhost:51233/o/oauth2/v2/auth?response_type=code&state=st-ate&prompt=consent"
ADDRESS = "http://127.0.0.1:51234/oauth2/callback?state=st-ate&code=4%2F0AX-y_z&scope=email"


class Typist:
    """One who writes into standard input."""

    def __init__(self, writing: int) -> None:
        self._file = os.fdopen(writing, "w")

    def types(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def leaves(self) -> None:
        self._file.close()


@pytest.fixture
def typist(monkeypatch: pytest.MonkeyPatch) -> Generator[Typist]:
    """Give one who can paste; at the end nobody reads any more, of whom the next one's file might have the number."""
    reading, writing = os.pipe()
    typist, others = Typist(writing), set(threading.enumerate())
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield typist
        typist.leaves()
        for thread in set(threading.enumerate()) - others:
            if thread.daemon:
                thread.join(patient(5))


async def waited(listen_s: float = 5, paste_s: float = 5) -> str:
    with opened() as listener:
        return await wait(CONSENT, listener, listen_s, paste_s)


@pytest.mark.parametrize(
    "pasted",
    [
        ADDRESS,
        ADDRESS.removeprefix("http://"),
        ADDRESS + "#",
        "state=st-ate&code=4%2F0AX-y_z",
        "?state=st-ate&code=4%2F0AX-y_z",
        "4/0AX-y_z",
        "4%2F0AX-y_z",
    ],
)
def test_an_address_or_only_its_code_can_be_pasted(pasted: str) -> None:
    assert code_in(CONSENT, pasted) == "4/0AX-y_z"


@pytest.mark.parametrize(
    "pasted",
    [
        "y",
        "http://127.0.0.1:51234/oauth2/callback",
        "no idea what",
        "4/ÄÖÜ-abc",
        LINK,
        "http://localhost:51233/signin/oauth/consent?authuser=0&part=AJi8",
    ],
)
def test_another_text_is_no_answer(pasted: str) -> None:
    with pytest.raises(ValueError, match="paste the whole address"):
        code_in(CONSENT, pasted)


def test_an_address_of_another_login_is_told_from_this_one() -> None:
    with pytest.raises(WrongState):
        code_in(CONSENT, ADDRESS.replace("st-ate", "another"))


async def test_a_pasted_address_ends_the_waiting(typist: Typist) -> None:
    typist.types(f"\n  {ADDRESS} \r\n")
    assert await waited() == "4/0AX-y_z"


async def test_a_pasted_address_without_an_end_of_line_counts(typist: Typist) -> None:
    typist.types(ADDRESS)
    typist.leaves()
    assert await waited() == "4/0AX-y_z"


async def test_what_cannot_be_read_is_said_and_the_next_line_counts(
    typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    typist.types(f"what?\n{ADDRESS.replace('st-ate', 'another')}\n{ADDRESS}\n{ADDRESS}\n")
    assert await waited() == "4/0AX-y_z"
    assert capsys.readouterr().err.splitlines() == [
        "that has no response in it: paste the whole address of the browser's last page",
        "this response belongs to another login: use the newest link, or start again",
    ]


async def test_a_pasted_denial_ends_the_login(typist: Typist) -> None:
    typist.types("http://127.0.0.1:51234/oauth2/callback?state=st-ate&error=access_denied\n")
    with pytest.raises(LoginFailed, match="access was denied"):
        await waited()


async def test_nothing_in_time_is_said(typist: Typist) -> None:
    typist.leaves()  # there is no one who could paste
    with pytest.raises(LoginFailed, match="no response came in time: start the login again"):
        await waited(listen_s=0.05, paste_s=60)


async def test_pasting_may_take_longer_than_the_browser(typist: Typist, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = asyncio.create_task(waited(listen_s=0.01, paste_s=20))
    while "can still be pasted" not in capsys.readouterr().err:  # noqa: ASYNC110 - what is printed sets no event
        await asyncio.sleep(0.01)
    typist.types(f"{ADDRESS}\n")
    assert await waiting == "4/0AX-y_z"


async def test_pasting_ends_too(typist: Typist) -> None:
    with pytest.raises(LoginFailed, match="no response came in time"):
        await waited(listen_s=0.01, paste_s=0.05)


async def test_there_need_be_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for none in (None, io.StringIO()):
        monkeypatch.setattr("sys.stdin", none)
        with pytest.raises(LoginFailed, match="no response came in time"):
            await waited(listen_s=0.05, paste_s=60)


@pytest.mark.parametrize(
    ("platform", "variables", "opens"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "w3m"}, True),
        ("linux", {"BROWSER": ""}, False),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_browser_opens_where_it_can_be_seen(platform: str, variables: dict[str, str], opens: bool) -> None:
    assert shows(platform, variables) is opens
