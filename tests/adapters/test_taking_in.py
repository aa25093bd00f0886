"""Accounts of other programs' files go into the store, once each, and what the store knows stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.credential import credential_id
from gateway.adapters.credential_files import ImportedCredential
from gateway.adapters.taking_in import take_in
from gateway.config import Secret
from gateway.store.credentials import CredentialStore
from gateway.store.known import Change, Happening, StoredCredential, StoredTokens

NOW = 1_000.0
UPSTREAM = "google"


def id_of(token: str) -> str:
    return credential_id(Secret(token))


class Place:
    """A store, and what is taken into it."""

    def __init__(self, file: Path) -> None:
        self.store = CredentialStore(file)
        self.store.open()

    def take(self, *tokens: str | ImportedCredential, **how: Any) -> list[str]:
        given = [ImportedCredential(refresh_token=one) if isinstance(one, str) else one for one in tokens]
        return [fate.word for fate in take_in(self.store, UPSTREAM, given, **how)]

    def learn(self, token: str, *, event: Any = None, reason: str = "", **change: Any) -> None:
        events = (Happening(event, reason),) if event else ()
        self.store.learn(UPSTREAM, [Change(id=id_of(token), events=events, **change)], NOW)

    @property
    def rows(self) -> dict[str, StoredCredential]:
        """Give what is not removed, by the token that holds."""
        return {row.refresh_token: row for row in self.store.load(UPSTREAM).values() if not row.removed}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "gateway.db")


def account(token: str, email: str = "a@example.org", **fields: Any) -> ImportedCredential:
    return ImportedCredential(refresh_token=token, email=email, **fields)


def test_an_account_is_taken_with_all_that_the_file_says(place: Place) -> None:
    other = {"note": {"x": [1, None]}, "access_token": "ya29.old"}
    said = place.take(account("1//one", project_id="p-1", other=other, place="projects[0]"))
    row = place.rows["1//one"]
    assert said == [f"added to the store: credential {row.id[:8]} of upstream google"]
    assert (row.id, row.source, row.email, row.state) == (id_of("1//one"), "import", "a@example.org", "active")
    assert (row.project_id, row.project_source) == ("p-1", "import")
    assert json.loads(row.other) == {"note": {"x": [1, None]}}


def test_one_that_the_file_keeps_out_of_use_stays_out(place: Place) -> None:
    (said,) = place.take(account("1//one", enabled=False, disabled_reason="403 twice"))
    assert said.endswith(", disabled: 403 twice")
    assert (place.rows["1//one"].state, place.rows["1//one"].reason) == ("disabled", "403 twice")


def test_again_it_changes_nothing(place: Place) -> None:
    place.take("1//one", account("1//two"))
    before = place.rows
    said = place.take("1//one", account("1//two"))
    assert place.rows == before
    assert all(word.startswith("already in the store, unchanged: credential ") for word in said)


def test_twice_in_one_file_it_is_one(place: Place) -> None:
    place.take("1//one", "1//one", account("1//a"), account("1//b", "A@Example.org"))
    assert set(place.rows) == {"1//one", "1//a"}


def test_it_is_known_by_a_later_token(place: Place) -> None:
    place.take("1//first")
    place.learn("1//first", tokens=StoredTokens("ya29.x", NOW + 60, NOW, "1//later"))
    before = place.rows
    place.take("1//later", "1//first")
    assert place.rows == before
    assert set(before) == {"1//later"}


def test_it_is_known_by_its_e_mail(place: Place) -> None:
    place.take(account("1//newer"))
    place.take(account("1//older"))
    assert set(place.rows) == {"1//newer"}


@pytest.mark.parametrize("reason", ["403: no", "an operator disabled it", "refused again after a refresh"])
def test_what_disabled_it_since_stays(place: Place, reason: str) -> None:
    place.take(account("1//one"))
    place.learn("1//one", event="stopped", reason=reason)
    place.take(account("1//one"), account("1//two"))
    assert [(row.state, row.reason) for row in place.rows.values()] == [("disabled", reason)]


def test_a_revoked_one_takes_the_new_token(place: Place) -> None:
    place.take(account("1//old"))
    place.learn("1//old", event="revoked", reason="invalid_grant: gone")
    place.take(account("1//old"))
    assert set(place.rows) == {"1//old"}
    place.take(account("1//new"))
    assert [(row.id, row.state) for row in place.rows.values()] == [(id_of("1//new"), "active")]


def test_of_two_with_one_e_mail_that_in_use_counts(place: Place) -> None:
    place.take(account("1//old"))
    place.learn("1//old", event="revoked", reason="invalid_grant: gone")
    place.store.add(UPSTREAM, StoredCredential(id="x", source="login", email="a@example.org", refresh_token="1//login"))
    place.take(account("1//file"))
    assert set(place.rows) == {"1//old", "1//login"}


# what an operator removed


@pytest.mark.parametrize("token", ["1//one", "1//another"])
def test_a_removed_one_does_not_come_back_at_a_start(place: Place, token: str) -> None:
    place.take(account("1//one"))
    place.store.remove(UPSTREAM, id_of("1//one"), NOW)
    (said,) = place.take(account(token))
    assert said.startswith("was removed: credential ")
    assert place.rows == {}


@pytest.mark.parametrize("token", ["1//one", "1//another"])
def test_a_removed_one_comes_back_by_hand(place: Place, token: str) -> None:
    place.take(account("1//one"))
    place.learn("1//one", event="stopped", reason="too slow", uses=7)
    place.store.remove(UPSTREAM, id_of("1//one"), NOW)
    place.take(account(token), by_hand=True)
    assert [(row.refresh_token, row.state, row.uses) for row in place.rows.values()] == [(token, "active", 0)]


# what gateway.toml gives


def test_what_gateway_toml_gives_is_not_taken(place: Place) -> None:
    (said,) = place.take("1//one", configured={id_of("1//one")})
    assert said == f"already in gateway.toml: credential {id_of('1//one')[:8]}"
    assert place.rows == {}


def test_what_gateway_toml_no_longer_gives_is_taken_with_what_was_learnt(place: Place) -> None:
    place.learn("1//one", project=("p-1", "discovered"), uses=3)
    place.take("1//one", configured=())
    row = place.rows["1//one"]
    assert (row.source, row.project_id, row.uses) == ("import", "p-1", 3)


def test_a_newer_token_of_what_gateway_toml_gave_stays(place: Place) -> None:
    place.learn("1//one", tokens=StoredTokens("ya29.x", NOW + 60, NOW, "1//later"))
    place.take("1//one")
    assert [(row.id, row.source) for row in place.rows.values()] == [(id_of("1//one"), "import")]
    assert set(place.rows) == {"1//later"}
