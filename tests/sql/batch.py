"""A view's query as a batch on plain PostgreSQL: what case files are checked against without any engine.

RisingWave's syntax is taken out on the syntax tree: a temporal join becomes a plain one, TUMBLE a date_bin, a
cast that may fail yields NULL, and DISTINCT ON keeps the first by offset.
"""

from __future__ import annotations

from sqlglot import exp

from tailrace.sql import parse_statement
from tailrace.sql.windows import expand_windows

SOFT_FUNCTIONS = """
CREATE FUNCTION soft_text(data bytea) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN RETURN convert_from(data, 'utf8'); EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;
CREATE FUNCTION soft_jsonb(value text) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT CASE WHEN pg_input_is_valid(value, 'jsonb') THEN value::jsonb END $$;
CREATE FUNCTION soft_double(value text) RETURNS double precision LANGUAGE sql AS
    $$ SELECT CASE WHEN pg_input_is_valid(value, 'float8') THEN value::float8 END $$;
CREATE FUNCTION soft_time(value text) RETURNS timestamptz LANGUAGE sql AS
    $$ SELECT CASE WHEN pg_input_is_valid(value, 'timestamptz') THEN value::timestamptz END $$;
"""

_SOFT_CASTS = {
    exp.DType.JSONB: "soft_jsonb",
    exp.DType.DOUBLE: "soft_double",
    exp.DType.TIMESTAMPTZ: "soft_time",
}


def batch_query(definition: str) -> str:
    """The query of a CREATE MATERIALIZED VIEW in PostgreSQL's dialect, over `SOFT_FUNCTIONS`."""
    query = parse_statement(definition).expression
    for table in query.find_all(exp.Table):
        table.set("version", None)
    for select in query.find_all(exp.Select):
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            columns = [column.sql("postgres") for column in distinct.args["on"].expressions]
            select.order_by(*columns, "kafka_offset", copy=False)
    return expand_windows(query.transform(_soften)).sql(dialect="postgres")


def _soften(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Cast) and node.to.this in _SOFT_CASTS and _may_fail(node.this):
        return exp.func(_SOFT_CASTS[node.to.this], node.this)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "convert_from":
        return exp.func("soft_text", node.expressions[0])
    return node


def _may_fail(operand: exp.Expr) -> bool:
    return not isinstance(operand, exp.Literal | exp.Null) and not operand.is_number
