"""Start programs that print the address they listen on."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from tests.patience import patient

__all__ = ["PROGRAMS", "Program", "environment", "gateway", "running"]

PROGRAMS = Path(sys.executable).parent
ADDRESS = re.compile(r"http://127\.0\.0\.\d+:[1-9]\d*")
START_S = 30


class Program:
    """A running program; what it prints is read all the time, so that it never has to wait for a reader."""

    def __init__(self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._address: Future[str] = Future()
        self._printed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        """Wait for the address; fail with the output of a program that ended without one."""
        return self._address.result(patient(START_S))

    @property
    def output(self) -> str:
        """Give what it has printed so far."""
        return "".join(self.lines)

    def says(self, text: str, within_s: float = 10) -> str:
        """Wait for a line with this text, and give it."""
        with self._printed:
            self._printed.wait_for(lambda: text in self.output or not self._reader.is_alive(), patient(within_s))
        found = [line for line in self.lines if text in line]
        assert found, f"it did not say {text!r}:\n{self.output}"
        return found[0]

    def ends(self, within_s: float = 10) -> int:
        """Wait for its end and all it prints, and give its exit code."""
        code = self.process.wait(patient(within_s))
        self._reader.join()
        return code

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as printed:
            for line in printed:
                with self._printed:
                    self.lines.append(line)
                    self._printed.notify_all()
                found = ADDRESS.search(line)
                if found and not self._address.done():
                    self._address.set_result(found[0])
        if not self._address.done():
            self._address.set_exception(AssertionError(f"it named no address:\n{self.output}"))


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, variables: Mapping[str, str] | None = None
) -> Generator[Program, None, None]:
    """Run a program in a folder, in an environment of its own, for the time of the block."""
    program = Program(command, folder, variables or environment(folder))
    try:
        yield program
    finally:
        program.kill()


@contextmanager
def gateway(folder: Path, *arguments: str, toml: str = "", **variables: str) -> Generator[Program, None, None]:
    """Run the `gateway` of this environment on a free port in a folder with this gateway.toml, if any."""
    if toml:
        (folder / "gateway.toml").write_text(toml, "utf-8")
    given = () if any(word in ("--port", "--help") for word in arguments) else ("--port", "0")
    with running([PROGRAMS / "gateway", *arguments, *given], folder, environment(folder) | variables) as program:
        yield program


def environment(home: Path) -> dict[str, str]:
    """Give the variables of a machine on which nothing is set up."""
    compiles = {"PYTHONDONTWRITEBYTECODE": "1"} if sys.dont_write_bytecode else {}
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"} | compiles
