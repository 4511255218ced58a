"""Names that begin with the session's own database, `dev.public.t`, as dbt and other tools write them. Pure.

RisingWave and PostgreSQL take them for `public.t`; here they are made that before anything else looks at a statement. Names of
other databases are left, and refused by whoever finds them. Called by `engine.wire.session` for each statement.
"""

from __future__ import annotations

from engine.wire.tokens import Token, tokens

_BEFORE = frozenset(
    "FROM JOIN INTO UPDATE TABLE VIEW INDEX SOURCE SINK SUBSCRIPTION FUNCTION SECRET CONNECTION EXISTS ON ONLY FOR "
    "DESCRIBE".split()
)
_WINDOWS = frozenset({"TUMBLE", "HOP", "GAP_FILL"})


def without_database(sql: str, database: str) -> str:
    """`sql` without `database` before the names of relations; the same object where there is nothing to do.

    >>> without_database('INSERT INTO "dev"."public"."t" SELECT * FROM dev.s.u JOIN v.dev.w ON dev.x = 1', "dev")
    'INSERT INTO "public"."t" SELECT * FROM s.u JOIN v.dev.w ON dev.x = 1'
    """
    if "." not in sql or database.lower() not in sql.lower():
        return sql
    found = list(tokens(sql))
    for index in range(len(found) - 5, -1, -1):
        if _leads(found, index, database):
            sql = sql[: found[index].start] + sql[found[index + 2].start :]
    return sql


def _leads(found: list[Token], index: int, database: str) -> bool:
    """Whether a name of three parts begins at `index`, where a relation is named, and its first part is the database."""
    first, dot, schema, second_dot, name = found[index : index + 5]
    if (
        first.name != database
        or dot.text != "."
        or second_dot.text != "."
        or schema.name is None
        or name.name is None
    ):
        return False
    before = [token.word or token.text for token in found[max(index - 2, 0) : index]]
    if not before:
        return False
    if before[-1] == "(":
        return before[0] in _WINDOWS
    return before[-1] in _BEFORE or before == ["SWAP", "WITH"]
