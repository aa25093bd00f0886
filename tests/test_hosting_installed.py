"""A middleware that another distribution registers as an entry point stands in the order by its name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx

from tests.processes import PROGRAMS, environment, gateway

MODULE = """
class Stamp:
    requires = frozenset({"principal"})

    def __init__(self, app, word="stamped"):
        self.app, self.word = app, word

    async def __call__(self, scope, receive, send):
        async def stamped(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-acme", self.word.encode())]
            await send(message)

        await self.app(scope, receive, stamped)
"""
ORDER = '[pipeline]\norder = ["auth", "acme-stamp", "acme-broken", "protocol", "model_map"]\n'


def install(folder: Path) -> str:
    """Give what PYTHONPATH says of a distribution with one middleware that works, and one that does not."""
    about = folder / "site" / "acme-1.0.dist-info"
    about.mkdir(parents=True)
    (about.parent / "acme_stamp.py").write_text(MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "acme-stamp = acme_stamp:Stamp\nacme-broken = acme_stamp:Stump\n"
    (about / "entry_points.txt").write_text(f"[gateway.middleware]\n{points}")
    return str(about.parent)


def test_its_name_is_enough(tmp_path: Path) -> None:
    toml = ORDER.replace('"acme-broken", ', "")
    with gateway(tmp_path, toml=toml, PYTHONPATH=install(tmp_path)) as program:
        assert httpx.get(f"{program.url}/v1/models", timeout=20).headers["x-acme"] == "stamped"


def test_one_that_cannot_be_had_and_a_misspelt_one_are_said(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(ORDER)
    variables = environment(tmp_path) | {"PYTHONPATH": install(tmp_path)}

    def refusal() -> str:
        command = [str(PROGRAMS / "gateway"), "check"]
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        return done.stderr

    assert '"acme_stamp" has no "Stump"; did you mean "Stamp"?' in refusal()
    (tmp_path / "gateway.toml").write_text(ORDER.replace("acme-broken", "acme-stemp"))
    assert 'unknown middleware "acme-stemp"; did you mean "acme-stamp"?' in refusal()
