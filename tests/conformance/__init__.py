"""Recorded wire traffic against what must come of it."""
