"""The control plane: discovery and onboarding of projects, models, quotas, and what only clients ask for."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.v1internal_accounts import Account
from tests.fakes.v1internal_errors import RECORDED_PROJECT, RECORDINGS, google, invalid, plain
from tests.fakes.v1internal_models import (
    DEPRECATED,
    GEMINI_CLI,
    RESET_TIME,
    SEARCHING,
    describe,
    listed,
)
from tests.fakes.v1internal_proto import decode

Json = dict[str, Any]
# what is left of a model, None being nothing, and when there is all of it again
Quota = tuple[float | None, str]
FREE_TIER = "free-tier"


def control(name: str, project: str = RECORDED_PROJECT) -> Json:
    """Take `control/NAME.json`."""
    text = (RECORDINGS / "control" / f"{name}.json").read_text("utf-8")
    answer: Json = json.loads(text.replace(RECORDED_PROJECT, project))
    return answer


def load_code_assist(account: Account, body: Any) -> Json:
    """Say what the account may use."""
    decode("LoadCodeAssist", body)
    return control(f"loadCodeAssist_{account.state}", account.project)


def onboard_user(account: Account, body: Any) -> Json:
    """Begin or continue onboarding; the free tier takes no project of the caller's."""
    asked = decode("OnboardUser", body)
    if not asked.get("tierId"):
        raise invalid("tier_id is required.")
    if asked["tierId"] == FREE_TIER and "cloudaicompanionProject" in asked:
        raise google(400, "Precondition check failed.", status="FAILED_PRECONDITION")
    if not account.operation:
        account.operation = f"operations/fake-lro-{zlib.crc32(account.credential.encode())}"
        return _progress(account)
    return _poll(account)


def operation(account: Account, name: str) -> Json:
    """Poll an onboarding by its name."""
    if not account.operation or name != account.operation:
        raise plain(404)
    return _poll(account)


def fetch_available_models(quotas: Mapping[str, Quota], body: Any) -> Json:
    """List the models with what is left of each."""
    decode("FetchAvailableModels", body)
    models = {name: listed(describe(name), *quota) for name, quota in quotas.items()}
    searching = [name for name in SEARCHING if name in models]
    return {"models": models, "webSearchModelIds": searching, "deprecatedModelIds": DEPRECATED}


def retrieve_user_quota(quotas: Mapping[str, Quota], body: Any) -> Json:
    """List the buckets of the other client, which stand for its models."""
    decode("RetrieveUserQuota", body)
    return {"buckets": [_bucket(name, *quotas.get(name, (1, RESET_TIME))) for name in GEMINI_CLI]}


def retrieve_user_quota_summary(body: Any) -> Json:
    """Give the recorded summary."""
    decode("RetrieveUserQuotaSummary", body)
    return control("retrieveUserQuotaSummary")


# what a gateway has no use for and other clients ask at their start
UNUSED: dict[str, Callable[[Account], Json]] = {
    "listExperiments": lambda _: {"experimentIds": [], "flags": []},
    "fetchAdminControls": lambda _: {},
    "recordCodeAssistMetrics": lambda _: {},
    "recordClientEvent": lambda _: {},
    "getCodeAssistGlobalUserSetting": lambda account: {
        "cloudaicompanionProject": account.project,
        "freeTierDataCollectionOptin": False,
    },
    "setCodeAssistGlobalUserSetting": lambda account: {"cloudaicompanionProject": account.project},
}


def _bucket(name: str, left: float | None, reset: str) -> Json:
    bucket = {"resetTime": reset, "tokenType": "REQUESTS", "modelId": name}
    return bucket if left is None else bucket | {"remainingFraction": left}


def _poll(account: Account) -> Json:
    account.polls = max(account.polls - 1, 0)
    return _progress(account)


def _progress(account: Account) -> Json:
    if account.polls:
        return control("onboardUser_pending") | {"name": account.operation}
    account.state = "onboarded"
    return control("onboardUser_done", account.project) | {"name": account.operation}
