"""The credential store: what goes in comes out, and what several processes write is not lost."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from msgspec.structs import replace

from gateway.store.credentials import CredentialStore, StoredModels, StoreFailed
from gateway.store.known import Change, Happening, Quota, StoredCredential, StoredTokens
from tests.gateway.store.places import ROW, Place

NOW = 1_800_000_000.0


def learn(store: CredentialStore, *changes: Change) -> list[StoredCredential]:
    return store.learn("google", changes, NOW)


def add_one(place: Place, number: int) -> None:
    """Open and write; in a process of its own."""
    place.opened().add("google", StoredCredential(id=f"id-{number}", source="import", refresh_token="1//x"))


# one after the other


def test_a_credential_comes_back_as_it_was(place: Place) -> None:
    written = place.opened().add("google", ROW)
    assert written == replace(ROW, number=1)
    assert place.opened().load("google") == {"ab12": written}
    assert place.opened().read("google", "ab12") == written


def test_what_is_not_there_is_not_found(place: Place) -> None:
    assert place.opened().read("google", "ab12") is None
    assert place.opened().load("google") == {}


def test_upstreams_do_not_mix(place: Place) -> None:
    store = place.opened()
    store.add("one", ROW)
    learn(store, Change(id="ab12", uses=1))
    assert store.load("two") == {}
    assert (store.load("one")["ab12"].uses, store.load("google")["ab12"].uses) == (7, 1)


def test_credentials_come_in_the_order_in_which_they_were_added(place: Place) -> None:
    store = place.opened()
    for id_, at in (("b", 1.0), ("a", 3.0), ("c", 2.0)):
        store.add("google", StoredCredential(id=id_, source="login", added_at=at))
    assert list(store.load("google")) == ["b", "c", "a"]


def test_what_is_learnt_of_a_configured_credential_makes_its_row(place: Place) -> None:
    (row,) = learn(place.opened(), Change(id="ab12", cooling={"m": NOW + 5}, project=("p", "discovered"), uses=2))
    assert place.opened().load("google") == {"ab12": row}
    assert (row.source, row.cooling, row.project_id, row.uses) == ("config", {"m": NOW + 5}, "p", 2)


def test_all_changes_are_written_or_none(place: Place) -> None:
    store = place.opened()
    bad = Change(id="b", uses=2**70)
    with pytest.raises((StoreFailed, OverflowError)):
        learn(store, Change(id="a", uses=1), bad)
    assert store.load("google") == {}


@pytest.mark.parametrize("text", ["nul \0 inside", "half \ud800 a character", "ümläute 漢字 🙂"])
def test_any_text_can_be_written(place: Place, text: str) -> None:
    store = place.opened()
    happening = Happening("stopped", text)
    quota = {text: Quota(1.0, None, 2.0)} if text.isprintable() else {}
    (row,) = learn(store, Change(id="a", events=(happening,), last_error=text, last_error_at=1.0, quota=quota))
    kept = store.load("google")["a"]
    assert kept.reason == kept.last_error == text.replace("\0", "\ufffd").replace("\ud800", "?")
    assert kept.quota == row.quota


def test_models_come_back(place: Place) -> None:
    store = place.opened()
    assert store.begin("google").models is None
    store.save_models("google", StoredModels("{}", 1.0))
    store.save_models("google", StoredModels("[]", 2.0))
    assert place.opened().begin("google").models == StoredModels("[]", 2.0)


# accounts


def test_an_account_that_is_given_again_keeps_what_was_learnt(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    learn(
        store,
        Change(id="ab12", tokens=StoredTokens("ya29.new", NOW, 9.0, "1//rotated"), events=(Happening("enabled"),)),
    )
    again = store.add("google", StoredCredential(id="ab12", source="import", refresh_token="1//refresh", email="b@x.y"))
    assert (again.refresh_token, again.access_token, again.uses, again.added_at) == ("1//rotated", "ya29.new", 7, 1.5)
    assert (again.email, again.source, again.project_id) == ("b@x.y", "import", "p")


def test_a_void_refresh_token_is_replaced(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    learn(store, Change(id="ab12", events=(Happening("revoked", "invalid_grant"),)))
    again = store.add("google", StoredCredential(id="ab12", source="login", refresh_token="1//new"))
    assert (again.refresh_token, again.state, again.access_token) == ("1//new", "active", "")


def test_an_account_takes_the_place_of_another(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    before = store.begin("google").number
    newer = store.add("google", replace(ROW, id="cd34", refresh_token="1//newer"), instead_of="ab12")
    assert store.load("google") == {"cd34": newer}
    assert {(row.id, row.removed) for row in store.since("google", before)} == {("cd34", False), ("ab12", True)}
    assert b"1//refresh" not in place.content()


def test_a_removed_account_leaves_no_secret(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    before = store.begin("google").number
    store.remove("google", "ab12", NOW)
    (gone,) = store.since("google", before)
    assert gone == store.load("google")["ab12"]
    assert (gone.removed, gone.email, gone.refresh_token, gone.access_token, gone.link) == (True, ROW.email, "", "", "")
    assert [
        secret for secret in (b"1//refresh", b"ya29", b"secret-link", b"kept as") if secret in place.content()
    ] == []


def test_one_who_does_not_know_that_it_is_removed_brings_nothing_back(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    store.remove("google", "ab12", NOW)
    learn(
        store, Change(id="ab12", tokens=StoredTokens("ya29.late", NOW, NOW, "1//late"), events=(Happening("enabled"),))
    )
    kept = store.load("google")["ab12"]
    assert (kept.removed, kept.refresh_token, kept.access_token) == (True, "", "")


def test_a_removed_account_comes_back_when_it_is_added(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    store.remove("google", "ab12", NOW)
    fresh = StoredCredential(id="ab12", source="import", refresh_token="1//refresh")
    assert store.add("google", fresh) == replace(fresh, number=3)


def test_what_is_not_there_is_removed_without_a_word(place: Place) -> None:
    store = place.opened()
    store.remove("google", "nobody", NOW)
    assert (store.load("google"), store.begin("google").number) == ({}, 0)


# numbers


def test_every_write_gets_the_next_number(place: Place) -> None:
    store = place.opened()
    store.add("google", ROW)
    rows = learn(store, Change(id="a"), Change(id="b"), Change(id="ab12"))
    assert [row.number for row in rows] == [2, 3, 4]
    assert store.begin("google").number == 4


def test_since_gives_what_came_after_a_number_in_its_order(place: Place) -> None:
    store = place.opened()
    learn(store, Change(id="a"), Change(id="b"), Change(id="c"))
    learn(store, Change(id="a", uses=1))
    assert [row.id for row in store.since("google", 1)] == ["b", "c", "a"]
    assert store.since("google", 4) == store.since("other", 0) == []


# several processes


def test_processes_that_start_together_make_one_database(place: Place) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        for _ in processes.map(add_one, [Place(place.folder, place.url)] * 8, range(8)):
            pass
    store = place.opened()
    assert store.load("google").keys() == {f"id-{number}" for number in range(8)}
    assert store.begin("google").number == 8


def learn_often(place: Place, who: int, rounds: int) -> None:
    """Learn in a process of its own; each round is a write."""
    store = place.opened()
    for number in range(rounds):
        change = Change(
            id="shared",
            uses=1,
            cooling={f"model-{who}": NOW + number},
            quota={f"model-{who}": Quota(0.5, None, float(number))},
        )
        mine = Change(id=f"own-{who}", uses=1, last_used_at=NOW + number)
        both = (change, mine) if who % 2 else (mine, change)
        while not learnt(store, both):
            pass


def learnt(store: CredentialStore, changes: tuple[Change, ...]) -> bool:
    """Write them, or nothing of them while the other one has the file for longer than SQLite waits for it."""
    try:
        store.learn("google", changes, NOW)
    except StoreFailed as error:
        assert "locked" in str(error)
        return False
    return True


def test_two_processes_that_learn_at_once_lose_nothing(place: Place) -> None:
    rounds = 500  # of each
    place.opened()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        list(processes.map(learn_often, [Place(place.folder, place.url)] * 2, (0, 1), [rounds] * 2))
    store = place.opened()
    rows = store.load("google")
    assert (rows["shared"].uses, rows["own-0"].uses, rows["own-1"].uses) == (2 * rounds, rounds, rounds)
    assert rows["shared"].cooling == {"model-0": NOW + rounds - 1, "model-1": NOW + rounds - 1}
    assert {model: quota.at for model, quota in rows["shared"].quota.items()} == {"model-0": 499.0, "model-1": 499.0}
    assert store.begin("google").number == 4 * rounds


# leases


def test_one_owner_at_a_time_has_a_lease(place: Place) -> None:
    one, other = place.opened(), place.opened()
    assert one.take_lease("refresh", "one", 60)
    assert not other.take_lease("refresh", "other", 60)
    assert other.take_lease("another", "other", 60)


def test_an_owner_keeps_his_lease_for_longer(place: Place) -> None:
    one, other = place.opened(), place.opened()
    assert one.take_lease("refresh", "one", 0.0)
    assert one.take_lease("refresh", "one", 60)
    assert not other.take_lease("refresh", "other", 60)


def test_a_lease_of_a_clock_that_was_set_back_since_holds_nobody_up(
    on_disk: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had it was killed: nobody could refresh the account until hours had passed."""
    ahead = time.time() + 8 * 3600
    with monkeypatch.context() as clock:
        clock.setattr("gateway.store.database.time.time", lambda: ahead)
        assert on_disk.opened().take_lease("refresh", "killed", 10)
    assert on_disk.opened().take_lease("refresh", "other", 10)


def test_a_lease_that_was_given_back_is_free(place: Place) -> None:
    one, other = place.opened(), place.opened()
    one.take_lease("refresh", "one", 60)
    other.end_lease("refresh", "other")
    assert not other.take_lease("refresh", "other", 60)
    one.end_lease("refresh", "one")
    assert other.take_lease("refresh", "other", 60)


def test_a_lease_ends_with_its_time(place: Place) -> None:
    one, other = place.opened(), place.opened()
    one.take_lease("refresh", "one", 60)
    place.do("UPDATE leases SET until = until - 61")
    assert other.take_lease("refresh", "other", 60)
    assert not one.take_lease("refresh", "one", 60)


def take(place: Place, who: int) -> bool:
    return place.opened().take_lease("refresh", f"process-{who}", 60)


def test_one_of_eight_processes_has_the_lease(place: Place) -> None:
    place.opened()
    with ProcessPoolExecutor(8, mp_context=get_context("spawn")) as processes:
        taken = list(processes.map(take, [Place(place.folder, place.url)] * 8, range(8)))
    assert taken.count(True) == 1


# what is made once


def make_secret(place: Place, who: int) -> str:
    return place.opened().setting("sessions", lambda: f"secret-{who}")


def test_a_setting_is_made_once_for_all_processes(place: Place) -> None:
    place.opened()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert len(set(processes.map(make_secret, [Place(place.folder, place.url)] * 8, range(8)))) == 1
    assert place.opened().setting("other", lambda: "another") == "another"


def test_a_login_is_taken_once(place: Place) -> None:
    place.opened().begin_login("hash", "words", NOW + 600)
    other = place.opened()
    assert other.take_login("no such", NOW) is None
    assert other.take_login("hash", NOW) == "words"
    assert other.take_login("hash", NOW) is None


def test_a_login_ends_with_its_time(place: Place) -> None:
    store = place.opened()
    store.begin_login("hash", "words", NOW + 600)
    assert store.has_login("hash", NOW + 599)
    assert not store.has_login("hash", NOW + 600)
    assert not store.has_login("no such", NOW)
    assert store.take_login("hash", NOW + 600) is None


def test_logins_that_nobody_finished_go(place: Place) -> None:
    store = place.opened()
    store.begin_login("old", "words", NOW)
    store.begin_login("new", "words", NOW + 90_000)
    assert [hash_ for (hash_,) in place.do("SELECT hash FROM logins")] == ["new"]


# files


def test_the_folder_and_the_files_are_the_owners_only(on_disk: Place) -> None:
    mask = os.umask(0)
    try:
        store = on_disk.opened()
        with store.database.reading():  # keeps the journal's files from being removed
            store.add("google", ROW)
            modes = {stat.S_IMODE(file.stat().st_mode) for file in on_disk.file.parent.iterdir()}
    finally:
        os.umask(mask)
    assert modes == {0o600}
    assert stat.S_IMODE(on_disk.file.parent.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_fails(on_disk: Place) -> None:
    on_disk.file.parent.mkdir()
    on_disk.file.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreFailed, match="file is not a database"):
        on_disk.opened()


def test_a_folder_that_cannot_be_made_fails(on_disk: Place) -> None:
    on_disk.file.parent.write_text("in the way")
    with pytest.raises(StoreFailed):
        on_disk.opened()


def test_a_file_that_was_removed_is_not_made_again_without_its_tables(on_disk: Place) -> None:
    """SQLite's own would be for others to read, too."""
    store = on_disk.opened()
    store.add("google", ROW)
    aside = on_disk.file.rename(on_disk.file.with_name("aside.db"))
    for _ in range(2):
        with pytest.raises(StoreFailed, match="the file was removed: put it back"):
            store.load("google")
    assert not on_disk.file.exists()
    aside.rename(on_disk.file)
    assert store.load("google").keys() == {ROW.id}


def test_credentials_do_not_show_their_secrets() -> None:
    shown = f"{ROW!r} {StoredTokens('ya29.access', 1.0, 1.0, '1//refresh')!r}"
    assert "1//refresh" not in shown
    assert "ya29" not in shown


# what only reads


def test_one_who_only_reads_makes_nothing(place: Place) -> None:
    reader = place.store(read_only=True)
    reader.open()
    assert (reader.load("google"), reader.begin("google").models, reader.begin("google").number) == ({}, None, 0)
    assert not place.file.parent.exists()
    if place.url:
        assert place.do("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_one_who_only_reads_cannot_write(place: Place) -> None:
    place.opened().add("google", ROW)
    reader = place.store(read_only=True)
    assert reader.load("google").keys() == {"ab12"}
    with pytest.raises(StoreFailed, match=r"read-?only"):
        reader.learn("google", [Change(id="ab12", uses=1)], NOW)


def test_one_who_only_reads_can_be_closed_and_used_again(place: Place) -> None:
    reader = place.store(read_only=True)
    assert reader.load("google") == {}
    reader.close()
    place.opened().add("google", ROW)
    assert reader.load("google").keys() == {"ab12"}


def test_one_who_only_reads_leaves_a_file_as_it_is(on_disk: Place) -> None:
    on_disk.opened().add("google", ROW)
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in on_disk.file.parent.iterdir()}
    assert on_disk.store(read_only=True).load("google").keys() == {"ab12"}
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in on_disk.file.parent.iterdir()} == before
