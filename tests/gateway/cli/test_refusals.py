"""What stops `gateway run` before it listens: one line a problem, and the exit code."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk import shut
from tests.gateway.cli.conftest import Run

Write = Callable[[str], Path]


@pytest.mark.parametrize("command", [("run",), ("check",), ("models",), ("connect", "openai")])
def test_a_working_folder_that_is_gone_is_said(
    run: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    gone = tmp_path_factory.mktemp("gone")
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = run(*command)
    assert (done.code, done.err) == (2, "working folder: no longer exists: change to another one\n")


SHUT = "cannot be entered: Permission denied: change to another one, or name the file of the configuration"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("run",), f"working folder: {SHUT}"),
        (("check",), f"working folder: {SHUT}"),
        (("connect", "openai"), f"working folder: {SHUT}"),
        (("run", "--no-config"), "{folder}/.env: cannot be read: Permission denied"),
        (("init",), ".env: cannot be read: Permission denied"),
    ],
)
def test_a_working_folder_of_somebody_else_is_said(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], said: str
) -> None:
    """As where `sudo -u gateway` is called in the folder of root."""
    shut(folder, monkeypatch)
    done = run(*command)
    assert (done.code, done.err) == (2, said.replace("{folder}", str(folder)) + "\n")


def test_a_link_that_leads_nowhere_is_no_missing_configuration(run: Run, folder: Path) -> None:
    """As where the disk of the configuration is not mounted: the demo would be served in its place."""
    (folder / "gateway.toml").symlink_to(folder / "elsewhere" / "gateway.toml")
    done = run("check")
    assert (done.code, done.err) == (2, "gateway.toml: there is no such file\n")


@pytest.mark.parametrize("command", [("run",), (), ("check",)])
def test_a_named_file_that_is_missing_is_exit_2(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "-c", "nowhere.toml")
    assert (done.code, done.err) == (2, "nowhere.toml: there is no such file\n")


@pytest.mark.parametrize("command", [("run",), ("check",), ("init",), ("import", "old.env")])
def test_a_name_that_is_empty_is_exit_2(run: Run, command: tuple[str, ...], folder: Path) -> None:
    """As a variable of the shell that is not set."""
    done = run(*command, "-c", "")
    assert (done.code, done.err.splitlines()[-1]) == (2, "Error: Invalid value for '-c' / '--config': is empty")
    assert not [*folder.iterdir()]


@pytest.mark.parametrize("command", [("check",), ("explain", "demo"), ("connect", "openai")])
def test_a_named_file_beside_no_config_is_exit_2(run: Run, write: Write, command: tuple[str, ...]) -> None:
    write("[upstream.demo]")
    done = run(*command, "--no-config", "-c", "gateway.toml")
    assert (done.code, done.out) == (2, "")
    assert "choose one: --config or --no-config" in done.err


def test_gateway_config_names_a_file_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CONFIG", "nowhere.toml")
    assert (run().code, run().err) == (2, "nowhere.toml: there is no such file\n")


@pytest.mark.parametrize("command", ["run", "check"])
def test_every_problem_is_told_at_once_with_file_and_line(run: Run, write: Write, command: str) -> None:
    write('[server]\nprot = 1\ndrain = "soon"\n\n[auth]\nkeys = ["env:UNSET"]\n')
    done = run(command)
    assert done.code == 2
    assert done.err.splitlines() == [
        'gateway.toml:2: server.prot: unknown key; did you mean "port"?',
        "gateway.toml:3: server.drain: expected a number, got a string",
        "gateway.toml:6: auth.keys[0]: environment variable UNSET is not set",
    ]


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_order_that_cannot_work_is_told_with_the_rest(run: Run, write: Write, command: str) -> None:
    write('[server]\nhots = "x"\n[pipeline]\norder = ["protocol", "model_map"]\n')
    done = run(command)
    assert done.code == 2
    assert [line.partition(";")[0] for line in done.err.splitlines()] == [
        "gateway.toml:2: server.hots: unknown key",
        "gateway.toml:4: pipeline.order: leaves out 'auth', which is required",
        "gateway.toml:4: pipeline.order: 'model_map' needs principal, which nothing in the order provides",
    ]


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_typo_hides_nothing_that_the_start_would_refuse(run: Run, write: Write, command: str) -> None:
    own = '[upstream.own]\ntype = "openai"\napi_key = "k"\nbase_url = "http://127.0.0.1:8045/v1"\n'
    write(f'[server]\nprot = 1\n[log]\nfile = "/proc/nowhere/x.log"\n{own}')
    done = run(command)
    assert done.code == 2
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == [f"gateway.toml:{n}" for n in (2, 4, 8)]


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_open_address_is_refused_with_its_line(run: Run, write: Write, command: str) -> None:
    write('[server]\nport = 1\nhost = "0.0.0.0"\n')
    assert run(command).err.startswith('gateway.toml:3: server.host "0.0.0.0" is open')


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_open_address_hides_no_other_problem(run: Run, write: Write, command: str) -> None:
    write('[server]\nhost = "0.0.0.0"\n[pipeline]\norder = ["auth", "model_map"]\n')
    done = run(command)
    assert done.code == 2
    assert "leaves out 'protocol'" in done.err
    assert 'server.host "0.0.0.0" is open to the network' in done.err


@pytest.mark.parametrize("command", ["run", "check"])
def test_all_that_is_wrong_with_an_order_is_told_at_once(run: Run, write: Write, command: str) -> None:
    write('[pipeline]\norder = ["model_map", "protocol", "auth", "auth", "rate_limit"]\n')
    done = run(command)
    assert done.code == 2
    way = "an order that works: ['protocol', 'auth', 'model_map', 'rate_limit']"
    assert done.err.splitlines() == [
        'gateway.toml:2: pipeline.order[3]: "auth" is listed twice',
        f"gateway.toml:2: pipeline.order: 'model_map' needs principal from 'auth', which must come before it; {way}",
        f"gateway.toml:2: pipeline.order: 'model_map' needs request from 'protocol', which must come before it; {way}",
    ]


@pytest.mark.parametrize("address", ["postgresql://u:p[w@h/x", "http://[::1"])
def test_an_address_of_a_database_that_no_parser_reads_is_one_mistake(run: Run, write: Write, address: str) -> None:
    write(f'[store]\ndatabase = "{address}"\n')
    done = run("check")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith("gateway.toml:2: store.database: is not a URL of the form postgresql://")


def test_a_misspelt_middleware_is_told_once_and_hides_nothing_else(run: Run, write: Write) -> None:
    write('[pipeline]\norder = ["rate_limit", "auht", "own", "nowhere:X", "protocol"]\n')
    done = run("check")
    nowhere = 'Python finds no module "nowhere"'
    assert done.code == 2
    assert done.err.splitlines() == [
        'gateway.toml:2: pipeline.order[1]: unknown middleware "auht"; did you mean "auth"?',
        'gateway.toml:2: pipeline.order[2]: unknown middleware "own"',
        f"gateway.toml:2: pipeline.order[3]: {nowhere}; install it, or add its folder to PYTHONPATH",
        "gateway.toml:2: pipeline.order: leaves out 'model_map', which is required",
        "gateway.toml:2: pipeline.order: 'rate_limit' needs principal from 'auth', which must come before it",
    ]


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_an_open_address_without_keys_is_refused(run: Run, write: Write, command: str, host: str) -> None:
    write(f'[server]\nhost = "{host}"\n')
    done = run(command)
    assert done.code == 2
    assert f'server.host "{host}" is open to the network and there is no key' in done.err
    assert 'auth.allow_anonymous = "always"' in done.err


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("host", "key", "url"),
    [
        ("127.0.0.1", "openai]\nbase_url", "http://127.0.0.1:8045/v1"),
        ("::1", "openai]\nbase_url", "http://LOCALHOST:8045/v1"),
        ("0.0.0.0", "anthropic]\nbase_url", "http://[::1]:8045"),
        ("[::]", 'azure]\napi_key = "a"\nendpoint', "http://127.0.0.1:8045"),
        ("gateway.example", "openai]\nbase_url", "http://gateway.example:8045/v1"),
    ],
)
def test_an_upstream_that_is_the_gateway_itself_is_refused(
    run: Run, write: Write, command: str, host: str, key: str, url: str
) -> None:
    write(f'[auth]\nkeys = ["sk-a"]\n[server]\nhost = "{host}"\n[upstream.{key} = "{url}"\n')
    done = run(command)
    name = key.partition("]")[0] + "." + key.rpartition("\n")[2]
    assert done.code == 2
    assert done.err.partition(": ")[2] == (
        f"upstream.{name}: {url} is this gateway, which would call itself; "
        "set the URL of the service, or unset what is meant for a client\n"
    )


def test_a_clients_own_variables_that_lead_to_the_gateway_are_refused(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a gateway.toml one gets it from the `.env` of a program."""
    (folder / ".env").write_text("OPENAI_BASE_URL=http://127.0.0.1:8045/v1\nOPENAI_API_KEY=sk-a\n")
    done = run("run")
    assert done.code == 2
    assert done.err.startswith(".env: OPENAI_BASE_URL: upstream.openai.base_url: http://127.0.0.1:8045/v1 is this")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8046/v1")
    assert run("check").code == 0


def test_an_address_that_another_program_may_have_is_no_reason_to_refuse(run: Run, write: Write) -> None:
    write(
        '[server]\nhost = "127.0.0.2"\npublic_url = "https://ai.example"\n'
        '[upstream.one]\ntype = "openai"\nbase_url = "http://127.0.0.1:8045/v1"\nmodels = ["a"]\n'
        '[upstream.two]\ntype = "openai"\nbase_url = "https://ai.example/v1"\nmodels = ["b"]\n'
    )
    assert run("check").code == 0


def test_an_address_of_another_machine_is_refused(run: Run) -> None:
    done = run("--host", "192.0.2.1", "--port", "0", "--api-key", "sk-a")
    assert (done.code, done.err) == (2, "cannot listen on 192.0.2.1:0: Cannot assign requested address\n")


def test_an_address_of_a_family_that_the_machine_has_not_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Socket(socket.socket):
        """One of a machine without IPv6."""

        def __init__(self, family: int = socket.AF_INET, *given: int, **named: int) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, *given, **named)

    monkeypatch.setattr(socket, "socket", Socket)
    done = run("--host", "::", "--port", "8045", "--api-key", "sk-a")
    assert (done.code, done.err) == (2, "cannot listen on [::]:8045: Address family not supported by protocol\n")
    monkeypatch.setenv("GATEWAY_SERVER__HOST", "::1")
    said = run("doctor").out
    assert "cannot listen on [::1]:8045: Address family not supported by protocol" in said
    assert "this machine has no IPv6" in said


@pytest.mark.usefixtures("unserved")
def test_a_type_without_adapter_is_refused_with_its_line(run: Run, write: Write) -> None:
    write('[upstream.demo]\n[upstream.mine]\ntype = "anthropic"\napi_key = "sk-a"\n[pipeline]\norder = ["auth"]\n')
    done = run("run", "--port", "0")
    assert done.code == 2
    first, *others = done.err.splitlines()
    assert first == "gateway.toml:3: upstream.mine.type: this version has no adapter of type 'anthropic'"
    assert [line.partition(";")[0] for line in others] == [
        "gateway.toml:6: pipeline.order: leaves out 'protocol', which is required",
        "gateway.toml:6: pipeline.order: leaves out 'model_map', which is required",
    ]


@pytest.mark.usefixtures("unserved")
def test_a_type_that_a_variable_brought_is_refused_with_its_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-a")
    done = run("run", "--port", "0")
    assert done.code == 2
    assert done.err.startswith("environment: ANTHROPIC_API_KEY: upstream.anthropic.type: this version has no adapter")


@pytest.mark.parametrize("words", [("run", "--port", "0"), ("check",)])
@pytest.mark.parametrize("store", ["", 'database = "postgresql://nobody@127.0.0.1:1/none"'])
def test_accounts_that_cannot_be_read_are_refused(
    run: Run, write: Write, folder: Path, words: tuple[str, ...], store: str
) -> None:
    (folder / "accounts.json").write_text("{")
    write(
        f"[store]\n{store}\n"
        '[upstream.one]\ntype = "v1internal"\npool.import = "nowhere.json"\n'
        '[upstream.two]\ntype = "v1internal"\npool.import = "accounts.json"\n'
    )
    done = run(*words)
    said = [line for line in done.err.splitlines() if line.startswith("gateway.toml")]
    assert done.code == 2
    assert said[0] == (
        f"gateway.toml:5: upstream.one.pool.import: {folder / 'nowhere.json'} cannot be read: No such file or directory"
    )
    assert said[1].startswith(f"gateway.toml:8: upstream.two.pool.import: {folder / 'accounts.json'}: ")


@pytest.mark.parametrize("words", [("run", "--port", "0"), ("check",)])
@pytest.mark.parametrize("file", ["gateway.toml/x.log", "there", "/proc/nowhere/%Y.log"])
def test_a_log_file_that_cannot_be_opened_is_refused_with_its_line(
    run: Run, write: Write, folder: Path, words: tuple[str, ...], file: str
) -> None:
    (folder / "there").mkdir()
    write(f'[log]\nfile = "{file}"\n')
    done = run(*words)
    assert done.code == 2
    assert done.err.startswith("gateway.toml:2: log.file: cannot be opened: ")


@pytest.mark.parametrize("key", ["log.file", "log.rotated", "server.data_dir", "record.dir"])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_home_folder_that_is_unknown_is_refused_with_its_line(run: Run, write: Write, command: str, key: str) -> None:
    """As in a container whose user has none."""
    table, _, name = key.partition(".")
    write(f'[{table}]\n{name} = "~nobody-of-that-name/x"\n')
    done = run(command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f'gateway.toml:2: {key}: "~nobody-of-that-name/x" starts with a home folder')


def test_a_look_at_a_log_file_leaves_it_as_it_is(run: Run, write: Write, folder: Path) -> None:
    (folder / "old.log").write_text("a line\n")
    for file in ("old.log", "new.log", "new/x.log"):
        write(f'[log]\nfile = "{file}"\n')
        assert run("check").code == 0
    assert {file.name for file in folder.iterdir()} == {"gateway.toml", "old.log"}
    assert (folder / "old.log").read_text() == "a line\n"


def test_options_that_a_middleware_does_not_take_are_refused(run: Run, write: Write) -> None:
    use = 'use = "starlette.middleware.gzip:GZipMiddleware"'
    order = 'order = ["zip", "auth", "protocol", "model_map"]'
    write(f"[pipeline]\n{order}\n[middleware.zip]\n{use}\noptions = {{ level = 3 }}\n")
    done = run("check")
    problem = 'GZipMiddleware has no option "level"'
    assert (done.code, done.err) == (2, f"gateway.toml:5: middleware.zip.options: {problem}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "70000"), "command line: --port: server.port: must be <= 65535, got 70000"),
        (("--port", "many"), "'many' is not a valid integer"),
        (("--log-level", "loud"), "'loud' is not one of"),
        (("--encryption-key-file", "nowhere"), "command line: --encryption-key-file: store.encryption_key: file "),
        (("--encryption-key-file", "nowhere"), "nowhere cannot be read: No such file or directory"),
        (("-ek", ""), "'-ek' / '--encryption-key': is empty"),
        (("--encryption-key-file", ""), "'--encryption-key-file': is empty"),
        (("import", "x", "-ek", " "), "'-ek' / '--encryption-key': is empty"),
        (("import", "x", "--encryption-key-file", ""), "'--encryption-key-file': is empty"),
        (("--no-such-flag",), "No such option"),
        (("no-such-command",), "No such command"),
    ],
)
def test_bad_usage_is_exit_2(run: Run, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert said in done.err


def test_a_wrong_encryption_key_is_refused(run: Run) -> None:
    done = run("--port", "0", "--refresh-token", "1//a", "--encryption-key", "short")
    assert done.code == 2
    assert "store.encryption_key: is not a key" in done.err
    assert "short" not in done.err.replace("--encryption-key", "")


@pytest.mark.parametrize("words", [("run", "--port", "0"), ("check",), ("models",)])
def test_what_is_no_encryption_key_is_refused_though_nothing_needs_it_yet(
    run: Run, write: Write, words: tuple[str, ...]
) -> None:
    write('[store]\nencryption_key = ["too short"]\n\n[upstream.demo]\n')
    done = run(*words)
    assert (done.code, done.err) == (
        2,
        "gateway.toml:2: store.encryption_key: is not a key: 32 bytes in URL-safe base64\n",
    )


def test_the_version_is_printed(run: Run) -> None:
    done = run("--version")
    assert done.code == 0
    assert done.out.split()[-1].count(".") == 2


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_the_commands(run: Run, flag: str) -> None:
    done = run(flag)
    assert done.code == 0
    assert all(f"\n  {command} " in done.out for command in ("check", "run", "version"))


@pytest.mark.parametrize("url", ["ftp://h", "http://", "http://[::1", "http://h:99999", "http://h:abc", "http://a..b"])
@pytest.mark.parametrize("words", [("selftest",), ("connect", "openai", "--url")])
def test_an_address_that_is_none_is_bad_usage(run: Run, words: tuple[str, ...], url: str) -> None:
    done = run(*words, url)
    assert done.code == 2
    assert f"{url!r} is not a URL such as http://127.0.0.1:8045" in done.err
