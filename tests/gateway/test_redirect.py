"""What a browser brings back from the page where a person agreed, or not."""

from urllib.parse import urlencode

import pytest

from gateway.redirect import WrongState, code_of
from gateway.upstream import Consent, LoginFailed

ISSUER = "https://accounts.google.com"
BACK = "http://127.0.0.1:1/oauth2/callback"
CONSENT = Consent(url=f"{ISSUER}/o/oauth2/v2/auth?x=1", state="st-ate", verifier="secret", redirect_uri=BACK)


def query(**parameters: str) -> str:
    return urlencode({"state": "st-ate", **parameters})


def refusal(given: str, consent: Consent = CONSENT) -> LoginFailed:
    with pytest.raises(LoginFailed) as caught:
        code_of(consent, given)
    return caught.value


def test_the_code_is_read() -> None:
    assert code_of(CONSENT, query(code="4/0AX-y", scope="email openid", authuser="0")) == "4/0AX-y"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "code=4/abc",
        "code=4/abc&state=",
        "code=4/abc&state=other",
        "code=4/abc&state=st-ate&state=st-ate",
        "code=4/abc&code=4/def&state=st-ate",
        "code=4/abc&state=%ff%ed%a0%80",
        "error=access_denied&state=other",
        "&".join(f"a{number}=1" for number in range(200)),
    ],
)
def test_an_answer_to_another_login_is_told_from_this_one(given: str) -> None:
    assert isinstance(refusal(given), WrongState)


def test_no_answer_fits_a_login_without_a_state() -> None:
    nothing = Consent(url="", state="", verifier="", redirect_uri="")
    assert isinstance(refusal("code=4/abc&state=", nothing), WrongState)


def test_a_denial_is_said() -> None:
    error = refusal(query(error="access_denied"))
    assert not isinstance(error, WrongState)
    assert str(error) == "access was denied: start the login again, and agree when asked"


@pytest.mark.parametrize(
    ("error", "said"),
    [("admin_policy_enforced", "admin_policy_enforced"), ("<script>alert(1)</script>\n", "an unknown error")],
)
def test_another_refusal_is_named(error: str, said: str) -> None:
    assert str(refusal(query(error=error))) == f"the login was refused: {said}"


def test_an_answer_without_a_code_is_none() -> None:
    assert "has no code" in str(refusal(query(code="")))


@pytest.mark.parametrize("more", [{}, {"iss": ISSUER}])
def test_the_right_issuer_or_none_is_taken(more: dict[str, str]) -> None:
    assert code_of(CONSENT, query(code="4/abc", **more)) == "4/abc"


def test_another_issuer_is_refused() -> None:
    assert "from another server" in str(refusal(query(code="4/abc", iss="https://evil.example")))


def test_a_consent_shows_no_secret() -> None:
    assert repr(CONSENT) == "Consent(redirect_uri='http://127.0.0.1:1/oauth2/callback')"
