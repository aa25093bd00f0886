"""The conformance matrix: dialects, upstreams, stream or whole, and what can be asked."""
