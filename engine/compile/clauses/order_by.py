"""DISTINCT, DISTINCT ON, and ORDER BY with LIMIT, OFFSET and FETCH ... WITH TIES.

ORDER BY alone changes nothing: a view has no order. What it sorts by beside the select list becomes a hidden column.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from engine.operators.aggregate import Aggregate
from engine.operators.base import Operator
from engine.operators.dedup import Dedup
from engine.operators.project import rename
from engine.operators.top_n import RANK, ROW_NUMBER, SortKey, TopN
from tailrace.errors import InvalidStatement, UnsupportedFeature

_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Tail:
    """What a query does with the rows of its select list; the columns are those of the operator that it finishes."""

    distinct: bool
    on: tuple[str, ...]
    order: tuple[SortKey, ...]
    limit: int | None
    offset: int
    ties: bool
    hidden: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Does it do anything?"""
        return self.distinct or bool(self.on) or self.limit is not None

    @staticmethod
    def of(tree: exp.Query, selects: list[exp.Expr]) -> Tail:
        """The tail of `tree`; what it needs beside the select list is appended to `selects`."""
        distinct = tree.args.get("distinct") if isinstance(tree, exp.Select) else None
        limit, offset, ties = _limit(tree)
        shown = len(selects)
        on, order = [], []
        if distinct is not None and distinct.args.get("on") is not None:
            on = [_output(selects, e, shown) for e in distinct.args["on"].expressions]
        if tree.args.get("order") is not None and (on or limit is not None):
            order = [
                SortKey(
                    _output(selects, o.this, shown),
                    bool(o.args.get("desc")),
                    bool(o.args.get("nulls_first")),
                )
                for o in tree.args["order"].expressions
            ]
        hidden = tuple(s.alias for s in selects[shown:])
        if hidden and not isinstance(tree, exp.Select):
            raise InvalidStatement("ORDER BY of a set operation must name columns of the result")
        if hidden and distinct is not None and not on:
            raise InvalidStatement("for SELECT DISTINCT, ORDER BY expressions must appear in select list")
        whole = distinct is not None and not on
        return Tail(whole, tuple(on), tuple(order), limit, offset, ties, hidden)

    def finish(self, operator: Operator) -> Operator:
        """Apply it to what the select list gives."""
        if self.distinct:
            operator = Aggregate(operator, tuple(c.name for c in operator.visible), ())
        elif self.on:
            rest = tuple(k for k in self.order if k.column not in self.on)
            if not self.order and operator.append_only:
                operator = Dedup(operator, self.on)
            else:
                operator = TopN(operator, self.on, rest, 1, None)
        if self.limit is not None:
            function = RANK if self.ties else ROW_NUMBER
            last = min(self.offset + self.limit, _MOST)
            operator = TopN(operator, (), self.order, last, None, offset=self.offset, function=function)
        return rename(operator, {}, self.hidden)


def _limit(tree: exp.Expr) -> tuple[int | None, int, bool]:
    """LIMIT or FETCH, OFFSET, and WITH TIES; the limit is None where neither is given."""
    clause, ties = tree.args.get("limit"), False
    limit = None
    if isinstance(clause, exp.Fetch):
        options = clause.args.get("limit_options")
        ties = bool(options and options.args.get("with_ties"))
        limit = _number(clause.args.get("count") or exp.Literal.number(1), "FETCH FIRST")
    elif clause is not None and not isinstance(clause.expression, exp.Null):
        limit = _number(clause.expression, "LIMIT")
    offset = _number(tree.args["offset"].expression, "OFFSET") if tree.args.get("offset") else 0
    if ties and not tree.args.get("order"):
        raise InvalidStatement("WITH TIES cannot be specified without ORDER BY clause")
    if ties and offset:
        raise UnsupportedFeature("OFFSET with WITH TIES in a view", hint="leave one of them out")
    return (_MOST if limit is None and offset else limit), offset, ties


def _number(node: exp.Expr, clause: str) -> int:
    node = node.unnest()
    if not isinstance(node, exp.Literal) or not node.name.isdigit():
        raise UnsupportedFeature(f"{clause} that is not a number in a view", hint=f"write {clause} 10")
    if int(node.name) > _MOST:
        raise InvalidStatement(f"{clause} {node.name} is out of range for type bigint", sqlstate="22003")
    return int(node.name)


def _output(selects: list[exp.Expr], expression: exp.Expr, shown: int) -> str:
    """The column that an expression of DISTINCT ON or ORDER BY means: by place, by name, by what it selects, or a new one."""
    node = expression.unnest()
    if isinstance(node, exp.Literal) and node.is_int:
        place = int(node.name)
        if not 1 <= place <= shown:
            raise InvalidStatement(f"ORDER BY position {place} is not in select list", sqlstate="42P10")
        return selects[place - 1].alias_or_name
    if isinstance(node, exp.Column) and not node.table:
        named = [s for s in selects[:shown] if s.alias_or_name == node.name]
        if named:
            return node.name
    for select in selects:
        if select.unalias() == node and select.alias_or_name:
            return select.alias_or_name
    name = f"_sort{len(selects)}"
    selects.append(exp.alias_(node.copy(), name, quoted=True))
    return name
