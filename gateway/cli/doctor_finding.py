"""What `gateway doctor` finds: one line, and one thing to do about it."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.legible import legible

__all__ = ["Finding", "Level", "hidden", "ok", "problem", "text", "warning"]

Level = Literal["ok", "warning", "problem"]

_WIDTH: Final = len("warning")


class Finding(Struct, frozen=True, kw_only=True):
    """What a check found. `fix`: what to do, "" when all is well."""

    level: Level
    check: str
    message: str
    fix: str = ""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(level="ok", check=check, message=message)


def warning(check: str, message: str, fix: str) -> Finding:
    """It works, and could be better or safer."""
    return Finding(level="warning", check=check, message=message, fix=fix)


def problem(check: str, message: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(level="problem", check=check, message=message, fix=fix)


def hidden(finding: Finding, hide: Callable[[str], str]) -> Finding:
    """Give a finding on one line, legible and without secrets."""
    message, fix = (legible(" ".join(hide(said).split())) for said in (finding.message, finding.fix))
    return replace(finding, check=legible(hide(finding.check)), message=message, fix=fix)


def text(findings: Sequence[Finding]) -> str:
    """Write findings for a person: the worst ones are told last, where they are seen."""
    rank = {"ok": 0, "warning": 1, "problem": 2}
    lines: list[str] = []
    for finding in sorted(findings, key=lambda one: rank[one.level]):
        lines.append(f"{finding.level:{_WIDTH}}  {finding.check}: {finding.message}")
        lines += [f"{'':{_WIDTH}}  → {finding.fix}"] if finding.fix else []
    counts = {level: sum(one.level == level for one in findings) for level in ("problem", "warning", "ok")}
    return "\n".join([*lines, f"{counts['problem']} problems, {counts['warning']} warnings, {counts['ok']} ok"])
