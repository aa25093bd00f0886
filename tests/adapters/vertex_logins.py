"""Logins of Vertex AI that the tests set up."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.vertex_site import VertexSite
from tests.fakes.vertex_api_login import SUBJECT, SUBJECT_TYPE

__all__ = ["Json", "asked", "from_file", "from_program", "program_in"]


Json = dict[str, Any]
SUCCESSFUL = {
    "version": 1,
    "success": True,
    "token_type": SUBJECT_TYPE,
    "id_token": SUBJECT,
    "expiration_time": 4102444800,
}


async def asked(vertex: VertexSite, **upstream: Any) -> None:
    """Ask once, in the project of the fake."""
    await vertex.open(**({"project": "fake-project-000"} | upstream))
    assert await vertex.ask("one two") == "one two"


def from_file(vertex: VertexSite) -> Json:
    path = vertex.folder.parent / "subject"
    path.write_text("fake-subject-token")
    return {"file": str(path)}


def from_program(vertex: VertexSite, does: str = f"echo '{json.dumps(SUCCESSFUL)}'") -> Json:
    return program_in(vertex.folder.parent, vertex.environment, does)


def program_in(folder: Path, environment: pytest.MonkeyPatch, does: str) -> Json:
    program = folder / "program.sh"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    environment.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    return {"executable": {"command": str(program)}}
