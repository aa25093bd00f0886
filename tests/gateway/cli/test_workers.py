"""`gateway run --workers` and `--reload`."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.gateway.cli.conftest import Run
from tests.gateway.test_server import ENDS, KEEPALIVE, refuses_connections, streaming
from tests.patience import patient
from tests.processes import PROGRAMS, Program, gateway, running

LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="workers are found in /proc")
LIMITS = pytest.mark.parametrize(
    "toml", ["[limits]\nconcurrent = 2", '[[key]]\nname = "a"\nsecret = "sk-a"\nlimits = { requests_per_day = 1 }']
)


def workers(program: Program) -> set[int]:
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it has ended meanwhile
            continue
        if int(parent) == program.process.pid:
            found.add(int(stat.parent.name))
    return found


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + patient(60)
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(program: Program) -> bool:
    return httpx.get(f"{program.url}/health", timeout=10).status_code == 200


@LINUX
def test_a_killed_worker_is_replaced_while_the_others_serve(folder: Path) -> None:
    with gateway(folder, "--workers", "2") as program:
        assert "2 workers" in program.says("gateway ")
        before = workers(program)
        os.kill(min(before), signal.SIGKILL)
        assert "Killed" in program.says("a worker has ended")
        assert all(alive(program) for _ in range(10))
        wait_until(lambda: len(workers(program) - before) == 1)
        program.process.terminate()
        assert program.ends() == 0
    assert program.output.count("upstream demo") == 1


def test_all_workers_drain(folder: Path) -> None:
    with (
        gateway(folder, "--workers", "2", toml=KEEPALIVE) as program,
        streaming(program, "anthropic", "!slow 1.5") as one,
        streaming(program, "anthropic", "!slow 1.5") as two,
    ):
        program.process.terminate()
        assert [ENDS["anthropic"] in list(lines) for lines in (one, two)] == [True, True]
        assert program.ends() == 0


def test_workers_whose_parent_was_killed_end(folder: Path) -> None:
    with gateway(folder, "--workers", "2") as program:
        assert alive(program)
        program.process.kill()
        wait_until(lambda: refuses_connections(program))


@LINUX
def test_a_child_that_is_no_worker_is_not_replaced(folder: Path) -> None:
    """Process 1 of a container gets the children of those who ended before them."""
    arguments = [str(PROGRAMS / "gateway"), "--workers", "2", "--port", "0"]
    with running(["sh", "-c", 'sleep 1000 & exec "$@"', "sh", *arguments], folder) as program:
        program.says("gateway ")
        before = workers(program)
        (orphan,) = (pid for pid in before if Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
        os.kill(orphan, signal.SIGKILL)
        os.kill(worker := min(before - {orphan}), signal.SIGKILL)
        wait_until(lambda: len(workers(program) - before) > 0 and not {orphan, worker} & workers(program))
        assert len(workers(program)) == 2


def test_workers_that_cannot_start_end_the_run(folder: Path) -> None:
    toml = '[upstream.antigravity.pool]\nimport = "nowhere.json"'
    with gateway(folder, "--workers", "2", toml=toml) as program:
        assert program.ends() == 2
    assert "gateway.toml:2: upstream.antigravity.pool.import: " in program.output
    assert "Traceback" not in program.output


@LIMITS
def test_limits_need_one_worker(run: Run, write: Callable[[str], Path], toml: str) -> None:
    write(toml)
    done = run("--workers", "2")
    assert done.code == 2
    assert "limits allow one worker only" in done.err


def test_reload_starts_again_when_the_configuration_changes(folder: Path) -> None:
    with gateway(folder, "--reload", toml='[auth]\nkeys = ["sk-a"]') as program:
        assert program.says("keys:").strip() == "keys: 1"
        (folder / "gateway.toml").write_text('[auth]\nkeys = ["sk-a", "sk-b"]')
        assert program.says("keys: 2")
        program.process.terminate()
        assert program.ends() == 0


@pytest.mark.parametrize("count", [1, 2])
def test_a_file_that_is_put_away_opens_nothing_until_it_is_back(folder: Path, count: int) -> None:
    file, away = folder / "gateway.toml", folder / "away.toml"

    def asked(key: str) -> set[int]:
        url, headers = f"{program.url}/v1/models", {"x-api-key": key}
        return {httpx.get(url, headers=headers, timeout=20).status_code for _ in range(3)}

    with gateway(folder, "--workers", str(count), toml='[auth]\nkeys = ["sk-a"]') as program:
        assert (asked("sk-a"), asked("sk-b")) == ({200}, {401})
        file.rename(away)
        assert "gateway.toml: there is no such file" in program.says("the configuration is invalid")
        assert (asked("sk-a"), asked("sk-b")) == ({200}, {401})
        away.write_text('[auth]\nkeys = ["sk-b"]')
        away.rename(file)
        wait_until(lambda: program.output.count("the configuration has changed") == count)
        assert (asked("sk-a"), asked("sk-b")) == ({401}, {200})


def test_a_refused_edit_that_is_taken_back_is_told_once_for_all_workers(folder: Path) -> None:
    toml = '[auth]\nkeys = ["sk-a"]'
    with gateway(folder, "--workers", "2", toml=toml) as program:
        program.says("keys:")
        (folder / "gateway.toml").write_text("[auth")
        program.says("the configuration is invalid")
        (folder / "gateway.toml").write_text(toml)
        program.says("the configuration again matches the one in use")
        program.process.terminate()
        assert program.ends() == 0
        assert program.output.count("the configuration again matches the one in use") == 1


def test_reload_starts_nothing_without_the_file_that_it_found(folder: Path) -> None:
    with gateway(folder, "--reload", toml='[auth]\nkeys = ["sk-a"]') as program:
        assert program.says("keys:").strip() == "keys: 1"
        (folder / "gateway.toml").unlink()
        assert program.says("there is no such file")
        (folder / "gateway.toml").write_text('[auth]\nkeys = ["sk-a", "sk-b"]')
        assert program.says("keys: 2")
        program.process.terminate()
        assert program.ends() == 0
    assert "anonymous" not in program.output
