"""What of each dialect each upstream carries: tried field by field, and written down in docs/compatibility.md.

    probes ─► the translation with the field, and without it ─► a verdict for each upstream ─► a table for each dialect

`python -m tests.compatibility` writes the page anew.
"""
