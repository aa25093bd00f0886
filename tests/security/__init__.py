"""What must be refused, by area."""
