"""`tailrace init`: the files of a new project, small enough to read and complete enough to deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tailrace.errors import TailraceError

_ENV: Final = '''"""alembic's entry point into the migrations; all it does lives in tailrace.migrate.environment."""

from alembic import context

from tailrace.migrate.environment import run

run(context)
'''
_SOURCE: Final = """\
-- Orders as they come, one JSON object a message.
CREATE SOURCE orders (
    order_id bigint,
    product varchar,
    amount double precision,
    ordered_at timestamptz
)
WITH (
    connector = 'kafka',
    topic = 'shop.orders',
    properties.bootstrap.server = '${TAILRACE_KAFKA_FOR_ENGINE}',
    scan.startup.mode = 'earliest'
) FORMAT PLAIN ENCODE JSON;
"""
_VIEW: Final = """\
-- Revenue of each product by minute.
CREATE MATERIALIZED VIEW revenue AS
SELECT product, window_start, count(*) AS orders, sum(amount) AS amount
FROM TUMBLE(orders, ordered_at, INTERVAL '1 minute')
GROUP BY product, window_start;
"""
_README: Final = """\
# A Tailrace project

`sql/` says what is current, one relation a file; `migrations/` is how a database gets there. In this directory:

    export TAILRACE_PROJECT=.
    export TAILRACE_SQL_URL=postgresql://root@127.0.0.1:4566/shop     # CREATE DATABASE shop, in psql

    tailrace topics create shop.orders:3   # name:partitions
    tailrace sql check                     # are the files well formed, and what has changed
    tailrace sql lineage                   # what reads what
    tailrace migrate new "first views"     # write what has changed as the next migration
    tailrace migrate up                    # deploy it

`${NAME}` in a quoted literal is filled in from the environment when it is deployed.
"""
FILES: Final = {
    "README.md": _README,
    "sql/orders.sql": _SOURCE,
    "sql/revenue.sql": _VIEW,
    "migrations/env.py": _ENV,
    "migrations/versions/.gitkeep": "",
}


def start_project(directory: Path) -> list[Path]:
    """Write the files; returns their paths. Raises TailraceError when the directory holds something already."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise TailraceError(
            f"{directory} is not empty", sqlstate="58P02", hint="name a directory that is not there yet"
        )
    made = []
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made
