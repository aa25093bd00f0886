"""The store of responses: what goes in comes out, to its own caller, within the bounds."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Protocol

import pytest
from msgspec.structs import replace

from gateway.store.responses import ResponseStore
from gateway.store.stored import ChainBroken, ChainTooLong, KeyProblem, StoredResponse, StoreFailed
from tests.gateway.store.places import Place, key

NOW = 1_800_000_000.0
DAY = 86_400.0
MB = 2**20


def store_in(place: Place, *keys: str, keep_days: int = 30, max_bytes: int = MB) -> ResponseStore:
    return ResponseStore(place.file, keys, url=place.url, keep_days=keep_days, max_bytes=max_bytes)


class Open(Protocol):
    """Open the store, as another start would."""

    def __call__(self, *keys: str, keep_days: int = 30, max_bytes: int = MB, now: float = NOW) -> ResponseStore: ...


def opening_in(place: Place, stores: ExitStack) -> Open:
    def opening(*keys: str, now: float = NOW, **bounds: int) -> ResponseStore:
        store = store_in(place, *keys, **bounds)
        store.open(now)
        stores.callback(store.close)
        return store

    return opening


@pytest.fixture
def opened(place: Place) -> Iterator[Open]:
    with ExitStack() as stores:
        yield opening_in(place, stores)


@pytest.fixture
def opened_file(on_disk: Place) -> Iterator[Open]:
    with ExitStack() as stores:
        yield opening_in(on_disk, stores)


def one(id_: str = "resp_1", *, previous: str | None = None, at: float = NOW, size: int = 20) -> StoredResponse:
    return StoredResponse(
        id=id_,
        principal="alice",
        items=b'["said by the caller"]',
        response=b'"%b"' % (b"x" * (size - 2)),
        created_at=at,
        previous=previous,
    )


def ids(store: ResponseStore, *wanted: str, now: float = NOW) -> list[str]:
    return [id_ for id_ in wanted if store.load("alice", id_, now) is not None]


def size_on_record(place: Place) -> tuple[int, int]:
    """The sum that is kept, and the true one: an id that is left counts 64."""
    ((kept,),) = place.do("select bytes from responses_size")
    size = "length(items) + length(response) + case when principal = '' then 64 else 0 end"
    ((true,),) = place.do(f"select coalesce(sum({size}), 0) from responses")
    return kept, int(true)


def save_some(place: Place, number: int) -> None:
    """Open and write; in a process of its own."""
    store = store_in(place)
    store.open(NOW)
    for nth in range(5):
        store.save(one(f"resp_{number}_{nth}"))
    store.close()


def test_a_response_comes_back_as_it_was(opened: Open) -> None:
    store = opened()
    assert store.save(one(previous="resp_0"))
    assert store.load("alice", "resp_1", NOW) == one(previous="resp_0")


def test_a_restart_loses_nothing(opened: Open) -> None:
    store = opened()
    store.save(one())
    store.close()
    assert opened().load("alice", "resp_1", NOW) == one()


def test_somebody_else_neither_sees_nor_deletes_it(opened: Open) -> None:
    store = opened()
    store.save(one())
    assert store.load("bob", "resp_1", NOW) is None
    assert not store.delete("bob", "resp_1", NOW)
    assert is_known(store, "resp_1", "bob")
    assert ids(store, "resp_1") == ["resp_1"]


def test_what_is_deleted_is_gone_from_the_file(place: Place, opened: Open) -> None:
    store = opened()
    store.save(one(size=9000))
    assert store.delete("alice", "resp_1", NOW)
    assert not store.delete("alice", "resp_1", NOW)
    store.close()
    assert (ids(store, "resp_1"), size_on_record(place)) == ([], (64, 64))
    assert b"xxxxxxxx" not in place.content()
    assert b"alice" not in place.content()


def is_known(store: ResponseStore, id_: str, who: str = "alice", now: float = NOW) -> bool:
    with pytest.raises(ChainBroken) as broken:
        store.chain(who, id_, now, depth=9, max_bytes=MB)
    return broken.value.known


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_an_id_is_known_when_what_it_named_is_gone(place: Place, opened: Open, who: str) -> None:
    store = opened(keep_days=2, max_bytes=1000)
    store.save(one("old"))
    store.save(one("large", at=NOW + DAY, size=600))
    store.save(one("larger", at=NOW + 2 * DAY, size=700))
    store.save(one("deleted", at=NOW + 2 * DAY, size=42))
    store.delete("alice", "deleted", NOW + 2 * DAY)
    later = NOW + 4 * DAY  # when the last one is too old, and still there
    wanted = ("old", "large", "deleted", "larger", "never")
    assert [is_known(store, id_, who, later) for id_ in wanted] == [True] * 4 + [False]
    assert size_on_record(place) == (914, 914)


def test_ids_that_are_left_go_in_their_turn(place: Place, opened: Open) -> None:
    store = opened(keep_days=2)
    store.save(one("first"))
    store.delete("alice", "first", NOW + DAY)
    store.save(one("second", at=NOW + 3 * DAY - 1, size=42))
    assert is_known(store, "first")
    store.save(one("third", at=NOW + 3 * DAY, size=42))
    assert not is_known(store, "first")
    for number in range(200):
        store.save(one(f"resp_{number}", at=NOW + 3 * DAY))
        store.delete("alice", f"resp_{number}", NOW + 3 * DAY)
    store.close()
    store = opened(keep_days=2, max_bytes=640, now=NOW + 3 * DAY)
    assert size_on_record(place) == (576, 576)


def test_an_id_that_an_upstream_gives_again_is_that_of_the_newer_one(place: Place, opened: Open) -> None:
    """Servers that only speak OpenAI's API may begin anew to count."""
    store = opened()
    first, second = (replace(one(size=size), upstream="up") for size in (20, 30))
    for newest in (first, second):
        assert store.save(newest)
        assert store.load("alice", "resp_1", NOW) == newest
    assert not store.save(replace(second, principal="bob"))
    assert store.load("bob", "resp_1", NOW) is None
    assert store.load("alice", "resp_1", NOW) == second
    assert store.delete("alice", "resp_1", NOW)
    assert store.save(replace(second, principal="bob"))
    assert store.load("bob", "resp_1", NOW) == replace(second, principal="bob")
    kept, true = size_on_record(place)
    assert kept == true


def test_one_that_is_made_anew_takes_the_place_of_its_id(opened: Open) -> None:
    store = opened()
    store.save(one())
    store.delete("alice", "resp_1", NOW)
    store.save_all([one()], {"resp_1"})
    assert ids(store, "resp_1") == ["resp_1"]


@pytest.mark.parametrize("id_", ["resp_\0", "resp_\ud800"])
def test_a_name_that_no_database_can_hold_is_not_found(opened: Open, id_: str) -> None:
    store = opened()
    assert store.load("alice", id_, NOW) is None
    assert not store.delete("alice", id_, NOW)
    assert not is_known(store, id_)


# bounds


def test_what_is_too_old_is_not_found(opened: Open) -> None:
    store = opened(keep_days=2)
    store.save(one())
    assert ids(store, "resp_1", now=NOW + 2 * DAY - 1) == ["resp_1"]
    assert ids(store, "resp_1", now=NOW + 2 * DAY) == []


def test_what_is_too_old_is_dropped_by_the_next_one(place: Place, opened: Open) -> None:
    store = opened(keep_days=2)
    store.save(one("resp_1"))
    store.save(one("resp_2", at=NOW + DAY))
    store.save(one("resp_3", at=NOW + 2 * DAY))
    assert ids(store, "resp_1", "resp_2", "resp_3") == ["resp_2", "resp_3"]
    assert size_on_record(place)[0] == size_on_record(place)[1] > 0


def test_what_is_too_old_is_dropped_at_the_start(place: Place, opened: Open) -> None:
    store = opened()
    for number in range(200):
        store.save(one(f"resp_{number}", at=NOW + number))
    store.close()
    store = opened(keep_days=1, now=NOW + DAY + 189)
    assert place.do("select count(*) from responses where principal <> ''") == [(10,)]
    assert size_on_record(place)[0] == size_on_record(place)[1]


def test_the_oldest_makes_room(opened: Open) -> None:
    store = opened(max_bytes=1150)
    for number in range(5):
        store.save(one(f"resp_{number}", at=NOW + number, size=300))
    assert ids(store, *(f"resp_{n}" for n in range(5))) == ["resp_2", "resp_3", "resp_4"]


def test_a_large_one_takes_the_place_of_many(place: Place, opened: Open) -> None:
    store = opened(max_bytes=20_000)
    for number in range(200):
        store.save(one(f"resp_{number}", at=NOW + number, size=50))
    assert store.save(one("large", at=NOW + 300, size=19_950))
    assert (ids(store, "large", *(f"resp_{n}" for n in range(200))), size_on_record(place)) == (
        ["large"],
        (19_972, 19_972),
    )


def of(principal: str, number: int, *, size: int) -> StoredResponse:
    return replace(one(f"{principal}_{number}", at=NOW + number, size=size), principal=principal)


def whose(place: Place) -> list[tuple[str, int]]:
    counted = place.do("select principal, count(*) from responses group by principal order by principal")
    return [(str(principal), int(count)) for principal, count in counted if principal]


def test_who_keeps_most_makes_room(place: Place, opened: Open) -> None:
    store = opened(max_bytes=50_000)
    for number in range(5):
        store.save(of("bob", number, size=478))
        store.save(of("carol", number, size=1478))
    for number in range(5, 300, 5):
        assert all(store.save_all([of("alice", number + nth, size=978) for nth in range(5)]))
    (_, alices), *others = whose(place)
    assert others == [("bob", 5), ("carol", 5)]
    assert 20 < alices < 40
    assert store.load("alice", "alice_299", NOW) is not None
    kept, true = size_on_record(place)
    assert kept == true <= 50_000


def test_a_hundredth_more_makes_room_at_once(place: Place, opened: Open) -> None:
    store = opened(max_bytes=50_000)
    for number in range(101):
        store.save(of("alice", number, size=478))
    assert size_on_record(place) == (49_192, 49_192)  # three have left their ids, and two were enough for the bound


def test_the_newest_one_of_a_caller_stays_while_others_have_older_ones(place: Place, opened: Open) -> None:
    store = opened(max_bytes=10_000)
    for number in range(6):
        store.save(of("bob", number, size=978))
        store.save(of("carol", number, size=478))
    assert store.save(of("alice", 9, size=7000))
    assert [name for name, _ in whose(place)] == ["alice", "bob", "carol"]
    assert store.load("bob", "bob_5", NOW) is not None
    assert store.save(of("alice", 10, size=7000))
    assert (store.load("alice", "alice_9", NOW), whose(place)[0]) == (None, ("alice", 1))


def test_where_each_has_one_the_oldest_makes_room(place: Place, opened: Open) -> None:
    store = opened(max_bytes=5000)
    for number in range(20):
        store.save(of(f"caller_{number}", number, size=978))
    assert [name for name, _ in whose(place)] == [f"caller_{number}" for number in (16, 17, 18, 19)]


def test_a_smaller_bound_holds_from_the_start(place: Place, opened: Open) -> None:
    store = opened()
    store.save_all([of("alice", number, size=178) for number in range(900)])
    store.save_all([of("bob", number, size=178) for number in range(10)])
    store.close()
    opened(max_bytes=20_000, now=NOW + 1000)
    assert whose(place)[1] == ("bob", 10)
    kept, true = size_on_record(place)
    assert kept == true <= 20_000


def test_one_that_is_larger_than_all_may_be_is_not_kept(opened: Open) -> None:
    store = opened(max_bytes=1000)
    store.save(one("resp_1"))
    assert not store.save(one("resp_2", size=1000))
    assert ids(store, "resp_1", "resp_2") == ["resp_1"]


@pytest.mark.parametrize(("keep_days", "max_bytes"), [(0, MB), (30, 0)])
def test_without_room_or_time_nothing_is_kept(place: Place, opened: Open, keep_days: int, max_bytes: int) -> None:
    opened().save(one())
    store = opened(keep_days=keep_days, max_bytes=max_bytes)
    assert not store.save(one("resp_2"))
    assert size_on_record(place) == (0, 0)


# chains


def test_what_became_of_one_is_kept_once(opened: Open) -> None:
    store, other = opened(), opened()
    making = one()
    store.save(making)
    first = store.load("alice", making.id, NOW)
    assert first is not None
    assert store.settle(first, b'{"ended": 1}', NOW) is True
    assert other.settle(first, b'{"ended": 2}', NOW) is None
    found = other.load("alice", making.id, NOW)
    assert found is not None
    assert (found.response, found.items) == (b'{"ended": 1}', first.items)
    store.delete("alice", making.id, NOW)
    assert other.settle(found, b"{}", NOW) is None


def test_what_became_of_one_may_be_more_than_is_kept(place: Place, opened: Open) -> None:
    store = opened(max_bytes=100)
    store.save(one())  # of 42 bytes
    first = store.load("alice", "resp_1", NOW)
    assert first is not None
    assert store.settle(first, bytes(101), NOW) is False
    assert store.load("alice", "resp_1", NOW) is None
    assert size_on_record(place) == (0, 0)


def test_what_upstreams_made_is_searched_newest_first(opened: Open) -> None:
    store = opened(key())
    kept = [replace(one(f"resp_{at}", at=NOW + at), response=b"%d" % at, upstream="openai") for at in range(20)]
    store.save_all([*kept, one("resp_ours", at=NOW + 30), replace(kept[0], id="resp_bobs", principal="bob")])
    seen: list[bytes] = []

    def is_nine(response: bytes) -> bool:
        seen.append(response)
        return response == b"9"

    store.search("alice", NOW + 30, most=9, is_enough=is_nine)
    assert seen == [b"%d" % at for at in range(19, 10, -1)]
    seen.clear()
    store.search("alice", NOW + 30, most=90, is_enough=is_nine)
    assert seen == [b"%d" % at for at in range(19, 8, -1)]


def test_a_chain_is_read_oldest_first(opened: Open) -> None:
    store = opened()
    chain = [one("resp_1"), one("resp_2", previous="resp_1"), one("resp_3", previous="resp_2")]
    for each in chain:
        store.save(each)
    assert store.chain("alice", "resp_3", NOW, depth=3, max_bytes=MB) == chain
    assert store.chain("alice", "resp_2", NOW, depth=3, max_bytes=MB) == chain[:2]


def test_a_chain_with_a_gap_is_broken(opened: Open) -> None:
    store = opened()
    for number in (1, 2, 3):
        store.save(one(f"resp_{number}", previous=f"resp_{number - 1}" if number > 1 else None))
    store.delete("alice", "resp_2", NOW)
    with pytest.raises(ChainBroken) as broken:
        store.chain("alice", "resp_3", NOW, depth=9, max_bytes=MB)
    assert broken.value.missing == "resp_2"


@pytest.mark.parametrize(("depth", "max_bytes"), [(1, MB), (2, 83)])
def test_a_chain_is_bounded(opened: Open, depth: int, max_bytes: int) -> None:
    store = opened()
    store.save(one("resp_1"))
    store.save(one("resp_2", previous="resp_1"))
    assert len(store.chain("alice", "resp_2", NOW, depth=2, max_bytes=84)) == 2
    with pytest.raises(ChainTooLong):
        store.chain("alice", "resp_2", NOW, depth=depth, max_bytes=max_bytes)


# encryption


def test_without_a_key_it_is_in_clear(place: Place, opened: Open) -> None:
    opened().save(one())
    assert b"said by the caller" in place.content()


def test_with_a_key_it_is_not(place: Place, opened: Open) -> None:
    first = key()
    opened(first).save(one(size=500))
    assert b"said by the caller" not in place.content()
    assert b"xxxxxxxx" not in place.content()
    assert opened(first).load("alice", "resp_1", NOW) == one(size=500)


def test_the_first_key_encrypts_what_was_in_clear(place: Place, opened: Open) -> None:
    store = opened()
    for number in range(20):
        store.save(one(f"resp_{number}"))
    store.close()
    store = opened(key())
    assert len(ids(store, *(f"resp_{n}" for n in range(20)))) == 20
    store.close()
    assert b"said by the caller" not in place.content()
    assert size_on_record(place)[0] == size_on_record(place)[1]


def test_keys_are_rotated(opened: Open) -> None:
    old, new = key(), key()
    opened(old).save(one())
    opened(new, old)
    assert opened(new).load("alice", "resp_1", NOW) == one()
    with pytest.raises(KeyProblem, match="does not open"):
        opened(old)


def test_an_encrypted_file_needs_its_key(opened: Open) -> None:
    opened(key()).save(one())
    with pytest.raises(KeyProblem, match="is not set, but"):
        opened()


@pytest.mark.parametrize("column", ["items", "response"])
def test_a_row_that_is_damaged_is_named(place: Place, opened: Open, column: str) -> None:
    store = opened()
    store.save_all([one("resp_1"), one("resp_2", previous="resp_1"), one("resp_3")])
    place.do(f"UPDATE responses SET {column} = substr({column}, 1, 9) WHERE id = 'resp_1'")
    for ask in (
        lambda: store.load("alice", "resp_1", NOW),
        lambda: store.chain("alice", "resp_2", NOW, depth=9, max_bytes=MB),
    ):
        with pytest.raises(StoreFailed, match="the row of response resp_1 is damaged"):
            ask()
    assert ids(store, "resp_3") == ["resp_3"]
    assert ids(opened(key()), "resp_3") == ["resp_3"]


def test_what_no_key_opens_is_not_there(opened: Open) -> None:
    old, new = key(), key()
    late = opened(old)
    opened(new, old)
    late.save(one())
    assert opened(new).load("alice", "resp_1", NOW) is None


def test_it_shares_the_database_and_its_key_with_the_credentials(place: Place, opened: Open) -> None:
    first = key()
    opened(first)
    place.opened(first)
    with pytest.raises(KeyProblem):
        place.opened(key())


# together, and when it fails


def test_two_stores_share_one_file(place: Place, opened: Open) -> None:
    here, there = opened(), opened()
    here.save(one("resp_1"))
    there.save(one("resp_2", previous="resp_1"))
    assert [each.id for each in here.chain("alice", "resp_2", NOW, depth=9, max_bytes=MB)] == ["resp_1", "resp_2"]
    there.delete("alice", "resp_1", NOW)
    assert (ids(here, "resp_1", "resp_2"), len(set(size_on_record(place)))) == (["resp_2"], 1)


def test_processes_write_at_the_same_time(place: Place, opened: Open) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        list(processes.map(save_some, [Place(place.folder, place.url)] * 3, range(3)))
    store = opened()
    assert len(ids(store, *(f"resp_{n}_{place}" for n in range(3) for place in range(5)))) == 15
    assert size_on_record(place)[0] == size_on_record(place)[1]


def test_some_are_written_at_once(place: Place, opened: Open) -> None:
    store = opened(max_bytes=4000)
    store.save(one("resp_1"))
    assert store.save_all([one("resp_1", size=1000), one("resp_2", size=5000), one("resp_3")], {"resp_1"}) == [
        True,
        False,
        True,
    ]
    assert ids(store, "resp_1", "resp_2", "resp_3") == ["resp_1", "resp_3"]
    assert store.load("alice", "resp_1", NOW) == one("resp_1", size=1000)
    assert size_on_record(place)[0] == size_on_record(place)[1]


def test_one_of_some_that_cannot_be_written_keeps_all_of_them_out(place: Place, opened: Open) -> None:
    store = opened()
    store.save(one("resp_1"))
    with pytest.raises(StoreFailed):
        store.save_all([one("resp_2"), one("resp_1")])
    assert ids(store, "resp_1", "resp_2") == ["resp_1"]
    assert size_on_record(place)[0] == size_on_record(place)[1]


def test_threads_write_and_read_at_the_same_time(place: Place, opened: Open) -> None:
    store = opened()

    def both(number: int) -> StoredResponse | None:
        store.save(one(f"resp_{number}"))
        return store.load("alice", f"resp_{number}", NOW)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(both, range(40)))
    assert None not in found
    assert size_on_record(place)[0] == size_on_record(place)[1]


def test_a_file_that_is_no_database_fails(on_disk: Place, opened_file: Open) -> None:
    on_disk.file.parent.mkdir()
    on_disk.file.write_bytes(b"not a database, and long enough to be looked at" * 40)
    with pytest.raises(StoreFailed, match="file is not a database"):
        opened_file()


def test_a_store_whose_tables_are_gone_fails(place: Place, opened: Open) -> None:
    store = opened()
    place.do("drop table responses")
    calls = (
        lambda: store.save(one()),
        lambda: store.load("alice", "resp_1", NOW),
        lambda: store.chain("alice", "resp_1", NOW, depth=1, max_bytes=1),
        lambda: store.delete("alice", "resp_1", NOW),
    )
    for call in calls:
        with pytest.raises(StoreFailed, match="no such table|does not exist"):
            call()
