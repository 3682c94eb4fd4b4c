"""What outlasts a session: a database with migrations, SQLite by default, another by ``LUNGS_DATABASE_URL``."""
