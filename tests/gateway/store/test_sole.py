"""Of the processes that use one data_dir one counts limits by itself."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.store.sole import Sole

OTHER = """
import sys
from pathlib import Path
from gateway.store.sole import Sole
sole = Sole(Path(sys.argv[1]))
if sys.argv[2] == "claims":
    print(sole.claim(), flush=True)
else:
    sole.join()
    print("", flush=True)
sys.stdin.read()
"""


@contextmanager
def another(folder: Path, does: str = "claims") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a process that does so and stays, and give what it says."""
    command = [sys.executable, "-c", OTHER, str(folder), does]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_second_of_two_processes_may_not_count(tmp_path: Path) -> None:
    sole = Sole(tmp_path)
    assert sole.claim()
    with another(tmp_path) as (_, said):
        assert said == "False"


def test_one_that_was_killed_keeps_nobody_away(tmp_path: Path) -> None:
    sole = Sole(tmp_path)
    with another(tmp_path) as (process, said):
        assert (said, sole.claim()) == ("True", False)
        process.kill()
        process.wait()
        assert sole.claim()


def test_one_that_has_left_keeps_nobody_away_and_leaves_nothing(tmp_path: Path) -> None:
    sole = Sole(tmp_path)
    assert sole.claim()
    sole.leave()
    assert [*tmp_path.iterdir()] == []
    with another(tmp_path) as (_, said):
        assert said == "True"


def test_those_that_count_nothing_yet_keep_each_other_from_it(tmp_path: Path) -> None:
    sole = Sole(tmp_path)
    sole.join()
    with another(tmp_path, "joins"):
        assert not sole.claim()
    assert sole.claim()


def test_two_apps_of_one_process_count_each_for_itself(tmp_path: Path) -> None:
    one, two = Sole(tmp_path), Sole(tmp_path)
    assert (one.claim(), two.claim()) == (True, True)


def test_another_folder_is_another_matter(tmp_path: Path) -> None:
    sole = Sole(tmp_path / "one")
    assert sole.claim()
    with another(tmp_path / "two") as (_, said):
        assert said == "True"


def test_where_no_file_can_be_written_one_counts_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    sole = Sole(tmp_path / "data")
    assert sole.claim()
    assert str(tmp_path / "data" / "limits.lock") in sole.problem


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    assert Sole(tmp_path / "data").claim()
    file = tmp_path / "data" / "limits.lock"
    assert (oct(file.stat().st_mode & 0o777), oct(file.parent.stat().st_mode & 0o777)) == ("0o600", "0o700")
