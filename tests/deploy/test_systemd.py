"""gateway.service, read by a reader of its own: systemd need not be there, and where it is it reads the file, too."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.config import Config
from tests.deploy.proxies import DEPLOY, swapped
from tests.docs.examples import commands
from tests.processes import PROGRAMS

FILE = DEPLOY / "gateway.service"
STARTS, STARTS_S = 5, 10  # DefaultStartLimitBurst and DefaultStartLimitIntervalSec of systemd
# gateway.server: the notice, and the errors of streams that are cut off; parts that wait for a database that is silent
ENDING_S = 1 + 2 + 20
# every directive that the file may have, with what systemd.exec(5), systemd.service(5), systemd.kill(5) let it be
YES = frozenset({"yes", "no"})
VALUES: dict[str, frozenset[str] | None] = {
    "Unit.Description": None,
    "Unit.After": None,
    "Unit.Wants": None,
    "Service.Type": frozenset({"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"}),
    "Service.ExecStart": None,
    "Service.NotifyAccess": frozenset({"none", "main", "exec", "all"}),
    "Service.TimeoutStartSec": None,
    "Service.ExecReload": None,
    "Service.EnvironmentFile": None,
    "Service.Environment": None,
    "Service.StateDirectory": None,
    "Service.StateDirectoryMode": None,
    "Service.WorkingDirectory": None,
    "Service.UMask": None,
    "Service.KillMode": frozenset({"control-group", "mixed", "process", "none"}),
    "Service.TimeoutStopSec": None,
    "Service.Restart": frozenset(
        {"no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"}
    ),
    "Service.RestartPreventExitStatus": None,
    "Service.RestartSec": None,
    "Service.LimitNOFILE": None,
    "Service.LogRateLimitIntervalSec": None,
    "Service.AmbientCapabilities": None,
    "Service.CapabilityBoundingSet": None,
    "Service.ProcSubset": frozenset({"all", "pid"}),
    "Service.ProtectHome": YES | {"read-only", "tmpfs"},
    "Service.ProtectProc": frozenset({"noaccess", "invisible", "ptraceable", "default"}),
    "Service.ProtectSystem": YES | {"full", "strict"},
    "Service.RestrictAddressFamilies": None,
    "Service.SystemCallArchitectures": None,
    "Service.SystemCallErrorNumber": None,
    "Service.SystemCallFilter": None,
    "Install.WantedBy": None,
    **dict.fromkeys(
        (
            "Service.DynamicUser",
            "Service.LockPersonality",
            "Service.MemoryDenyWriteExecute",
            "Service.NoNewPrivileges",
            "Service.PrivateDevices",
            "Service.PrivateTmp",
            "Service.PrivateUsers",
            "Service.ProtectClock",
            "Service.ProtectControlGroups",
            "Service.ProtectHostname",
            "Service.ProtectKernelLogs",
            "Service.ProtectKernelModules",
            "Service.ProtectKernelTunables",
            "Service.RemoveIPC",
            "Service.RestrictNamespaces",
            "Service.RestrictRealtime",
            "Service.RestrictSUIDSGID",
        ),
        YES,
    ),
}


def read() -> dict[str, list[str]]:
    """Give the values of each directive, in their order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in FILE.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(f"{section}.{name}", []).append(value)
    return found


UNIT = read()


def one(name: str) -> str:
    (value,) = UNIT[f"Service.{name}"]
    return value


def test_every_directive_is_known_with_its_value() -> None:
    assert UNIT.keys() - VALUES.keys() == set()
    wrong = [
        (name, value)
        for name, values in UNIT.items()
        for value in values
        if (known := VALUES[name]) is not None and value not in known
    ]
    assert wrong == []


def test_its_command_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(one("ExecStart"))
    assert Path(program).name == "gateway"
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    assert "Usage: gateway run" in capsys.readouterr().out


def test_its_data_is_in_its_state_directory() -> None:
    state = f"/var/lib/{one('StateDirectory')}"
    assert f"GATEWAY_SERVER__DATA_DIR={state}" in one("Environment").split()
    assert one("WorkingDirectory") == state


def test_other_commands_run_as_it_does() -> None:
    """systemd would give its folder their mode, and they would find another store."""
    ((_, line),) = [command for command in commands() if command[1].startswith("systemd-run ")]
    words = shlex.split(line)
    given = {after.partition("=")[0]: after.partition("=")[2] for word, after in pairwise(words) if word == "-p"}
    assert given.pop("User") == FILE.stem  # what DynamicUser calls it by
    assert given == {name: one(name) for name in given}
    assert given.keys() >= {"DynamicUser", "EnvironmentFile", "StateDirectory", "StateDirectoryMode", "UMask"}
    assert words[words.index("-E") + 1] in one("Environment").split()
    program, _, *options = shlex.split(one("ExecStart"))
    assert program in words
    assert words[-len(options) :] == options


def test_a_reload_waits_for_the_start() -> None:
    """Before the gateway has its handler a SIGHUP ends it, which counts as a clean end: systemd leaves it there."""
    assert (one("Type"), one("NotifyAccess"), one("Restart")) == ("notify", "all", "on-failure")


def test_its_end_is_longer_than_draining() -> None:
    assert int(one("TimeoutStopSec")) > Config().server.drain + ENDING_S


def test_only_the_parent_gets_the_signal() -> None:
    """With control-group the workers would get two, and the second ends them at once."""
    assert one("KillMode") == "mixed"


def test_the_journal_takes_a_line_of_each_request() -> None:
    """By default it drops what is above ten thousand lines in half a minute."""
    assert one("LogRateLimitIntervalSec") == "0"


def test_a_configuration_that_is_wrong_is_not_tried_again() -> None:
    assert "2" in one("RestartPreventExitStatus").split()


def test_a_port_that_is_taken_for_long_is_tried_again() -> None:
    """After that many starts within that time systemd gives up for good."""
    assert int(one("RestartSec")) * (STARTS - 1) > STARTS_S


def test_it_has_no_rights() -> None:
    assert (one("CapabilityBoundingSet"), one("AmbientCapabilities")) == ("", "")
    assert all(one(name) == "yes" for name in ("DynamicUser", "NoNewPrivileges", "PrivateDevices", "PrivateTmp"))
    assert one("ProtectSystem") == "strict"


def test_systemd_itself_finds_nothing_where_it_is_there(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    text = swapped(FILE.read_text("utf-8"), ("/opt/gateway/bin/gateway", str(PROGRAMS / "gateway")))
    unit = tmp_path / FILE.name
    unit.write_text(text, "utf-8")
    if program is not None:
        done = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
