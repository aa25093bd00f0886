"""What stands in deploy/ and the Dockerfile, run for real as far as a test can."""
