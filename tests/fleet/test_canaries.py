"""No secret that a running gateway holds, or is shown, is in anything that it says, at any log level."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from tests.fakes.fixtures import in_thread
from tests.fakes.google_browser import press
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_oauth import oauth_error
from tests.fleet.mirror import MODES, mirror
from tests.fleet.planted import CANARIES, Evidence, basic, found, toml_of
from tests.patience import patient
from tests.postgres_server import PostgresServer
from tests.processes import PROGRAMS, Program, environment, gateway
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("canaries")]  # much is asked, once for all tests

STREAMED = ("400", "stream", "late", "401")
HTML = {"accept": "text/html"}
FORM = re.compile(r'name="csrf" value="([^"]+)"')
MODEL = "google/gemini-2.5-flash"
UPSTREAMS = ("mirrored", "refused", "openai", "responses", "anthropic", "gemini", "azure")
BROKEN = """\
class Broken:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        headers = dict(scope.get("headers", ()))
        if headers.get(b"x-defect") == b"whole":
            try:
                raise KeyError(headers)
            except KeyError as error:
                raise RuntimeError(f"{scope['query_string']} {scope['headers']}") from error
        if b"x-defect" in headers:
            raise RuntimeError(" ".join(value.decode().split()[-1] for value in headers.values()))
        await self.app(scope, receive, send)
"""
COMMANDS = (
    ("check",),
    ("models",),
    ("explain", MODEL),
    ("explain", "openai/m-400", "--json"),
    ("doctor",),
    ("credentials", "list"),
    ("credentials", "list", "--json"),
    ("credentials", "export"),
)
Headers = dict[str, str]
PLACES: Mapping[str, Callable[[str], tuple[Headers, str]]] = {
    "bearer": lambda key: ({"authorization": f"Bearer {key}"}, ""),
    "x-api-key": lambda key: ({"x-api-key": key}, ""),
    "x-goog-api-key": lambda key: ({"x-goog-api-key": key}, ""),
    "api-key": lambda key: ({"api-key": key}, ""),
    "basic": lambda key: ({"authorization": f"Basic {basic('any', key)}"}, ""),
    "query": lambda key: ({}, f"?key={quote(key, safe='')}"),
}
USER = {"role": "user", "content": "Hello"}
CHAT = "/v1/chat/completions"


def bodies(model: str, *, stream: bool = False) -> Iterator[tuple[str, object]]:
    """Ask a model in every dialect."""
    flow = {"stream": True} if stream else {}
    yield CHAT, {"model": model, "messages": [USER], **flow}
    yield "/v1/responses", {"model": model, "input": "Hello", **flow}
    yield "/v1/messages", {"model": model, "messages": [USER], "max_tokens": 9, **flow}
    method = "streamGenerateContent" if stream else "generateContent"
    yield f"/v1beta/models/{model}:{method}", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


def others(model: str) -> Iterator[tuple[str, object]]:
    """Ask for what not every upstream has: a count, embeddings, and calls that pass as they are."""
    yield "/v1/messages/count_tokens", {"model": model, "messages": [USER]}
    yield "/v1/responses/input_tokens", {"model": model, "input": "Hello"}
    yield "/v1/embeddings", {"model": model, "input": "Hello"}
    yield "/v1/images/generations", {"model": model, "prompt": "Hello"}
    for method in ("countTokens", "embedContent"):
        yield f"/v1beta/models/{model}:{method}", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


class Site:
    """A running gateway and those who use it; whatever it says becomes evidence."""

    def __init__(self, program: Program, fake: FakeV1Internal, folder: Path) -> None:
        self.program = program
        self.fake = fake
        self.folder = folder
        self.evidence = Evidence()
        self.http = httpx.Client(base_url=program.url, timeout=30)

    def keep(self, kind: str, answer: httpx.Response) -> httpx.Response:
        """Note an answer, and its headers but for where a browser is sent and what it is to keep."""
        hidden = ("location", "set-cookie")
        heads = {name: value for name, value in answer.headers.items() if name not in hidden}
        text = FORM.sub("", answer.text)  # a page's own form has its token
        self.evidence.add(f"{kind} {answer.request.method} {answer.url.path}", f"{heads} {text}")
        return answer

    def ask(self, path: str, body: object, key: str = CANARIES["caller"], **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {key}"} | headers
        return self.keep("caller", self.http.post(path, json=body, headers=sent))

    def ask_all(self, model: str) -> list[int]:
        asked = [*bodies(model), *bodies(model, stream=True)]
        return [self.ask(path, body).status_code for path, body in asked]

    def defect(self, how: str, query: str, headers: Headers) -> None:
        """Let the middleware fail that tells what it was sent."""
        failed = self.http.post(CHAT + query, json={}, headers={**headers, "x-defect": how})
        assert self.keep("caller", failed).status_code == 500

    # what is driven

    def callers(self) -> None:
        """Ask with keys in all places, with those that nobody knows too, and through a middleware that fails."""
        assert set(self.ask_all(MODEL)) == {200}
        body = {"model": MODEL, "messages": [USER]}
        for name, place in PLACES.items():
            for key in ("caller", "named", "stranger"):
                headers, query = place(CANARIES[key])
                answer = self.keep("caller", self.http.post(CHAT + query, json=body, headers=headers))
                assert answer.status_code == (401 if key == "stranger" else 200), name
                self.defect("whole", query, headers)
        for key in ("caller", "named", "admin", "password", "client-secret", "encryption-key"):
            self.defect("bare", "", {"x-api-key": CANARIES[key]})

    def upstreams(self, modes: Sequence[str]) -> None:
        """Ask those that repeat what they are sent, in each of these ways."""
        for mode in modes:
            for upstream in UPSTREAMS:
                model = f"{upstream}/m-{mode}"
                asked = [*bodies(model), *(bodies(model, stream=True) if mode in STREAMED else ()), *others(model)]
                told = [self.ask(path, body).status_code for path, body in asked]
                # an error in a stream comes under 200
                assert {200} >= {status for status in told if status < 400}
            headers, _ = PLACES["bearer"](CANARIES["caller"])
            for path in ("/v1beta/cachedContents/m-400", "/v1/responses/resp_m-400", "/v1/models"):
                self.keep("caller", self.http.get(path, headers=headers))

    def accounts(self) -> None:
        """Let tokens be rotated, refreshes fail, and an access token that was given be refused."""
        oauth = self.fake.oauth
        oauth.rotate = True
        self.fake.oauth.expire()
        assert self.ask_all(MODEL)[0] == 200
        rotated = {token for token in oauth.accounts if "~" in token}
        assert rotated
        oauth.rotate = False
        oauth.expire()
        for token in rotated:
            said = f"no {token} for {CANARIES['client-secret']}"
            oauth.faults += [(token, oauth_error("temporarily_unavailable", said))] * 2
        assert self.ask_all(MODEL)[0] == 502
        oauth.faults.clear()
        # what was given out
        self.evidence.learnt |= {f"access-{place}": token for place, token in enumerate(oauth.tokens)}

    def administration(self) -> None:
        """Log in, look at everything, log accounts in with and without success, and change one."""
        for user, password in (("admin", "password"), ("operator", "stranger")):
            given = {"username": user, "password": CANARIES[password]}
            self.keep("caller", self.http.post("/admin/login", data=given, headers=HTML | self.origin))
        self.evidence.learnt["session"] = self.cookie(f"gateway_session_{self.http.base_url.port}")
        page = self.http.get("/admin/credentials", headers=HTML).text
        csrf = FORM.search(page)
        assert csrf, page
        self.evidence.learnt["csrf"] = csrf[1]
        for upstream, decision in (("google", "allow"), ("google", "deny"), ("refused", "allow")):
            self.log_in(upstream, decision)
        listed = self.http.get("/admin/credentials").json()["credentials"]
        one = next(one for one in listed if one["upstream"] == "google")
        for action in ("disable", "check", "enable", "check"):
            at = f"/admin/credentials/{one['id']}/{action}"
            form = {"csrf": csrf[1]}
            self.keep("page", self.http.post(at, data=form, headers=self.origin))
        self.keep("caller", self.http.post(at, data={"csrf": CANARIES["stranger"]}, headers=HTML | self.origin))
        for auth in (("admin", CANARIES["stranger"]), ("operator", CANARIES["password"])):
            self.keep("caller", httpx.get(f"{self.program.url}/admin/credentials", auth=auth))
        headers, _ = PLACES["bearer"](CANARIES["admin"])
        self.keep("page", httpx.get(f"{self.program.url}/admin/credentials", headers=headers))
        for path in ("/", "/admin/credentials", "/metrics", "/health/ready"):
            for headers in ({}, HTML):
                self.keep("page", self.http.get(path, headers=headers))

    def log_in(self, upstream: str, decision: str) -> None:
        """Go to Google and back, and once more with what was used."""
        begun = self.http.get(f"/oauth2/login?upstream={upstream}", headers=HTML)
        assert begun.status_code == 302, begun.text
        self.evidence.add("caller /oauth2/login", begun.text)
        back = press(begun.headers["location"], "new@example.invalid", decision)
        given = parse_qs(urlsplit(back).query)
        learnt = {f"{name}-{upstream}-{decision}": given[name][0] for name in ("state", "code") if name in given}
        self.evidence.learnt |= learnt
        for _ in range(2):
            self.keep("page", self.http.get(back, headers=HTML))
        self.keep("page", self.http.get(f"{back}x", headers=HTML))
        used = [record.body.get("code_verifier") for record in self.fake.calls("token")]
        self.evidence.learnt |= {f"verifier-{place}": one for place, one in enumerate(used) if one}

    @property
    def origin(self) -> Headers:
        return {"origin": self.program.url}

    def cookie(self, name: str) -> str:
        return next(value for one, value in self.http.cookies.items() if one == name)

    def commands(self) -> None:
        for words in COMMANDS:
            done = subprocess.run(
                [PROGRAMS / "gateway", *words],
                cwd=self.folder,
                env=environment(self.folder),
                capture_output=True,
                text=True,
                timeout=patient(60),
                check=False,
            )
            self.evidence.add(f"command {' '.join(words)}", done.stdout + done.stderr)

    def files(self, when: str) -> None:
        """Read what is on the disk, as it stands."""
        for folder in ("data", "recordings"):
            for file in (self.folder / folder).rglob("*"):
                if file.is_file():
                    self.evidence.add(f"file {file.name} {when}", file.read_bytes())

    def logs(self) -> None:
        self.evidence.add("log printed", self.program.output)
        self.evidence.add("log file", (self.folder / "log" / "gateway.log").read_bytes())


@pytest.fixture(scope="module", params=["json", "console"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Drive a gateway through all of it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "broken.py").write_text(BROKEN)
    redis = RedisServer(folder)
    tokens = [CANARIES[name] for name in ("config-token", "mirror-token", "login-token")]
    with ExitStack() as stack:
        stack.callback(redis.close)
        redis.start()
        redis.do("CONFIG", "SET", "requirepass", CANARIES["redis"])
        fake = stack.enter_context(in_thread(FakeV1Internal(refresh_tokens=tokens)))
        fake.oauth.register("our-desktop", CANARIES["client-secret"], desktop=True)
        fake.oauth.add_person("new@example.invalid")
        echo = stack.enter_context(mirror())
        address = redis.url.replace("://", f"://:{quote(CANARIES['redis'], safe='')}@")
        toml = toml_of(fake.base("a"), fake.authorize_url, echo, address, request.param)
        program = stack.enter_context(gateway(folder, toml=toml, PYTHONPATH=str(folder)))
        one = Site(program, fake, folder)
        stack.callback(one.http.close)
        one.callers()
        one.accounts()
        redis.stop()
        program.says("Redis is unreachable")
        one.administration()
        # the console differs in the form of the log alone
        one.upstreams(MODES if request.param == "json" else ("fields", "cut", "401"))
        one.administration()
        one.files("while it runs")
        if request.param == "json":
            one.commands()
        program.process.terminate()
        program.ends(20)
        one.files("after its end")
        one.logs()
        yield one


@pytest.mark.parametrize("kind", ["caller", "page", "command", "file", "log"])
def test_nothing_that_is_said_holds_one(site: Site, kind: str) -> None:
    assert site.evidence.leaks(kind) == []


@pytest.mark.parametrize("kind", ["caller", "page", "log"])
def test_something_was_said_that_had_to_be_masked(site: Site, kind: str) -> None:
    assert any(b"***" in text for where, text in site.evidence.said if where.startswith(kind))


def test_bodies_and_recordings_are_among_what_is_looked_at(site: Site) -> None:
    said = site.evidence.said
    assert any(b'"part":"call"' in text for where, text in said if where.startswith("file"))
    assert any(b"request_cut" in text or b"chat.completion" in text for where, text in said if where == "log file")


def test_a_database_that_is_away_does_not_tell_its_password(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer
) -> None:
    password = quote(CANARIES["postgres"], safe="")
    address = postgres_url.replace("postgres@", f"postgres:{password}@")
    with mirror() as echo:
        toml = toml_of(echo, echo, echo, "", "json").replace("[store]", f'[store]\ndatabase = "{address}"')
        (tmp_path / "broken.py").write_text(BROKEN)
        with gateway(tmp_path, toml=toml, PYTHONPATH=str(tmp_path)) as program:
            assert program.url
            postgres_server.stop()
            auth = ("admin", CANARIES["password"])
            pages = [httpx.get(f"{program.url}{path}", auth=auth, timeout=30) for path in ("/", "/admin/credentials")]
            listed = pages[1].json()["credentials"]
            at = f"{program.url}/admin/credentials/{listed[0]['id']}/disable"
            pages.append(httpx.post(at, auth=auth, timeout=30))
            program.says("the credential store fails")
        with gateway(tmp_path, PYTHONPATH=str(tmp_path)) as again:
            again.says("the credential store", 30)
    said = " ".join([program.output, again.output, *(page.text for page in pages)])
    assert list(found(said.encode())) == []
