"""alembic's entry point into the migrations; all it does lives in tailrace.migrate.environment."""

from alembic import context

from tailrace.migrate.environment import run

run(context)
