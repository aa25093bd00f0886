"""The tables: made at once where there are none, and brought up to date where an older version made them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography.fernet import Fernet
from sqlalchemy import Engine, Inspector, MetaData, Table, event, text

from gateway.store import engines
from gateway.store.credentials import KeyProblem, StoredModels, StoreFailed
from gateway.store.known import StoredCredential
from gateway.store.migrating import FOLDER, upgrade
from gateway.store.responses import ResponseStore
from gateway.store.tables import HEAD, create, metadata
from gateway.store.usage import UsageStore
from tests.gateway.store.places import Place, key

NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[3]

# as version 0.1.0 made them
FIRST = """
CREATE TABLE credentials (
	upstream TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, project_id TEXT NOT NULL,
	project_source TEXT NOT NULL, refresh_token TEXT NOT NULL, cooling TEXT NOT NULL, updated_at FLOAT NOT NULL,
	PRIMARY KEY (upstream, id)
);
CREATE TABLE accounts (
	upstream TEXT NOT NULL, id TEXT NOT NULL, refresh_token TEXT NOT NULL, email TEXT NOT NULL,
	project_id TEXT NOT NULL, other TEXT NOT NULL, added_at FLOAT NOT NULL,
	PRIMARY KEY (upstream, id)
);
CREATE TABLE models (upstream TEXT NOT NULL, json TEXT NOT NULL, fetched_at FLOAT NOT NULL, PRIMARY KEY (upstream));
CREATE TABLE settings (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name));
CREATE TABLE responses (
	id TEXT NOT NULL, principal TEXT NOT NULL, previous TEXT, created_at FLOAT NOT NULL, bytes INTEGER NOT NULL,
	"key" TEXT NOT NULL, items BLOB NOT NULL, response BLOB NOT NULL, upstream TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX responses_by_age ON responses (created_at);
CREATE TABLE responses_size (id INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (id));
INSERT INTO responses_size VALUES (1, 4);
INSERT INTO credentials VALUES
	('google', 'given', 'active', '', 'p-found', 'discovered', '', '{"m":1900000000.5}', 5.5);
INSERT INTO credentials VALUES
	('google', 'asked', 'needs_verification', 'the account must be verified: https://x.y/z', '', '', '', '{}', 5.5);
INSERT INTO credentials VALUES ('google', 'taken', 'disabled', 'invalid_grant: gone', 'p-found', 'discovered',
	'1//rotated', '{}', 6.5);
INSERT INTO accounts VALUES ('google', 'taken', '1//first', 'a@example.org', 'p-given', '{"note":"x"}', 2.5);
INSERT INTO accounts VALUES ('google', 'unused', '1//unused', '', '', '{}', 1.5);
INSERT INTO models VALUES ('google', '{"models":{}}', 7.5);
INSERT INTO responses VALUES ('resp_1', 'alice', NULL, 1800000000.0, 4, '', CAST('[]' AS BLOB), CAST('{}' AS BLOB), '');
"""
MIGRATED = {
    "given": StoredCredential(
        id="given",
        project_id="p-found",
        project_source="discovered",
        cooling={"m": 1_900_000_000.5},
        updated_at=5.5,
        number=1,
    ),
    "asked": StoredCredential(
        id="asked",
        state="needs_verification",
        reason="the account must be verified",
        link="https://x.y/z",
        updated_at=5.5,
        number=2,
    ),
    "taken": StoredCredential(
        id="taken",
        source="import",
        email="a@example.org",
        state="disabled",
        reason="invalid_grant: gone",
        project_id="p-given",
        project_source="import",
        refresh_token="1//rotated",
        other='{"note":"x"}',
        added_at=2.5,
        updated_at=6.5,
        number=3,
    ),
    "unused": StoredCredential(id="unused", source="import", refresh_token="1//unused", added_at=1.5, number=4),
}


@pytest.fixture
def old(on_disk: Place) -> Place:
    """Make a file of version 0.1.0."""
    on_disk.file.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(on_disk.file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FIRST)
    on_disk.file.chmod(0o600)
    return on_disk


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """Connect to an empty database."""
    place.file.parent.mkdir()
    place.file.touch()
    made = engines.postgres(place.url) if place.url else engines.engine(place.file)
    yield made
    made.dispose()


def sealed(place: Place, secret: str) -> None:
    """Encrypt what version 0.1.0 encrypted."""
    fernet = Fernet(secret)

    def token(value: str) -> str:
        return fernet.encrypt(value.encode()).decode() if value else ""

    with closing(sqlite3.connect(place.file)) as connection:
        connection.create_function("sealed", 1, token)
        connection.execute("UPDATE credentials SET refresh_token = sealed(refresh_token)")
        connection.execute("UPDATE accounts SET refresh_token = sealed(refresh_token), other = sealed(other)")
        connection.execute("INSERT INTO settings VALUES ('encryption', sealed('encryption'))")
        connection.commit()


def test_the_newest_migration_is_the_one_that_the_tables_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_from_nothing_make_the_tables_that_are_made_at_once(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert connection.scalar(text("SELECT number FROM numbers")) == 0
        assert connection.execute(text("SELECT id, bytes FROM responses_size")).all() == [(1, 0)]


def test_tables_that_are_made_at_once_need_no_migration(engine: Engine) -> None:
    with engine.begin() as connection:
        create(connection)
        upgrade(connection)
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD


def test_a_file_of_version_0_1_0_is_taken_over(old: Place) -> None:
    store = old.opened()
    assert store.load("google") == MIGRATED
    assert store.begin("google").models == StoredModels('{"models":{}}', 7.5)
    assert store.begin("google").number == 4
    tables = {name for (name,) in old.do("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {*metadata.tables, "alembic_version"}


def test_its_responses_stay(old: Place) -> None:
    store = ResponseStore(old.file, keep_days=1, max_bytes=1000)
    store.open(NOW)
    found = store.load("alice", "resp_1", NOW)
    store.close()
    assert found is not None
    assert (found.items, found.response) == (b"[]", b"{}")


def test_a_file_from_before_responses_named_their_upstream_is_taken_over(old: Place) -> None:
    with closing(sqlite3.connect(old.file)) as connection:
        connection.execute("ALTER TABLE responses DROP COLUMN upstream")
    assert old.opened().load("google") == MIGRATED
    assert old.do("SELECT upstream FROM responses") == [("",)]


def test_a_file_from_before_accounts_were_taken_in_is_taken_over(old: Place) -> None:
    with closing(sqlite3.connect(old.file)) as connection:
        connection.executescript("DROP TABLE accounts; DROP TABLE responses; DROP TABLE responses_size")
    assert old.opened().load("google").keys() == {"given", "asked", "taken"}


def test_an_encrypted_file_is_taken_over_with_its_key(old: Place) -> None:
    first = key()
    sealed(old, first)
    assert old.opened(first).load("google") == MIGRATED
    assert [key for (key,) in old.do("SELECT key FROM credentials WHERE refresh_token <> ''")] != ["", ""]
    assert old.opened(first).load("google") == MIGRATED


def test_an_encrypted_file_is_taken_over_while_keys_are_rotated(old: Place) -> None:
    first, second = key(), key()
    sealed(old, first)
    old.opened(second, first)
    assert old.opened(second).load("google") == MIGRATED


@pytest.mark.parametrize("keys", [0, 1])
def test_a_file_of_version_0_1_0_with_another_key_is_not_touched(old: Place, keys: int) -> None:
    sealed(old, key())
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in old.file.parent.iterdir()}
    with pytest.raises(KeyProblem):
        old.opened(*(key() for _ in range(keys)))
    old.close()
    assert {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in old.file.parent.iterdir()} == before


def test_what_was_in_clear_leaves_no_trace_when_a_key_comes(old: Place) -> None:
    old.opened(key())
    old.close()
    assert [word for word in (b"1//rotated", b"1//first", b"1//unused") if word in old.content()] == []


def test_an_older_file_is_read_without_being_changed(old: Place) -> None:
    first = key()
    sealed(old, first)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in old.file.parent.iterdir()}
    reader = old.store(first, read_only=True)
    assert reader.load("google") == MIGRATED
    assert reader.begin("google").models == StoredModels('{"models":{}}', 7.5)
    with pytest.raises(KeyProblem):
        old.store(read_only=True).open()
    old.close()
    assert {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in old.file.parent.iterdir()} == before


@pytest.mark.parametrize("looks", [1, 2])
@pytest.mark.parametrize("read_only", [False, True])
def test_tables_that_another_makes_meanwhile_are_its_own(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool, looks: int
) -> None:
    place = Place(tmp_path, postgres_url)
    asked: list[str] = []

    def has_table(self: Inspector, name: str) -> bool:
        found = real(self, name)
        asked.append(name)
        if len(asked) == looks:
            place.opened()
        return found

    real = Inspector.has_table
    monkeypatch.setattr(Inspector, "has_table", has_table)
    store = place.store(read_only=read_only)
    store.open()
    assert store.load("google") == {}
    place.close()
    assert len(asked) > looks


def test_an_older_database_of_postgres_is_read_without_being_changed(postgres_url: str, tmp_path: Path) -> None:
    place = Place(tmp_path, postgres_url)
    engine = engines.postgres(postgres_url)
    with engine.begin() as connection:
        for statement in FIRST.replace("BLOB", "BYTEA").replace("FLOAT", "DOUBLE PRECISION").split(";")[:-1]:
            connection.execute(text(statement.replace(":", r"\:")))
    engine.dispose()
    before = place.content()
    assert place.store(read_only=True).load("google") == MIGRATED
    assert place.content() == before
    assert place.opened().load("google") == MIGRATED
    place.close()


@pytest.fixture
def before_request_ids(place: Place, engine: Engine) -> Place:
    """Make a database of the time before the ledger had the ids of requests, with a row."""
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        row = {
            **dict.fromkeys(("key", "key_id", "credential", "dialect", "upstream", "asked", "model"), "x"),
            **dict.fromkeys(("status", "input", "cached", "cache_write", "output", "reasoning"), 1),
        }
        reflected = Table("usage", MetaData(), autoload_with=connection)
        connection.execute(reflected.insert().values(id="old", started_at=NOW, end="done", estimated=False, **row))
    return place


def test_a_row_from_before_requests_ids_were_kept_has_none(before_request_ids: Place, tmp_path: Path) -> None:
    store = UsageStore(before_request_ids.file, tmp_path / "journals", url=before_request_ids.url, keep_days=1)
    (tmp_path / "journals").mkdir()
    new = {"id": "new", "started_at": NOW + 1, "key": "", "key_id": "", "dialect": "", "end": "done"}
    lines = [{"is": "end", **new, "request_id": "r1"}, {"is": "end", **new, "id": "older", "started_at": NOW - 1}]
    (tmp_path / "journals" / "1.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    store.fill()
    rows = store.rows(None, None, 9)
    store.close()
    assert {row.id: row.request_id for row in rows} == {"new": "r1", "old": "", "older": ""}


def test_a_database_from_before_is_read_without_being_changed(before_request_ids: Place) -> None:
    assert before_request_ids.store(read_only=True).load("google") == {}
    assert before_request_ids.do("SELECT version_num FROM alembic_version") == [("0003",)]


def test_tables_of_a_newer_version_are_left_alone(place: Place) -> None:
    place.opened()
    place.do("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFailed, match="come from a newer version"):
        place.opened()
    with pytest.raises(StoreFailed, match="come from a newer version"):
        place.store(read_only=True).open()


@pytest.mark.parametrize("read_only", [False, True])
def test_tables_of_another_program_are_named_so_and_left_alone(
    postgres_url: str, tmp_path: Path, read_only: bool
) -> None:
    """One that makes its tables by Alembic, too, has a table of the same name."""
    place = Place(tmp_path, postgres_url)
    place.do("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    place.do("INSERT INTO alembic_version VALUES ('ca81bd47c050')")
    with pytest.raises(StoreFailed, match="another program: give the gateway a database of its own"):
        place.store(read_only=read_only).open()
    assert place.do("SELECT version_num FROM alembic_version") == [("ca81bd47c050",)]
    place.close()


def test_a_reader_that_cannot_be_opened_leaves_no_connection_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 warns of one that is forgotten."""
    place.opened()
    place.do("UPDATE alembic_version SET version_num = '9999'")
    made, opened, closed = engines.memory(), list[object](), list[object]()
    event.listen(made, "connect", lambda connection, _: opened.append(connection))
    event.listen(made, "close", lambda connection, _: closed.append(connection))
    monkeypatch.setattr(engines, "memory", lambda: made)
    with pytest.raises(StoreFailed, match="come from a newer version"):
        place.store(read_only=True).open()
    assert len(opened) == 1
    assert closed == opened


def test_a_migration_that_fails_half_way_changes_nothing(old: Place) -> None:
    old.do("CREATE TABLE leases (of_another TEXT)")
    with pytest.raises(StoreFailed, match="leases"):
        old.opened()
    assert [id_ for (id_,) in old.do("SELECT id FROM accounts ORDER BY id")] == ["taken", "unused"]


LAZY = """
import sys
from pathlib import Path
from gateway.store.credentials import CredentialStore
CredentialStore(Path(sys.argv[1])).open()
print(*({"alembic", "cryptography", "psycopg", "redis"} & sys.modules.keys()))
"""


def test_alembic_drivers_and_ciphers_are_loaded_only_where_they_are_needed(on_disk: Place, old: Place) -> None:
    new = on_disk.folder / "new" / "gateway.db"
    said = [
        subprocess.run(
            [sys.executable, "-c", LAZY, str(file)], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.strip()
        for file in (new, new, old.file, old.file)
    ]
    assert said == ["", "", "alembic", ""]
