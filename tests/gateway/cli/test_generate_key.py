"""`gateway generate-key`: a key that the store takes, alone on standard output."""

import subprocess
from pathlib import Path

from cryptography.fernet import Fernet

from gateway.store.credentials import CredentialStore
from tests.gateway.cli.conftest import Run
from tests.processes import PROGRAMS, environment


def test_the_key_opens_what_it_has_closed(run: Run) -> None:
    done = run("generate-key")
    fernet = Fernet(done.out.strip())
    assert fernet.decrypt(fernet.encrypt(b"token")) == b"token"


def test_it_stands_alone_in_a_shell(folder: Path) -> None:
    command = f'key=$({PROGRAMS}/gateway generate-key); printf "<%s>" "$key"'
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, env=environment(folder), check=True
    )
    assert done.stdout.startswith("<")
    CredentialStore(folder / "gateway.db", [done.stdout[1:-1]]).open()
    assert "GATEWAY_ENCRYPTION_KEY" in done.stderr


def test_no_two_are_alike(run: Run) -> None:
    assert run("generate-key").out != run("generate-key").out
