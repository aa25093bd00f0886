"""A clock for tests: time stands still until somebody moves it."""

from gateway.testing.clock import FakeClock

__all__ = ["FakeClock"]
