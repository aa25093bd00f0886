"""Several accounts, each with its own project, quota and state; and the fake beside tests and processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.fakes.google_browser import press
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes_tests.google_login import CLIENT
from tests.fakes_tests.v1internal_bodies import GEMINI_3, Client, Json, body
from tests.patience import patient
from tests.processes import running

ROOT = Path(__file__).parents[2]
ONE, TWO = ({"Authorization": f"Bearer {token}"} for token in ("one", "two"))


@pytest.fixture
def two(client: Client) -> FakeV1Internal:
    client.fake.oauth.add_static("one", email="one@example.invalid", project="project-one")
    client.fake.oauth.add_static("two", email="two@example.invalid", project="project-two")
    return client.fake


async def project(client: Client, headers: dict[str, str]) -> str | None:
    answer = await (await client.post("loadCodeAssist", {"metadata": {}}, headers=headers)).json()
    found: str | None = answer.get("cloudaicompanionProject")
    return found


async def generated(client: Client, headers: dict[str, str], **envelope: str) -> tuple[int, Json]:
    response = await client.post("generateContent", body(GEMINI_3) | envelope, headers=headers)
    return response.status, await response.json()


async def test_each_account_has_its_own_project(client: Client, two: FakeV1Internal) -> None:
    assert [await project(client, one) for one in (ONE, TWO)] == ["project-one", "project-two"]


async def test_an_account_without_a_project_gets_its_own(client: Client, two: FakeV1Internal) -> None:
    two.oauth.find("two@example.invalid").state = "not_onboarded"
    assert [await project(client, one) for one in (ONE, TWO)] == ["project-one", None]
    sent = {"tierId": "free-tier", "metadata": {}}
    answer = await (await client.post("onboardUser", sent, headers=TWO)).json()
    assert answer["response"]["cloudaicompanionProject"]["id"] == "project-two"


async def test_another_account_s_project_can_be_refused(client: Client, two: FakeV1Internal) -> None:
    two.own_projects = True
    assert (await generated(client, ONE, project="project-one"))[0] == 200
    status, answer = await generated(client, TWO, project="project-one")
    (detail,) = answer["error"]["details"]
    assert (status, detail["reason"]) == (403, "IAM_PERMISSION_DENIED")
    assert "projects/project-one/" in answer["error"]["message"]


async def test_each_account_has_its_own_quota(client: Client, two: FakeV1Internal) -> None:
    two.oauth.find("two@example.invalid").quotas[GEMINI_3] = None
    answers = [await (await client.post("fetchAvailableModels", {}, headers=one)).json() for one in (ONE, TWO)]
    assert [answer["models"][GEMINI_3]["quotaInfo"].get("remainingFraction") for answer in answers] == [1, None]


@pytest.mark.parametrize(
    ("state", "reason"), [("validation_required", "VALIDATION_REQUIRED"), ("disabled", "Terms of Service")]
)
async def test_an_account_may_be_kept_from_generating(
    client: Client, two: FakeV1Internal, state: Any, reason: str
) -> None:
    two.oauth.find("two@example.invalid").state = state
    assert (await generated(client, ONE))[0] == 200
    status, answer = await generated(client, TWO)
    assert (status, reason in json.dumps(answer)) == (403, True)


async def test_a_disabled_account_is_not_told_its_project(client: Client, two: FakeV1Internal) -> None:
    two.oauth.find("one@example.invalid").state = "disabled"
    assert (await client.post("loadCodeAssist", {"metadata": {}}, headers=ONE)).status == 403


async def test_faults_may_name_an_account(client: Client, two: FakeV1Internal) -> None:
    two.fail("500_internal", token="two@example.invalid")
    assert [(await generated(client, one))[0] for one in (ONE, TWO)] == [200, 500]


def ask(url: str, path: str, sent: Any = None) -> Any:
    """Ask a fake from outside, as another process does."""
    data = None if sent is None else json.dumps(sent).encode()
    with urlopen(Request(url + path, data, {"Authorization": "Bearer key"}), timeout=patient(20)) as response:
        text = response.read()
    return json.loads(text) if text else None


def test_a_fake_in_a_thread_answers_a_test_that_blocks(threaded_v1internal: FakeV1Internal) -> None:
    threaded_v1internal.oauth.add_static("key", email="me@example.invalid")
    assert ask(threaded_v1internal.url, "/oauth2/v2/userinfo")["email"] == "me@example.invalid"
    assert threaded_v1internal.requests[-1].email == "me@example.invalid"


def test_a_held_fake_in_a_thread_is_released_over_its_page(threaded_v1internal: FakeV1Internal) -> None:
    threaded_v1internal.oauth.hold()
    command = [sys.executable, "-c", "import sys, urllib.request as u; u.urlopen(sys.argv[1], sys.argv[2].encode())"]
    form = "client_id=i&client_secret=s&grant_type=refresh_token&refresh_token=rt-1"
    with subprocess.Popen([*command, threaded_v1internal.token_url, form]) as process:
        while not threaded_v1internal.oauth.calls.all:
            assert process.poll() is None
            time.sleep(0.01)  # the fake is in another thread
        ask(threaded_v1internal.url, "/_release", {})
        assert process.wait(patient(20)) == 0


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    """Run the fake as a program of its own; give its address."""
    command = [sys.executable, "-m", "tests.fakes.v1internal", "--access-token", "key"]
    with running(command, ROOT) as found:
        yield found.url


def test_the_program_keeps_the_ledger(program: str) -> None:
    ask(program, "/_limit", {"account": "key", "model": GEMINI_3, "calls": 1, "delay_s": 30})
    ask(program, "/_account", {"account": "key", "email": "me@example.invalid"})
    ask(program, "/v1internal:generateContent", body(GEMINI_3))
    ledger = ask(program, "/_ledger")
    assert ledger["allowed"] == [{"email": "me@example.invalid", "model": GEMINI_3, "calls": 1}]
    assert (ledger["violations"], ledger["refused"]) == ([], [])


def test_the_program_keeps_the_record_of_token_calls(program: str) -> None:
    ask(program, "/_add", {"refresh_token": "rt-9", "email": "nine@example.invalid"})
    ask(program, "/_oauth", {"rotate": True})
    form = b"client_id=i&client_secret=s&grant_type=refresh_token&refresh_token=rt-9"
    with urlopen(f"{program}/token", form, timeout=patient(20)) as response:
        assert json.load(response)["refresh_token"] == "rt-9~1"
    (call,) = ask(program, "/_token_calls")
    assert (call["email"], call["grant"], call["status"]) == ("nine@example.invalid", "refresh_token", 200)


def test_the_program_lets_people_log_in(program: str) -> None:
    redirect = "http://127.0.0.1:1/back"
    ask(program, "/_register", {"name": CLIENT["client_id"], "secret": "s", "redirects": [redirect]})
    ask(program, "/_add_person", {"email": "new@example.invalid", "project": "theirs"})
    url = f"{program}/o/oauth2/v2/auth?client_id=i&response_type=code&scope=openid&redirect_uri={redirect}"
    assert "code=4%2F" in press(url, "new@example.invalid")
