"""What another distribution registers as an entry point is there by its name: middlewares, adapters and dialects."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import httpx

from tests.docs.examples import BLOCKS
from tests.patience import patient
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
ADAPTER = """
from gateway.adapters.demo import Demo
from gateway.upstream import ModelInfo


class Shout(Demo):
    def __init__(self, name, loaded, clock):
        super().__init__(name, loaded, clock)
        table = loaded.config.upstream[name]
        self.model = f"{table.base_url.partition('//')[2]}-{table.api_key[0].reveal()}"

    def models(self):
        return {self.model: ModelInfo(id=self.model)}
"""
BESIDE = '[upstream.demo]\n[models]\nunknown = "reject"\n'
ORDER = '[pipeline]\norder = ["auth", "acme-stamp", "acme-broken", "protocol", "model_map"]\n'


def shown(file: str) -> str:
    """Give what the documentation shows of a file of somebody who writes an adapter."""
    return next(block.text for block in BLOCKS if block.page == "extending.md" and block.file == file)


def install(folder: Path) -> str:
    """Give what PYTHONPATH says of a distribution with a middleware and an adapter that work, and two that do not."""
    about = folder / "site" / "acme-1.0.dist-info"
    about.mkdir(parents=True)
    (about.parent / "acme_stamp.py").write_text(MODULE)
    (about.parent / "acme_shout.py").write_text(ADAPTER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "acme-stamp = acme_stamp:Stamp\nacme-broken = acme_stamp:Stump\n"
    adapters = registered("gateway.adapters") + "acme-gone = acme_gone:Shout\n"
    dialects = registered("gateway.dialects")
    (about.parent / "saying.py").write_text(shown("saying.py"))
    (about / "entry_points.txt").write_text(
        f"[gateway.middleware]\n{points}[gateway.adapters]\n{adapters}[gateway.dialects]\n{dialects}"
    )
    return str(about.parent)


def registered(group: str) -> str:
    """Give what the documentation registers in a group."""
    pages = [block for block in BLOCKS if block.page == "extending.md" and block.file == "pyproject.toml"]
    found = [tomllib.loads(block.text)["project"]["entry-points"].get(group, {}) for block in pages]
    return "".join(f"{name} = {path}\n" for names in found for name, path in names.items())


def test_its_name_is_enough(tmp_path: Path) -> None:
    toml = ORDER.replace('"acme-broken", ', "")
    with gateway(tmp_path, toml=toml, PYTHONPATH=install(tmp_path)) as program:
        assert httpx.get(f"{program.url}/v1/models", timeout=20).headers["x-acme"] == "stamped"


def refused(folder: Path, toml: str) -> str:
    """Give what `gateway check` says of a configuration that it refuses."""
    (folder / "gateway.toml").write_text(toml)
    variables = environment(folder) | {"PYTHONPATH": str(folder / "site")}
    command = [str(PROGRAMS / "gateway"), "check"]
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=patient(60), check=False
    )
    assert done.returncode == 2
    return done.stderr


def test_one_that_cannot_be_had_and_a_misspelt_one_are_said(tmp_path: Path) -> None:
    install(tmp_path)
    assert '"acme_stamp" has no "Stump"; did you mean "Stamp"?' in refused(tmp_path, ORDER)
    misspelt = ORDER.replace("acme-broken", "acme-stemp")
    assert 'unknown middleware "acme-stemp"; did you mean "acme-stamp"?' in refused(tmp_path, misspelt)


def test_its_name_where_its_path_belongs_is_answered_with_the_path(tmp_path: Path) -> None:
    install(tmp_path)
    order = '[pipeline]\norder = ["auth", "stamp", "protocol", "model_map"]\n'
    said = refused(tmp_path, f'{order}[middleware.stamp]\nuse = "acme-stamp"\n')
    assert said.startswith('gateway.toml:4: middleware.stamp.use: "acme-stamp" is not of the form')
    assert said.endswith('; write "acme_stamp:Stamp"\n')


def test_an_upstream_of_its_type_is_asked(tmp_path: Path) -> None:
    toml = shown("acme/gateway.toml") + 'alias.loud = "shout.example-k"\n'
    with gateway(tmp_path, toml=toml, PYTHONPATH=install(tmp_path), ACME_KEY="k") as program:
        body = {"model": "loud", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=body, timeout=20)
    assert answer.headers["x-gateway-upstream"] == "acme/shout.example-k"
    assert answer.json()["choices"][0]["message"]["content"] == "hello"


def test_the_models_of_its_table_are_the_ones_that_it_lists(tmp_path: Path) -> None:
    toml = shown("acme/gateway.toml") + 'models = ["shout.example-k", "soft"]\n' + BESIDE
    with gateway(tmp_path, toml=toml, PYTHONPATH=install(tmp_path), ACME_KEY="k") as program:
        listed = httpx.get(f"{program.url}/v1/models", timeout=20).json()["data"]
        body = {"model": "soft", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=body, timeout=20)
    assert [model["id"] for model in listed][:3] == ["shout.example-k", "soft", "demo"]
    assert answer.headers["x-gateway-upstream"] == "acme/soft"


def test_an_adapter_that_cannot_be_had_and_a_misspelt_type_are_said(tmp_path: Path) -> None:
    install(tmp_path)
    gone = refused(tmp_path, '[upstream.acme]\ntype = "acme-gone"\n')
    assert """"acme_gone:Shout" cannot be imported: ModuleNotFoundError: No module named 'acme_gone'""" in gone
    misspelt = refused(tmp_path, '[upstream.acme]\ntype = "acme-shuot"\n')
    assert 'unknown upstream type "acme-shuot"' in misspelt
    assert 'did you mean "acme-shout"?' in misspelt


def test_a_dialect_is_spoken_at_its_path(tmp_path: Path) -> None:
    toml = shown("say/gateway.toml") + '[auth]\nkeys = ["sk-mine"]\n'
    with gateway(tmp_path, toml=toml, PYTHONPATH=install(tmp_path)) as program:

        def say(prompt: object, key: str = "sk-mine", **more: object) -> httpx.Response:
            body = {"model": "demo", "prompt": prompt} | more
            return httpx.post(f"{program.url}/say", json=body, headers={"x-api-key": key}, timeout=20)

        assert (say("hello").text, say("hello", stream=True).text.count("data: ")) == ('{"said":"hello"}', 2)
        assert '{"error":"the demo upstream closed' in say("!cut", stream=True).text
        refusals = [say("hello", key="sk-other"), say("!error 429 7"), say(1)]
        assert [(answer.status_code, list(answer.json())) for answer in refusals] == [
            (401, ["error"]),
            (429, ["error"]),
            (400, ["error"]),
        ]
        assert refusals[1].headers["retry-after"] == "7"
        assert program.says('"dialect":"saying"')
        counted = httpx.get(f"{program.url}/metrics", timeout=20).text
    assert 'gateway_requests_total{dialect="saying",model="demo",status="429",upstream="demo"} 1' in counted


def test_the_dialect_keeps_the_rules_of_dialects(tmp_path: Path) -> None:
    examining = """
from gateway.testing import check_dialect
from saying import Saying
check_dialect(Saying(), requests=[b'{"model": "m", "prompt": "hello"}'])
"""
    variables = environment(tmp_path) | {"PYTHONPATH": install(tmp_path)}
    command = [sys.executable, "-c", examining]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=patient(60), check=False)
    assert done.returncode == 0, done.stderr
