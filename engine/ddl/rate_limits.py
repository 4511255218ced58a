"""ALTER ... SET SOURCE_RATE_LIMIT | DML_RATE_LIMIT | SINK_RATE_LIMIT {TO | =} n | DEFAULT: rows a second; 0 pauses, -1 and
DEFAULT: no limit.

A source is read no faster, a sink delivers no faster (`engine.delivery`). The INSERTs, UPDATEs and DELETEs of a throttled table
wait, row by row and in their order, in engine.parked_<id>, from which the flow releases them (`engine.flow.throttle`); a client
is told 0 rows. Taking the limit away releases what waits.
"""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.objects import CatalogObject, update
from engine.ddl.connector_table import owned_by
from engine.ddl.context import DdlContext
from engine.ddl.create_table import storage_of
from engine.ddl.table_storage import Storage, parked_objects
from engine.ddl.words import Words
from engine.operators.base import equal, equal_nulls, names, no_nulls, quote
from tailrace.errors import InvalidStatement, UnsupportedFeature

KINDS = {f"{kind}_RATE_LIMIT": kind for kind in ("SOURCE", "DML", "BACKFILL", "SINK")}
_OF = {"source": "SOURCE", "table": "DML", "sink": "SINK"}
_RELEASING = "tailrace.releasing"


def set_rate_limit(context: DdlContext, item: CatalogObject, option: str, words: Words) -> None:
    """Set or take away one limit."""
    if not words.accept("TO"):
        words.accept("=")
    text = words.rest().strip().strip("'").lower()
    kind = KINDS[option]
    if text != "default" and not text.lstrip("-").isdigit():
        raise InvalidStatement(
            f"{option} must be a number of rows a second or DEFAULT, got {text}", sqlstate="22023"
        )
    rate = None if text == "default" or int(text) < 0 else int(text)
    _limit(context, _fed(context, item) if kind == "SOURCE" else item, kind, rate)


def _fed(context: DdlContext, item: CatalogObject) -> CatalogObject:
    """The source of its own that a table or a kept source is fed by; else the object itself."""
    owned = (context.catalog.objects[i] for i in owned_by(context, item.id))
    return next((o for o in owned if o.kind == "source"), item)


def limit_as_set(context: DdlContext) -> None:
    """Give the tables, sources and sinks of a statement the rates of the session's DML_, SOURCE_ and SINK_RATE_LIMIT."""
    for item in context.created:
        kind = _OF.get(item.kind) if item.kind == item.shown_kind else None
        text = context.settings.get(f"{kind}_RATE_LIMIT".lower(), "") if kind else ""
        if kind and text.isdecimal() and not item.body.get("into"):  # -1, the default, is no limit
            _limit(context, context.catalog.objects[item.id], kind, int(text))


def _limit(context: DdlContext, item: CatalogObject, kind: str, rate: int | None) -> None:
    limits = {k: v for k, v in (item.body.get("rate_limits") or {}).items() if k != kind}
    if rate is not None:
        if _OF.get(item.kind) != kind:
            hint = "DML_RATE_LIMIT of a table, SOURCE_RATE_LIMIT of a source and SINK_RATE_LIMIT of a sink throttle"
            raise UnsupportedFeature(f"{kind}_RATE_LIMIT of a {item.kind}", hint=hint)
        if item.body.get("into"):
            raise UnsupportedFeature(
                "SINK_RATE_LIMIT of a sink INTO a table", hint="its rows are in the table with the barrier that brings them"
            )  # fmt: skip
        limits[kind] = rate
    if item.kind == "table":
        _park(context, item, had=bool(item.body.get("rate_limits")), has=bool(limits))
    changed = replace(item, body={**item.body, "rate_limits": limits})
    update(context.connection, changed)
    context.catalog.objects[item.id] = changed


def _park(context: DdlContext, table: CatalogObject, *, had: bool, has: bool) -> None:
    storage = storage_of(table)
    if has and not had:
        context.execute(*_parking(storage))
    elif had and not has:
        context.execute(
            f"SELECT engine.release_{table.id}(2147483647)",
            f"DROP TRIGGER o_park ON {storage.table}",
            *parked_objects(table.id),
        )


def _parking(storage: Storage) -> list[str]:
    id_, parked = storage.id, f"engine.parked_{storage.id}"
    secure = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
    columns = ", ".join(f"{quote(c.name)} {c.type}" for c in storage.stored)
    listed = names(storage.stored)
    keep = f"INSERT INTO {parked} (_op, {listed}) VALUES (left(TG_OP, 1)"
    old, new = (", ".join(f"{row}.{quote(c.name)}" for c in storage.stored) for row in ("OLD", "NEW"))
    return [
        f"CREATE TABLE {parked} (_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, _op text NOT NULL, {columns})",
        f"CREATE FUNCTION engine.park_{id_}() RETURNS trigger {secure} AS $park$ BEGIN "
        f"IF current_setting('{_RELEASING}', true) = 'on' THEN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END IF; "
        f"IF TG_OP = 'DELETE' THEN {keep}, {old}); ELSE {keep}, {new}); END IF; "
        f"PERFORM pg_notify('tailrace_changes', '{id_}'); RETURN NULL; END $park$",
        f"CREATE TRIGGER o_park BEFORE INSERT OR UPDATE OR DELETE ON {storage.table} FOR EACH ROW "
        f"EXECUTE FUNCTION engine.park_{id_}()",
        f"CREATE FUNCTION engine.release_{id_}(most integer) RETURNS integer {secure} AS $release$ {_release(storage)} $release$",
    ]


def _release(storage: Storage) -> str:
    """Apply the oldest waiting changes one after the other: each sees what those before it left."""
    settable = [c for c in storage.stored if c.name not in {g.name for g in storage.generated}]
    key = storage.key or ("_row_id",)
    rest = [c.name for c in settable if c.name not in key]
    values = ", ".join(f"r.{quote(c.name)}" for c in settable)
    match = (
        f"CASE WHEN {no_nulls('r', key)} THEN {equal('t', 'r', key)} ELSE {equal_nulls('t', 'r', key)} END"
    )
    assigned = ", ".join(f"{quote(c)} = r.{quote(c)}" for c in rest)
    update_ = f"UPDATE {storage.table} AS t SET {assigned} WHERE {match};" if assigned else "NULL;"
    return (
        f"DECLARE r record; done integer := 0; BEGIN PERFORM set_config('{_RELEASING}', 'on', true); "
        f"FOR r IN SELECT * FROM engine.parked_{storage.id} ORDER BY _seq LIMIT most LOOP "
        f"IF r._op = 'I' THEN INSERT INTO {storage.table} ({names(settable)}) VALUES ({values}); "
        f"ELSIF r._op = 'U' THEN {update_} ELSE DELETE FROM {storage.table} AS t WHERE {match}; END IF; "
        f"DELETE FROM engine.parked_{storage.id} WHERE _seq = r._seq; done := done + 1; END LOOP; "
        f"PERFORM set_config('{_RELEASING}', 'off', true); RETURN done; END"
    )
