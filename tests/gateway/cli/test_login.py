"""`gateway login`: in a terminal, with a browser and without."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.cli.login_work import LoginFailed, log_in
from gateway.config import load
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.cli.conftest import Run
from tests.gateway.cli.logging_in import PASTE, PERSON, SECRET, Place, link, redirect_of, shown_json
from tests.patience import patient
from tests.processes import gateway
from tests.terminal import CTRL_C

RESPONSIBLE = r"responsible for complying with the terms of your account(.|\n)*can breach Google's terms"


@pytest.fixture
def place(threaded_v1internal: FakeV1Internal, tmp_path: Path) -> Place:
    """Give a folder with a configuration."""
    return Place(threaded_v1internal, tmp_path)


def calls(place: Place, method: str) -> int:
    return len(place.fake.calls(method))


def test_a_browser_opens_and_the_account_is_there(place: Place) -> None:
    place.browser()
    with place.login() as screen:
        assert screen.ends() == 0
    (row,) = place.rows()
    assert (row.email, row.source, row.state, row.refresh_token) == (PERSON, "login", "active", "1//rt-login-1")
    assert (row.project_id, row.project_source) == ("fake-project-000", "discovered")
    screen.shows(RESPONSIBLE)
    screen.shows(f"{PERSON} is new here: credential {row.id[:8]}")
    screen.shows(r"its project is fake-project-000 \(discovered\)")
    screen.shows(rf"{row.id[:8]}\s+active\s+{PERSON}")
    screen.shows(r"upstream antigravity lists \d+ models")
    screen.shows(r"quota gemini-3-flash: 100% left")


def test_no_secret_is_shown(place: Place) -> None:
    place.browser()
    with place.login() as screen:
        assert screen.ends() == 0
    sent = place.fake.calls("token")[0].body
    secrets = [SECRET, sent["code"], sent["code_verifier"], *place.fake.oauth.tokens, *place.fake.oauth.accounts]
    assert [secret for secret in secrets if secret in screen.text] == []


def test_the_address_of_the_last_page_can_be_pasted(place: Place) -> None:
    with place.login("--no-browser") as screen:
        screen.shows(PASTE)
        screen.types(f"{place.agree(screen)}\n")
        assert screen.ends() == 0
    assert [row.email for row in place.rows()] == [PERSON]


def test_only_the_code_can_be_pasted(place: Place) -> None:
    with place.login() as screen:  # there is no browser on this machine
        screen.shows(PASTE)
        (code,) = parse_qs(urlsplit(place.agree(screen)).query)["code"]
        screen.types(f"{code}\n")
        assert screen.ends() == 0
    assert [row.email for row in place.rows()] == [PERSON]


def test_an_answer_to_another_login_is_told_and_the_right_one_awaited(place: Place) -> None:
    with place.login("--no-browser") as screen:
        address = place.agree(screen)
        foreign = address.replace("state=", "state=x")
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(foreign):
            pass
        assert refused.value.code == 400
        with refused.value as answer:
            assert b"this response belongs to another login" in answer.read()
        screen.types(f"{foreign}\n")
        screen.shows("this response belongs to another login: use the newest link, or start again")
        assert calls(place, "token") == 0
        screen.types(f"{address}\n")
        assert screen.ends() == 0


def test_a_denial_is_said(place: Place) -> None:
    place.browser("--deny")
    with place.login() as screen:
        assert redirect_of(link(screen)).startswith("http://127.0.0.1:")  # shown also when a browser opens
        assert screen.ends() == 1
    screen.shows("not logged in: access was denied: start the login again, and agree when asked")
    assert place.rows() == []


def test_a_code_that_was_used_already_is_of_no_use(place: Place) -> None:
    with place.login("--no-browser") as screen:
        address = place.agree(screen)
        (code,) = parse_qs(urlsplit(address).query)["code"]
        place.fake.oauth.codes[code].used = True
        screen.types(f"{address}\n")
        assert screen.ends() == 1
    screen.shows("not logged in: the code has already been used, or is too old: start the login again")
    assert place.rows() == []


def test_a_foreign_host_is_refused(place: Place) -> None:
    with place.login("--no-browser") as screen:
        address = place.agree(screen)
        request = urllib.request.Request(address, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request):
            pass
        assert refused.value.code == 421
        refused.value.close()
        assert calls(place, "token") == 0


def test_after_ctrl_c_nothing_is_left(place: Place) -> None:
    with place.login("--no-browser") as screen:
        place_of_answer = urlsplit(redirect_of(link(screen)))
        screen.shows(PASTE)
        screen.types(CTRL_C)
        assert screen.ends() == 1
    assert "Traceback" not in screen.text
    with socket.socket() as later, pytest.raises(ConnectionRefusedError):
        later.connect((place_of_answer.hostname, place_of_answer.port))
    assert place.rows() == []


def test_ctrl_c_ends_it_also_while_google_answers(place: Place) -> None:
    place.browser()
    place.fake.oauth.delay_s = 20
    with place.login() as screen:
        screen.shows(PASTE)
        until(lambda: bool(place.fake.calls("token")))
        screen.types(CTRL_C)
        assert screen.ends(10) == 1
    assert "Traceback" not in screen.text
    assert place.rows() == []


def test_an_onboarding_shows_its_progress(place: Place) -> None:
    place.person.state, place.person.polls = "not_onboarded", 1
    place.browser()
    with place.login() as screen:
        assert screen.ends() == 0
    screen.shows("the account is new to the service: setting it up")
    screen.shows(r"\(attempt 1 of at most \d+\)")
    assert [(row.project_id, row.project_source) for row in place.rows()] == [("fake-project-000", "onboarded")]


def test_a_second_login_renews_the_account(place: Place) -> None:
    place.browser()
    with place.login() as screen:
        assert screen.ends() == 0
    with place.login() as screen:
        assert screen.ends() == 0
    screen.shows(f"{PERSON} was already here, and has its new login")
    assert [row.refresh_token for row in place.rows()] == ["1//rt-login-2"]


def test_without_a_terminal_it_prints_json(place: Place) -> None:
    place.browser()
    done = place.run("--json")
    (row,) = place.rows()
    said = shown_json(done.stdout)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert (said["id"], said["account"], said["state"], said["project"]) == (row.id, PERSON, "active", row.project_id)
    assert said["models"] > 10
    assert said["quota"]["gemini-3-flash"]["remaining"] == 1
    assert "responsible for complying with the terms" in done.stderr


def test_the_store_is_that_of_the_configuration_wherever_one_is(place: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.browser()
    with place.login("-c", "../gateway.toml", folder=elsewhere) as screen:
        assert screen.ends() == 0
    assert list(elsewhere.iterdir()) == []
    assert len(place.rows(data=tmp_path / "data")) == 1


def test_a_running_gateway_takes_the_account_up(place: Place) -> None:
    place.browser()
    with gateway(place.folder) as running:
        assert status(f"{running.url}/health/ready") == 503
        with place.login() as screen:
            assert screen.ends() == 0
        until(lambda: status(f"{running.url}/health/ready") == 200)


def test_a_step_that_fails_later_leaves_the_account(place: Place) -> None:
    place.fake.fail("500_internal", method="loadCodeAssist")
    place.fake.fail("500_internal", method="fetchAvailableModels")
    place.browser()
    with place.login() as screen:
        assert screen.ends() == 0
    screen.shows("no project yet: ")
    screen.shows("no response about its models yet: ")
    assert [(row.email, row.state) for row in place.rows()] == [(PERSON, "active")]


def test_an_account_that_its_owner_must_verify_says_where(place: Place) -> None:
    place.person.state = "validation_required"
    place.browser()
    with place.login() as screen:
        assert screen.ends() == 0
    screen.shows("its owner must verify the account first: https://accounts.example.invalid/")
    assert [row.state for row in place.rows()] == ["needs_verification"]


def test_a_store_that_cannot_be_written_is_said_before_the_owner_agrees(place: Place) -> None:
    place.browser()
    data = place.folder / "data"
    data.write_text("no folder", "utf-8")
    done = place.run()
    assert (done.returncode, done.stderr) == (2, f"{data / 'gateway.db'}: Not a directory\n")
    assert calls(place, "auth") == 0


def test_several_upstreams_need_a_name(place: Place, run: Run) -> None:
    place.file.write_text(place.upstream("work") + place.upstream("home"), "utf-8")
    place.browser()
    done = run("login")
    assert (done.code, done.err) == (2, "--upstream: is needed; these have accounts: work, home\n")
    with place.login("--upstream", "home") as screen:
        assert screen.ends() == 0
    assert (len(place.rows("work")), len(place.rows("home"))) == (0, 1)


def test_an_upstream_without_accounts_is_refused(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text(
        '[upstream.openai]\napi_key = "k"\n[upstream.google]\ntype = "v1internal"\n', "utf-8"
    )
    done = run("login", "--upstream", "openai")
    assert done.code == 2
    assert done.err == "--upstream: openai has no accounts; these have accounts: google\n"


def test_without_such_an_upstream_it_is_said_what_to_add(run: Run) -> None:
    done = run("login")
    assert done.code == 2
    assert "no upstream has accounts; add [upstream.antigravity] to gateway.toml, with oauth = {" in done.err


def test_without_an_oauth_client_it_is_said_what_to_set(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[upstream.antigravity]\n", "utf-8")
    done = run("login")
    assert done.code == 2
    assert "no OAuth client" in done.err
    assert "put OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET into .env, and set upstream.antigravity.oauth = " in done.err


def test_nothing_in_time_is_said(place: Place) -> None:
    loaded = load(str(place.file), environ={}, dotenv=False)
    with pytest.raises(LoginFailed, match="no response came in time: start the login again"):
        log_in(loaded, None, browser=False, listen_s=0.05, paste_s=0.1)
    assert place.rows() == []


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=patient(5)) as response:
            found: int = response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return found


def until(reached: Callable[[], bool], within_s: float = 20) -> None:
    """Look again and again: what happens in another process sets no event here."""
    ends = time.monotonic() + patient(within_s)
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.02)
