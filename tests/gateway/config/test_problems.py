"""Every mistake is reported at once, each with its line and the nearest valid word."""

import tomllib

import pytest

from gateway.admin.playground import OPERATOR
from gateway.config import AzureConfig, DemoConfig, V1InternalConfig, load
from gateway.config.problems import did_you_mean
from gateway.context import ANONYMOUS, Principal
from gateway.keys import indexed
from tests.gateway.config.conftest import Problems

TYPOS = [
    ("[servr]\nport = 1", 'gateway.toml:1: servr: unknown key; did you mean "server"?'),
    (
        '[auth]\nadmin_password = "x"',
        'gateway.toml:2: auth.admin_password: unknown key; did you mean "admin.password"?',
    ),
    ("[server]\n\nprot = 1", 'gateway.toml:3: server.prot: unknown key; did you mean "port"?'),
    ('[server]\nhost = "a\\nb"', "gateway.toml:2: server.host: 'a\\nb' is not a host name or address"),
    ('[server]\nhost = "0.0.0.0:80"', "gateway.toml:2: server.host: '0.0.0.0:80' is not a host name or address"),
    ('[server]\nhost = "http://a"', "gateway.toml:2: server.host: 'http://a' is not a host name or address"),
    (
        '[models]\nunknown = "a\\nb"',
        'gateway.toml:2: models.unknown: "a\\nb" is not one of pass, reject',
    ),
    (
        '[cors]\norigins = ["https://a\u202e\\u001b"]',
        (
            'gateway.toml:2: cors.origins[0]: "https://a\\u202e\\u001b" is not an origin as browsers send it: '
            '"https://app.example" (lower case, no path, no usual port)'
        ),
    ),
    (
        '[cors]\norigins = ["https://a:8443", "https://a:443"]',
        (
            'gateway.toml:2: cors.origins[1]: "https://a:443" is not an origin as browsers send it: '
            '"https://app.example" (lower case, no path, no usual port)'
        ),
    ),
    (
        '[models.alias]\nx = { "a" = 1, "b" = "2" }',
        'gateway.toml:2: models.alias.x: the weight of "b": expected a number, got a string',
    ),
    (
        '[models.alias]\nx = { "a" = 1e308, "b" = 1e308 }',
        "gateway.toml:2: models.alias.x: has weights that are too large to add up",
    ),
    (
        '[server]\npublic_url = "https://[::1/ai"',
        'gateway.toml:2: server.public_url: "https://[::1/ai" is not a URL: Invalid IPv6 URL',
    ),
    (
        '[upstream.openai]\nbase_url = "http://localhost:99999/v1"',
        'gateway.toml:2: upstream.openai.base_url: "http://localhost:99999/v1" is not a URL: Port out of range 0-65535',
    ),
    (
        '[upstream.openai]\nbase_url = "http://user:aB3/xyz@h/v1"',
        "gateway.toml:2: upstream.openai.base_url: is not a URL: a / in a user or a password is written %2F",
    ),
    (
        '[upstream.openai]\nbase_url = "http://h/v1?code=S"',
        'gateway.toml:2: upstream.openai.base_url: must end before the "?": paths are appended to it',
    ),
    (
        '[upstream.openai]\nbase_url = "http://h/v1#f"',
        'gateway.toml:2: upstream.openai.base_url: must end before the "#": paths are appended to it',
    ),
    (
        '[upstream.azure]\napi_key = "k"\nendpoint = "https://r/openai/deployments/x/chat/completions?api-version=1"',
        'gateway.toml:3: upstream.azure.endpoint: must end before the "?": paths are appended to it',
    ),
    (
        '[server]\npublic_url = "https://h/ai?x"',
        'gateway.toml:2: server.public_url: must end before the "?": paths are appended to it',
    ),
    (
        '[upstream.openai]\nbase_url = "http://h/v 1"',
        "gateway.toml:2: upstream.openai.base_url: contains ' ': write %20 in a path; a host cannot have it",
    ),
    (
        '[upstream.openai]\nbase_url = "http://h/ü"',
        "gateway.toml:2: upstream.openai.base_url: contains 'ü': write %C3%BC in a path; a host cannot have it",
    ),
    (
        '[upstream.openai]\napi_key = "k"\nbase_url = "http://u:p@h/v1"',
        (
            "gateway.toml:3: upstream.openai.base_url: has a user in addition to api_key; "
            "Authorization can carry only one of them"
        ),
    ),
    ('[record]\ndir = "a\\u0000b"', "gateway.toml:2: record.dir: contains a NUL character"),
    ('[auth]\nkeys = ["a\\u0000b"]', "gateway.toml:2: auth.keys[0]: contains a NUL character"),
    ('[auth]\nkeys = ["a\\nb"]', "gateway.toml:2: auth.keys[0]: contains a line break or another control character"),
    *(
        (
            f'[upstream.openai]\napi_key = "{key}"',
            (
                "gateway.toml:2: upstream.openai.api_key: is the name of a variable, not its value: "
                'write "env:OPENAI_API_KEY"'
            ),
        )
        for key in (
            "OPENAI_API_KEY",
            "$OPENAI_API_KEY",
            "${OPENAI_API_KEY}",
            "%OPENAI_API_KEY%",
            "{env:OPENAI_API_KEY}",
        )
    ),
    (
        '[auth]\nkeys = ["os.environ/MASTER"]',
        'gateway.toml:2: auth.keys[0]: is the name of a variable, not its value: write "env:MASTER"',
    ),
    (
        '[upstream.openai]\napi_key = "sk-\u200babc"',
        "gateway.toml:2: upstream.openai.api_key: contains U+200B, which is invisible: copy the key without it",
    ),
    (
        '[auth]\nkeys = ["\'sk-abc"]',
        "gateway.toml:2: auth.keys[0]: has quotes of its own, which `docker run --env-file` keeps: write it without",
    ),
    (
        '[upstream.google]\ntype = "v1internal"\nuser_agent = "me\\r"',
        "gateway.toml:3: upstream.google.user_agent: contains a line break or another control character",
    ),
    (
        '[upstream.google]\ntype = "v1internal"\nheaders = { a = "b\\nc" }',
        "gateway.toml:3: upstream.google.headers.a: contains a line break or another control character",
    ),
    (
        '[upstream.google]\ntype = "v1internal"\n[upstream.google.headers]\n"x y" = "b"',
        'gateway.toml:4: upstream.google.headers."x y": is not a header name',
    ),
    (
        '[auth]\nallow_anonymous = "allways"',
        'gateway.toml:2: auth.allow_anonymous: "allways" is not one of never, loopback, always; did you mean "always"?',
    ),
    (
        '[upstream.x]\ntype = "antropic"',
        (
            'gateway.toml:2: upstream.x.type: unknown upstream type "antropic", known are v1internal, gemini, '
            'vertex, openai, azure, anthropic, demo; did you mean "anthropic"?'
        ),
    ),
    (
        "[limits]\nrequests_per_minuet = 5",
        ('gateway.toml:2: limits.requests_per_minuet: unknown limit; did you mean "requests_per_minute"?'),
    ),
    (
        '[pipeline]\norder = [\n"request_id",\n"acess_log"]',
        'gateway.toml:4: pipeline.order[1]: unknown middleware "acess_log"; did you mean "access_log"?',
    ),
    (
        '[upstream.openai]\n[models.alias]\nbest = "opnai/gpt-4.1"',
        (
            'gateway.toml:3: models.alias.best: "opnai/gpt-4.1" refers to upstream "opnai", '
            'which is not configured; did you mean "openai"?'
        ),
    ),
    (
        '[models]\ndefault_upstream = "opnai"\n[upstream.openai]',
        'gateway.toml:2: models.default_upstream: upstream "opnai" is not configured; did you mean "openai"?',
    ),
    (
        '[upstream.antigravity.pool]\nstrategy = "roundrobin"',
        (
            'gateway.toml:2: upstream.antigravity.pool.strategy: "roundrobin" is not one of round_robin, sticky, '
            'fill_first, least_used, quota; did you mean "round_robin"?'
        ),
    ),
    (
        '[log]\nlevel = "inof"',
        'gateway.toml:2: log.level: "inof" is not one of debug, info, warning, error, critical; did you mean "info"?',
    ),
    (
        '[[key]]\nname = "a"\nsecret = "s"\nscope = ["chat"]',
        'gateway.toml:4: key[0].scope: unknown key; did you mean "scopes"?',
    ),
    (
        "[models]\n[models.variant.x]\nthinkin = 1",
        'gateway.toml:3: models.variant.x.thinkin: unknown key; did you mean "thinking"?',
    ),
]


@pytest.mark.parametrize(("text", "line"), TYPOS)
def test_a_typo_has_its_line_and_the_nearest_word(problems: Problems, text: str, line: str) -> None:
    assert problems(text) == [line]


def test_a_key_of_another_section_is_recognised(problems: Problems) -> None:
    assert problems('[server]\nallow_anonymous = "never"') == [
        'gateway.toml:2: server.allow_anonymous: unknown key; did you mean "auth.allow_anonymous"?'
    ]


def test_all_problems_come_at_once_in_file_order(problems: Problems) -> None:
    found = problems(
        """
[server]
port = "80"
drain = -1
[models]
default_upstream = "nobody"
[retry]
on = [200, "x"]
[upstream.x]
type = "openai"
base_url = "example.org"
"""
    )
    assert found == [
        "gateway.toml:3: server.port: expected an integer, got a string",
        "gateway.toml:4: server.drain: is negative",
        'gateway.toml:6: models.default_upstream: upstream "nobody" is not configured',
        "gateway.toml:8: retry.on[0]: must be >= 400, got 200",
        "gateway.toml:8: retry.on[1]: expected an integer, got a string",
        'gateway.toml:11: upstream.x.base_url: "example.org" is not a URL; it must start with http:// or https://',
    ]


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ('type = "openai"\nbase_url = " http://h/v1/ "', "http://h/v1"),
        ('type = "openai"\nbase_url = "http://u:p@h/v1"', "http://u:p@h/v1"),
        ('type = "gemini"\napi_key = "k"\nbase_url = "http://u:p@h"', "http://u:p@h"),
        ('type = "openai"\nbase_url = "http://[::1]:8/a%20b"', "http://[::1]:8/a%20b"),
    ],
)
def test_an_address_that_works_is_taken(table: str, address: str) -> None:
    upstream = load({"upstream": {"x": tomllib.loads(table)}}, environ={}).config.upstream["x"]
    assert not isinstance(upstream, DemoConfig | V1InternalConfig | AzureConfig)
    assert upstream.base_url == address


def test_a_broken_upstream_does_not_spoil_the_rules_that_name_it(problems: Problems) -> None:
    text = '[upstream.azure]\napi_key = "k"\n[models.alias]\nx = "azure/gpt-4o"'
    assert problems(text) == ["gateway.toml:1: upstream.azure: endpoint is required"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[upstream.azure]\napi_key = "k"\nendpoint = "{}"', "upstream.azure.endpoint"),
        ('[[key]]\nsecret = "s"\nname = "{}"', "key[0].name"),
        ('[[key]]\nname = "n"\nsecret = "{}"', "key[0].secret"),
        ('[[key]]\nname = "n"\nsha256 = "{}"', "key[0].sha256"),
        ('[middleware.m]\noptions = {{}}\nuse = "{}"', "middleware.m.use"),
        ('[upstream.mine]\nmodels = []\ntype = "{}"', "upstream.mine.type"),
    ],
)
@pytest.mark.parametrize("reference", ["file:none", "env:EMPTY"])
def test_a_needed_value_that_cannot_be_read_is_one_mistake(
    problems: Problems, text: str, place: str, reference: str
) -> None:
    (said,) = problems(text.format(reference), {"EMPTY": ""})
    assert said.startswith(f"gateway.toml:3: {place}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server = 3", "server: expected a table, got an integer"),
        ("[server]\nport = 70000", "server.port: must be <= 65535, got 70000"),
        ("[server]\nport = true", "server.port: expected an integer, got true or false"),
        ("[server]\nhost = 1", "server.host: expected a string, got an integer"),
        ('[server]\nmax_body = "32MX"', "server.max_body: '32MX' is not a size"),
        ("[server]\nmax_body = -1", "server.max_body: -1 is not a size"),
        ("[server]\nmax_body = 0", "server.max_body: would reject every request with a body"),
        ("[server]\nmax_body = 1.5", "server.max_body: 1.5 is not a size"),
        ('[server]\ndrain = "30s"', "server.drain: expected a number, got a string"),
        ("[server]\ndrain = nan", "server.drain: is not a finite number"),
        ("[server]\ndrain = inf", "server.drain: is not a finite number"),
        (f"[server]\ndrain = 1{'0' * 400}", "server.drain: is not a finite number"),
        ("[server]\ndrain = true", "server.drain: expected a number, got true or false"),
        ("[defaults]\ntemperature = inf", "defaults.temperature: is not a finite number"),
        ("[defaults]\ntemperature = -0.1", "defaults.temperature: is negative"),
        ("[timeouts]\nconnect = 0", "timeouts.connect: must be above 0"),
        ("[retry]\nattempts = 0", "retry.attempts: must be >= 1, got 0"),
        ('[auth]\nkeys = "sk-1"', "auth.keys: expected a list, got a string"),
        ('[auth]\nkeys = [""]', "auth.keys[0]: is empty"),
        ("[auth]\nkeys = [5]", "auth.keys[0]: expected a string, got an integer"),
        ("[auth]\naccept = []", "auth.accept: lists no place for a key"),
        ('[auth]\naccept = ["bear"]', 'auth.accept[0]: "bear" is not one of bearer'),
        ("[auth]\nallow_anonymous = false", "auth.allow_anonymous: expected a string, got true or false"),
        ("[limits]\nrequests_per_minute = -1", "limits.requests_per_minute: is negative"),
        ("[limits]\nrequests_per_minute = 1.5", "limits.requests_per_minute: is not a whole number"),
        ("[limits]\nrequests_per_week = 1", "limits.requests_per_week: unknown limit"),
        ('[limits]\nconcurrent = "4"', "limits.concurrent: expected a number, got a string"),
        ("limits = 5", "limits: expected a table such as { requests_per_minute = 60 }, got an integer"),
        ('[[key]]\nname = "a"\nsha256 = "00"', "key[0].sha256: is not a SHA-256: 64 hexadecimal digits"),
        ('[[key]]\nname = "a"', "key[0]: needs exactly one of sha256 and secret"),
        (
            f'[[key]]\nname = "a"\nsecret = "s"\nsha256 = "{"0" * 64}"',
            "key[0]: needs exactly one of sha256 and secret",
        ),
        ('[[key]]\nsecret = "s"', "key[0]: name is required"),
        ('[[key]]\nname = " "\nsecret = "s"', "key[0].name: is empty"),
        ('[[key]]\nname = "a"\nsecret = ""', "key[0].secret: is empty"),
        ('[[key]]\nname = "a"\nsecret = "s"\nexpires = "soon"', 'expires: "soon" is not a date'),
        ('[[key]]\nname = "a"\nsecret = "s"\nexpires = 12:00:00', "expires: expected a date such as"),
        ('[[key]]\nname = "a"\nsecret = "s"\nscopes = []', "gateway.toml:4: key[0].scopes: a key without scopes"),
        ('[[key]]\nname = "a"\nsecret = "s"\nmodels = ["gpt-*", ""]', "key[0].models[1]: matches no model"),
        ('key = "x"', "key: expected a list, got a string; write [[key]]"),
        ('[key]\nname = "a"', "key: expected a list, got a table; write [[key]]"),
        ("[upstream.x]", "upstream.x: type is required: one of v1internal"),
        ("[upstream.x]\ntype = 5", "upstream.x.type: expected a string, got an integer"),
        ("upstream = 5", "upstream: expected a table, got an integer"),
        ("upstream = []", "upstream: expected a table, got a list; write [upstream.NAME]"),
        ('[[upstream]]\ntype = "demo"', "upstream: expected a table, got a list; write [upstream.NAME]"),
        ("upstream = false", "upstream: expected a table, got true or false"),
        ("[upstream]\nx = 5", "upstream.x: expected a table, got an integer"),
        ('[upstream."a/b"]\ntype = "demo"', "an upstream's name may have letters, digits"),
        ('[upstream.openai]\napi_key = ""', "upstream.openai.api_key: is empty"),
        ('[upstream.openai]\napi_key = ["a", ""]', "upstream.openai.api_key: is empty"),
        ('[upstream.azure]\nendpoint = ""', "upstream.azure.endpoint: is empty"),
        ('[upstream.openai]\nmodels = ["m", ""]', "upstream.openai.models[1]: is empty"),
        (
            '[upstream.azure]\nendpoint = "https://a"\napi_key = "k"\ndeployments = { gpt-4o = "" }',
            "upstream.azure.deployments.gpt-4o: is empty",
        ),
        (
            '[upstream.openai]\napi_key = "a"\npool = { uses_per_turn = 1 }',
            "upstream.openai.pool: needs an api_key that is a list",
        ),
        (
            "[upstream.vertex]\n[upstream.vertex.pool]\nuses_per_turn = 1",
            "upstream.vertex.pool: unknown key",
        ),
        ("[upstream.gemini]\noauth = {}", "upstream.gemini.oauth: unknown key"),
        ("[upstream.antigravity.pool]\nuses_per_turn = 0", "uses_per_turn: must be >= 1, got 0"),
        ("[upstream.antigravity.pool]\nquota_floor = 1.5", "quota_floor: must be <= 1.0, got 1.5"),
        ("[upstream.antigravity.pool]\ncooldown = { min = 9, max = 8 }", "cooldown: min is above max"),
        ('[upstream.antigravity.pool.health]\nprobes = ["model"]', 'did you mean "models"?'),
        ("[models.alias]\nx = []", "models.alias.x: names no model"),
        ('[models.alias]\nx = ""', "models.alias.x: names no model"),
        ("[models.alias]\nx = 5", "models.alias.x: expected a string, got an integer"),
        ("[models.alias]\nx = { demo = 0 }", 'models.alias.x: the weight of "demo": must be above 0'),
        ('[thinking]\n"x" = { budget = -2 }', "thinking.x.budget: must be >= -1, got -2"),
        ("[defaults]\ntop_p = 1.5", "defaults.top_p: must be <= 1.0, got 1.5"),
        ("[translate]\nfetch_urls = 1", "translate.fetch_urls: expected true or false, got an integer"),
        ('[admin]\nusername = "a:b"', "admin.username: has a colon"),
        ('[metrics]\npath = "metrics"', 'metrics.path: "metrics" does not start with /'),
        ('[metrics]\npath = "/m?x=1"', 'metrics.path: must end before the "?": no path of a request has it'),
        ('[metrics]\npath = "/v1/metrics"', 'metrics.path: "/v1" is used for something else'),
        ('[metrics]\npath = "/"', 'metrics.path: "/" is used for something else'),
        ('[pipeline]\norder = ["a b:C"]', 'pipeline.order[0]: unknown middleware "a b:C"'),
        ('[middleware.auth]\nuse = "a.b:C"', "middleware.auth: is a built-in middleware"),
        ('[middleware.x]\nuse = "a.b"', 'middleware.x.use: "a.b" is not of the form "package.module:Class"'),
        ("[middleware.x]\noptions = {}", "middleware.x: use is required"),
    ],
)
def test_one_mistake_gives_one_problem(problems: Problems, text: str, message: str) -> None:
    [problem] = problems(text)
    assert message in problem


def test_two_keys_of_one_name_are_refused(problems: Problems) -> None:
    keys = '[[key]]\nname = "a"\nsecret = "s"\n[[key]]\nname = "a"\nsecret = "t"'
    assert problems(keys) == ['gateway.toml:5: key[1].name: a key named "a" is already defined above']


@pytest.mark.parametrize("principal", [ANONYMOUS, OPERATOR])
def test_a_key_cannot_have_a_name_of_the_gateways_own(problems: Problems, principal: Principal) -> None:
    (problem,) = problems(f'[[key]]\nname = "{principal.name}"\nsecret = "s"')
    assert problem.startswith(f'gateway.toml:2: key[0].name: "{principal.name}" means ')


def test_a_key_cannot_have_the_name_of_one_of_auth_keys(problems: Problems) -> None:
    """Both would be one in the logs and in the ledger."""
    second = list(indexed(["s", "t"]).values())[1][0].name
    message = f'key[0].name: "{second}" means auth.keys[1]; choose another name'
    text = f'[auth]\nkeys = ["s", "t"]\n[[key]]\nname = "{second}"\nsecret = "u"'
    assert problems(text) == [f"gateway.toml:4: {message}"]


def test_the_upstreams_of_a_key_are_configured(problems: Problems) -> None:
    text = '[upstream.openai]\ntype = "demo"\n[[key]]\nname = "a"\nsecret = "s"\nupstreams = ["openai", "openia"]\n'
    message = 'upstream "openia" is not configured; did you mean "openai"?'
    assert problems(text) == [f"gateway.toml:6: key[0].upstreams[1]: {message}"]


def test_no_suggestion_without_a_near_word() -> None:
    assert did_you_mean("zzz", ["server", "auth"]) == ""


def test_suggestions_ignore_case() -> None:
    assert did_you_mean("HOST", ["host"]) == '; did you mean "host"?'


def test_no_secret_is_shown_in_a_problem(problems: Problems) -> None:
    assert "sk-secret" not in "".join(problems('[upstream.openai]\napi_key = ["sk-secret", 5]'))
