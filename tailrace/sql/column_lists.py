"""Queries that depend on what columns there are: `* EXCEPT (...)` and UNION CORRESPONDING, with the columns written out.

Neither PostgreSQL's syntax nor anything that can be told from the text alone. So `written_out` is a generator: it asks for the
names of a query's columns and is sent them, until the text has none of this left; everything else of it stays as it was written.
Whoever runs it knows the columns: the front door by an empty SELECT, the flow by describing. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.brackets import STEP, closing
from tailrace.sql.dialect import TailraceSQL, parse_statement, tokens_of
from tailrace.sql.names import folded
from tailrace.sql.spelling import respelled

NAMED = re.compile(r"\*\s*except\s*\(|\bcorresponding\b", re.IGNORECASE)
"""What a query must hold to be looked at."""

_MARK = "_next_list"
_SET_OPERATIONS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_AFTER_OPERAND = _SET_OPERATIONS | {"ORDER", "LIMIT", "OFFSET", "FETCH", "FOR", ";"}

Questions = Generator[str, Sequence[str], str]
"""Yields a query, is sent the names of its columns, returns the text."""


def written_out(sql: str) -> Questions:
    """The statement with its columns written out.

    >>> steps = written_out("SELECT t.* EXCEPT (b), 1 FROM t WHERE a > 0")
    >>> next(steps)
    'SELECT *, NULL AS _next_list, t.* FROM t'
    >>> try: steps.send(["a", "b", "c", "_next_list", "a", "b", "c"])
    ... except StopIteration as end: print(end.value)
    SELECT t."a", t."c", 1 FROM t WHERE a > 0

    Raises InvalidStatement for a list that names what is not there, or is not a list of columns.
    """
    sql = respelled(sql)
    while NAMED.search(sql):
        site = _innermost(sql)
        if site is None:
            break
        names = yield site.question
        sql = site.written(_split(names))
    return sql


def drive(sql: str, names_of: Callable[[str], Sequence[str]]) -> str:
    """`written_out`, asking a function."""
    if not NAMED.search(sql):
        return sql
    steps = written_out(sql)
    try:
        question = next(steps)
        while True:
            question = steps.send(names_of(question))
    except StopIteration as end:
        return str(end.value)


def _split(names: Sequence[str]) -> list[list[str]]:
    lists: list[list[str]] = [[]]
    for name in names:
        if name == _MARK:
            lists.append([])
        else:
            lists[-1].append(name)
    return lists


@dataclass(frozen=True, slots=True)
class _Site:
    """One place: what to ask, and the text when the answer is there."""

    question: str
    written: Callable[[list[list[str]]], str]


def _innermost(sql: str) -> _Site | None:
    """A place that holds no other one; None if there is none."""
    tokens = tokens_of(sql)
    if tokens is None:
        return None
    corresponding = [i for i, t in enumerate(tokens) if _is_corresponding(tokens, i)]
    stars = [s for s in parse_statement(sql).find_all(exp.Star) if s.args.get("except_")]
    if stars:
        innermost = max(stars, key=lambda s: (s.depth, s.find_ancestor(exp.CTE) is not None))
        return _star(sql, tokens, innermost)
    if corresponding:
        return _Union(sql, tokens, max(corresponding, key=lambda i: _depth(tokens, i))).site()
    return None


# --- * EXCEPT (...) -------------------------------------------------------------------------------------------------------


def _star(sql: str, tokens: list[Token], star: exp.Star) -> _Site:
    select = star.find_ancestor(exp.Select)
    source = select.args.get("from_") if select is not None else None
    if select is None or source is None:
        raise InvalidStatement("SELECT * EXCEPT needs a FROM")
    excepted = _excepted(star)
    start, opening = _place(tokens, star)
    end = closing(tokens, opening)
    if end is None:
        raise InvalidStatement("syntax error at end of input: a bracket is not closed")
    qualifier = star.parent.args["table"] if isinstance(star.parent, exp.Column) else None
    joins = select.args.get("joins") or []
    sources = [_source(n) for n in (source.this, *(j.this for j in joins))]
    merges = any(j.args.get("using") or (j.args.get("method") or "").upper() == "NATURAL" for j in joins)
    if qualifier is not None:
        listed: list[exp.Identifier | None] = [qualifier]
    elif merges or None in sources:
        listed = [None]
    else:
        listed = sources
    probe = exp.Select(expressions=[exp.Star()], from_=source.copy(), joins=[j.copy() for j in joins])
    for name in listed:
        if name is not None:
            probe.append("expressions", exp.alias_(exp.null(), _MARK))
            probe.append("expressions", exp.Column(this=exp.Star(), table=name.copy()))
    _with_ctes(probe, select)

    def written(lists: list[list[str]]) -> str:
        pairs = [
            (name, column)
            for position, name in enumerate(listed)
            for column in lists[0 if name is None else position + 1]
        ]
        kept = _kept(pairs, excepted, qualifier)
        text = ", ".join(
            (f"{name.sql(dialect=TailraceSQL)}." if name is not None else "") + _quoted(column)
            for name, column in kept
        )
        return sql[: tokens[start].start] + text + sql[tokens[end].end + 1 :]

    return _Site(probe.sql(dialect=TailraceSQL), written)


def _excepted(star: exp.Star) -> list[tuple[str | None, str]]:
    found: list[tuple[str | None, str]] = []
    for item in star.args["except_"]:
        if isinstance(item, exp.Identifier):
            found.append((None, folded(item)))
            continue
        if not (isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier)):
            raise InvalidStatement(
                f"Only support column name in except list, got {item.sql(dialect=TailraceSQL)}"
            )
        table = item.args.get("table")
        found.append((folded(table) if table is not None else None, folded(item.this)))
    for item in found:
        if found.count(item) > 1:
            raise InvalidStatement(f"Duplicate entry in except list: {item[1]}")
    return found


def _kept(
    pairs: list[tuple[exp.Identifier | None, str]],
    excepted: list[tuple[str | None, str]],
    qualifier: exp.Identifier | None,
) -> list[tuple[exp.Identifier | None, str]]:
    """The columns that are left; what is excepted must be one of them, or of another relation than the star's."""
    out: set[int] = set()
    for table, column in excepted:
        meant = [
            at
            for at, (name, known) in enumerate(pairs)
            if known == column and (table is None or name is None or folded(name) == table)
        ]
        if len(meant) > 1:
            raise InvalidStatement(f"Ambiguous column name: {column}", sqlstate="42702")
        if not meant and (qualifier is None or table is None or table == folded(qualifier)):
            raise InvalidStatement(f"Item not found: Invalid column: {column}", sqlstate="42703")
        out.update(meant)
    kept = [pair for at, pair in enumerate(pairs) if at not in out]
    if not kept:
        raise InvalidStatement("SELECT * EXCEPT leaves no column")
    return kept


def _place(tokens: list[Token], star: exp.Star) -> tuple[int, int]:
    """The indices of a star's first token (its qualifier's, if it has one) and of the bracket behind EXCEPT."""
    first = star.args["except_"][0]
    identifier = first if isinstance(first, exp.Identifier) else first.find(exp.Identifier)
    within = int(identifier.meta.get("start", 0)) if identifier is not None else 0
    found = [
        i
        for i, t in enumerate(tokens)
        if t.token_type is TokenType.STAR
        and i + 2 < len(tokens)
        and tokens[i + 1].text.upper() == "EXCEPT"
        and tokens[i + 2].token_type is TokenType.L_PAREN
        and t.start < within
    ]
    if not found:
        raise UnsupportedFeature("this form of * EXCEPT", hint="name the columns that are wanted")
    at = found[-1]
    start = at
    while start >= 2 and tokens[start - 1].token_type is TokenType.DOT:
        start -= 2
    return start, at + 2


def _source(node: exp.Expr) -> exp.Identifier | None:
    """What a relation of FROM is called; None for one without a name."""
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.this is not None:
        return exp.to_identifier(alias.this)  # type: ignore[no-any-return]
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        return node.this
    return None


def _with_ctes(probe: exp.Select, select: exp.Select) -> None:
    """Let the probe see the WITH queries that the select sees."""
    within = select.find_ancestor(exp.CTE)
    seen: list[exp.Expr] = []
    node: exp.Expr | None = select
    while node is not None:
        clause = node.args.get("with_")
        for cte in clause.expressions if clause is not None else ():
            if cte is within:
                break
            seen.append(cte.copy())
        node = node.parent
    if seen:
        probe.set("with_", exp.With(expressions=seen))


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="postgres")


# --- CORRESPONDING [BY (...)] ---------------------------------------------------------------------------------------------


def _is_corresponding(tokens: list[Token], at: int) -> bool:
    if tokens[at].text.upper() != "CORRESPONDING" or at == 0:
        return False
    return tokens[at - 1].text.upper() in _SET_OPERATIONS | {"ALL", "DISTINCT"}


def _depth(tokens: list[Token], at: int) -> int:
    return sum(STEP.get(t.token_type, 0) for t in tokens[:at])


@dataclass(frozen=True, slots=True)
class _Union:
    """A set operation by names; its word CORRESPONDING is the token `at`."""

    sql: str
    tokens: list[Token]
    at: int

    def site(self) -> _Site:
        operation = self.at - 1
        while self.tokens[operation].text.upper() not in _SET_OPERATIONS:
            operation -= 1
        first, last = self._begin(operation), operation - 1
        behind, by = self._by()
        until = self._end(behind)
        left, right = self._text(first, last), self._text(behind, until)
        word = self._text(operation, self.at - 1)
        clause = self._ctes(first)
        ctes = self._text(*clause) if clause is not None else ""
        question = (
            f"{ctes} SELECT l.*, NULL AS {_MARK}, r.* FROM ({left}) AS l, ({right}) AS r"  # noqa: S608 - the user's own text
        ).strip()

        def written(lists: list[list[str]]) -> str:
            listed = ", ".join(_quoted(c) for c in _common(lists[0], lists[1], by, word.split()[0].upper()))
            made = f"SELECT {listed} FROM ({left}) AS l {word} SELECT {listed} FROM ({right}) AS r"  # noqa: S608
            return self.sql[: self.tokens[first].start] + made + self.sql[self.tokens[until].end + 1 :]

        return _Site(question, written)

    def _text(self, first: int, last: int) -> str:
        return self.sql[self.tokens[first].start : self.tokens[last].end + 1]

    def _begin(self, operation: int) -> int:
        """Where the left operand begins: behind a bracket or WITH queries, or with the statement."""
        depth, begin = 0, operation
        for index in range(operation - 1, -1, -1):
            depth -= STEP.get(self.tokens[index].token_type, 0)
            if depth < 0:
                break
            opens = self.tokens[index].token_type is TokenType.L_PAREN and begin == operation
            if depth == 0 and (opens or self.tokens[index].text.upper() in {"SELECT", "VALUES"}):
                begin = index
        return begin

    def _ctes(self, first: int) -> tuple[int, int] | None:
        """The WITH clause right before the left operand."""
        depth = 0
        for index in range(first - 1, -1, -1):
            depth -= STEP.get(self.tokens[index].token_type, 0)
            if depth < 0:
                return None
            if depth == 0 and self.tokens[index].text.upper() == "WITH":
                return index, first - 1
        return None

    def _by(self) -> tuple[int, list[str]]:
        """The index behind [BY (a, b)], and its names."""
        behind = self.at + 1
        if behind >= len(self.tokens) or self.tokens[behind].text.upper() != "BY":
            return behind, []
        end = closing(self.tokens, behind + 1)
        if end is None:
            raise InvalidStatement("syntax error at end of input: a bracket is not closed")
        listed = [t for t in self.tokens[behind + 2 : end] if t.token_type is not TokenType.COMMA]
        return end + 1, [t.text if t.token_type is TokenType.IDENTIFIER else t.text.lower() for t in listed]

    def _end(self, begin: int) -> int:
        """The last token of the right operand."""
        depth = 0
        for index in range(begin, len(self.tokens)):
            token = self.tokens[index]
            step = STEP.get(token.token_type, 0)
            depth += step
            if depth < 0 or (
                depth == 0 and not step and token.text.upper().partition(" ")[0] in _AFTER_OPERAND
            ):
                return index - 1
        return len(self.tokens) - 1


def _common(left: list[str], right: list[str], by: list[str], operation: str) -> list[str]:
    for name in by:
        if name not in left or name not in right:
            raise InvalidStatement(
                f"Invalid input syntax: Column name `{name}` in CORRESPONDING BY is not found in a side of the {operation} "
                "operation. It shall be included in both sides."
            )
    common = by or [name for name in left if name in right]
    if not common:
        shown = [", ".join(f'"{name}"' for name in side) for side in (left, right)]
        raise InvalidStatement(
            "Invalid input syntax: When CORRESPONDING is specified, at least one column of the left side shall have a column "
            f"name that is the column name of some column of the right side in a {operation} operation. "
            f"Left side query column list: ({shown[0]}). Right side query column list: ({shown[1]})."
        )
    return common
