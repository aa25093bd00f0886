"""Benchmarks: the gateway against a bare pass-through, over loopback, with every answer checked."""
