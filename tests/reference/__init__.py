"""Pages of the documentation that are written by the code: `python -m tests.reference` writes them anew."""
