"""Encryption: the first key encrypts all, newer keys take over, and a wrong key changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.store.credentials import CredentialStore, KeyProblem
from gateway.store.responses import ResponseStore
from gateway.store.stored import StoredResponse
from tests.gateway.store.places import ROW, SECRETS, Place, key

NOW = 1_800_000_000.0
WRITTEN = replace(ROW, number=1)


def filled(place: Place, *keys: str) -> CredentialStore:
    """Fill a store with one of everything that is secret."""
    store = place.opened(*keys)
    store.add("google", ROW)
    store.begin_login("hash", "login-words", NOW)
    store.setting("sessions", lambda: "session-secret")
    return store


def found_in(place: Place) -> list[bytes]:
    place.close()
    content = place.content()
    return [secret for secret in (*SECRETS, b"login-words", b"session-secret") if secret in content]


def keys_of(place: Place) -> set[str]:
    return {key for table in ("credentials", "logins") for (key,) in place.do(f"SELECT key FROM {table}")}


def renew(store: CredentialStore) -> None:
    while store.renew_some():
        pass


def test_without_a_key_secrets_are_in_clear(place: Place) -> None:
    filled(place)
    assert len(found_in(place)) == 6


def test_with_a_key_no_secret_is(place: Place) -> None:
    first = key()
    filled(place, first)
    assert found_in(place) == []
    store = place.opened(first)
    assert store.load("google") == {"ab12": WRITTEN}
    assert store.take_login("hash", 0.0) == "login-words"
    assert store.setting("sessions", lambda: "another") == "session-secret"


def test_the_first_key_encrypts_what_was_in_clear_and_leaves_no_trace(place: Place) -> None:
    filled(place)
    first = key()
    place.opened(first)
    assert found_in(place) == []
    store = place.opened(first)
    assert store.load("google") == {"ab12": WRITTEN}
    assert store.setting("sessions", lambda: "another") == "session-secret"


def test_what_was_there_before_there_is_a_key_needs_it_from_then_on(place: Place) -> None:
    filled(place)
    place.opened(key())
    with pytest.raises(KeyProblem, match="is not set, but .* is encrypted"):
        place.opened()


def test_both_keys_can_be_read_while_keys_are_rotated(place: Place) -> None:
    old, new = key(), key()
    filled(place, old)
    store = place.opened(new, old)
    store.add("google", replace(ROW, id="new"))
    assert len(keys_of(place)) == 2
    rows = place.opened(new, old).load("google")
    assert {id_: row.refresh_token for id_, row in rows.items()} == {"ab12": "1//refresh", "new": "1//refresh"}
    assert {row.refresh_token for row in place.opened(old, new).load("google").values()} == {"1//refresh"}


def test_the_old_key_is_of_no_use_afterwards(place: Place) -> None:
    old, new = key(), key()
    filled(place, old)
    store = place.opened(new, old)
    renew(store)
    assert len(keys_of(place)) == 1
    assert place.opened(new).load("google") == {"ab12": WRITTEN}
    with pytest.raises(KeyProblem, match="does not open"):
        place.opened(old)


def test_the_old_key_cannot_go_before_every_row_is_under_the_new_one(place: Place) -> None:
    old, new = key(), key()
    filled(place, old)
    place.opened(new, old)
    with pytest.raises(KeyProblem, match="does not open"):
        place.opened(new)


def test_rows_are_renewed_a_few_at_a_time_and_get_no_new_number(place: Place) -> None:
    old, new = key(), key()
    store = place.opened(old)
    for number in range(20):
        store.add("google", replace(ROW, id=f"id-{number}"))
    store = place.opened(new, old)
    assert [store.renew_some() for _ in range(4)] == [8, 8, 4, 0]
    assert store.begin("google").number == 20


@pytest.mark.parametrize("fills", [False, True])
@pytest.mark.parametrize("given", [(), ("wrong",), ("wrong", "another")])
def test_a_wrong_or_missing_key_is_refused_and_nothing_is_touched(
    place: Place, given: tuple[str, ...], fills: bool
) -> None:
    store = place.opened(key())
    if fills:
        store.add("google", ROW)
    place.close()
    before = place.content()
    with pytest.raises(KeyProblem, match=r"is encrypted$" if not given else r"does not open .*left as it is$"):
        place.opened(*(key() for _ in given))
    place.close()
    assert place.content() == before


def test_a_wrong_key_touches_no_byte_of_the_file_nor_its_time(on_disk: Place) -> None:
    filled(on_disk, key())
    on_disk.close()
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in on_disk.file.parent.iterdir()}
    with pytest.raises(KeyProblem):
        on_disk.opened(key())
    on_disk.close()
    assert {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in on_disk.file.parent.iterdir()} == before


def test_one_who_only_reads_needs_the_key_and_renews_nothing(place: Place) -> None:
    old, new = key(), key()
    filled(place, old)
    place.close()
    before = place.content()
    reader = place.store(new, old, read_only=True)
    assert reader.load("google") == {"ab12": WRITTEN}
    with pytest.raises(KeyProblem):
        place.store(new, read_only=True).open()
    assert place.content() == before


@pytest.mark.parametrize("text", ["", "secret", "é"])
def test_a_text_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyProblem, match="is not a key"):
        CredentialStore(tmp_path / "gateway.db", [text])


def test_everything_can_be_brought_back_in_clear(place: Place) -> None:
    first = key()
    store = filled(place, first)
    assert store.decrypt_all() == 2
    assert len(found_in(place)) == 6
    assert place.opened().load("google") == {"ab12": WRITTEN}


def test_secrets_that_do_not_change_are_not_written_again(place: Place) -> None:
    store = filled(place, key())
    query = "SELECT refresh_token, access_token, other, link FROM credentials"
    (before,) = place.do(query)
    store.add("google", replace(ROW, access_token="ya29.newer", access_at=5.0, refresh_token="1//newer"))
    (after,) = place.do(query)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True]


def test_responses_can_be_brought_back_in_clear(place: Place) -> None:
    first = key()
    responses = ResponseStore(place.file, [first], url=place.url, keep_days=1, max_bytes=10**6)
    responses.open(NOW)
    said = json.dumps("said by the caller").encode()
    responses.save(StoredResponse(id="resp_1", principal="alice", items=said, response=said, created_at=NOW))
    assert place.do("SELECT key FROM responses") != [("",)]
    responses.decrypt_all()
    assert place.do("SELECT key FROM responses") == [("",)]
    responses.close()
    place.opened(first).decrypt_all()
    clear = ResponseStore(place.file, url=place.url, keep_days=1, max_bytes=10**6)
    clear.open(NOW)
    kept = clear.load("alice", "resp_1", NOW)
    clear.close()
    assert kept is not None
    assert kept.items == said
