"""RisingWave's spellings that neither PostgreSQL nor sqlglot reads, and functions of ours that stand in for PostgreSQL's.

Works on tokens, so that everything else of a text stays as it was written: lambdas (`array_transform(a, |x| x + 1)`), a scalar
function as an aggregate (`aggregate:array_sum(v)`), subscripts behind ARRAY[...], the type DOUBLE; and the names of functions
that schema `rw` has with RisingWave's meaning (`engine/functions/`). Called by `to_postgres` for ad-hoc queries and by the
parser for what becomes a tree. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.risingwave import RisingWave
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.errors import InvalidStatement
from tailrace.sql.brackets import STEP, closing

RENAMED = frozenset(
    "acos acosd acosh asin asind atanh cbrt cos cosd cot cotd exp make_date make_time make_timestamp make_timestamptz "
    "pow power regexp_matches round sin sind sqrt tan tand to_ascii to_jsonb".split()
)
"""Functions of schema `rw` that take the place of PostgreSQL's of the same name."""

_LAMBDA = re.compile(r"\|\s*[a-z_][a-z0-9_]*\s*(?:,\s*[a-z_][a-z0-9_]*\s*)*\|", re.IGNORECASE)
_SPELLED = re.compile(
    r"\b(?:count|current_(?:timestamp|user|role|catalog)|session_user|user)\s*\(\s*\)|\bstring\b|\baggregate\s*:|\]\s*\[|\bdouble\b|\bjsonb_(?:agg|object_agg|build_array|build_object)\s*\(|<(?:->|=>|#>|\+>)",
    re.IGNORECASE,
)
_CALLED = re.compile(rf"\b(?:{'|'.join(sorted(RENAMED))})\s*\(", re.IGNORECASE)
_DISTANCES = frozenset({"<->", "<=>", "<#>", "<+>"})
"""Operators between vectors, which no parser of ours knows: written as PostgreSQL's OPERATOR(...), of equal precedence."""
_WITHOUT_PARENTHESES = frozenset(
    {"current_timestamp", "current_user", "current_role", "current_catalog", "session_user", "user"}
)
"""What RisingWave takes for a call with or without parentheses, and PostgreSQL only without."""
_MAKES_JSON: dict[str, Callable[[int], bool]] = {
    "jsonb_agg": lambda at: at == 0,
    "jsonb_object_agg": lambda at: at == 1,
    "jsonb_build_array": lambda at: True,
    "jsonb_build_object": lambda at: at % 2 == 1,
}
"""Which arguments become JSON's values, by RisingWave's `to_jsonb`."""
_TAKES_LAMBDA = frozenset({"array_transform"})


def respelled(sql: str) -> str:
    """Syntax of RisingWave's own made SQL that sqlglot reads and PostgreSQL runs; the same object where there is none.

    >>> respelled("SELECT aggregate:array_sum(v) FROM t")
    'SELECT array_sum(array_agg(v)) FROM t'
    >>> respelled("SELECT ARRAY[1, 2][1], 1::double")
    'SELECT (ARRAY[1, 2])[1], 1::double precision'
    >>> respelled("SELECT a <=> b FROM t ORDER BY a <#> '[1,2]'")
    "SELECT a OPERATOR(<=>) b FROM t ORDER BY a OPERATOR(<#>) '[1,2]'"
    >>> respelled("SELECT jsonb_agg(v ORDER BY w) FROM t")
    'SELECT jsonb_agg(rw.to_jsonb(v) ORDER BY w) FROM t'

    Raises InvalidStatement for a malformed lambda.
    """
    if not (_SPELLED.search(sql) or _LAMBDA.search(sql)):
        return sql
    tokens = _tokens(sql)
    return _Rewriter(sql, tokens).whole() if tokens else sql


def renamed(sql: str) -> str:
    """A query's text with the calls of RENAMED functions qualified; the same object where there are none.

    >>> renamed("SELECT round(x, 2), rw.round(x), round FROM t")
    'SELECT rw.round(x, 2), rw.round(x), round FROM t'
    """
    if not _CALLED.search(sql):
        return sql
    tokens = _tokens(sql)
    return _Rewriter(sql, tokens, renames=True).whole() if tokens else sql


def rename_calls(tree: exp.Expr) -> exp.Expr:
    """The same in a tree, in place: `rw.f` is the name of one Anonymous. What a select list calls so without an alias keeps its
    name.

    >>> from tailrace.sql.dialect import TailraceSQL
    >>> rename_calls(TailraceSQL().parse("SELECT sqrt(x) + 1, sqrt(y) FROM t")[0]).sql("postgres")
    'SELECT RW.SQRT(x) + 1, RW.SQRT(y) AS sqrt FROM t'
    """
    for dot in list(tree.find_all(exp.Dot)):
        if dot.this.name.lower() == "rw" and isinstance(dot.expression, exp.Anonymous):
            dot.replace(exp.Anonymous(this=f"rw.{dot.name.lower()}", expressions=dot.expression.expressions))
    for node in list(tree.find_all(exp.Anonymous, exp.Pow)):
        name = "power" if isinstance(node, exp.Pow) else node.name.lower()
        if name not in RENAMED or isinstance(node.parent, exp.Dot):
            continue
        arguments = [node.this, node.expression] if isinstance(node, exp.Pow) else node.expressions
        call = exp.Anonymous(this=f"rw.{name}", expressions=arguments)
        selected = isinstance(node.parent, exp.Select) and node.arg_key == "expressions"
        node.replace(exp.alias_(call, name) if selected else call)
    return tree


def _names(token: Token, names: Iterable[str]) -> bool:
    return token.token_type is not TokenType.IDENTIFIER and token.text.lower() in names


def _tokens(sql: str) -> list[Token]:
    try:
        return list(RisingWave().tokenize(sql))
    except TokenError:
        return []  # the parser tells what is wrong


@dataclass(slots=True)
class _Rewriter:
    """Puts text together from tokens `at` to an end; everything between what it changes is the original."""

    sql: str
    tokens: list[Token]
    renames: bool = False
    """Qualify functions instead of respelling syntax."""
    made: int = 0

    def whole(self) -> str:
        text = self.between(0, len(self.tokens))
        return self.sql if text == self.sql else text

    def between(self, start: int, end: int) -> str:
        """The text of tokens `start` up to `end`, with the space around them where it is the statement's edge."""
        parts: list[str] = []
        position = self.tokens[start].start if start else 0
        index = start
        while index < end:
            text, following = self._special(index)
            if text is None:
                index += 1
                continue
            parts += (self.sql[position : self.tokens[index].start], text)
            position = self.tokens[following - 1].end + 1
            index = following
        stop = len(self.sql) if end == len(self.tokens) else self.tokens[end - 1].end + 1
        return "".join((*parts, self.sql[position:stop]))

    def _special(self, index: int) -> tuple[str | None, int]:
        """What takes the place of the tokens from `index` on, and the index behind them."""
        token = self.tokens[index]
        if self.renames:
            return self._renamed(index)
        if _names(token, {"aggregate"}) and self._types(index + 1, TokenType.COLON):
            return self._aggregate(index)
        if _names(token, _TAKES_LAMBDA) and self._types(index + 1, TokenType.L_PAREN):
            return self._transform(index)
        if _names(token, _MAKES_JSON) and self._types(index + 1, TokenType.L_PAREN):
            return self._json(index)
        if _names(token, {"array"}) and self._types(index + 1, TokenType.L_BRACKET):
            end = self._closing(index + 1)
            if self._types(end, TokenType.L_BRACKET):
                return (
                    f"({self.sql[token.start : self.tokens[index + 1].end + 1]}{self._inner(index + 1, end)}])",
                    end,
                )
        if _names(token, {"double"}) and not self._word(index + 1, "precision") and self._typed(index):
            return "double precision", index + 1
        if self._types(index + 1, TokenType.L_PAREN) and self._types(index + 2, TokenType.R_PAREN):
            if _names(token, {"count"}):
                return "count(*)", index + 3
            if _names(token, _WITHOUT_PARENTHESES):
                return self.sql[token.start : token.end + 1], index + 3
        if _names(token, {"string"}) and self._typed(index):
            return "character varying", index + 1
        return self._distance(index)

    def _distance(self, index: int) -> tuple[str | None, int]:
        """A distance operator at `index`, which may be several tokens without a space between them."""
        written = self._types(index - 1, TokenType.L_PAREN) and self._word(index - 2, "operator")
        if self.tokens[index].text.startswith("<") and not written and not self._quoted(index):
            for length in (1, 2, 3):
                if index + length > len(self.tokens):
                    break
                found = self.sql[self.tokens[index].start : self.tokens[index + length - 1].end + 1]
                if found in _DISTANCES:
                    return f"OPERATOR({found})", index + length
        return None, index + 1

    def _quoted(self, index: int) -> bool:
        return self.tokens[index].token_type in (TokenType.STRING, TokenType.IDENTIFIER)

    def _renamed(self, index: int) -> tuple[str | None, int]:
        """A call of a renamed function at `index`."""
        token = self.tokens[index]
        qualified = index > 0 and self.tokens[index - 1].token_type is TokenType.DOT
        if qualified or not self._types(index + 1, TokenType.L_PAREN):
            return None, index + 1
        if _names(token, RENAMED):
            return f"rw.{token.text}", index + 1
        return None, index + 1

    def _aggregate(self, index: int) -> tuple[str | None, int]:
        """`aggregate:f(arguments)` at `index`."""
        if not self._types(index + 3, TokenType.L_PAREN):
            return None, index + 1
        end = self._closing(index + 3)
        return f"{self.tokens[index + 2].text}(array_agg({self._inner(index + 3, end)}))", end

    def _json(self, index: int) -> tuple[str | None, int]:
        """A call that makes JSON at `index`, its values made by `rw.to_jsonb`; one with DISTINCT or VARIADIC stays."""
        end = self._closing(index + 1)
        if self._word(index + 2, "distinct") or self._word(index + 2, "variadic"):
            return None, index + 1
        order = next(
            (i for i in self._outside(index + 2, end - 1) if self._types(i, TokenType.ORDER_BY)), end - 1
        )
        commas = [i for i in self._outside(index + 2, order) if self._types(i, TokenType.COMMA)]
        parts: list[str] = []
        start = index + 2
        for at, stop in enumerate((*commas, order)):
            argument = self.between(start, stop).strip() if stop > start else ""
            made = argument.lower().startswith("rw.to_jsonb(")
            typed = _MAKES_JSON[self.tokens[index].text.lower()](at) and argument and not made
            parts.append(f"rw.to_jsonb({argument})" if typed else argument)
            start = stop + 1
        ordered = f" {self.between(order, end - 1).strip()}" if order < end - 1 else ""
        return f"{self.tokens[index].text}({', '.join(parts)}{ordered})", end

    def _outside(self, start: int, end: int) -> list[int]:
        """The tokens from `start` up to `end` that stand in no bracket."""
        depth, found = 0, []
        for index in range(start, end):
            depth += STEP.get(self.tokens[index].token_type, 0)
            if depth == 0:
                found.append(index)
        return found

    def _transform(self, index: int) -> tuple[str | None, int]:
        """`array_transform(array, |x| body)` at `index`: NULL stays NULL, and the elements keep their order."""
        end = self._closing(index + 1)
        comma = self._comma(index + 2, end - 1)
        if (
            comma is None
            or not self._types(comma + 1, TokenType.PIPE)
            or not self._types(comma + 3, TokenType.PIPE)
        ):
            raise InvalidStatement(
                "array_transform takes an array and a lambda", hint="array_transform(a, |x| x + 1)"
            )
        name = self.sql[self.tokens[comma + 2].start : self.tokens[comma + 2].end + 1]
        array, body = self.between(index + 2, comma), self.between(comma + 4, end - 1)
        made, self.made = f"_lambda{self.made}", self.made + 1
        mapped = f"SELECT {body} FROM unnest({made}._a) WITH ORDINALITY AS _e({name}, _i) ORDER BY _e._i"  # noqa: S608
        kept = f"CASE WHEN {made}._a IS NOT NULL THEN ARRAY({mapped}) END"
        return f"(SELECT {kept} FROM (SELECT {array} AS _a) AS {made})", end  # noqa: S608 - the statement's own pieces

    def _inner(self, opening: int, end: int) -> str:
        """What stands in the brackets that open at `opening` and end before `end`."""
        return self.between(opening + 1, end - 1) if end - 1 > opening + 1 else ""

    def _closing(self, opening: int) -> int:
        """The index behind the bracket that closes the one at `opening`."""
        found = closing(self.tokens, opening)
        if found is None:
            raise InvalidStatement("syntax error at end of input: a bracket is not closed")
        return found + 1

    def _comma(self, start: int, end: int) -> int | None:
        depth = 0
        for index in range(start, end):
            kind = self.tokens[index].token_type
            depth += STEP.get(kind, 0)
            if kind is TokenType.COMMA and depth == 0:
                return index
        return None

    def _types(self, index: int, kind: TokenType) -> bool:
        return index < len(self.tokens) and self.tokens[index].token_type is kind

    def _word(self, index: int, word: str) -> bool:
        return index < len(self.tokens) and self.tokens[index].text.lower() == word

    def _typed(self, index: int) -> bool:
        """Whether a type may stand at `index`: behind `::`, or behind AS in a cast."""
        return index > 0 and (
            self.tokens[index - 1].token_type is TokenType.DCOLON
            or (self._word(index - 1, "as") and self._types(index + 1, TokenType.R_PAREN))
            or (self._word(index - 1, "as") and self._types(index + 1, TokenType.L_BRACKET))
        )
