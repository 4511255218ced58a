"""CREATE FUNCTION ... LANGUAGE SQL: a scalar expression with a name.

Ad-hoc queries call a function of PostgreSQL's; in views and sinks the expression takes the call's place, as in RisingWave, so
that it is maintained and fails softly like any other, and so that nothing depends on the function once a view is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from engine.catalog.objects import CatalogObject
from engine.ddl.context import DdlContext, Reply, readers
from engine.ddl.default_rights import give_defaults
from engine.ddl.names import column_definition, signature
from engine.operators.base import quote
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.batch import to_postgres
from tailrace.sql.brackets import closing
from tailrace.sql.dialect import TailraceSQL, parse_query, parse_statement
from tailrace.sql.names import ObjectName, folded

TAG = "CREATE_FUNCTION"
_TWO_WORDS = ("double precision", "character varying")
_STRINGS = (TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING)


@dataclass(frozen=True, slots=True)
class _Definition:
    """A CREATE FUNCTION as it was read; argument names are '' where there are none."""

    name: ObjectName
    if_not_exists: bool
    arguments: tuple[tuple[str, str], ...]
    returns: str
    body: str


def create_function(context: DdlContext) -> Reply:
    """Run CREATE FUNCTION."""
    read = _read(context.text)
    name = context.place(read.name)
    if not context.is_new(name, if_not_exists=read.if_not_exists):
        return Reply(TAG, notices=context.notices)
    query = parse_query(read.body)
    inline_functions(context, query)
    listed = ", ".join(f"{quote(n) + ' ' if n else ''}{t}" for n, t in read.arguments)
    text = to_postgres(query.sql(dialect="risingwave"))
    delimiter = "$function$"
    if delimiter in text:
        raise UnsupportedFeature(f"{delimiter} in the body of a function")
    context.execute(
        f"CREATE FUNCTION {name.sql}({listed}) RETURNS {read.returns} LANGUAGE sql IMMUTABLE AS {delimiter}{text}{delimiter}"
    )
    body = {
        "columns": [],
        "arguments": [list(a) for a in read.arguments],
        "returns": read.returns,
        "language": "sql",
        "query": query.sql(dialect="risingwave"),
    }
    new = CatalogObject(
        context.new_id(), name.name, "function", context.user, context.text, body, schema=name.schema
    )
    context.execute(
        f"REVOKE ALL ON FUNCTION {signature(new)} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {signature(new)} TO {readers(context.user)}",
    )
    context.record(new)
    give_defaults(context, new)
    return Reply(TAG, notices=context.notices)


def drop_function(function: CatalogObject) -> str:
    """The statement that removes what PostgreSQL has of it."""
    return f"DROP FUNCTION {signature(function)}"


def inline_functions(context: DdlContext, query: exp.Expr) -> None:
    """Put each called function's expression in the place of its call, in the tree itself."""
    if not any(context.catalog.of_kind("function")):
        return
    for call in list(query.find_all(exp.Anonymous)):
        qualified = isinstance(call.parent, exp.Dot) and isinstance(call.parent.this, exp.Identifier)
        schema = folded(call.parent.this) if qualified and call.parent is not None else ""
        found = context.catalog.find(ObjectName(call.name.lower(), schema), context.path)
        if found is None or found.kind != "function":
            continue
        expression = _applied(found, call.expressions)
        if expression is not None:
            (call.parent if qualified and call.parent is not None else call).replace(expression)


def _applied(function: CatalogObject, given: list[exp.Expr]) -> exp.Expr | None:
    """The function's expression over the given arguments; None where it is more than an expression."""
    arguments = function.body["arguments"]
    if len(given) != len(arguments):
        raise InvalidStatement(
            f"function {function.name} takes {len(arguments)} arguments, got {len(given)}", sqlstate="42883"
        )
    query = parse_query(function.body["query"])
    items = query.expressions
    if (
        not isinstance(query, exp.Select)
        or len(items) != 1
        or query.args.get("from_")
        or query.find(exp.Subquery)
    ):
        return None
    by_name = {name: i for i, (name, _) in enumerate(arguments) if name}

    def placed(node: exp.Expr) -> exp.Expr:
        position = None
        if isinstance(node, exp.Parameter) and node.name.isdigit():
            position = int(node.name) - 1
        elif isinstance(node, exp.Column) and not node.table:
            position = by_name.get(folded(node.this))
        if position is None:
            return node
        if not 0 <= position < len(given):
            raise InvalidStatement(f"there is no parameter ${position + 1}", sqlstate="42P02")
        return _cast(given[position].copy(), arguments[position][1])

    return _cast(items[0].unalias().transform(placed), function.body["returns"])


def _cast(expression: exp.Expr, type_: str) -> exp.Expr:
    return exp.Paren(this=exp.cast(exp.Paren(this=expression), type_, dialect="postgres"))


def _read(text: str) -> _Definition:
    tokens = _tokens(text)
    if any(t.text.upper() == "AGGREGATE" for t in tokens[:4]):
        raise UnsupportedFeature("CREATE AGGREGATE", hint="write the aggregation into the view")
    at = next(i for i, t in enumerate(tokens) if t.text.upper() == "FUNCTION") + 1
    head = [t.text.upper() for t in tokens[:at]]
    if "REPLACE" in head:
        raise UnsupportedFeature("CREATE OR REPLACE FUNCTION", hint="DROP it first")
    if_not_exists = [t.text.upper() for t in tokens[at : at + 3]] == ["IF", "NOT", "EXISTS"]
    at += 3 if if_not_exists else 0
    opened = next((i for i in range(at, len(tokens)) if tokens[i].token_type is TokenType.L_PAREN), None)
    if opened is None:
        raise InvalidStatement(
            "syntax error: CREATE FUNCTION name(arguments) RETURNS type LANGUAGE SQL AS '...'"
        )
    name = _name(text[tokens[at].start : tokens[opened - 1].end + 1])
    closed = _closing(tokens, opened)
    arguments = tuple(_argument(a) for a in _split(text, tokens[opened + 1 : closed]))
    returns, language, body = _clauses(text, tokens[closed + 1 :])
    if language.upper() != "SQL":
        raise UnsupportedFeature(
            f"CREATE FUNCTION ... LANGUAGE {language.upper() or 'of an external function'}",
            hint="LANGUAGE SQL, or compute it before the data comes here",
        )
    if not returns or body is None:
        raise InvalidStatement("CREATE FUNCTION needs RETURNS type and AS 'SELECT ...'")
    return _Definition(name, if_not_exists, arguments, _type(returns), body.strip().rstrip(";"))


def _clauses(text: str, tokens: list[Token]) -> tuple[str, str, str | None]:
    """What stands behind RETURNS, LANGUAGE and AS, in whatever order."""
    words = {
        "RETURNS",
        "LANGUAGE",
        "AS",
        "USING",
        "IMMUTABLE",
        "STABLE",
        "VOLATILE",
        "STRICT",
        "RUNTIME",
        "WITH",
        "RETURN",
    }
    found: dict[str, str] = {}
    body: str | None = None
    position = 0
    while position < len(tokens):
        word = tokens[position].text.upper()
        end = position + 1
        while end < len(tokens) and tokens[end].text.upper() not in words:
            end += 1
        if word == "AS" and position + 1 < len(tokens) and tokens[position + 1].token_type in _STRINGS:
            body = tokens[position + 1].text
        elif word == "RETURN" and end > position + 1:
            body = "SELECT " + text[tokens[position + 1].start : tokens[end - 1].end + 1]
        elif end > position + 1:
            found[word] = text[tokens[position + 1].start : tokens[end - 1].end + 1]
        else:
            found[word] = ""
        position = end
    if "TABLE" in found.get("RETURNS", "").upper().split():
        raise UnsupportedFeature("a function that returns a table", hint="write its query as a view")
    language = found.get("LANGUAGE", "SQL" if body is not None and "USING" not in found else "")
    return found.get("RETURNS", ""), language, body


def _tokens(text: str) -> list[Token]:
    try:
        return [t for t in TailraceSQL().tokenize(text) if t.token_type is not TokenType.SEMICOLON]
    except TokenError as error:
        raise InvalidStatement(f"syntax error: {str(error).splitlines()[0]}") from error


def _name(text: str) -> ObjectName:
    tree = parse_query(f"SELECT * FROM {text}").find(exp.Table)
    if tree is None or tree.catalog:
        raise InvalidStatement(f"{text} is not the name of a function")
    schema = tree.args.get("db")
    return ObjectName(folded(tree.this), folded(schema) if schema is not None else "")


def _closing(tokens: list[Token], opened: int) -> int:
    position = closing(tokens, opened)
    if position is None:
        raise InvalidStatement("syntax error at end of input")
    return position


def _split(text: str, tokens: list[Token]) -> list[str]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in ("(", "<")) - (token.text in (")", ">"))
        if token.token_type is TokenType.COMMA and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return [text[p[0].start : p[-1].end + 1] for p in parts if p]


def _argument(text: str) -> tuple[str, str]:
    words = text.split(None, 1)
    if (
        len(words) == 2
        and text.lower() not in _TWO_WORDS
        and not text.lower().startswith(("timestamp ", "time "))
    ):
        try:
            return folded(exp.to_identifier(words[0])), _type(words[1])
        except TailraceError:
            pass
    return "", _type(text)


def _type(text: str) -> str:
    tree = parse_statement(f"CREATE TABLE t (c {text})")
    column = tree.find(exp.ColumnDef)
    if column is None:
        raise InvalidStatement(f"{text} is not a type")
    return column_definition(column).type
