"""`gateway doctor`: one line and one remedy for each thing that is wrong, and nothing that is secret."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.doctor_local import folder as examine_folder
from gateway.cli.doctor_local import python, settings
from gateway.config import load
from tests.gateway.cli.conftest import Run
from tests.gateway.cli.doctoring import Write, of
from tests.ports import free_port
from tests.processes import gateway

# this machine


def test_where_nothing_is_set_up_all_is_well(run: Run, folder: Path) -> None:
    port = free_port()
    done = run("doctor", GATEWAY_SERVER__PORT=str(port))
    assert (done.code, done.err) == (0, "")
    assert f"ok       port: 127.0.0.1:{port} is free\n" in done.out
    assert "ok       upstream demo: usable, no account needed\n" in done.out
    assert done.out.endswith("0 problems, 0 warnings, 6 ok\n")
    assert list(folder.iterdir()) == []


def test_a_configuration_that_cannot_be_read_is_a_problem(examine: Any, write: Write) -> None:
    write("[server]\nprot = 1\n")
    assert of(examine(), "configuration") == [
        ("problem", 'gateway.toml:2: server.prot: unknown key; did you mean "port"?')
    ]


def test_keys_without_effect_are_named(write: Write) -> None:
    found = list(settings(load(write('[middleware.mine]\nuse = "mine:Mine"\n'))))
    assert ("warning", "without effect: middleware.mine.use") in [(one.level, one.message) for one in found]


def test_an_old_python_is_a_problem() -> None:
    (finding,) = python((3, 10, 4))
    assert (finding.level, finding.message) == ("problem", "CPython 3.10.4 is too old")


def test_a_missing_extra_is_a_problem(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    file = write('[metrics]\notlp = "http://127.0.0.1:4318"\n')
    (finding,) = [one for one in settings(load(file)) if one.check == "extras"]
    assert (finding.level, finding.message) == ("problem", f"{file}:2: metrics.otlp: needs the extra otel")
    assert finding.fix == "pip install 'asgi-llm-gateway[otel]'"


# files and the disk


@pytest.mark.parametrize("name", [".env", "gateway.toml", "key.txt", "tokens.json"])
def test_a_file_with_secrets_that_others_can_read_is_named(examine: Any, write: Write, folder: Path, name: str) -> None:
    (folder / ".env").write_text("GATEWAY_KEY=sk-from-a-variable\n")
    (folder / "key.txt").write_text("sk-from-a-file")
    (folder / "tokens.json").write_text('{"refresh_token": "1//imported"}')
    write(
        '[auth]\nkeys = ["sk-in-the-clear-here", "env:GATEWAY_KEY", "file:key.txt"]\n'
        '[upstream.google]\ntype = "v1internal"\nbase_urls = ["http://127.0.0.1:9"]\npool.import = "tokens.json"\n'
    )
    for file in folder.iterdir():
        file.chmod(0o644 if file.name == name else 0o600)
    warnings = [one for one in examine() if one["check"] == "files" and one["level"] == "warning"]
    assert [one["fix"] for one in warnings] == [f"chmod 600 {folder / name}"]
    assert "other users can read it: mode 0644" in warnings[0]["message"]


def test_another_users_file_is_not_to_be_closed_to_the_gateway(
    examine: Any, write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root's in /etc: with the mode 0600 alone the next start could not read it."""
    write('[auth]\nkeys = ["sk-in-the-clear-here"]\n').chmod(0o644)
    (folder / "data").mkdir(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: (folder / "gateway.toml").stat().st_uid + 1)
    fixes = [one["fix"] for one in examine() if one["check"] in ("files", "data_dir") and one["level"] == "warning"]
    assert len(fixes) == 2
    assert all(fix.startswith("it is another user's: keep no secrets in it, or give it to the gatew") for fix in fixes)


def test_a_file_without_secrets_may_be_read(examine: Any, write: Write) -> None:
    write('[auth]\nkeys = ["env:GATEWAY_KEY"]\n').chmod(0o644)
    assert of(examine(GATEWAY_KEY="sk-from-a-variable"), "files") == []


@pytest.mark.parametrize(("address", "told"), [("127.0.0.1:1/0", []), ("x:pw@127.0.0.1:1/0", ["warning"])])
def test_an_address_without_a_password_is_no_secret(examine: Any, write: Write, address: str, told: list[str]) -> None:
    write(f'[store]\nredis = "redis://{address}"\n').chmod(0o644)
    assert [level for level, _ in of(examine(), "files")] == told


def test_a_folder_that_cannot_be_written_is_a_problem(examine: Any, write: Write, folder: Path) -> None:
    write('[server]\ndata_dir = "data"\n')
    (folder / "data").write_text("a file")
    assert of(examine(), "data_dir") == [("problem", f"{folder / 'data'} cannot be written: Not a directory")]


def test_so_is_one_whose_name_is_too_long(examine: Any, write: Write, folder: Path) -> None:
    write(f'[server]\ndata_dir = "{"x" * 300}"\n')
    said = f"{folder / ('x' * 300)} cannot be written: File name too long"
    assert of(examine(), "data_dir") == [("problem", said)]


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Put a small disk at a folder; it needs the rights of an administrator."""
    folder.mkdir(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64k,mode=700,{options}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(("options", "reason"), [("rw", "No space left on device"), ("ro", "Read-only file system")])
def test_a_full_or_read_only_disk_is_a_problem(examine: Any, folder: Path, options: str, reason: str) -> None:
    with mounted(folder / "data", options):
        if options == "rw":
            with pytest.raises(OSError, match="No space"):
                (folder / "data" / "ballast").write_bytes(b"\0" * 2**17)
        assert of(examine(), "data_dir") == [("problem", f"{folder / 'data'} cannot be written: {reason}")]


def test_little_room_is_a_warning(folder: Path) -> None:
    first, *_ = examine_folder(load({}), lambda _: 3 * 2**20)
    assert (first.level, first.message) == ("warning", f"3 MB are left on the disk of {folder / 'data'}")


def test_a_folder_that_others_can_look_into_is_named(examine: Any, folder: Path) -> None:
    (folder / "data").mkdir(0o755)
    assert of(examine(), "data_dir") == [("warning", f"other users can read {folder / 'data'}: mode 0755")]


def test_a_log_file_that_cannot_be_written_is_a_problem(examine: Any, write: Write) -> None:
    write('[log]\nfile = "/proc/nowhere/x.log"\n')
    (found,) = of(examine(), "log")
    assert found[0] == "problem"
    assert "gateway.toml:2: log.file: cannot be opened: " in found[1]


def test_recordings_that_cannot_be_written_are_a_problem(examine: Any, write: Write, tmp_path: Path) -> None:
    write('[record]\ndir = "/proc/nowhere"\n')
    ((level, said),) = of(examine(), "record")
    assert (level, said.startswith("nothing can be recorded: /proc: ")) == ("problem", True)
    write(f'[record]\ndir = "{tmp_path / "new"}"\n')
    assert of(examine(), "record") == []


# who may come in


def test_an_open_address_without_a_key_is_a_problem(examine: Any, write: Write) -> None:
    write('[server]\nhost = "0.0.0.0"\n')
    assert of(examine(), "bind") == [("problem", "server.host 0.0.0.0 is open to the network without a key")]


def test_to_let_everybody_in_is_a_warning(examine: Any, write: Write) -> None:
    write('[server]\nhost = "0.0.0.0"\n[auth]\nallow_anonymous = "always"\n')
    assert of(examine(), "bind") == [("warning", "anyone who can reach 0.0.0.0 may use the accounts")]


def test_a_sample_key_and_one_that_is_over_are_warnings(examine: Any, write: Write) -> None:
    write('[auth]\nkeys = ["123456"]\n[[key]]\nname = "alice"\nsecret = "sk-alice"\nexpires = 2020-01-01\n')
    assert of(examine(), "keys") == [
        ("warning", "a published sample key is accepted"),
        ("warning", "over: alice"),
        ("ok", "2 keys"),
    ]


def test_that_the_last_key_was_revoked_is_a_warning(run: Run, examine: Any) -> None:
    run("keys", "new", "alice")
    run("keys", "revoke", "alice")
    assert of(examine(), "keys") == [("warning", "none is valid: the last one was revoked")]


# the port


def test_another_program_on_the_port_is_a_problem(examine: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(0)
        said = of(examine(GATEWAY_SERVER__PORT=str(port)), "port")
    assert said == [("problem", f"another program is listening on 127.0.0.1:{port}")]


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:1"])
def test_a_gateway_on_the_port_is_well(examine: Any, folder: Path, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(folder) as running:
        monkeypatch.setenv("http_proxy", proxy)
        port = running.url.rpartition(":")[2]
        said = of(examine(GATEWAY_SERVER__PORT=port), "port")
    assert said == [("ok", f"a gateway is listening on 127.0.0.1:{port}, and is ready")]


def test_an_address_of_another_machine_is_a_problem(examine: Any, write: Write) -> None:
    write('[server]\nhost = "192.0.2.1"\n[auth]\nkeys = ["sk-some-key"]\n')
    assert of(examine(), "port") == [
        ("problem", "cannot listen on 192.0.2.1:8045: Cannot assign requested address"),
    ]
