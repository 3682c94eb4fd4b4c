"""What Alembic runs: the migrations, on the connection that :func:`lung_models.records.database.migrate` gives it."""

from alembic import context

from lung_models.records.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
