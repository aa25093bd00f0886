"""The tests of the gateway, and what they need."""
