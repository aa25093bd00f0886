"""The small calls, against answers that the fake does not give."""

from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import msgspec
import pytest

from gateway.adapters.failures import Failure
from gateway.adapters.v1internal_control import Control
from gateway.transport import ConnectFailed, Transport, Whole
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio

DONE = {"name": "operations/1", "done": True, "response": {"cloudaicompanionProject": "p"}}


class Answers:
    """A transport that gives these answers, and notes the calls."""

    def __init__(self, *answers: tuple[int, object] | Exception) -> None:
        self.answers = deque(answers)
        self.calls: list[tuple[str, str, Any]] = []

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, **_: Any
    ) -> Whole:
        self.calls.append((method, url, None if body is None else msgspec.json.decode(body)))
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        status, content = answer
        return Whole(status, {}, content if isinstance(content, bytes) else msgspec.json.encode(content))

    @property
    def transport(self) -> Transport:
        return cast(Transport, self)  # nothing else of it is used


class Instant(FakeClock):
    """A clock on which no pause lasts."""

    async def sleep(self, seconds: float) -> None:
        return


def control(*bases: str) -> Control:
    return Control(bases or ("https://a",), {}, Instant(), "")


async def test_models_are_asked_for_where_requests_go() -> None:
    answers = Answers((404, {}), (200, {"models": {}}), (200, {"cloudaicompanionProject": "p"}))
    asking = Control(("https://a", "https://b"), {}, Instant(), "", serving=("https://b", "https://a"))
    assert await asking.models(answers.transport, "t", "p") == b'{"models":{}}'
    assert await asking.project(answers.transport, "t") == "p"
    assert [url for _, url, _ in answers.calls] == [
        "https://b/v1internal:fetchAvailableModels",
        "https://a/v1internal:fetchAvailableModels",
        "https://a/v1internal:loadCodeAssist",
    ]


def refusal(status: int, reason: str) -> tuple[int, object]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return status, {"error": {"code": status, "message": "no", "details": details}}


NO_CAPACITY = refusal(429, "MODEL_CAPACITY_EXHAUSTED")


@pytest.mark.parametrize("project", ["p", {"id": "p", "name": "P"}])
async def test_a_project_is_a_string_or_an_object(project: object) -> None:
    answers = Answers((200, {"cloudaicompanionProject": project}))
    assert await control().discover(answers.transport, "t") == ("p", "discovered")


async def test_each_step_of_an_onboarding_is_told() -> None:
    pending = (200, {"name": "operations/1"})
    answers = Answers((200, {}), pending, pending, (200, DONE))
    told: list[str] = []

    async def tell(words: str) -> None:
        told.append(words)

    assert await control().discover(answers.transport, "t", tell) == ("p", "onboarded")
    assert told == [
        "the account is new to the service: setting it up (free-tier)",
        "waiting for the service to set it up (attempt 1 of at most 10)",
        "waiting for the service to set it up (attempt 2 of at most 10)",
    ]


@pytest.mark.parametrize("words", ["projects/secret-1 is not eligible", ""])
async def test_why_an_onboarding_failed_is_told(words: str) -> None:
    failed = {"name": "operations/1", "done": True, "error": {"code": 7, **({"message": words} if words else {})}}
    answers = Answers((200, {}), (200, {"name": "operations/1"}), (200, failed))
    with pytest.raises(Failure) as caught:
        await control().discover(answers.transport, "t")
    said = "projects/*** is not eligible" if words else "no reason was given"
    assert caught.value.error.message == f"the upstream did not set the account up: {said}"


NO = {"code": 9, "message": "no"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"done": True, "error": NO}), "the upstream did not set the account up: no; "),
        ((200, {"done": True}), "the upstream created no project for the account; "),
        ((412, {"error": NO}), "no; "),
    ],
)
async def test_why_an_account_may_not_have_a_tier_is_told_where_it_gets_none(
    answer: tuple[int, object], said: str
) -> None:
    words = "Not available in your location, for a@b.example."
    barred = [{"reasonCode": "UNSUPPORTED_LOCATION", "reasonMessage": words}, {"reasonCode": "RESTRICTED_AGE"}]
    answers = Answers((200, {"ineligibleTiers": barred}), answer)
    with pytest.raises(Failure) as caught:
        await control().discover(answers.transport, "t")
    assert caught.value.error.message == f"{said}Not available in your location, for ***.; RESTRICTED_AGE"


async def test_why_another_tier_is_barred_is_not_told_of_what_passes() -> None:
    barred = [{"reasonCode": "RESTRICTED_AGE"}]
    with pytest.raises(Failure) as caught:
        await control().discover(Answers((200, {"ineligibleTiers": barred}), (503, {})).transport, "t")
    assert "RESTRICTED_AGE" not in caught.value.error.message
    answers = Answers((200, {"ineligibleTiers": barred}), (200, DONE))
    assert await control().discover(answers.transport, "t") == ("p", "onboarded")


@pytest.mark.parametrize(("assist", "project"), [({"cloudaicompanionProject": "p"}, "p"), ({}, "")])
async def test_asking_for_the_project_begins_no_onboarding(assist: object, project: str) -> None:
    answers = Answers((200, assist))
    assert await control().project(answers.transport, "t") == project
    assert [call[1] for call in answers.calls] == ["https://a/v1internal:loadCodeAssist"]


async def test_asking_for_the_project_says_where_the_owner_must_act() -> None:
    barred = {"reasonCode": "VALIDATION_REQUIRED", "validationUrl": "https://accounts.example.invalid/x"}
    with pytest.raises(Failure) as caught:
        await control().project(Answers((200, {"ineligibleTiers": [barred]})).transport, "t")
    assert (caught.value.cause, caught.value.link) == ("verification", "https://accounts.example.invalid/x")


@pytest.mark.parametrize("more", [{"currentTier": {"id": "free-tier"}}, {"cloudaicompanionProject": "p"}])
async def test_an_account_that_may_be_used_needs_no_verification_of_another_tier(more: dict[str, object]) -> None:
    barred = {"reasonCode": "VALIDATION_REQUIRED", "validationUrl": "https://accounts.example.invalid/x"}
    answers = Answers((200, {"ineligibleTiers": [barred], **more}))
    assert await control().project(answers.transport, "t") == more.get("cloudaicompanionProject", "")


@pytest.mark.parametrize(("project", "body"), [("p", {"project": "p"}), ("", {})])
async def test_quotas_are_asked_for_a_project(project: str, body: object) -> None:
    answers = Answers((200, {"buckets": []}))
    await control().quota(answers.transport, "t", project)
    assert answers.calls == [("POST", "https://a/v1internal:retrieveUserQuota", body)]


@pytest.mark.parametrize(
    ("assist", "tier"),
    [
        ({"allowedTiers": [{"id": "x"}, {"id": "standard-tier", "isDefault": True}]}, "standard-tier"),
        ({"allowedTiers": [{"id": "legacy-tier"}]}, "legacy-tier"),
        ({"currentTier": {"id": "g1-pro-tier"}}, "g1-pro-tier"),
        ({}, "free-tier"),
    ],
)
async def test_the_tier_is_the_default_one_or_the_next_best(assist: object, tier: str) -> None:
    answers = Answers((200, assist), (200, DONE))
    await control().discover(answers.transport, "t")
    assert answers.calls[1][2]["tierId"] == tier


async def test_a_security_perimeter_means_the_standard_tier() -> None:
    answers = Answers(refusal(403, "SECURITY_POLICY_VIOLATED"), (200, DONE))
    assert await control().discover(answers.transport, "t") == ("p", "onboarded")
    assert answers.calls[1][2]["tierId"] == "standard-tier"


@pytest.mark.parametrize("name", ["", "../../token", "operations/1?x=", "https://elsewhere/x"])
async def test_an_operation_without_a_plain_name_is_polled_by_asking_again(name: str) -> None:
    answers = Answers((200, {}), (200, {"name": name}), (200, DONE))
    await control().discover(answers.transport, "t")
    assert answers.calls[2][:2] == ("POST", "https://a/v1internal:onboardUser")


async def test_a_list_refused_for_a_project_is_asked_for_without_it() -> None:
    answers = Answers(refusal(403, ""), (200, {"models": {}}))
    await control().models(answers.transport, "t", "p")
    assert [call[2] for call in answers.calls] == [{"project": "p"}, {}]


async def test_any_other_refusal_of_a_list_is_final() -> None:
    answers = Answers(refusal(403, ""))
    with pytest.raises(Failure):
        await control().models(answers.transport, "t", "")


@pytest.mark.parametrize(
    "answer", [ConnectFailed("refused"), (404, {}), (408, {}), (503, {}), (520, {}), (429, {}), NO_CAPACITY]
)
async def test_the_next_base_answers_for_one_that_does_not(answer: tuple[int, object] | Exception) -> None:
    answers = Answers(answer, (200, {"cloudaicompanionProject": "p"}))
    assert await control("https://a", "https://b").discover(answers.transport, "t") == ("p", "discovered")
    assert answers.calls[1][1] == "https://b/v1internal:loadCodeAssist"


@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [(403, "VALIDATION_REQUIRED", "verification"), (429, "QUOTA_EXHAUSTED", "quota"), (400, "", "final")],
)
async def test_a_refusal_is_the_same_at_every_base(status: int, reason: str, cause: str) -> None:
    answers = Answers(refusal(status, reason))
    with pytest.raises(Failure) as caught:
        await control("https://a", "https://b").discover(answers.transport, "t")
    assert caught.value.cause == cause


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"cloudaicompanionProject": 5}', b"[" * 100_000])
async def test_an_answer_that_cannot_be_read_is_a_failure_of_the_server(content: bytes) -> None:
    with pytest.raises(Failure) as caught:
        await control().discover(Answers((200, content)).transport, "t")
    assert caught.value.cause == "server"


async def test_a_count_without_a_number_is_none() -> None:
    assert await control().count(Answers((200, {})).transport, "t", "m", []) is None
