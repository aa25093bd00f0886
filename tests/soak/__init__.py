"""A soak: mixed load, random faults, and at the end nothing hung, nothing leaked, no row of the ledger wrong.

    callers ──► gateway a, whose workers live to the end ──┐
            └─► gateway b, whose workers are killed ───────┴─► four upstreams that fail by script and keep books
                      │
                    Redis, which is restarted

`python -m tests.soak [--minutes 30] [--seed N] [--idle-streams N]` prints a table of what it found; none must be.
"""
