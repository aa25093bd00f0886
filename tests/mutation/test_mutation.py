"""What mutmut is given to work in, what is drawn for it, and what is read of its verdicts."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

from .copied import copied
from .modules import MODULES, ROOT
from .mutants import noticed, sample, verdicts

PRINTED = """
    gateway.ir.fold.x_fold__mutmut_1: killed
    gateway.ir.fold.xǁFoldǁfeed__mutmut_12: survived
    gateway.ir.fold.x_fold__mutmut_2: no tests
"""
NAMES = [f"x__mutmut_{number}" for number in range(100)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("mutation") / "middleware", MODULES["middleware"])


def test_a_copy_has_folders_where_the_tree_has_links(folder: Path) -> None:
    auth = folder / "gateway" / "middleware" / "auth.py"
    assert auth.read_text() == (ROOT / "middleware" / "auth.py").read_text()
    assert not any(one.is_symlink() for one in (folder / "gateway").rglob("*"))


def test_a_copy_says_what_is_mutated_and_what_is_run(folder: Path) -> None:
    settings = ConfigParser()
    settings.read(folder / "setup.cfg")
    said = settings["mutmut"]
    assert said["only_mutate"].split() == ["gateway/middleware/*.py"]
    assert said["pytest_add_cli_args_test_selection"].split() == [*MODULES["middleware"].tests]
    assert all((folder / part).exists() for part in said["also_copy"].split())


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_files_and_tests(folder: Path, name: str) -> None:
    assert all([*folder.glob(pattern)] for pattern in MODULES[name].files)
    assert all((folder / test).exists() for test in MODULES[name].tests)


def test_the_same_seed_draws_the_same() -> None:
    drawn = sample(NAMES, 10, 1)
    assert len(drawn) == len({*drawn}) == 10
    assert drawn == sample(NAMES[::-1], 10, 1)
    assert drawn != sample(NAMES, 10, 2)


@pytest.mark.parametrize("most", [0, 100, 200])
def test_all_are_taken_where_no_fewer_are_asked_for(most: int) -> None:
    assert sample(NAMES, most, 1) == sorted(NAMES)


def test_what_mutmut_prints_is_read_by_name() -> None:
    assert verdicts(PRINTED) == {
        "gateway.ir.fold.x_fold__mutmut_1": "killed",
        "gateway.ir.fold.xǁFoldǁfeed__mutmut_12": "survived",
        "gateway.ir.fold.x_fold__mutmut_2": "no tests",
    }


def test_what_ends_in_time_with_no_failure_is_not_noticed() -> None:
    said = ["killed", "timeout", "segfault", "survived", "no tests", "not checked", "suspicious"]
    assert [noticed(verdict) for verdict in said] == [True, True, True, False, False, False, False]
