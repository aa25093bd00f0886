"""Who a request comes from: only proxies of server.trusted_proxies say it, under every server and in every mount."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.app import create_app, lifespan
from gateway.config import ConfigError, load
from gateway.proxies import Proxies, misspelt
from tests.gateway.cli.test_run import ask, request_line
from tests.middleware.asgi import call, scope_of
from tests.patience import patient
from tests.ports import free_port
from tests.processes import PROGRAMS, environment, gateway, running

KEYED = '[auth]\nkeys = ["sk-a"]\n[log]\nformat = "json"\n'
CHAT = b'{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'


def seen(
    trusted: tuple[str, ...], peer: str | None, *lines: str, proto: str = "", header: str = "x-forwarded-for"
) -> tuple[str | None, str]:
    """Give the client and the scheme that are taken for true."""
    scope = {**scope_of(), "client": (peer, 4711) if peer is not None else None, "scheme": "http"}
    scope["headers"] += [(header.encode(), line.encode()) for line in lines]
    if proto:
        scope["headers"].append((b"x-forwarded-proto", proto.encode()))
    found = Proxies(trusted).seen_through(scope, dict(scope["headers"]))
    return (found["client"][0] if found["client"] else None), found["scheme"]


@pytest.mark.parametrize(
    ("trusted", "peer", "lines", "client"),
    [
        (("127.0.0.1",), "127.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        (("127.0.0.1",), "10.0.0.5", ("198.51.100.7",), "10.0.0.5"),
        ((), "127.0.0.1", ("198.51.100.7",), "127.0.0.1"),
        (("127.0.0.1",), "127.0.0.1", ("8.8.8.8, 198.51.100.7",), "198.51.100.7"),  # what a caller wrote is left of it
        (("127.0.0.1",), "127.0.0.1", ("8.8.8.8", "198.51.100.7"), "198.51.100.7"),  # a proxy that adds a line
        (("127.0.0.1", "10.0.0.0/8"), "127.0.0.1", ("8.8.8.8, 198.51.100.7, 10.1.2.3",), "198.51.100.7"),
        (("10.0.0.0/8",), "10.9.9.9", ("10.0.0.1, 10.0.0.2",), "10.0.0.1"),  # all of them are trusted
        (("*",), "203.0.113.9", ("198.51.100.7, 10.1.2.3",), "198.51.100.7"),
        (("::1", "fd00::/8"), "::1", ("2001:db8::7, fd00::2",), "2001:db8::7"),
        (("127.0.0.1",), "::ffff:127.0.0.1", ("198.51.100.7",), "198.51.100.7"),  # a listener for both families
        (("127.0.0.1",), "127.0.0.1", ("198.51.100.7:5678",), "198.51.100.7"),
        (("127.0.0.1",), "127.0.0.1", ("[2001:db8::7]:443",), "2001:db8::7"),
        (("127.0.0.1", "10.0.0.1"), "127.0.0.1", ("198.51.100.7, unknown, 10.0.0.1",), "10.0.0.1"),
        (("127.0.0.1",), "127.0.0.1", ("unknown",), "127.0.0.1"),
        (("127.0.0.1",), "127.0.0.1", ("",), "127.0.0.1"),
        (("127.0.0.1",), None, ("198.51.100.7",), None),
        (("unix:",), None, ("198.51.100.7",), "198.51.100.7"),
        (("*",), None, ("198.51.100.7",), "198.51.100.7"),
        (("unix:",), "127.0.0.1", ("198.51.100.7",), "127.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_one_that_is_no_trusted_proxy(
    trusted: tuple[str, ...], peer: str | None, lines: tuple[str, ...], client: str | None
) -> None:
    assert seen(trusted, peer, *lines)[0] == client


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "HTTPS", "https"),
        ("127.0.0.1", "http, https", "https"),
        ("127.0.0.1", "gopher", "http"),
        ("10.0.0.5", "https", "http"),
    ],
)
def test_the_scheme_is_what_a_trusted_proxy_says(peer: str, proto: str, scheme: str) -> None:
    assert seen(("127.0.0.1",), peer, proto=proto)[1] == scheme


def test_the_header_of_rfc_7239_names_no_client() -> None:
    assert seen(("127.0.0.1",), "127.0.0.1", "for=198.51.100.7;proto=https", header="forwarded") == (
        "127.0.0.1",
        "http",
    )


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("nginx", "is not an address"),
        ("10.0.0.0/33", "is not an address"),
        ("10.0.0.5/8", 'write "10.0.0.0/8"'),
        ("unix:/run/nginx.sock", '"unix:"'),
        ("", "is not an address"),
    ],
)
def test_an_entry_that_names_nobody_is_told_with_its_line(tmp_path: Path, entry: str, hint: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[server]\ntrusted_proxies = [\n  "127.0.0.1",\n  "{entry}",\n]\n')
    with pytest.raises(ConfigError) as refused:
        load(file, environ={})
    assert f"{file}:4: server.trusted_proxies" in str(refused.value)
    assert hint in str(refused.value)


@pytest.mark.parametrize("entry", ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8", "*", "unix:"])
def test_addresses_networks_sockets_and_all_are_entries(entry: str) -> None:
    assert not misspelt(entry)


def configured(folder: Path, **tables: Any) -> Starlette:
    return create_app({"server": {"data_dir": str(folder)}, **tables})


@pytest.mark.anyio
@pytest.mark.parametrize("prefix", ["", "/ai"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"x-forwarded-for": "127.0.0.1"}, 401), ({"forwarded": "for=127.0.0.1"}, 401)],
)
async def test_what_was_forwarded_is_never_this_machine(
    tmp_path: Path, prefix: str, headers: Mapping[str, str], status: int
) -> None:
    app = configured(tmp_path, server={"trusted_proxies": [], "data_dir": str(tmp_path)})
    host = Starlette(routes=[Mount(prefix, app)]) if prefix else app
    async with lifespan(app):
        answer = await call(host, scope_of(f"{prefix}/v1/chat/completions", headers=headers), [CHAT])
    assert answer.status == status


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[str]:
    """Run an nginx in front of a server, as its manual says; give its address."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("needs nginx")
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
        events {{ }}
        http {{
          access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
          fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          server {{ listen 127.0.0.1:{port};
            location / {{
              proxy_pass http://{upstream}; proxy_set_header Host $host;
              proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto https;
            }} }} }}"""
    )
    process = subprocess.Popen([program, "-c", folder / "nginx.conf", "-e", "stderr"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(int(patient(100))):
            with socket.socket() as probe:
                probe.settimeout(5)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_behind_nginx_the_log_has_the_caller_and_not_what_it_wrote(tmp_path: Path) -> None:
    toml = '[server]\ntrusted_proxies = ["127.0.0.1", "203.0.113.0/24"]\n' + KEYED
    with gateway(tmp_path, toml=toml) as program, nginx(tmp_path, program.url.removeprefix("http://")) as url:
        answer = httpx.post(
            f"{url}/v1/chat/completions",
            content=CHAT,
            headers={"x-api-key": "sk-a", "x-forwarded-for": "8.8.8.8, 198.51.100.7, 203.0.113.4"},
        )
        assert answer.status_code == 200
        assert request_line(program)["client"] == "198.51.100.7"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_listener_for_both_families_knows_this_machine(tmp_path: Path, host: str) -> None:
    """It is told 127.0.0.1 as ::ffff:127.0.0.1."""
    port = free_port()
    words: list[str | Path] = [PROGRAMS / "gunicorn", "-k", "asgi", "-b", f"[::]:{port}", "gateway.asgi:app"]
    with running(words, tmp_path, environment(tmp_path)) as program:
        program.says("ASGI server listening")
        url = f"http://{host}:{port}"
        assert httpx.get(f"{url}/metrics", timeout=20).status_code == 200
        assert httpx.post(f"{url}/v1/chat/completions", content=CHAT, timeout=20).status_code == 200
        forwarded = {"x-forwarded-for": "127.0.0.1"}
        assert httpx.post(f"{url}/v1/chat/completions", content=CHAT, headers=forwarded, timeout=20).status_code == 401


def test_a_unix_socket_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[server]\ntrusted_proxies = ["unix:"]\n' + KEYED)
    path = tmp_path / "gateway.sock"
    words: list[str | Path] = [PROGRAMS / "uvicorn", "--no-proxy-headers", "--uds", str(path), "gateway.asgi:app"]
    with running(words, tmp_path, environment(tmp_path)) as program:
        program.says("running on unix socket")
        headers = {"x-api-key": "sk-a", "x-forwarded-for": "198.51.100.7"}
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as http:
            assert http.post("http://host/v1/chat/completions", content=CHAT, headers=headers).status_code == 200
        line = json.loads(program.says('"event":"request"'))
    assert line["client"] == "198.51.100.7"


def test_the_servers_own_handling_is_not_used(tmp_path: Path) -> None:
    """Or `trusted_proxies = []` would leave 127.0.0.1, which uvicorn trusts by itself."""
    with gateway(tmp_path, toml="[server]\ntrusted_proxies = []\n" + KEYED, FORWARDED_ALLOW_IPS="*") as program:
        assert ask(program, **{"x-api-key": "sk-a", "x-forwarded-for": "198.51.100.7"}).status_code == 200
        assert request_line(program)["client"] == "127.0.0.1"
