"""One fuzzing process: libFuzzer drives one target until its time is up or the target crashes."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Fuzz the target that the first argument names; the others are libFuzzer's own."""
    name, *options = sys.argv[1:]
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["gateway", "httpx_sse"]):
        targets = import_module("tests.fuzz.targets")
    target = targets.TARGETS[name]
    target(b"")  # what is made once is not the first input's
    atheris.Setup([sys.argv[0], *options], lambda data: targets.guarded(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
