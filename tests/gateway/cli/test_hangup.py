"""SIGHUP and edits, at real processes: one, several, under gunicorn, at a terminal that goes away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.exposed import Numbers
from tests.gateway.cli.test_workers import LINUX, wait_until, workers
from tests.gateway.test_metrics_processes import GUNICORN
from tests.gateway.test_server import ENDS, ERRORS, KEEPALIVE, body, stop
from tests.patience import patient
from tests.ports import free_port
from tests.processes import PROGRAMS, Program, environment, gateway, running
from tests.terminal import terminal

CHANGED = '"event":"the configuration has changed"'
REFUSED = '"event":"the configuration is invalid; the previous one stays in use"'
BAD = "[retry]\nattempt = 1\n"


def keyed(key: str) -> str:
    return f'[auth]\nkeys = ["{key}"]\n'


def ask(program: Program, key: str) -> int:
    """Ask on a connection of its own, so that the workers share them."""
    answer = httpx.post(
        f"{program.url}/v1/chat/completions",
        json=body("Hello", stream=False),
        headers={"authorization": f"Bearer {key}"},
        timeout=20,
    )
    return answer.status_code


def hang_up(program: Program, folder: Path, toml: str) -> None:
    (folder / "gateway.toml").write_text(toml)
    program.process.send_signal(signal.SIGHUP)


def in_place(file: Path, toml: str) -> None:
    file.write_text(toml)


def renamed(file: Path, toml: str) -> None:
    new = file.with_name("gateway.toml.new")
    new.write_text(toml)
    new.replace(file)


def swapped(file: Path, toml: str) -> None:
    """Do as Kubernetes does with a ConfigMap."""
    folder = file.parent
    (folder / "..2").mkdir()
    (folder / "..2" / file.name).write_text(toml)
    (folder / "..data_tmp").symlink_to("..2")
    (folder / "..data_tmp").rename(folder / "..data")


def test_a_signal_has_the_file_read(folder: Path) -> None:
    with gateway(folder, toml=keyed("sk-a")) as program:
        assert ask(program, "sk-a") == 200
        hang_up(program, folder, keyed("sk-b"))
        program.says(CHANGED)
        assert [ask(program, key) for key in ("sk-a", "sk-b")] == [401, 200]
        program.process.terminate()
        assert program.ends() == 0
    assert program.output.count(CHANGED) == 1


@pytest.mark.parametrize("edit", [in_place, renamed, swapped])
def test_an_edit_is_noticed(folder: Path, edit: Callable[[Path, str], None]) -> None:
    file = folder / "gateway.toml"
    if edit is swapped:
        (folder / "..1").mkdir()
        (folder / "..1" / file.name).write_text(keyed("sk-a"))
        (folder / "..data").symlink_to("..1")
        file.symlink_to(f"..data/{file.name}")
    else:
        file.write_text(keyed("sk-a"))
    with gateway(folder) as program:
        assert ask(program, "sk-a") == 200
        edit(file, keyed("sk-b"))
        program.says(CHANGED)
        assert [ask(program, key) for key in ("sk-a", "sk-b")] == [401, 200]


@pytest.mark.parametrize("count", [1, 2])
def test_a_signal_without_a_change_is_answered_once(folder: Path, count: int) -> None:
    with gateway(folder, "--workers", str(count), toml=keyed("sk-a")) as program:
        assert ask(program, "sk-a") == 200
        program.process.send_signal(signal.SIGHUP)
        program.says("the configuration is the same")
        program.process.terminate()
        assert program.ends() == 0
    assert program.output.count("the configuration is the same") == 1


def test_flags_and_variables_go_on_to_count(folder: Path) -> None:
    with gateway(folder, "--api-key", "sk-flag", toml=KEEPALIVE, GATEWAY_RETRY__ATTEMPTS="1") as program:
        assert ask(program, "sk-flag") == 200
        hang_up(program, folder, keyed("sk-b"))
        program.says(CHANGED)
        assert [ask(program, key) for key in ("sk-flag", "sk-b")] == [200, 401]


def test_an_address_for_all_still_needs_a_key(folder: Path) -> None:
    with gateway(folder, "--host", "0.0.0.0", toml=keyed("sk-a")) as program:
        program.says("gateway ")
        hang_up(program, folder, KEEPALIVE)
        assert "no key" in program.says(REFUSED)


def test_an_upstream_that_is_the_gateway_itself_is_no_new_one(folder: Path) -> None:
    port = free_port()
    with gateway(folder, "--port", str(port), toml=KEEPALIVE) as program:
        assert ask(program, "sk-a") == 200
        hang_up(program, folder, f'{KEEPALIVE}[upstream.openai]\nbase_url = "http://localhost:{port}/v1"\n')
        assert "upstream.openai.base_url: " in program.says(REFUSED)
        assert ask(program, "sk-a") == 200


def test_a_bad_file_is_said_once_though_it_is_noticed_twice(folder: Path) -> None:
    with gateway(folder, toml=keyed("sk-a")) as program:
        assert ask(program, "sk-a") == 200
        hang_up(program, folder, BAD)
        assert "gateway.toml:2: retry.attempt: unknown key" in program.says(REFUSED)
        hang_up(program, folder, keyed("sk-b"))
        program.says(CHANGED)
    assert program.output.count(REFUSED) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_a_bad_file_shows_in_the_metrics_until_it_is_mended(folder: Path, count: int) -> None:
    def rejected() -> float | None:
        return Numbers(httpx.get(f"{program.url}/metrics", timeout=20).text).get("config_rejected")

    with gateway(folder, "--workers", str(count), toml=keyed("sk-a")) as program:
        assert rejected() == 0
        hang_up(program, folder, BAD)
        program.says(REFUSED)
        assert rejected() == 1
        hang_up(program, folder, keyed("sk-a"))
        program.says("the configuration again matches the one in use")
        assert rejected() == 0


def test_an_old_stream_may_end_while_the_gateway_drains(folder: Path) -> None:
    lasting, toml = f"!slow {max(3, patient(0.6)):.0f}", f"{KEEPALIVE}[server]\ndrain = 600\n"  # beyond the change
    with (
        gateway(folder, toml=toml) as program,
        httpx.stream("POST", f"{program.url}/v1/messages", json=body(lasting), timeout=20) as old,
    ):
        lines = old.iter_lines()
        assert next(lines)
        hang_up(program, folder, f"{toml}[retry]\nattempts = 2\n")
        assert '"open_requests":1' in program.says(CHANGED)
        stop(program)
        assert ENDS["anthropic"] in list(lines)
        assert program.ends() == 0


def test_an_old_stream_that_outlasts_the_drain_ends_with_an_error(folder: Path) -> None:
    with (
        gateway(folder, toml=KEEPALIVE) as program,
        httpx.stream("POST", f"{program.url}/v1/messages", json=body("!slow 60"), timeout=20) as old,
    ):
        lines = old.iter_lines()
        assert next(lines)
        hang_up(program, folder, f"{KEEPALIVE}[server]\ndrain = 0.2\n")
        program.says(CHANGED)
        stop(program)
        assert any(line.startswith(ERRORS["anthropic"]) for line in lines)
        assert program.ends() == 0


# several processes


@LINUX
def test_all_workers_change_and_a_bad_file_is_said_once(folder: Path) -> None:
    with gateway(folder, "--workers", "2", toml=keyed("sk-a")) as program:
        assert ask(program, "sk-a") == 200
        hang_up(program, folder, BAD)
        program.says(REFUSED)
        hang_up(program, folder, keyed("sk-b"))
        wait_until(lambda: program.output.count(CHANGED) == 2)
        assert {ask(program, "sk-b") for _ in range(20)} == {200}
        program.process.terminate()
        assert program.ends() == 0
    assert program.output.count(REFUSED) == 1


@LINUX
def test_a_new_worker_has_the_newest_good_configuration(folder: Path) -> None:
    with gateway(folder, "--workers", "2", toml=keyed("sk-a")) as program:
        assert ask(program, "sk-a") == 200
        renamed(folder / "gateway.toml", keyed("sk-b"))
        wait_until(lambda: program.output.count(CHANGED) == 2)
        (folder / "gateway.toml").write_text(BAD)
        before = workers(program)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(workers(program) - before) == 1)
        assert {ask(program, "sk-b") for _ in range(20)} == {200}


@LINUX
def test_a_key_that_needs_a_restart_is_named_once_for_all_workers(folder: Path) -> None:
    with gateway(folder, "--workers", "2", toml=keyed("sk-a")) as program:
        assert ask(program, "sk-a") == 200
        hang_up(program, folder, f'{keyed("sk-b")}[server]\ndata_dir = "elsewhere"\n')
        assert '"key":"server.data_dir","given":"gateway.toml:4"' in program.says("needs a restart")
        wait_until(lambda: program.output.count(CHANGED) == 2)
    assert program.output.count("needs a restart") == 1


@LINUX
def test_workers_of_gunicorn_notice_an_edit(folder: Path) -> None:
    (folder / "gateway.toml").write_text(keyed("sk-a"))
    with running(GUNICORN, folder) as program:
        assert ask(program, "sk-a") == 200
        wait_until(lambda: program.output.count("ASGI server listening") == 2)
        renamed(folder / "gateway.toml", keyed("sk-b"))
        wait_until(lambda: program.output.count(CHANGED) == 2)
        assert {ask(program, "sk-b") for _ in range(20)} == {200}


# terminals


@LINUX
@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_it_ends_with_its_terminal(folder: Path, words: list[str]) -> None:
    file = folder / "log"
    (folder / "gateway.toml").write_text('[log]\nfile = "log"\n')
    with terminal([PROGRAMS / "gateway", "--port", "0", *words], folder, environment(folder)) as screen:
        url = screen.shows(r"gateway 0\S* on (\S+)")[1]
        wait_until(lambda: Numbers(httpx.get(f"{url}/metrics", timeout=20).text).get("workers") == (2 if words else 1))
        screen.hangs_up()
        assert screen.ends() == 0
    assert file.read_text().count('"event":"draining"') == (2 if words else 1)


def test_under_nohup_the_signal_means_the_file(folder: Path) -> None:
    (folder / "gateway.toml").write_text(keyed("sk-a"))
    command: list[str | Path] = ["/usr/bin/env", "nohup", PROGRAMS / "gateway", "--port", "0"]
    with running(command, folder) as program:
        assert ask(program, "sk-a") == 200
        hang_up(program, folder, keyed("sk-b"))
        program.says(CHANGED)
