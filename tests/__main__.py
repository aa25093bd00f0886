"""`python -m tests`: every check, one after the other; the first failure ends the run."""

import subprocess
import sys
import time
from pathlib import Path

STEPS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("lint-imports",),
    ("deptry", "."),
    ("mypy",),
    ("pyright", "--pythonpath", sys.executable),
    # once: else each of the hundreds of processes does, where PYTHONDONTWRITEBYTECODE is set
    ("python", "-m", "compileall", "-q", "gateway", "tests"),
    ("pytest", "-n", "3", "--dist", "loadgroup"),  # two cores: half of the time is waiting
)


def main() -> int:
    """Run the steps; arguments go to pytest alone, which then is the only step."""
    arguments = sys.argv[1:]
    steps = (("pytest", *arguments),) if arguments else STEPS
    bin_folder = Path(sys.executable).parent
    for name, *rest in steps:
        started = time.monotonic()
        print("+", name, *rest, flush=True)
        code = subprocess.run([str(bin_folder / name), *rest], check=False).returncode
        verdict = "ok" if code == 0 else f"failed with {code}"
        print(f"  {name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)
        if code:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
