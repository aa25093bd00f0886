"""`python -m tests.reference`: write the pages of docs/reference anew."""

from __future__ import annotations

from .pages import FOLDER, PAGES


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), "utf-8")


if __name__ == "__main__":
    main()
