"""What Alembic runs for each command: the migrations, on the connection that it was given."""

from alembic import context

from hanse.control.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
