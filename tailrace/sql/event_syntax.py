"""What RisingWave's grammar has for event time and changes, and sqlglot's parser lacks: a mixin of the dialect's parser.

`WATERMARK FOR c AS expression WITH TTL`; `WITH c AS CHANGELOG FROM t`; frames `SESSION WITH GAP interval`; GAP_FILL with its
arguments as they are (upstream reads BigQuery's); `FOR SYSTEM_TIME AS OF PROCTIME()` behind a table's alias.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.risingwave import RisingWave
from sqlglot.tokenizer_core import TokenType

CHANGELOG = "CHANGELOG"
"""`SELECT * FROM t FOR VERSION AS OF changelog`: how the changes of a relation are written in a tree, so that text keeps it."""

SESSION = "SESSION WITH GAP"
"""The kind of a window frame that holds the session around a row; its `start` is the gap."""


def is_changelog(table: exp.Expr) -> bool:
    """Does this table node mean the changes of the relation rather than its rows?"""
    version = table.args.get("version")
    return version is not None and version.name == "VERSION" and version.expression.name.upper() == CHANGELOG


class EventSyntax(RisingWave.Parser):  # type: ignore[valid-type, misc]
    """The parser methods; see the module's text."""

    def _parse_watermark(self) -> exp.Expr:
        node = self.expression(
            exp.WatermarkColumnConstraint(
                this=self._match(TokenType.FOR) and self._parse_column(),
                expression=self._match(TokenType.ALIAS) and self._parse_disjunction(),
            )
        )
        node.set("ttl", bool(self._match_text_seq("WITH", "TTL")))
        return node  # type: ignore[no-any-return]

    CONSTRAINT_PARSERS: ClassVar = {**RisingWave.Parser.CONSTRAINT_PARSERS, "WATERMARK": _parse_watermark}

    FUNCTION_PARSERS: ClassVar = {
        name: parse for name, parse in RisingWave.Parser.FUNCTION_PARSERS.items() if name != "GAP_FILL"
    }

    def _parse_cte(self) -> Any:
        index = self._index
        alias = self._parse_table_alias(self.ID_VAR_TOKENS)
        if not (alias and self._match(TokenType.ALIAS) and self._match_text_seq("CHANGELOG", "FROM")):
            self._retreat(index)
            return super()._parse_cte()
        table = self._parse_table_parts()
        kept = exp.Version(this="VERSION", kind="AS OF", expression=exp.var(CHANGELOG))
        table.set("version", kept)
        return self.expression(exp.CTE(this=exp.select("*").from_(table, copy=False), alias=alias))

    def _parse_table(self, *arguments: Any, **options: Any) -> Any:
        table = super()._parse_table(*arguments, **options)
        if isinstance(table, exp.Table) and not table.args.get("version"):
            version = self._parse_version()
            if version is not None:
                table.set("version", version)
        return table

    def _parse_partition_and_order(self) -> Any:
        found = super()._parse_partition_and_order()
        self._gap = self._parse_bitwise() if self._match_text_seq("SESSION", "WITH", "GAP") else None
        return found

    def _parse_window(self, this: Any, alias: bool = False) -> Any:
        window = super()._parse_window(this, alias)
        gap, self._gap = getattr(self, "_gap", None), None
        if gap is not None and isinstance(window, exp.Window):
            window.set("spec", exp.WindowSpec(kind=SESSION, start=gap))
        return window


class EventText(RisingWave.Generator):  # type: ignore[valid-type, misc]
    """How the dialect writes what `EventSyntax` reads."""

    def windowspec_sql(self, node: exp.WindowSpec) -> str:
        if node.args.get("kind") == SESSION:
            return f"{SESSION} {self.sql(node, 'start')}"
        return super().windowspec_sql(node)  # type: ignore[no-any-return]

    def version_sql(self, node: exp.Version) -> str:
        text: str = super().version_sql(node)
        return text.replace("FOR TIMESTAMP AS OF PROCTIME()", "FOR SYSTEM_TIME AS OF PROCTIME()")

    def watermarkcolumnconstraint_sql(self, node: exp.WatermarkColumnConstraint) -> str:
        text: str = super().watermarkcolumnconstraint_sql(node)
        return f"{text} WITH TTL" if node.args.get("ttl") else text
