"""ALTER TABLE ... ADD COLUMN and DROP COLUMN: storage, change log, triggers and the visible view follow; readers do not.

As in RisingWave what was built on a table keeps the columns that it was made with, and a column that it reads cannot be dropped.
A dropped column that a maintenance program still names without needing it (joins carry whole rows) stays in the storage, hidden.
Rows that are there get the new column's default, evaluated once. Cost: O(1) of the stored rows; the change log is empty then.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from engine.catalog.objects import Catalog, CatalogObject, update
from engine.compile.program import Program, delta_name
from engine.ddl.connector_table import OWNER
from engine.ddl.context import DdlContext, writers
from engine.ddl.create_index import shown_index
from engine.ddl.create_table import storage_of, stored_column
from engine.ddl.create_view import compile_view
from engine.ddl.grant import rights_on
from engine.ddl.names import ColumnDefinition, column_definition
from engine.ddl.shapes import shapes_of
from engine.ddl.table_storage import (
    Storage,
    capture,
    column_clause,
    keep_generated,
    no_row_function,
    not_null_trigger,
    row_functions,
    visible_defaults,
    visible_view,
)
from engine.ddl.words import Words
from engine.functions.composed import provide
from engine.operators.base import quote
from tailrace.errors import DependentObjects, InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.batch import to_postgres
from tailrace.sql.columns import with_column, without_column
from tailrace.sql.dialect import parse_statement
from tailrace.sql.types import expand_types


def add_column(context: DdlContext, table: CatalogObject, words: Words) -> None:
    """ADD [COLUMN] definition."""
    words.accept("COLUMN")
    definition, text = parsed_column(context, words.rest())
    refuse_repeated_column(table, definition.name)
    if definition.primary_key:
        raise UnsupportedFeature(
            "a new PRIMARY KEY column: to alter primary key", hint="create a new table and INSERT ... SELECT"
        )
    if definition.generated is not None:
        raise UnsupportedFeature(
            "ALTER TABLE ... ADD COLUMN of a generated column", hint="compute it in a view over the table"
        )
    if definition.not_null and definition.default is None:
        raise InvalidStatement(
            "alter table add NOT NULL columns must have default value", hint="ADD COLUMN c type DEFAULT value NOT NULL"
        )  # fmt: skip
    type_ = context.environment.describe(f"SELECT NULL::{definition.type} AS c")[0].type
    new = stored_column(context, definition, type_, ())
    before = storage_of(table)
    after = replace(before, columns=(*before.columns, new))
    logged = column_clause(replace(new, not_null=False))
    context.execute(
        f"ALTER TABLE {after.table} ADD COLUMN {column_clause(new)}",
        f"ALTER TABLE engine.changes_{table.id} ADD COLUMN {logged}",
        f"CREATE OR REPLACE VIEW {table.visible} AS {visible_view(after)}",
        *visible_defaults(replace(after, columns=(new,)), table.visible),
        *(
            [f"GRANT INSERT ({quote(new.name)}) ON {after.table} TO {writers(table.owner)}"]
            if table.shown_kind == "table"
            else ()
        ),
        *([not_null_trigger(after, new.name)] if new.not_null else ()),
    )
    pin_stars(context, table)
    replace_table(context, table, after, with_column(table.definition, text))


def drop_column(context: DdlContext, table: CatalogObject, words: Words) -> None:
    """DROP [COLUMN] [IF EXISTS] name."""
    words.accept("COLUMN")
    if_exists = words.accept("IF", "EXISTS")
    name = words.name().folded
    if words.accept("CASCADE"):
        raise UnsupportedFeature(
            "DROP COLUMN ... CASCADE (not yet implemented)", hint="drop what reads the column first"
        )
    words.end()
    before = storage_of(table)
    gone = next((c for c in before.columns if c.name == name), None)
    if gone is None:
        if if_exists:
            context.notices.append(f'column "{name}" does not exist, skipping')
            return
        raise InvalidStatement(f'column "{name}" of table "{table.name}" does not exist', sqlstate="42703")
    _check_unread(context, table, before, name)
    remaining = tuple(c for c in before.columns if c.name != name)
    kept = [c for c in table.columns if c.name == name] if _is_named(context, table, name) else []
    after = replace(
        before, columns=remaining, hidden=(*before.hidden, *(replace(c, hidden=True) for c in kept))
    )
    comments = comments_of(context, table)
    views = plain_views(context.catalog, table)
    rights = [right for relation in (table, *views) for right in rights_on(context, relation)]
    context.execute(
        *(f"DROP VIEW IF EXISTS {v.visible}" for v in reversed(views)),
        f"DROP VIEW {table.visible}",
        *null_triggers_dropped(context, table),
        *([f"DROP TRIGGER keep_generated ON {after.table}"] if before.generated else ()),
        *([] if after.key or after.generated or not before.generated else no_row_function(after)),
    )
    if kept:
        context.execute(
            f"ALTER TABLE {after.table} ALTER COLUMN {quote(name)} DROP NOT NULL, ALTER COLUMN {quote(name)} DROP DEFAULT"
        )
    else:
        context.execute(
            f"ALTER TABLE {after.table} DROP COLUMN {quote(name)}",
            f"ALTER TABLE engine.changes_{table.id} DROP COLUMN {quote(name)}",
        )
    context.execute(
        f"CREATE VIEW {table.visible} AS {visible_view(after)}",
        *visible_defaults(after, table.visible),
        *(not_null_trigger(after, c.name) for c in after.columns if c.not_null),
        *keep_generated(after),
        *(s for v in views for s in recreated(v, table, after)),
        *rights,
        *comments,
    )
    replace_table(context, table, after, without_column(table.definition, name))


def refuse_repeated_column(relation: CatalogObject, name: str) -> None:
    """Raises InvalidStatement (42701) if the relation has a column of that name, or had one that is still read."""
    found = next((c for c in relation.columns if c.name == name), None)
    if found is not None:
        raise InvalidStatement(
            f'column "{name}" of {relation.shown_kind} "{relation.name}" already exists', sqlstate="42701",
            hint="it was dropped, but views are still built on its place: choose another name" if found.hidden else None,
        )  # fmt: skip


def parsed_column(context: DdlContext, text: str) -> tuple[ColumnDefinition, str]:
    """What ADD COLUMN adds, and its text; makes the types that it names."""
    expanded = expand_types(f"CREATE TABLE t ({text})")
    provide(context.connection, expanded.types)
    tree = parse_statement(expanded.sql)
    elements = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    if len(elements) != 1 or not isinstance(elements[0], exp.ColumnDef):
        raise InvalidStatement("ADD COLUMN takes one column: name, type and constraints")
    return column_definition(elements[0]), text


def replace_table(
    context: DdlContext, table: CatalogObject, storage: Storage, definition: str
) -> CatalogObject:
    """Put the changed table into the catalog and make its functions and this session's delta table anew."""
    hidden = [{"name": c.name, "type": c.type, "hidden": True} for c in storage.stored if c.hidden]
    body = {**table.body, "columns": [c.to_json() for c in storage.columns] + hidden}
    changed = replace(table, body=body, definition=definition)
    context.execute(
        *capture(storage, triggers=False),
        *row_functions(storage),
        f"DROP TABLE IF EXISTS {delta_name(table.id)} CASCADE",  # with the shapes upon it
    )
    update(context.connection, changed)
    context.catalog.objects[table.id] = changed
    context.created.append(changed)  # the flow makes its delta table
    return changed


def _check_unread(context: DdlContext, table: CatalogObject, storage: Storage, name: str) -> None:
    """Raises DependentObjects if anything needs the column."""
    if name in storage.key:
        raise InvalidStatement(f'cannot drop column "{name}" of the primary key', sqlstate="42P16")
    if name in storage.conflict.versions:
        raise InvalidStatement(f'cannot drop version column "{name}"', sqlstate="42P16")
    if table.program is not None and quote(name) in table.program.function.partition("DELETE FROM")[0]:
        raise InvalidStatement(
            f'failed to drop column "{name}" because the watermark refers to it', sqlstate="2BP01"
        )
    for column in storage.generated:
        if quote(name) in (column.generated or ""):
            raise InvalidStatement(
                f'failed to drop column "{name}" because it\'s referenced by a generated column "{column.name}"',
                sqlstate="2BP01",
            )
    own = [d for d in context.catalog.dependents(table.id) if d.body.get(OWNER) != table.id]
    readers = [d for d in own if _reads(context, table, d, name)]
    if readers:
        raise DependentObjects(
            f'unable to drop the column "{name}" due to being referenced by downstream materialized views or sinks: '
            f"{', '.join(r.name for r in readers)}",
            hint="drop these first",
        )


def _reads(context: DdlContext, table: CatalogObject, reader: CatalogObject, name: str) -> bool:
    if reader.is_creating:
        return True
    if reader.kind == "index":
        return quote(name) in str(reader.body.get("on", ""))
    if reader.kind == "sink":
        into = reader.body.get("into")
        return name in into["columns"] if into and into["table"] == table.id else True
    if reader.kind == "view":
        return _view_reads(context, table, reader, name)
    body = {**table.body, "columns": [c for c in table.body["columns"] if c["name"] != name]}
    catalog = Catalog(
        {**context.catalog.objects, table.id: replace(table, body=body)}, context.catalog.schemas
    )
    reduced = replace(context, catalog=catalog, search_path=reader.path, notices=[], created=[])
    tree = parse_statement(expand_types(reader.definition).sql)
    try:
        found = compile_view(reduced, tree, 0) if isinstance(tree, exp.Create) else None
    except TailraceError:
        return True
    shown = {(c.name, c.type) for c in reader.columns if not c.hidden}
    # a star may bring more by now than when the view was made
    return found is None or not shown <= {(c.name, c.type) for c in found.output_columns()}


def _view_reads(context: DdlContext, table: CatalogObject, view: CatalogObject, name: str) -> bool:
    """PostgreSQL knows which columns a view was made of, stars written out."""
    found = context.connection.execute(
        "SELECT EXISTS (SELECT FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid "
        "AND d.classid = 'pg_rewrite'::regclass JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
        "WHERE r.ev_class = %s::regclass AND d.refobjid = %s::regclass AND a.attname = %s)",
        (view.visible, table.visible, name),
    ).fetchone()
    return found == (True,)


def _is_named(context: DdlContext, table: CatalogObject, name: str) -> bool:
    """Does a program that reads the table name the column, though its query does not need it? Shapes name all they have."""
    if any(name == column for shape in shapes_of(table).values() for column, _ in shape["columns"]):
        return True
    programs = (context.catalog.objects[i].program for i in context.catalog.read_by_views(table.id))
    return any(p is not None and names_column(p, name) for p in programs)


def names_column(program: Program, name: str) -> bool:
    """Does the column's name stand anywhere in the program?"""
    return quote(name) in "".join((program.function, program.content, *program.tables))


def plain_views(catalog: Catalog, table: CatalogObject) -> list[CatalogObject]:
    """The plain views over the table and over each other, and its indexes as clients read them, in order of creation."""
    found = {table.id}
    for item in catalog.objects.values():
        if item.kind in ("view", "index") and found & set(item.references):
            found.add(item.id)
    return [catalog.objects[i] for i in sorted(found - {table.id})]


def recreated(view: CatalogObject, table: CatalogObject, storage: Storage) -> list[str]:
    """The statements that make a plain view, or the relation of an index on the table, once more."""
    if view.kind == "index":
        return shown_index(view, [c.name for c in storage.columns], table.visible)
    return [f"CREATE VIEW {view.visible} AS {to_postgres(view.body['query'])}"]


def pin_stars(context: DdlContext, table: CatalogObject) -> None:
    """Plain views with a star keep the columns that they were made with."""
    for view in context.catalog.dependents(table.id):
        if view.kind != "view":
            continue
        tree = parse_statement(view.body["query"])
        stars = [s for s in tree.find_all(exp.Star) if not isinstance(s.parent, exp.Count)]
        if not stars:
            continue
        columns = [exp.column(exp.to_identifier(c["name"], quoted=True)) for c in view.body["columns"]]
        pinned = exp.select(*columns).from_(
            exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("q")))
        )
        changed = replace(view, body={**view.body, "query": pinned.sql(dialect="risingwave")})
        update(context.connection, changed)
        context.catalog.objects[view.id] = changed


def null_triggers_dropped(context: DdlContext, table: CatalogObject) -> list[str]:
    rows = context.connection.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname ~ '^(not|p)_null_'",
        (f"engine.table_{table.id}",),
    ).fetchall()
    return [f"DROP TRIGGER {quote(name)} ON engine.table_{table.id}" for (name,) in rows]


def comments_of(context: DdlContext, table: CatalogObject) -> list[str]:
    """Statements that give the visible view its comments back, but for columns that are gone."""
    rows = context.connection.execute(
        "SELECT a.attname, d.description FROM pg_description AS d LEFT JOIN pg_attribute AS a "
        "ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0 "
        "WHERE d.classoid = 'pg_class'::regclass AND d.objoid = %s::regclass",
        (table.visible,),
    ).fetchall()
    visible = {c.name for c in table.columns if not c.hidden}
    statements = []
    for column, text in rows:
        literal = exp.Literal.string(text).sql(dialect="postgres")
        if column is None:
            statements.append(f"COMMENT ON VIEW {table.visible} IS {literal}")
        elif column in visible:
            statements.append(f"COMMENT ON COLUMN {table.visible}.{quote(column)} IS {literal}")
    return statements
