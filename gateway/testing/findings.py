"""All that is wrong with one thing, told at once."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

__all__ = ["Findings", "Wrong"]


class Wrong(AssertionError):
    """What is wrong with a dialect, an adapter or a store; `findings` has a line for each thing."""

    def __init__(self, subject: str, findings: Sequence[str]) -> None:
        super().__init__("\n".join([f"{subject}: {len(findings)} findings", *(f"- {one}" for one in findings)]))
        self.findings = tuple(findings)


class Findings:
    """Collects them."""

    def __init__(self) -> None:
        self._found: list[str] = []

    @contextmanager
    def of(self, what: str) -> Generator[None]:
        """Note what goes wrong in the block."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - what is examined may raise anything, and that is a finding
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            self._found.append(f"{what}: {kind}{error}")

    def tell(self, subject: str) -> None:
        """Raise Wrong when there are any."""
        if self._found:
            raise Wrong(subject, self._found)
