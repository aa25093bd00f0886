"""What a request and a chunk take, counted in instructions of the interpreter: a slip shows without a clock."""
