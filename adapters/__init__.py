"""The upstreams: one class in one file for each kind."""
