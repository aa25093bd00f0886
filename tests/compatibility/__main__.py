"""`python -m tests.compatibility`: write docs/compatibility.md anew."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.translating import Upstreams

from .page import written

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def main() -> None:
    """Write the page."""
    with TemporaryDirectory() as folder:
        PAGE.write_text(written(Upstreams(folder)), "utf-8")


if __name__ == "__main__":
    main()
