"""How the tables came to be what they are: an environment of Alembic."""
