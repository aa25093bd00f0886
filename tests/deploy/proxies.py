"""A real nginx or Caddy with the file of deploy/, changed only in what it listens on and where the gateway is."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.gateway.cli.test_workers import wait_until
from tests.ports import free_port

__all__ = ["DEPLOY", "Proxy", "caddy", "nginx", "program", "swapped"]

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = """
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
{user}
worker_processes 2;
events {{ worker_connections 64; }}
http {{
    access_log off;
    {paths}
    include {folder}/site.conf;
}}
"""
PACKAGES = {"nginx": "nginx-light", "caddy": "caddy"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
CADDY = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


class Proxy:
    """A proxy that listens at `url` with a certificate of the tests."""

    def __init__(self, url: str, certificate: Path, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self._folder = folder
        self._process = process
        self._trusted = ssl.create_default_context(cafile=certificate)

    def client(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Make a client that trusts it and stands at this address."""
        transport = httpx.AsyncHTTPTransport(verify=self._trusted, local_address=address)
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=20)

    def reload(self, old: str, new: str) -> None:
        """Change the configuration, and let nginx read it again."""
        site = self._folder / "site.conf"
        site.write_text(swapped(site.read_text("utf-8"), (old, new)), "utf-8")
        self._process.send_signal(signal.SIGHUP)


def program(name: str) -> str:
    """Find a program, before anything else is started; skip the test where it is not there."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"needs {name}, which .ci/run installs")
    assert found is not None, f"apt-get install {PACKAGES[name]}"
    return found


def swapped(text: str, *pairs: tuple[str, str]) -> str:
    """Replace each text, which is there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(folder: Path, upstream: str, certificates: tuple[Path, Path]) -> Iterator[Proxy]:
    """Run nginx before a gateway, at its address or `unix:FILE`."""
    port = free_port()
    site = swapped(
        (DEPLOY / "nginx.conf").read_text("utf-8"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("127.0.0.1:8045", urlsplit(upstream).netloc or upstream),
        ("/etc/nginx/tls/cert.pem", str(certificates[0])),
        ("/etc/nginx/tls/key.pem", str(certificates[1])),
    )

    (folder / "site.conf").write_text(site, "utf-8")
    main = folder / "nginx.conf"
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""
    main.write_text(NGINX.format(folder=folder, paths=paths, user=user), "utf-8")
    command = [program("nginx"), "-p", str(folder), "-c", str(main), "-e", "stderr"]
    with _running(command, folder, port, certificates[0]) as proxy:
        yield proxy


@contextmanager
def caddy(folder: Path, upstream: str, certificates: tuple[Path, Path]) -> Iterator[Proxy]:
    """Run Caddy before a gateway, at its address or `unix:FILE`."""
    port = free_port()
    tls = f"\n\ttls {certificates[0]} {certificates[1]}"
    site = swapped(
        (DEPLOY / "Caddyfile").read_text("utf-8"),
        ("gateway.example.com {", f"https://127.0.0.1:{port} {{{tls}"),
        ("127.0.0.1:8045", urlsplit(upstream).netloc or upstream.replace(":", "/", 1)),
    )
    file = folder / "Caddyfile"
    file.write_text(CADDY + site, "utf-8")
    command = [program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]
    with _running(command, folder, port, certificates[0]) as proxy:
        yield proxy


@contextmanager
def _running(command: list[str], folder: Path, port: int, certificate: Path) -> Iterator[Proxy]:
    process = subprocess.Popen(command, cwd=folder, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    try:
        wait_until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, "it ended"
        yield Proxy(f"https://127.0.0.1:{port}", certificate, folder, process)
    finally:
        process.send_signal(signal.SIGTERM if "nginx" in command[0] else signal.SIGKILL)  # Caddy would wait for streams
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
