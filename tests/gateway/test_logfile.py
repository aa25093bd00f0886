"""The log file rotates at midnight, keeps so many, and loses no line to another process."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.config import ConfigError, load
from gateway.logfile import LogFile
from gateway.logs import logger_for
from tests.disk import full_disk
from tests.patience import patient

NOON = datetime(2026, 11, 20, 12)  # noqa: DTZ001 (local time)
DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[..., LogFile]:
    def opened(file: str = "logs/gateway.log", rotated: str = "", keep: int = 7) -> LogFile:
        return LogFile(file, rotated, keep, tmp_path, clock)

    return opened


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_lines_are_added_to_what_is_there(opened: Callable[..., LogFile], tmp_path: Path) -> None:
    for line in (b"one", b"two"):
        file = opened()
        file.write(line)
        file.close()
    assert texts(tmp_path) == {"logs/gateway.log": "one\ntwo\n"}


def test_only_its_owner_can_read_it(opened: Callable[..., LogFile]) -> None:
    assert opened().path.stat().st_mode & 0o777 == 0o600


def test_a_name_with_fields_is_rendered_once(opened: Callable[..., LogFile], clock: Clock, tmp_path: Path) -> None:
    file = opened("logs/gateway-%Y%m%d.log")
    file.write(b"one")
    clock.time += timedelta(hours=3)
    file.write(b"two")
    assert texts(tmp_path) == {"logs/gateway-20261120.log": "one\ntwo\n"}


@pytest.mark.parametrize(
    ("rotated", "name"),
    [
        ("", "logs/gateway.log.2026-11-20"),
        ("logs/proxy-%Y%m%d.log", "logs/proxy-20261120.log"),
        ("old/%Y/%m-%d%%.log", "old/2026/11-20%.log"),
    ],
)
def test_at_midnight_the_day_gets_its_name(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path, rotated: str, name: str
) -> None:
    file = opened(rotated=rotated)
    file.write(b"before")
    clock.time = datetime.combine(NOON.date() + DAY, datetime.min.time())
    file.write(b"after")
    assert texts(tmp_path) == {"logs/gateway.log": "after\n", name: "before\n"}


def test_a_link_stays_a_link_to_where_the_lines_go(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    """It leads to a larger disk, say; and /dev/stdout, of which root could make a file, is one."""
    (tmp_path / "large").mkdir()
    (tmp_path / "gateway.log").symlink_to("large/lines")
    file = opened("gateway.log", "large/lines.%Y%m%d")
    for line in (b"one", b"two"):
        file.write(line)
        clock.time += DAY
    assert (tmp_path / "gateway.log").readlink() == Path("large/lines")
    assert texts(tmp_path / "large") == {"lines": "two\n", "lines.20261120": "one\n"}


def test_a_file_that_was_moved_away_begins_anew(opened: Callable[..., LogFile], clock: Clock, tmp_path: Path) -> None:
    """As logrotate does it; the lines went into what it packs or removes, until midnight."""
    file = opened()
    file.write(b"one")
    file.path.rename(tmp_path / "logs/gateway.log.1")
    clock.time += timedelta(seconds=1)
    file.write(b"two")
    file.write(b"three")
    assert texts(tmp_path) == {"logs/gateway.log": "two\nthree\n", "logs/gateway.log.1": "one\n"}


def test_a_file_whose_folder_was_removed_begins_anew_and_is_rotated(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    file = opened()
    file.write(b"one")
    shutil.rmtree(tmp_path / "logs")
    clock.time += timedelta(seconds=1)
    file.write(b"two")
    clock.time = datetime.combine(NOON.date() + DAY, datetime.min.time())
    file.write(b"three")
    assert texts(tmp_path) == {"logs/gateway.log": "three\n", "logs/gateway.log.2026-11-20": "two\n"}


def test_a_restart_after_midnight_rotates_what_it_finds(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    opened().write(b"before")
    written = datetime.fromtimestamp((tmp_path / "logs/gateway.log").stat().st_mtime)  # noqa: DTZ006 (local time)
    clock.time = written + DAY
    opened().write(b"after")
    assert texts(tmp_path) == {"logs/gateway.log": "after\n", f"logs/gateway.log.{written:%Y-%m-%d}": "before\n"}


@pytest.mark.parametrize(("keep", "kept"), [(0, 6), (1, 1), (3, 3)])
def test_so_many_rotated_files_are_kept(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path, keep: int, kept: int
) -> None:
    file = opened(rotated="logs/proxy-%Y%m%d.log", keep=keep)
    other = tmp_path / "logs" / "proxy-of-another.txt"
    other.write_text("stays")
    for _ in range(7):
        file.write(b"a day")
        clock.time += DAY
    names = sorted(name for name in texts(tmp_path / "logs") if name.startswith("proxy-2"))
    assert len(names) == kept
    assert names[-1] == "proxy-20261125.log"
    assert other.exists()


def test_those_of_earlier_starts_count_where_the_name_has_fields(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    for _ in range(4):
        clock.time += DAY
        file = opened("logs/gw-%Y%m%d.log", keep=2)
        file.write(b"before midnight")
        clock.time += DAY
        os.utime(file.path, (clock.time.timestamp(),) * 2)
        file.write(b"after it")
        file.close()
    rotated = sorted(name for name in texts(tmp_path / "logs") if not name.endswith(".log"))
    assert rotated == ["gw-20261125.log.2026-11-25", "gw-20261127.log.2026-11-27"]


@pytest.mark.parametrize("day", ["%Y-%m-%d", "%d.%m.%Y", "%Y%m/%d", "%Y/%m-%d_of_%Y"])
def test_the_oldest_by_their_names_go_first(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path, day: str
) -> None:
    """Copied from another machine, or put back from a backup, all are of one moment, and in any order."""
    for back in (3, 30, 2, 40, 1, 20):
        old = tmp_path / "logs" / (NOON - back * DAY).strftime(day)
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text(str(back))
        os.utime(old, (NOON.timestamp() + back,) * 2)
    file = opened("logs/now", f"logs/{day}", keep=4)
    file.write(b"0")
    clock.time += DAY
    file.write(b"new")
    assert sorted(texts(tmp_path).values()) == ["0\n", "1", "2", "3", "new\n"]


def test_no_file_of_anybody_elses_is_removed(opened: Callable[..., LogFile], clock: Clock, tmp_path: Path) -> None:
    """Only what the fields of the name can give is one of the gateway's, and only where it puts them."""
    logs = tmp_path / "logs"
    logs.mkdir()
    others = ("gw-eu-2026-10-01.log", "gw-2026-10-01.log.bak", "gw-2026-10.log", "gw-last.log", "old/gw-2026-10-01.log")
    for name in (*others, "gw-2026-10-02.log"):
        (logs / name).parent.mkdir(exist_ok=True)
        (logs / name).write_text("")
        os.utime(logs / name, (1, 1))
    file = opened("logs/gw.log", "logs/gw-%Y-%m-%d.log", keep=1)
    for _ in range(3):
        file.write(b"line")
        clock.time += DAY
    assert {*texts(logs)} == {*others, "gw-2026-11-21.log", "gw.log"}


def test_a_file_that_has_the_name_of_its_day_keeps_it(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    file = opened("logs/%Y-%m-%d.log", "logs/../logs/%Y-%m-%d.log", keep=2)
    for day, line in enumerate((b"one", b"two", b"three", b"four")):
        file.write(line)
        os.utime(file.path, (day, day))
        clock.time += DAY
    assert texts(tmp_path / "logs") == {
        f"2026-11-{day}.log": f"{line}\n" for day, line in ((21, "two"), (22, "three"), (23, "four"))
    }
    clock.time += DAY
    file.write(b"six")
    assert "2026-11-25.log" in texts(tmp_path / "logs")


def test_a_name_that_no_day_changes_loses_nothing(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = opened("logs/gw.log", "logs/gw.log")
    for line in (b"one", b"two", b"three"):
        file.write(line)
        clock.time += DAY
    assert texts(tmp_path) == {"logs/gw.log": "one\ntwo\nthree\n"}
    assert capsys.readouterr().err.count("log.rotated gives it the name of the file itself") == 1


def test_they_are_kept_also_where_the_name_begins_with_the_folder_itself(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    file = opened("./logs//gateway.log", keep=1)
    for day in range(4):
        file.write(str(day).encode())
        clock.time += DAY
    assert texts(tmp_path) == {"logs/gateway.log": "3\n", "logs/gateway.log.2026-11-22": "2\n"}


@pytest.mark.parametrize("rotated", ["", "../%Y/%m-%d.log"])
def test_a_folder_whose_name_is_no_pattern_and_no_text(clock: Clock, tmp_path: Path, rotated: str) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/%d-caf\xe9"))
    folder.mkdir()
    file = LogFile("gateway.log", rotated, 1, folder, clock)
    for day in range(3):
        file.write(str(day).encode())
        clock.time += DAY
    old = tmp_path / "2026" / "11-21.log" if rotated else folder / "gateway.log.2026-11-21"
    assert texts(tmp_path) == {
        str(folder.relative_to(tmp_path) / "gateway.log"): "2\n",
        str(old.relative_to(tmp_path)): "1\n",
    }


@pytest.mark.parametrize(("rotated", "old"), [("", "home/logs/x.log.2026-11-20"), ("~/old/%d.log", "home/old/20.log")])
def test_a_home_folder_is_found(
    opened: Callable[..., LogFile],
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rotated: str,
    old: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = opened("~/logs/x.log", rotated)
    file.write(b"one")
    clock.time += DAY
    file.write(b"two")
    assert texts(tmp_path) == {old: "one\n", "home/logs/x.log": "two\n"}


def test_a_day_without_lines_leaves_no_file(opened: Callable[..., LogFile], clock: Clock, tmp_path: Path) -> None:
    file = opened()
    clock.time += DAY
    file.write(b"one")
    assert texts(tmp_path) == {"logs/gateway.log": "one\n"}


def test_where_a_process_was_killed_within_a_rotation_no_days_are_mixed(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    file = opened()
    file.write(b"before")
    (tmp_path / "logs" / "gateway.log.2026-11-20").hardlink_to(file.path)
    clock.time += DAY
    file.write(b"after")
    assert texts(tmp_path) == {"logs/gateway.log": "after\n", "logs/gateway.log.2026-11-20": "before\n"}


def test_others_follow_to_the_new_file(opened: Callable[..., LogFile], clock: Clock, tmp_path: Path) -> None:
    first, second = opened(), opened()
    first.write(b"before 1")
    second.write(b"before 2")
    clock.time += DAY
    first.write(b"after 1")
    second.write(b"after 2")
    first.write(b"after 3")
    assert texts(tmp_path) == {
        "logs/gateway.log": "after 1\nafter 2\nafter 3\n",
        "logs/gateway.log.2026-11-20": "before 1\nbefore 2\n",
    }


def test_a_line_that_another_process_is_writing_is_not_torn(
    opened: Callable[..., LogFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logs" / "gateway.log"
    path.parent.mkdir()
    path.write_bytes(b"the first")

    def goes_on(_: float) -> None:
        with path.open("ab") as other:
            other.write(b" and the second page\n")

    monkeypatch.setattr("gateway.logfile.sleep", goes_on)
    opened().write(b"mine")
    assert texts(tmp_path) == {"logs/gateway.log": "the first and the second page\nmine\n"}


def _write_many(folder: Path, name: str, days: int) -> None:
    clock = Clock()
    file = LogFile("gateway.log", "", 0, folder, clock)
    for day in range(days):
        for number in range(50):
            file.write(f"{name} {day} {number}".encode())
        clock.time += DAY


def test_processes_that_rotate_at_once_lose_nothing(tmp_path: Path) -> None:
    names, days = "abcd", 10
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(tmp_path, name, days)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(patient(30))
    lines = [line for text in texts(tmp_path).values() for line in text.splitlines()]
    assert sorted(lines) == sorted(
        f"{name} {day} {number}" for name in names for day in range(days) for number in range(50)
    )


def test_a_file_that_fails_later_is_told_once(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = opened()
    file.write(b"one")
    (tmp_path / "logs" / "gateway.log").unlink()
    (tmp_path / "logs").rmdir()
    clock.time += DAY
    file.write(b"two")
    file.write(b"three")
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    (tmp_path / "logs").mkdir()
    file.write(b"four")
    assert (tmp_path / "logs" / "gateway.log").read_text() == "four\n"


def test_what_a_full_disk_cut_is_a_line_of_its_own(opened: Callable[..., LogFile]) -> None:
    file = opened()
    file.write(b"one")
    with full_disk(len("one\ntw")):
        file.write(b"two")
        file.write(b"three")
    file.write(b"four")
    assert file.path.read_bytes() == b"one\ntw\nfour\n"


def test_what_a_full_disk_cut_of_another_writer_is_one_too(opened: Callable[..., LogFile]) -> None:
    """Each upstream logs to a file of its own that is the same."""
    file, other = opened(), opened()
    with full_disk(len("on")):
        file.write(b"one")
        other.write(b"two")
    other.write(b"three")
    file.write(b"four")
    assert file.path.read_bytes() == b"on\nthree\nfour\n"


def test_so_is_what_it_cut_of_a_process_before(opened: Callable[..., LogFile]) -> None:
    before = opened()
    with full_disk(len("on")):
        before.write(b"one")
    after = opened()
    after.write(b"two")
    after.write(b"three")
    assert after.path.read_bytes() == b"on\ntwo\nthree\n"


def test_a_file_that_cannot_be_rotated_goes_on_and_stops_nobody(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = opened(rotated="old/%Y-%m-%d.log")
    file.write(b"one")
    (tmp_path / "old").write_text("no folder")
    clock.time += DAY
    file.write(b"two")
    with file.path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # who waited for it would wait for ever
    file.write(b"three")
    assert file.path.read_text() == "one\ntwo\nthree\n"
    assert capsys.readouterr().err == f"{file.path}: cannot be rotated, and is continued: File exists\n"
    clock.time += timedelta(hours=1)
    file.write(b"four")
    assert "cannot" not in capsys.readouterr().err
    (tmp_path / "old").unlink()
    file.write(b"five")
    clock.time += timedelta(hours=1)
    file.write(b"six")
    assert texts(tmp_path) == {"logs/gateway.log": "six\n", "old/2026-11-20.log": "one\ntwo\nthree\nfour\nfive\n"}
    clock.time += DAY
    file.write(b"seven")
    assert texts(tmp_path)["logs/gateway.log"] == "seven\n"


def test_a_day_that_no_new_file_can_follow_has_no_second_name(
    opened: Callable[..., LogFile], clock: Clock, tmp_path: Path
) -> None:
    file = opened()
    file.write(b"one")
    (tmp_path / "logs" / f".gateway.log.{os.getpid()}").mkdir()  # in the way of the new file
    clock.time += DAY
    file.write(b"two")
    assert texts(tmp_path) == {"logs/gateway.log": "one\ntwo\n"}


def test_a_file_that_nobody_has_is_closed(opened: Callable[..., LogFile]) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    opened()
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_both_the_file_and_standard_error_get_an_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = tmp_path / "gateway.toml"
    toml.write_text('[log]\nfile = "here/gateway.log"\n')
    logger_for(load(toml)).info("request", status=200)
    (line,) = (tmp_path / "here" / "gateway.log").read_text().splitlines()
    assert json.loads(line)["status"] == json.loads(capsys.readouterr().err)["status"] == 200


def test_the_console_form_is_plain_in_a_file(tmp_path: Path) -> None:
    toml = tmp_path / "gateway.toml"
    toml.write_text('[log]\nformat = "console"\nfile = "gateway.log"\n')
    logger_for(load(toml)).info("request", status=200)
    text = (tmp_path / "gateway.log").read_text()
    assert "status=200" in text
    assert "\x1b" not in text


def test_a_file_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    toml = tmp_path / "gateway.toml"
    toml.write_text('[log]\nfile = "gateway.toml/x.log"\n')
    with pytest.raises(ConfigError, match=r"log\.file: cannot be opened"):
        logger_for(load(toml))
