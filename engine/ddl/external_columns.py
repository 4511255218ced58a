"""The columns that ENCODE AVRO or ENCODE PROTOBUF gives a source or table: asked for when a statement comes, and listed in it.

`CREATE SOURCE s WITH (...) FORMAT PLAIN ENCODE AVRO (schema.registry = ...)` becomes that statement with its columns, which is
what runs and what is kept as the definition. Columns that a statement lists itself are held against the schema. Called before
a CREATE is parsed, and by `source_body`, which keeps the schema with the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp

from engine.connectors.external import ENCODES, ExternalColumns, ExternalSchema, columns_of, load
from engine.connectors.formats import DEBEZIUM, Format, check_format
from engine.connectors.source import SourceColumn, short_type
from engine.ddl.context import DdlContext
from engine.ddl.names import options
from engine.ddl.secret_options import resolved
from engine.ddl.source_format import connector_of, format_of
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.derived_columns import column_list, with_derived
from tailrace.sql.dialect import parse_statement
from tailrace.sql.secrets import mark_secrets
from tailrace.sql.type_inference import canonical
from tailrace.sql.types import expand_types

_GATE = re.compile(r"\bENCODE\s+(?:AVRO|PROTOBUF)\b", re.IGNORECASE)
_BACKWARD = (
    'Neither wildcard ("*") nor regular (non-generated) columns appear in the user-defined schema from SQL. '
    "For backward compatibility, all columns from the source will be included at the beginning. "
    'For clarity, consider adding a wildcard ("*") to indicate where the columns from the source should be included, '
    "or specifying the columns you want to include from the source."
)


def with_external_columns(context: DdlContext) -> DdlContext:
    """The statement with the columns that its schema gives, if it is a CREATE SOURCE or TABLE that has one.

    Raises what `engine.connectors.external.load` and `columns_of` do.
    """
    found = column_list(context.text) if _GATE.search(context.text) else None
    if found is None:
        return context
    behind = context.text[found.end :]
    rest = behind if found.bare else behind[1:]
    tree = parse_statement(mark_secrets(f"CREATE TABLE t (c int) {rest}"))
    format_ = format_of(tree) if isinstance(tree, exp.Create) else None
    if format_ is None or format_.encode not in ENCODES or not isinstance(tree, exp.Create):
        return context
    check_format(format_, connector_of(tree))
    schema, format_, _ = schema_of(context, tree, format_)
    if schema is None or format_ is None:
        return context
    derived = columns_of(format_, schema)
    key = derived.key if format_.name == DEBEZIUM and not found.has_key else ()
    if found.names:
        if found.wildcard is not None:
            raise UnsupportedFeature(
                'When there\'s a wildcard ("*"), only generated columns are allowed in user-defined schema from SQL: others',
                hint="Remove the non-generated columns",
            )
        text = with_derived(context.text, (), key)
    else:
        if found.wildcard is None and not found.bare:
            context.notices.append(_BACKWARD)
        text = with_derived(context.text, _new(derived, found.generated), key)
    return replace(context, text=text)


def _new(derived: ExternalColumns, generated: Iterable[str]) -> tuple[tuple[str, str], ...]:
    for name in generated:
        if name in dict(derived.columns):
            raise InvalidStatement(f'column "{name}" specified more than once', sqlstate="42701")
    return derived.columns


def schema_of(
    context: DdlContext, tree: exp.Create, format_: Format | None
) -> tuple[ExternalSchema | None, Format | None, list[int]]:
    """The schema that a statement names, None where it needs none; the format, secrets within its options shown by their names;
    and the secrets' ids. A registry is asked once in a statement.
    """
    if format_ is None or format_.encode not in ENCODES:
        return None, format_, []
    values, shown, secrets = resolved(context, format_.options, kind="schema_registry")
    with_values, _, _ = resolved(context, options(tree))
    topic = with_values.get("topic", with_values.get("kafka.topic", ""))
    asked = (topic, format_.name, format_.encode, tuple(sorted(values.items())))
    if asked not in context.schemas:
        context.schemas[asked] = load(replace(format_, options=values), topic)
    return context.schemas[asked], replace(format_, options=shown), secrets


def check_columns(format_: Format, schema: ExternalSchema, listed: Iterable[SourceColumn]) -> None:
    """Raises InvalidStatement for a column that the schema does not have, or has with another type."""
    known = dict(columns_of(format_, schema).columns)
    for column in listed:
        if column.origin != "field":
            continue
        if column.name not in known:
            raise InvalidStatement(
                f'Column "{column.name}" is defined in SQL but not found in the source', sqlstate="42703",
                hint=f"it has {', '.join(known) or 'none'}",
            )  # fmt: skip
        wanted = known[column.name]
        if named_type(wanted) != short_type(column.type):
            raise InvalidStatement(
                f'Data type mismatch for column "{column.name}". Defined in SQL as "{canonical(column.type)}", '
                f'but found in the source as "{canonical(wanted)}"',
                sqlstate="42804",
            )


def named_type(written: str) -> str:
    """A type as a schema gives it, as sources call it: composed types by their names."""
    text = expand_types(f"SELECT NULL::{written}").sql.removeprefix("SELECT NULL::")
    return short_type(canonical(text))
