"""What is mutated, and the tests that must notice: those that need no process of their own, and take seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["MODULES", "ROOT", "SLOW", "Module"]

ROOT: Final = Path(__file__).parents[2]
SLOW: Final = ("*_properties.py", "*_leaves.py", "*_sdk.py", "test_cors.py")  # a browser runs in the last

# a mutant of a protocol has more members than what is checked against it at run time
_PROTOCOLS: Final = "gateway/dialects/__init__.py"
_SHARED: Final = tuple(
    sorted({f"gateway/dialects/{file.name}" for file in (ROOT / "gateway/dialects").glob("*.py")} - {_PROTOCOLS})
)
_PASSING: Final = (
    *sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("tests/conformance/test_passthrough_edits*.py")),
    *(f"tests/properties/test_{name}.py" for name in ("passing", "requests", "streams")),
)
_MAKING: Final = tuple(f"tests/conformance/test_making{name}.py" for name in ("", "_gemini", "_vertex"))


@dataclass(frozen=True)
class Module:
    """Files of the installed package, as patterns, and the tests that are run for each mutant of them."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    least: int  # percent of its mutants that must be noticed; a sample is some points off


MODULES: Final = {
    "pipeline": Module(
        ("gateway/pipeline.py",),
        ("tests/gateway/test_pipeline.py", "tests/test_hosting_errors.py"),
        90,
    ),
    "ir": Module(
        ("gateway/ir/*.py",),
        ("tests/gateway/ir", "tests/gateway/dialects/anthropic/test_whole.py", "tests/gateway/test_signatures.py"),
        90,
    ),
    "dialects": Module(_SHARED, ("tests/gateway/dialects", *_PASSING, *_MAKING), 70),
    **{
        name: Module((f"gateway/dialects/{name}/*.py",), (f"tests/gateway/dialects/{name}", *_PASSING, *_MAKING), 65)
        for name in ("anthropic", "gemini", "openai_chat", "openai_responses")
    },
    "middleware": Module(
        ("gateway/middleware/*.py",),
        (
            "tests/middleware",
            *(f"tests/gateway/test_{name}.py" for name in ("errors_in_every_dialect", "limiter", "native", "strict")),
        ),
        75,
    ),
}
