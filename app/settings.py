"""How often each part of the page asks, and how the endpoint is called for people.

The intervals are chosen so that one open page sends two to three small queries a second; what all viewers
share (see app.feeds) is asked once however many there are. Called by app.feeds and the sections.
"""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

PULSE_EVERY_S = 1.0
PARTITIONS_EVERY_S = 2.0
ANOMALIES_EVERY_S = 3.0
SIGNAL_EVERY_S = 3.0
COUNTS_EVERY_S = 3.0
REJECTS_EVERY_S = 10.0
REGISTRY_EVERY_S = 60.0


def place(sql_url: str) -> str:
    """`host:port/database` of a URL: never the user or the password.

    >>> place("postgresql://root:secret@127.0.0.1:4566/dev")
    '127.0.0.1:4566/dev'
    """
    try:
        parts = conninfo_to_dict(sql_url)
    except ProgrammingError:
        return "the address in TAILRACE_SQL_URL, which is not a valid PostgreSQL URL"
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
