"""The table of edits in the documentation is the one of the code."""

from pathlib import Path

from gateway.dialects.tables import TABLES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_documentation_has_every_edit_and_no_other() -> None:
    lines = REFERENCE.read_text(encoding="utf-8").split("\n")
    start = lines.index("| dialect | edit | applies to | why |") + 2
    rows = lines[start : lines.index("", start)]
    assert rows == [
        f"| {dialect} | `{edit.name}` | {edit.on} | {edit.why} |" for dialect, table in TABLES.items() for edit in table
    ]
