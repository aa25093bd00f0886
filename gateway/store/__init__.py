"""What outlives a request: counters in memory, credentials in the database."""
