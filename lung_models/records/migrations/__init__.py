"""Alembic's migrations, one after the other."""
