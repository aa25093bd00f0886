"""Statements of what other gateways got wrong, each a test named by its number."""
