"""`env:` and `file:`: unset is not given, empty is an error, and a missing secret stops the start."""

from pathlib import Path

import pytest

from gateway.config import Secret, load
from gateway.config.upstreams import OAuthConfig, OpenAIConfig, V1InternalConfig
from tests.gateway.config.conftest import Load, Problems

STRICT = [
    ('[auth]\nkeys = ["env:A"]', "gateway.toml:2: auth.keys[0]: "),
    ('[[key]]\nname = "x"\nsecret = "env:A"', "gateway.toml:3: key[0].secret: "),
    ('[upstream.openai]\napi_key = "env:A"', "gateway.toml:2: upstream.openai.api_key: "),
    ('[upstream.openai]\napi_key = ["b", "env:A"]', "gateway.toml:2: upstream.openai.api_key[1]: "),
    (
        '[upstream.antigravity]\noauth = { client_id = "env:A" }',
        "gateway.toml:2: upstream.antigravity.oauth.client_id: ",
    ),
]


@pytest.mark.parametrize(("text", "place"), STRICT)
def test_an_unset_secret_stops_the_start(problems: Problems, text: str, place: str) -> None:
    assert problems(text) == [f"{place}environment variable A is not set"]


@pytest.mark.parametrize(("text", "place"), [*STRICT, ('[log]\nfile = "env:A"', "gateway.toml:2: log.file: ")])
def test_a_reference_names_a_variable(problems: Problems, text: str, place: str) -> None:
    said = problems(text.replace("env:A", "env:"))
    assert said[0] == f'{place}names no variable behind "env:"'


def test_a_key_whose_hash_is_unset_is_none(read: Load, problems: Problems) -> None:
    text = '[[key]]\nname = "x"\nsha256 = "env:A"'
    said = "gateway.toml:1: key[0]: needs exactly one of sha256 and secret, but environment variable A is not set"
    assert problems(text) == [said]
    assert read(f'{text}\nsecret = "s"').config.key[0].secret == Secret("s")


@pytest.mark.parametrize(("text", "place"), [*STRICT, ('[log]\nfile = "env:A"', "gateway.toml:2: log.file: ")])
@pytest.mark.parametrize("value", ["", " "])
def test_set_but_empty_is_always_an_error(problems: Problems, text: str, place: str, value: str) -> None:
    assert f"{place}environment variable A is set but empty" in problems(text, {"A": value})


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nport = "env:A"',
        '[server]\nmax_body = "env:A"',
        '[log]\nlevel = "env:A"',
        '[retry]\non = ["env:A"]',
        '[store]\nencryption_key = "env:A"',
        '[admin]\npassword = "env:A"',
    ],
)
def test_elsewhere_unset_means_the_default(read: Load, text: str) -> None:
    assert read(text).config == load({}, environ={}).config


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_end_of_a_line_is_no_part_of_what_a_variable_holds(read: Load, end: str) -> None:
    """As `docker run --env-file` of a file from Windows and some stores of secrets leave one."""
    names = ("A", "GATEWAY_ENCRYPTION_KEY", "GATEWAY_ADMIN_PASSWORD", "GATEWAY_UPSTREAM__OPENAI__API_KEY")
    config = read('[auth]\nkeys = ["env:A"]\n[upstream.openai]', {name: f"of {name}{end}" for name in names}).config
    upstream = config.upstream["openai"]
    assert isinstance(upstream, OpenAIConfig)
    secrets = [*config.auth.keys, *config.store.encryption_key, config.admin.password, *upstream.api_key]
    assert [secret.reveal() for secret in secrets] == [f"of {name}" for name in names]


def test_blanks_around_a_key_are_no_part_of_it(read: Load, folder: Path) -> None:
    (folder / "key").write_text("  sk-of-a-file  \n")
    keys = read('[auth]\nkeys = ["file:key", "env:A"]', {"A": " sk-of-a-variable "}).config.auth.keys
    assert [key.reveal() for key in keys] == ["sk-of-a-file", "sk-of-a-variable"]


@pytest.mark.parametrize(("text", "place"), STRICT[:3])
def test_a_line_break_within_a_secret_stops_the_start(problems: Problems, text: str, place: str) -> None:
    assert problems(text, {"A": "a\nb"}) == [f"{place}contains a line break or another control character"]


@pytest.mark.parametrize(
    ("name", "key"),
    [("GATEWAY_ENCRYPTION_KEY", "store.encryption_key"), ("GATEWAY_ADMIN_PASSWORD", "admin.password")],
)
def test_a_line_break_within_a_secret_of_a_variable_is_told_by_its_name(
    problems: Problems, name: str, key: str
) -> None:
    said = f"environment: {name}: {key}"
    assert [line.replace("[0]", "") for line in problems("", {name: "a\x1bb"})] == [
        f"{said}: contains a line break or another control character"
    ]


def test_an_unset_element_is_left_out_of_its_list(read: Load) -> None:
    upstream = read('[upstream.antigravity.pool]\nrefresh_tokens = ["env:A", "b"]').config.upstream["antigravity"]
    assert isinstance(upstream, V1InternalConfig)
    assert upstream.pool.refresh_tokens == (Secret("b"),)


def test_a_value_takes_the_type_of_its_key(read: Load) -> None:
    text = '[server]\nport = "env:A"\n[translate]\nfetch_urls = "env:B"\n[timeouts]\nidle = "env:C"'
    config = read(text, {"A": "80", "B": "true", "C": "1.5"}).config
    assert (config.server.port, config.translate.fetch_urls, config.timeouts.idle) == (80, True, 1.5)


def test_a_variable_can_hold_a_whole_list(read: Load) -> None:
    text = '[auth]\nkeys = "env:A"\n[upstream.openai]\napi_key = "env:A"\npool = { uses_per_turn = 1 }'
    config = read(text, {"A": '["x", "y"]'}).config
    upstream = config.upstream["openai"]
    assert isinstance(upstream, OpenAIConfig)
    assert config.auth.keys == upstream.api_key == (Secret("x"), Secret("y"))


def test_what_a_reference_gives_is_not_followed_again(read: Load) -> None:
    assert read('[auth]\nkeys = ["env:A"]', {"A": "env:B", "B": "no"}).config.auth.keys == (Secret("env:B"),)


def test_a_file_is_read_beside_the_configuration(read: Load, folder: Path) -> None:
    (folder / "secret").write_text("sk-1\n")
    assert read('[auth]\nkeys = ["file:secret"]').config.auth.keys == (Secret("sk-1"),)


def test_a_missing_file_is_an_error_with_its_path(problems: Problems, folder: Path) -> None:
    assert problems('[log]\nfile = "file:nowhere"') == [
        f"gateway.toml:2: log.file: file {folder / 'nowhere'} cannot be read: No such file or directory"
    ]


def test_an_empty_file_is_an_error(problems: Problems, folder: Path) -> None:
    (folder / "secret").write_text("\n")
    assert f"file {folder / 'secret'} is empty" in problems('[auth]\nkeys = ["file:secret"]')[0]


@pytest.mark.parametrize(
    "text",
    [
        '[store]\nencryption_key = "file:secret"',
        '[auth]\nkeys = "file:secret"',
        '[upstream.openai]\napi_key = "file:secret"\npool = {}',
    ],
)
def test_a_file_with_a_list_of_no_secrets_is_an_error(problems: Problems, folder: Path, text: str) -> None:
    """It would leave the credentials in clear, or the gateway open."""
    (folder / "secret").write_text("[ ]\n")
    assert f": file {folder / 'secret'} is empty" in problems(text)[0]


def test_a_variable_with_a_list_of_no_keys_is_an_error(problems: Problems) -> None:
    said = "environment: GATEWAY_ENCRYPTION_KEY: store.encryption_key: is set but empty"
    assert problems("", {"GATEWAY_ENCRYPTION_KEY": "[]"}) == [said]


def test_a_list_of_nothing_that_opens_nothing_is_taken(read: Load) -> None:
    assert read('[cors]\norigins = "env:A"', {"A": "[]"}).config.cors.origins == ()


def test_a_mark_of_the_byte_order_is_no_part_of_what_a_file_holds(folder: Path) -> None:
    """Editors and shells of Windows write one."""
    (folder / "key").write_bytes("\ufeffsk-of-a-file\r\n".encode())
    (folder / ".env").write_bytes("\ufeffA=sk-of-a-variable\r\n".encode())
    (folder / "gateway.toml").write_text('[auth]\nkeys = ["file:key", "env:A"]')
    keys = load(environ={}).config.auth.keys
    assert [key.reveal() for key in keys] == ["sk-of-a-file", "sk-of-a-variable"]


@pytest.mark.parametrize(("name", "reason"), [("bytes", "it is not UTF-8 text"), ("~nobody-here/x", "cannot be read")])
def test_an_unreadable_file_is_an_error(problems: Problems, folder: Path, name: str, reason: str) -> None:
    (folder / "bytes").write_bytes(b"\xff")
    assert reason in problems(f'[auth]\nkeys = ["file:{name}"]')[0]


def test_the_encryption_key_and_the_admin_password_have_variables_of_their_own() -> None:
    loaded = load({}, environ={"GATEWAY_ENCRYPTION_KEY": "k", "GATEWAY_ADMIN_PASSWORD": "p"})
    assert loaded.config.store.encryption_key == (Secret("k"),)
    assert loaded.config.admin.password == Secret("p")
    assert str(loaded.source(("admin", "password"))) == "env GATEWAY_ADMIN_PASSWORD"


def test_the_file_beats_the_default_reference(read: Load) -> None:
    config = read('[admin]\npassword = "mine"', {"GATEWAY_ADMIN_PASSWORD": "p"}).config
    assert config.admin.password == Secret("mine")


def test_an_empty_variable_of_a_default_reference_is_an_error(problems: Problems) -> None:
    assert problems("", {"GATEWAY_ENCRYPTION_KEY": ""}) == [
        "environment: GATEWAY_ENCRYPTION_KEY: store.encryption_key: is set but empty"
    ]


def test_oauth_client_variables_serve_an_upstream_that_names_no_client(read: Load) -> None:
    environ = {"OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": "s"}
    upstream = read("[upstream.antigravity]", environ).config.upstream["antigravity"]
    assert upstream == V1InternalConfig(oauth=OAuthConfig(client_id="id", client_secret=Secret("s")))


def test_oauth_client_variables_are_not_mixed_with_a_client_of_the_file(read: Load) -> None:
    environ = {"OAUTH_CLIENT_SECRET": "other"}
    upstream = read('[upstream.antigravity]\noauth = { client_id = "mine" }', environ).config.upstream["antigravity"]
    assert upstream == V1InternalConfig(oauth=OAuthConfig(client_id="mine"))


def test_references_inside_middleware_options_are_followed(read: Load) -> None:
    text = '[middleware.x]\nuse = "a:B"\noptions = { deep = [{ token = "env:A" }] }'
    assert read(text, {"A": "t"}).config.middleware["x"].options == {"deep": [{"token": "t"}]}


def test_a_variable_that_only_a_replaced_system_read_is_left_alone_beside_a_file(read: Load) -> None:
    assert list(read("", {"OPENAI_API_KEY": "k"}).config.upstream) == ["demo"]
