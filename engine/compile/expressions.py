"""Scalar expressions of views: typed by PostgreSQL, checked, and made soft.

As in RisingWave, an expression that fails inside a view yields NULL at that node instead of stopping the stream: a failing
cast, a division by zero, a function outside its domain. Types come from PostgreSQL itself (a description of the query over
empty inputs), so no second type system can disagree with it.
Source: RisingWave docs, "Error handling in streaming".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from engine.compile.relations import Environment, describe_over
from engine.compile.rows import is_row, typed_rows
from engine.operators.base import Column, Operator
from engine.operators.project import Project, sql
from tailrace.errors import UnsupportedFeature
from tailrace.sql.windows import interval_us

_INTEGERS = {"smallint": (-32768, 32767), "integer": (-(2**31), 2**31 - 1), "bigint": (-(2**63), 2**63 - 1)}
_NUMBERS = {*_INTEGERS, "numeric", "real", "double precision"}
_TEXTS = {"text", "character varying", "unknown", "character"}
_DOMAINS: dict[str, str] = {"rw.sqrt": "{0} >= 0", "ln": "{0} > 0", "log10": "{0} > 0", "log": "{0} > 0"}
"""Functions of one argument that fail outside of it."""
_TRIED = frozenset(
    "chr convert_to date_bin decode encode format get_bit get_byte hmac inet_aton int8recv jsonb_object jsonb_path_exists "
    "jsonb_path_match jsonb_path_query_array jsonb_path_query_first jsonb_set jsonb_to_array left lpad overlay "
    "regexp_count regexp_match regexp_replace regexp_split_to_array repeat rpad set_bit set_byte split_part substr "
    "to_char to_date to_timestamp trim_array rw.exp rw.make_date rw.make_time rw.make_timestamp rw.make_timestamptz "
    "rw.pow rw.power".split()
)
"""Functions that fail on some arguments: schema `rw` has `try_...` of each, which gives NULL then (engine/functions/soft.sql)."""


def identifier(name: str) -> exp.Column:
    """An unqualified, quoted column reference."""
    return exp.column(exp.to_identifier(name, quoted=True))


def check_scalars(environment: Environment, expressions: Sequence[exp.Expr]) -> None:
    """Refuse by name what cannot be maintained row by row: subqueries, volatile functions, unknown aggregates."""
    wanted: set[str] = set()
    for expression in expressions:
        for node in expression.walk():
            if isinstance(node, exp.Subquery | exp.Select | exp.Exists):
                raise UnsupportedFeature(
                    "subquery in an expression of a view", hint="join with the subquery instead"
                )
            if isinstance(node, exp.Window):
                raise UnsupportedFeature(
                    "window function in a view",
                    hint="only row_number() bounded by an outer WHERE rn <= n (top-N) is maintained",
                )
            if isinstance(node, exp.CurrentTimestamp):
                raise UnsupportedFeature(
                    "now() outside a temporal filter",
                    hint="compare a column with it: WHERE ts > now() - INTERVAL '1 hour'",
                )
            if isinstance(node, exp.AggFunc):
                raise UnsupportedFeature(f"aggregate function {sql(node).split('(')[0].lower()}() here")
            if isinstance(node, exp.Placeholder | exp.Parameter):
                raise UnsupportedFeature("parameter in a view", hint="write the value into the statement")
            called = (
                re.match(r"([A-Za-z_][A-Za-z0-9_]*)\(", sql(node)) if isinstance(node, exp.Func) else None
            )
            if called:
                wanted.add(called.group(1).lower())
    for name, kinds in environment.function_kinds(sorted(wanted)).items():
        if name == "proctime":
            raise UnsupportedFeature("proctime() in an expression of a view")
        if kinds and all(k[0] == "a" for k in kinds):
            raise UnsupportedFeature(f"aggregate function {name}()")
        if any(k[0] == "r" for k in kinds):
            raise UnsupportedFeature(f"set-returning function {name}() in a view")
        if kinds and all(k[0] == "f" and k[1] == "v" for k in kinds):
            raise impure(name)


def impure(name: str, node: exp.Expr | None = None) -> UnsupportedFeature:
    """The refusal of a function that may give another answer each time; `node` is its call, where that stands in a query."""
    place = "an expression of a view"
    if node is not None and node.find_ancestor(exp.Filter, exp.Select) is not None:
        if isinstance(node.find_ancestor(exp.Filter, exp.Select), exp.Filter):
            place = "AGGREGATE FILTER"
        elif node.find_ancestor(exp.Where, exp.Having) is not None:
            place = "WHERE or HAVING"
    return UnsupportedFeature(
        f"using an impure expression ({name.upper()}) in {place}",
        hint="a row that is taken back must give the answer that it gave before: write the value into a table's column",
    )


def soften(
    environment: Environment, operator: Operator, expressions: Sequence[exp.Expr]
) -> tuple[Operator, list[exp.Expr]]:
    """Make `expressions` over `operator` soft; returns the operator to evaluate them on and the new expressions.

    Operands that a soft node would compute twice are first computed once, by a Project put under it.
    """
    copies = [decoded_by_reader(operator, e.copy()) for e in expressions]
    expressions = typed_rows(environment, operator, copies)
    while True:
        hoisted: list[exp.Expr] = []
        for index, expression in enumerate(expressions):
            expressions[index] = expression.transform(_hoist, hoisted, len(operator.columns), copy=False)
        if not hoisted:
            break
        soft = _soften_level(environment, operator, hoisted)
        operator = _extend(environment, operator, soft)
    return operator, _soften_level(environment, operator, expressions)


def decoded_by_reader(operator: Operator, expression: exp.Expr) -> exp.Expr:
    """Use what the reader of a BYTES source has decoded already.

    `convert_from(data, 'utf8')` becomes its hidden column `_text`, and a cast of that to jsonb takes `_json`, where the reader
    was sure of it, so that only odd documents are parsed here (parsing cost the barrier 12 of 70 us a message).
    """
    hidden = {c.name for c in operator.columns if c.hidden}
    if not {"_text", "_json"} <= hidden:
        return expression

    def replaced(node: exp.Expr) -> exp.Expr:
        if (
            isinstance(node, exp.Anonymous)
            and node.name.lower() == "convert_from"
            and len(node.expressions) == 2
        ):
            data, encoding = node.expressions
            utf8 = encoding.name.lower() in ("utf8", "utf-8")
            if utf8 and isinstance(data, exp.Column) and operator.column(data.name).type == "bytea":
                return identifier("_text")
        to_json = isinstance(node, exp.Cast) and node.to.is_type("jsonb")
        if to_json and isinstance(node.this, exp.Column) and node.this.name == "_text":
            return exp.Coalesce(this=identifier("_json"), expressions=[node.copy()])
        return node

    return expression.transform(replaced).transform(replaced)


def _hoist(node: exp.Expr, hoisted: list[exp.Expr], width: int) -> exp.Expr:
    """Replace the innermost compound operand of a soft node by a reference to a column to come."""
    for operand in _guarded(node):
        if isinstance(operand, exp.Column | exp.Literal | exp.Null | exp.Boolean):
            continue
        if any(_compound(below) for below in operand.walk()):
            continue  # a deeper one goes first, in a later round this one is simple
        name = f"_soft{width}_{len(hoisted)}"
        reference = identifier(name)
        hoisted.append(operand.copy())
        operand.replace(reference)
    return node


def _compound(node: exp.Expr) -> bool:
    return any(not isinstance(o, exp.Column | exp.Literal | exp.Null | exp.Boolean) for o in _guarded(node))


def _guarded(node: exp.Expr) -> list[exp.Expr]:
    """The operands that the soft form of `node` would compute twice."""
    if isinstance(node, exp.Cast) and not is_literal_cast(node):
        return [node.this]
    if isinstance(node, exp.Func) and _called(node) in _DOMAINS:
        return _arguments(node)[:1]
    return []


def _called(node: exp.Func) -> str:
    """The name of a function as it is called."""
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def _arguments(node: exp.Func) -> list[exp.Expr]:
    return list(node.expressions) if isinstance(node, exp.Anonymous) else [node.this]


def is_literal_cast(node: exp.Cast) -> bool:
    """Does the cast only say the type of a literal, or of a row whose fields have been cast by themselves?"""
    return (
        is_row(node.this)
        or isinstance(node.this, exp.Literal | exp.Null | exp.Boolean)
        or (isinstance(node.this, exp.Neg) and isinstance(node.this.this, exp.Literal))
    )


def _extend(environment: Environment, operator: Operator, extra: list[exp.Expr]) -> Operator:
    types = describe_over(environment, operator, extra)
    width = len(operator.columns)
    new = tuple(Column(f"_soft{width}_{i}", t, hidden=True) for i, t in enumerate(types))
    items = (*(identifier(c.name) for c in operator.columns), *extra)
    return Project(operator, items, (*operator.columns, *new), operator.key)


def _soften_level(
    environment: Environment, operator: Operator, expressions: Sequence[exp.Expr]
) -> list[exp.Expr]:
    """Replace each soft node, whose operands are simple by now, by its guarded form."""
    casts = [n for e in expressions for n in e.find_all(exp.Cast) if not is_literal_cast(n)]
    types = dict(
        zip(map(id, casts), describe_over(environment, operator, [n.this for n in casts]), strict=True)
    )
    targets = dict(zip(map(id, casts), describe_over(environment, operator, casts), strict=True))
    rules: list[Callable[[exp.Expr], exp.Expr | None]] = [
        lambda n: (
            _soft_cast(n, types[id(n)], targets[id(n)])
            if isinstance(n, exp.Cast) and id(n) in types
            else None
        ),
        soft_division,
        soft_function,
    ]

    def apply(node: exp.Expr) -> exp.Expr:
        for child in list(node.iter_expressions()):
            new = apply(child)
            if new is not child:
                child.replace(new)
        for rule in rules:
            softened = rule(node)
            if softened is not None:
                return softened
        return node

    return [apply(e) for e in expressions]


def _when(condition: str, node: exp.Expr) -> exp.Expr:
    """CASE WHEN condition THEN node END; the condition is built from quoted parts of the node itself."""
    return exp.Case(ifs=[exp.If(this=exp.maybe_parse(condition, dialect="postgres"), true=node.copy())])


def _soft_cast(node: exp.Cast, source: str, target: str) -> exp.Expr | None:
    operand, base = sql(node.this), target.split("(", maxsplit=1)[0]
    if source == target:
        return None
    if source.split("(", maxsplit=1)[0] in _TEXTS:
        if base in _TEXTS or target == "bytea":
            return None
        type_name = exp.Literal.string(target).sql()
        return _when(f"pg_input_is_valid({operand}, {type_name})", node)
    if source.split("(", maxsplit=1)[0] in _NUMBERS and base in _INTEGERS and source != "boolean":
        low, high = _INTEGERS[base]
        return _when(f"{operand} BETWEEN {low} AND {high}", node)
    if source == "jsonb" and base in _NUMBERS:
        number = f"jsonb_typeof({operand}) = 'number'"
        if base in _INTEGERS:
            low, high = _INTEGERS[base]
            number = f"CASE WHEN {number} THEN ({operand})::numeric BETWEEN {low} AND {high} ELSE false END"
        return _when(number, node)
    if source == "jsonb" and base == "boolean":
        return _when(f"jsonb_typeof({operand}) = 'boolean'", node)
    return None


def soft_division(node: exp.Expr) -> exp.Expr | None:
    """The division with a divisor that is never zero; None if it has one, or is none."""
    if not isinstance(node, exp.Div | exp.Mod) or isinstance(node.expression, exp.Nullif):
        return None
    divisor = node.expression.unnest()
    if isinstance(divisor, exp.Literal) and divisor.is_number and float(divisor.name) != 0:
        return None
    softened = node.copy()
    softened.set("expression", exp.Nullif(this=divisor.copy(), expression=exp.Literal.number(0)))
    return softened


def soft_function(node: exp.Expr) -> exp.Expr | None:
    """The call as one that gives NULL where the function fails; None for what does not fail."""
    if isinstance(node, exp.Anonymous) and node.name.lower() == "convert_from":
        return exp.Anonymous(this="engine.convert_from", expressions=[e.copy() for e in node.expressions])
    if not isinstance(node, exp.Func):
        return None
    name = _called(node)
    if name in _DOMAINS and len(_arguments(node)) == 1:
        return _when(_DOMAINS[name].format(sql(_arguments(node)[0])), node)
    if name == "date_bin" and (interval_us(_arguments(node)[0]) or 0) > 0:
        return None  # a window: it cannot fail, and a watermark passes through it
    if name in _TRIED and isinstance(node, exp.Anonymous):
        tried = f"rw.try_{name.removeprefix('rw.')}"
        return exp.Anonymous(this=tried, expressions=[e.copy() for e in node.expressions])
    return None
