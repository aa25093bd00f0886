"""Several workers and hosts as one pool, seen from outside: real processes, a real PostgreSQL, a real Redis."""
