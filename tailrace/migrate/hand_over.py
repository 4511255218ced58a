"""What a relation's name has, beside rows, passes to the one that takes the name over: who may read it, and its comments.

Rights and comments belong to the object, so without this a SWAP would take them away with the old one. Run by `runner` just
before a SWAP; running it twice does no harm. An engine that does not answer one of these questions hands nothing over.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from tailrace.migrate.connection import Session
from tailrace.migrate.steps import Step
from tailrace.sql.kinds import RelationKind

_READERS = """
SELECT u.name FROM rw_catalog.rw_users AS u WHERE NOT u.is_super
AND has_table_privilege(u.name, %s, 'SELECT') AND NOT has_table_privilege(u.name, %s, 'SELECT')
"""
_COMMENTS = """
SELECT c.name, d.description FROM rw_catalog.rw_description AS d JOIN rw_catalog.rw_relations AS r ON r.id = d.objoid
LEFT JOIN rw_catalog.rw_columns AS c ON c.relation_id = r.id AND c.position = d.objsubid
WHERE r.name = %s AND d.description IS NOT NULL
"""


def hand_over(session: Session, step: Step) -> None:
    """Give `step.other`, which is about to be called `step.name`, what that has. Raises psycopg's errors of GRANT and COMMENT."""
    kind, new = sql.SQL(step.kind.upper()), sql.Identifier(step.other)
    for (role,) in _ask(session, _READERS, step.name, step.other):
        session.execute(sql.SQL("GRANT SELECT ON {} {} TO {}").format(kind, new, sql.Identifier(role)))
    if step.kind not in (RelationKind.TABLE, RelationKind.MATERIALIZED_VIEW):
        return
    kept = {name for (name,) in _ask(session, _COLUMN_NAMES, step.other)}
    for column, text in _ask(session, _COMMENTS, step.name):
        if column is None:
            target = sql.SQL("{} {}").format(kind, new)
        elif column in kept:
            target = sql.SQL("COLUMN {}.{}").format(new, sql.Identifier(column))
        else:
            continue
        session.execute(sql.SQL("COMMENT ON {} IS {}").format(target, sql.Literal(text)))


_COLUMN_NAMES = """
SELECT c.name FROM rw_catalog.rw_columns AS c JOIN rw_catalog.rw_relations AS r ON r.id = c.relation_id WHERE r.name = %s
"""


def _ask(session: Session, query: Any, *names: str) -> list[Any]:
    try:
        return session.execute(query, names).fetchall()
    except psycopg.DatabaseError:
        return []
